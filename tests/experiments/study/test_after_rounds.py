"""The weights after rounds of averaging: trained once, kept whole, and attacked."""

import io

import keras
import numpy as np
import pytest

from experiments.modalities.pictures.modality import PICTURES as MODALITY
from experiments.study import after_rounds, clients, weights_cache
from experiments.study.flag_table import SettingsError
from experiments.study.settings import Federation
from selenc_tf.models import functional, mlp
from tests.experiments import made_up

PICTURES = made_up.pictures((4, 4, 1), 60)
ASKED = Federation(
    weights_after_rounds=2,
    num_clients=2,
    examples=8,
    batch_size=4,
    local_epochs=1,
    test_examples=6,
)
DATA = clients.shared_out(PICTURES, ASKED, 0)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "selenc_tf" / "weights"


@pytest.fixture(scope="module")
def normalised():
    """A model with moving statistics."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    return functional.from_keras(
        keras.Sequential(
            [
                keras.Input((4, 4, 1)),
                layers.Flatten(),
                layers.Dense(4),
                layers.BatchNormalization(),
                layers.Dense(3),
            ],
            name="normalised",
        ),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )


def learned(model, asked=ASKED, seed=0, dry_run=False):
    stream = io.StringIO()
    found = after_rounds.of(MODALITY, model, asked, seed, DATA, stream, dry_run)
    return found, stream.getvalue()


def values(model):
    return [one.numpy() for one in (*model.initial_weights, *model.task.initial_state)]


def test_none_asked_for(normalised, cache):
    found, _ = learned(normalised, Federation())
    assert found == after_rounds.Learned(normalised, {}, "")
    assert not cache.exists()


@pytest.mark.slow
def test_weights_and_statistics_move_and_come_back_from_the_cache(normalised, cache):
    before = values(normalised)
    found, told = learned(normalised)
    assert "training the attacked weights: 2/2 done" in told
    for one, two in zip(before, values(normalised), strict=True):
        np.testing.assert_array_equal(one, two)
    after = values(found.model)
    # Every tensor: kernels, biases, scale, shift, moving mean and variance.
    assert all(
        not np.array_equal(one, two) for one, two in zip(before, after, strict=True)
    )
    # What is rebuilt in float64 is at the same weights and statistics.
    double = values(functional.in_float64(found.model))
    for one, two in zip(after, double, strict=True):
        np.testing.assert_array_equal(one, two.astype(np.float32))
    assert set(found.facts["attacked_weights_test"]) == {"loss", "accuracy"}
    assert "after 2 rounds" in found.note and "accuracy" in found.note

    again, told = learned(normalised)
    assert told == ""
    assert again.facts == found.facts and again.note == found.note
    for one, two in zip(after, values(again.model), strict=True):
        np.testing.assert_array_equal(one, two)

    (path,) = cache.iterdir()
    path.write_bytes(path.read_bytes()[:-200])
    assert "not trained yet" in learned(normalised, dry_run=True)[0].note


@pytest.fixture(scope="module")
def plain():
    return mlp.mlp((4, 4, 1), 3, 0, hidden=(4,), activation="sigmoid")


def test_a_dry_run_trains_nothing(plain, cache):
    found, told = learned(plain, dry_run=True)
    assert found.model is plain and not found.facts and told == ""
    assert "not trained yet" in found.note
    assert not cache.exists()


def trained_to(model, value):
    weights = tuple(
        np.full(one.shape, value, np.float32) for one in model.initial_weights
    )
    return weights_cache.Trained(weights, (), {"loss": 1.0})


def test_an_interrupted_training_leaves_nothing(plain, cache, monkeypatch):
    def stopped(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(weights_cache.files.os, "replace", stopped)
        patch.setattr(after_rounds, "_train", lambda *_: trained_to(plain, 0.5))
        with pytest.raises(KeyboardInterrupt):
            learned(plain)
    assert not list(cache.iterdir())
    assert "not trained yet" in learned(plain, dry_run=True)[0].note


def test_what_determines_the_weights_is_in_the_key(plain):
    def key(asked=ASKED, seed=0, data=DATA, model=plain):
        return after_rounds._key(MODALITY, model, asked, seed, data)

    others = [
        key(asked=Federation(**{**vars(ASKED), "weights_after_rounds": 3})),
        key(asked=Federation(**{**vars(ASKED), "learning_rate": 0.02})),
        key(seed=1),
        key(data=DATA._replace(clients=DATA.clients[:1])),
        # The same weights, but they compute something else.
        key(model=mlp.mlp((4, 4, 1), 3, 0, hidden=(4,), activation="relu")),
        key(model=mlp.mlp((4, 4, 1), 3, 1, hidden=(4,), activation="sigmoid")),
    ]
    assert len({key(), *others}) == 1 + len(others)
    assert key() == key()


@pytest.mark.parametrize("damage", ["no archive", "other values", "other shapes"])
def test_damaged_files_are_no_weights(cache, damage):
    like = ((np.zeros([2, 3], np.float32),), (np.zeros([2], np.float32),))
    trained = weights_cache.Trained(*like, measures={"loss": 0.5})
    weights_cache.save("key", trained)
    assert weights_cache.load("key", like).measures == {"loss": 0.5}
    path = cache / "key.npz"
    if damage == "no archive":
        path.write_bytes(b"PK")
    elif damage == "other shapes":
        like = ((np.zeros([3, 2], np.float32),), like[1])
    else:
        with np.load(path) as kept:
            arrays = dict(kept)
        np.savez(path, **{**arrays, "weight0": arrays["weight0"] + 1})
    assert weights_cache.load("key", like) is None
    assert weights_cache.load("another", like) is None


def test_training_that_diverges_is_refused(plain):
    start = weights_cache.Trained(
        tuple(one.numpy() for one in plain.initial_weights), (), {"loss": 1.0}
    )
    for found in (start, trained_to(plain, np.nan)):
        with pytest.raises(SettingsError, match="client_learning_rate"):
            after_rounds._check(plain, ASKED, found)
    after_rounds._check(plain, ASKED, trained_to(plain, 0.5))


def test_no_attacked_picture_was_trained_on():
    order = clients.order(PICTURES, ASKED, 0, DATA)
    trained = {int(row) for client in DATA.clients for row in client.rows}
    assert len(trained) == 16 and len(order) == 60 - 16
    assert not trained.intersection(order)
    for client in DATA.clients:
        np.testing.assert_array_equal(PICTURES.examples[client.rows], client.examples)
    everything = clients.order(PICTURES, Federation(), 0, DATA)
    assert sorted(everything) == list(range(60))
    assert order == tuple(row for row in everything if row not in trained)
