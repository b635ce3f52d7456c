"""BERT and GPT-2 themselves: from a folder, from KerasHub's cache, or the internet."""

import pathlib

import keras_hub

from experiments.data.text.models import LanguageModel, Request
from selenc_tf.models.text import (
    bert,
    byte_pairs,
    gpt2,
    presets,
    vocabulary,
    word_pieces,
)
from selenc_tf.models.text.sizes import Sizes
from selenc_tf.models.text.token_model import TokenModel
from selenc_tf.models.text.tokens import SpecialTokens

_BERT_BASE = Sizes(30522, 12, 12, 768, 3072, 512)
_GPT2_BASE = Sizes(50257, 12, 12, 768, 3072, 1024)


def bert_base_en_uncased(asked: Request) -> LanguageModel:
    """BERT base, 12 layers and 768 numbers an embedding, with a new head.

    Args:
      asked: With classes.

    Returns:
      The model and its vocabulary.

    Raises:
      WeightsNotFoundError: If the weights are nowhere.
      ValueError: If a folder has others.
    """
    name = "bert_base_en_uncased"
    preset, source = _source(name, asked)
    pieces = presets.load(keras_hub.models.BertTokenizer, preset)
    words = word_pieces.of_pieces(
        list(pieces.get_vocabulary()), f"that of {source}", pieces.lowercase
    )
    model = bert.from_preset(
        preset,
        asked.length,
        asked.num_classes or 2,
        asked.seed,
        words.special,
        name=name,
        weights_from=source,
    )
    _check(model, _BERT_BASE)
    vocabulary.check_fits(words, model)
    return LanguageModel(model, words)


def gpt2_base_en(asked: Request) -> LanguageModel:
    """GPT-2, 12 layers and 768 numbers an embedding.

    Args:
      asked: With classes or without.

    Returns:
      The model and its vocabulary.

    Raises:
      WeightsNotFoundError: If the weights are nowhere.
      ValueError: If a folder has others.
    """
    name = "gpt2_base_en"
    preset, source = _source(name, asked)
    words = gpt2_words(presets.load(keras_hub.models.GPT2Tokenizer, preset), source)
    model = gpt2.from_preset(
        preset,
        asked.length,
        words.special,
        name=name,
        weights_from=source,
        num_classes=asked.num_classes,
        seed=asked.seed,
    )
    _check(model, _GPT2_BASE)
    vocabulary.check_fits(words, model)
    return LanguageModel(model, words)


def gpt2_words(
    tokenizer: keras_hub.models.GPT2Tokenizer, source: str
) -> vocabulary.Vocabulary:
    """The vocabulary of KerasHub's tokenizer."""
    places = {word: int(place) for word, place in dict(tokenizer.vocabulary).items()}
    end = places[tokenizer.end_token]
    return byte_pairs.of_pairs(
        places,
        list(tokenizer.merges),
        f"that of {source}",
        SpecialTokens(start=end, end=end, pad=0),
        [end],
    )


def _source(name: str, asked: Request) -> tuple[str | pathlib.Path, str]:
    """The preset, and how results name it."""
    if asked.directory is None:
        return name, f"KerasHub's preset {name}"
    return asked.directory, f"the folder {asked.directory.name}"


def _check(model: TokenModel, sizes: Sizes) -> None:
    """Refuses weights that are not those of the name: results would carry it."""
    backbone = model.source.backbone
    found = Sizes(
        backbone.vocabulary_size,
        backbone.num_layers,
        backbone.num_heads,
        backbone.hidden_dim,
        backbone.intermediate_dim,
        backbone.max_sequence_length,
    )
    if found != sizes:
        raise ValueError(
            f"{model.weights_from} must hold {model.name}, {sizes}, but holds {found}. "
            "Pass the folder of the original."
        )
