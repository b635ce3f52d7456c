"""Labels and tokens from the positions of a mask alone."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from attacks import mask_positions
from selenc_tf import catalog, flatten
from selenc_tf.masks import policy
from selenc_tf.models import functional

HEAD = flatten.FlatSpec(("conv", "kernel", "bias"), ((4,), (3, 2), (2,)))


def mask_of(*hidden, n=12):
    mask = np.zeros(n, bool)
    mask[list(hidden)] = True
    return mask


def test_by_hand():
    # Entries 4 to 9 are the kernel, row by row; 10 and 11 the bias.
    guess = mask_positions.labels_from_mask(mask_of(0, 5, 7, 8, 11), HEAD, 2)
    assert guess.classes == (1, 0)
    np.testing.assert_array_equal(guess.counts, [1, 3])
    assert guess.informative


@pytest.mark.parametrize("hidden", [(), range(12), (0, 1), range(4, 12)])
def test_equal_counts_say_nothing(hidden):
    guess = mask_positions.labels_from_mask(mask_of(*hidden), HEAD, 2)
    assert not guess.informative


def test_without_a_head():
    spec = flatten.FlatSpec(("conv",), ((2, 3, 2),))
    assert mask_positions.labels_from_mask(mask_of(1), spec, 5) is None


@pytest.mark.parametrize(
    "label", [0, *(pytest.param(one, marks=pytest.mark.slow) for one in (3, 9))]
)
def test_a_magnitude_mask_names_the_label(label):
    model = catalog.model("lenet", (28, 28, 1), 10, 0)
    image = np.random.default_rng(label).uniform(size=[1, 28, 28, 1])
    gradient = functional.gradient(
        model,
        model.initial_weights,
        tf.constant(image, tf.float32),
        tf.one_hot([label], 10),
    )
    spec = model.spec
    mask = policy.top_scores(tf.abs(gradient), spec.size // 5).numpy()
    guess = mask_positions.labels_from_mask(mask, spec, 10)
    assert guess.informative
    assert guess.classes[0] == label


def test_a_magnitude_mask_names_the_tokens():
    inputs = keras.Input((6,), dtype="int32")
    embedded = keras.layers.Embedding(50, 4)(inputs)
    pooled = keras.layers.GlobalAveragePooling1D()(embedded)
    model = functional.from_keras(keras.Model(inputs, keras.layers.Dense(3)(pooled)))
    tokens = [[3, 8, 8, 21, 40, 3]]
    gradient = functional.gradient(
        model, model.initial_weights, tf.constant(tokens), tf.one_hot([1], 3)
    )
    mask = policy.top_scores(tf.abs(gradient), 30).numpy()
    found = mask_positions.tokens_from_mask(mask, model.spec, 0)
    assert found == (3, 8, 21, 40)
    everything = np.ones(model.spec.size, bool)
    assert mask_positions.tokens_from_mask(everything, model.spec, 0) == (*range(50),)
    with pytest.raises(ValueError, match="embedding"):
        mask_positions.tokens_from_mask(mask, model.spec, 2)
