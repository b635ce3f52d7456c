import dataclasses

import numpy as np
import pytest

from experiments.data import dataset as dataset_lib
from experiments.data.text import kept_training, models, pretraining, scratch
from experiments.data.text.kept_training import Kept
from experiments.data.text.pretraining import Plan
from experiments.data.text.sentences import Sentences
from selenc_tf.models.text import byte_pairs
from selenc_tf.models.text.sizes import Sizes
from selenc_tf.models.text.tokens import SpecialTokens

SIZES = Sizes(vocabulary=258, layers=1, heads=2, width=16, inner=32, positions=16)
PLAN = Plan(epochs=2, batch_size=8, length=12, learning_rate=1e-2, drawn=32)


def words():
    letters = byte_pairs._letters()
    places = {letters[byte]: byte for byte in range(256)}
    places |= {"is": 256, "<|endoftext|>": 257}
    special = SpecialTokens(start=257, end=257, pad=0)
    return byte_pairs.of_pairs(places, ["i s"], "bytes", special, [257])


def sentences():
    texts = tuple(f"{a}{b} is {a}" for a in "abcdefgh" for b in "xyzuv")
    return Sentences("few", (*texts, texts[0]), None, 0, (), "here", "", "", "")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def train(plan=PLAN):
    told = []
    made = pretraining.train("few", SIZES, words(), sentences(), plan, told.append)
    return made, told


def test_a_tenth_is_held_out_and_equal_sentences_stay_together():
    for seed in range(20):
        parts = pretraining.split(sentences(), seed)
        assert len(parts.held_out) in (4, 5)
        assert sorted([*parts.training, *parts.held_out]) == list(range(41))
        assert (0 in parts.held_out) == (40 in parts.held_out)


@pytest.mark.slow
def test_training_learns_stops_goes_on_and_is_kept(cache, monkeypatch):
    whole, told = train()
    assert whole.finished and whole.epoch == 2 and whole.optimiser == ()
    # Below a guess among all tokens.
    assert whole.losses[1] < whole.losses[0] < np.log(258)
    assert "held-out loss" in told[-1]
    again, told = train()
    assert (again.sha256, told) == (whole.sha256, [])

    # The same, stopped in its second epoch.
    kept_training.path("few").unlink()
    original = pretraining._Trainer.epoch

    def stopping(self, number):
        if number == 1:
            raise KeyboardInterrupt
        return original(self, number)

    with monkeypatch.context() as patched:
        patched.setattr(pretraining._Trainer, "epoch", stopping)
        with pytest.raises(KeyboardInterrupt):
            train()
    half = kept_training.load(kept_training.path("few"))
    assert (half.epoch, half.finished, len(half.losses)) == (1, False, 1)
    resumed, told = train()
    assert told[0] == "Going on after epoch 1 of 2."
    np.testing.assert_allclose(resumed.losses, whole.losses, rtol=1e-4)
    for one, two in zip(resumed.weights, whole.weights, strict=True):
        np.testing.assert_allclose(one, two, atol=1e-4)

    other, told = train(dataclasses.replace(PLAN, epochs=1))
    assert "of another training: starting anew" in told[0]
    assert other.epoch == 1


def test_a_damaged_file_is_no_training(cache):
    settings = {"epochs": 2, "sentences": 1234, "data": "few", "seed": 0}
    weights = tuple(np.full(shape, 0.5, np.float32) for shape in ((3, 2), (2,)))
    made = Kept(weights, (np.array(7),), settings, 1, (5.0,))
    file = kept_training.path("few")
    assert kept_training.load(file) is None
    kept_training.save(file, made)
    found = kept_training.load(file)
    assert (found.sha256, found.settings, found.losses) == (
        made.sha256,
        settings,
        (5.0,),
    )
    assert (found.epoch, found.finished, int(found.optimiser[0])) == (1, False, 7)
    assert found.words == (
        "trained here on 1,234 sentences of few, 1 epochs, seed 0; held-out loss 5.00 "
        f"nats a token; sha256 {made.sha256[:12]}"
    )
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    assert kept_training.load(file) is None
    assert [one.name for one in file.parent.iterdir()] == ["few.npz"]


@pytest.mark.slow
def test_a_trained_model_is_loaded_with_a_head_or_without(cache, monkeypatch):
    with pytest.raises(dataset_lib.DataNotFoundError, match=r"experiments\.pretrain"):
        models.load("gpt2_small_scratch", 8)
    made, _ = train(dataclasses.replace(PLAN, epochs=1))
    kept_training.save(kept_training.path("gpt2_small_scratch"), made)
    monkeypatch.setattr(scratch, "SIZES", SIZES)
    monkeypatch.setattr(scratch, "words", words)
    plain = models.load("gpt2_small_scratch", 8)
    assert (plain.model.kind, plain.model.weights_from) == ("next_token", made.words)
    for one, two in zip(plain.model.initial_weights, made.weights, strict=True):
        np.testing.assert_array_equal(one, two)
    headed = models.load("gpt2_small_scratch", 8, num_classes=3, seed=4)
    assert headed.model.weights_from == f"{made.words}; head random, seed 4"
    assert headed.model.spec.shapes[-2:] == ((16, 3), (3,))
    np.testing.assert_array_equal(headed.model.initial_weights[0], made.weights[0])
    kept_training.save(
        kept_training.path("gpt2_small_scratch"),
        made._replace(settings={**made.settings, "epochs": 2}),
    )
    with pytest.raises(dataset_lib.DataNotFoundError, match="is half trained"):
        models.load("gpt2_small_scratch", 8)
