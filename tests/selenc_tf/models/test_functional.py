import keras
import numpy as np
import pytest
import tensorflow as tf

from selenc_tf.models import cnn, fedavg_cnn, functional, lenet


@pytest.fixture(scope="module")
def tiny():
    return functional.in_float64(lenet.lenet((8, 8, 1), 4, seed=3))


@pytest.fixture(scope="module")
def batch():
    rng = np.random.default_rng(1)
    images = tf.constant(rng.uniform(size=[3, 8, 8, 1]))
    labels = tf.one_hot([0, 3, 1], 4, dtype=tf.float64)
    return images, labels


def loss_at(model, weights, images, labels):
    """Mean cross-entropy in NumPy, from the logits alone."""
    logits = model.apply(weights, images).numpy()
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_probabilities = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -(labels.numpy() * log_probabilities).sum(axis=1).mean()


def test_gradient_is_the_slope_of_the_loss(tiny, batch):
    images, labels = batch
    gradient = functional.gradient(tiny, tiny.initial_weights, images, labels).numpy()
    rng = np.random.default_rng(0)
    start = 0
    for index, weight in enumerate(tiny.initial_weights):
        for flat in rng.integers(0, tf.size(weight).numpy(), 3):
            losses = []
            for step in (1e-5, -1e-5):
                moved = weight.numpy()
                moved.flat[flat] += step
                weights = list(tiny.initial_weights)
                weights[index] = tf.constant(moved)
                losses.append(loss_at(tiny, tuple(weights), images, labels))
            slope = (losses[0] - losses[1]) / 2e-5
            assert gradient[start + flat] == pytest.approx(slope, rel=1e-5, abs=1e-9)
        start += tf.size(weight).numpy()
    assert start == gradient.size


def test_head_bias_gradient_is_probability_minus_label(tiny, batch):
    images, labels = batch
    logits = tiny.apply(tiny.initial_weights, images)
    expected = np.mean(tf.nn.softmax(logits).numpy() - labels.numpy(), axis=0)
    gradient = functional.gradient(tiny, tiny.initial_weights, images, labels)
    np.testing.assert_allclose(gradient[-4:], expected, rtol=1e-12)


def test_gradient_is_linear_in_soft_labels(tiny, batch):
    images, labels = batch
    other = tf.one_hot([2, 2, 0], 4, dtype=tf.float64)

    def at(mixed):
        return functional.gradient(tiny, tiny.initial_weights, images, mixed).numpy()

    np.testing.assert_allclose(
        at(0.25 * labels + 0.75 * other),
        0.25 * at(labels) + 0.75 * at(other),
        atol=1e-12,
    )


def test_gradient_can_be_differentiated_again(tiny, batch):
    images, labels = batch

    def norm(pictures):
        return tf.reduce_sum(
            functional.gradient(tiny, tiny.initial_weights, pictures, labels) ** 2
        )

    with tf.GradientTape() as tape:
        tape.watch(images)
        value = norm(images)
    slope = tape.gradient(value, images)[0, 2, 3, 0]
    moved = images.numpy()
    moved[0, 2, 3, 0] += 1e-6
    assert slope.numpy() == pytest.approx(
        (norm(tf.constant(moved)) - value).numpy() / 1e-6, rel=1e-3
    )


def test_gradient_can_be_differentiated_by_labels(tiny, batch):
    images, labels = batch
    direction = np.random.default_rng(3).normal(size=tiny.spec.size)

    def along(soft):
        vector = functional.gradient(tiny, tiny.initial_weights, images, soft)
        return tf.tensordot(vector, tf.constant(direction, vector.dtype), 1)

    with tf.GradientTape() as tape:
        tape.watch(labels)
        value = along(labels)
    found = tape.gradient(value, labels).numpy()
    assert np.abs(found).max() > 0
    # It is linear in the labels, so a whole step is as good as a small one.
    for index in np.ndindex(*labels.shape):
        step = np.zeros(labels.shape, labels.dtype.as_numpy_dtype)
        step[index] = 1
        difference = (along(labels + step) - value).numpy()
        assert difference == pytest.approx(found[index], abs=1e-4)


@pytest.mark.parametrize("build", [lenet.lenet, cnn.small_cnn])
def test_float64_agrees_with_float32(build):
    model = build((12, 12, 3), 5, seed=0)
    double = functional.in_float64(model)
    images = tf.random.stateless_uniform([2, 12, 12, 3], [1, 2])
    labels = tf.one_hot([1, 4], 5)
    single = functional.gradient(model, model.initial_weights, images, labels)
    precise = functional.gradient(
        double,
        double.initial_weights,
        tf.cast(images, tf.float64),
        tf.cast(labels, tf.float64),
    )
    assert single.dtype == tf.float32 and precise.dtype == tf.float64
    assert double.spec == model.spec
    np.testing.assert_allclose(single, precise, atol=2e-6)
    assert not np.array_equal(single.numpy().astype(np.float64), precise)


@pytest.mark.parametrize(
    ("build", "shape", "classes", "parameters"),
    [
        (lenet.lenet, (32, 32, 3), 100, 85_036),
        (lenet.lenet, (28, 28, 1), 10, 13_426),
        (cnn.small_cnn, (28, 28, 1), 10, 105_866),
        (fedavg_cnn.fedavg_cnn, (28, 28, 1), 10, 1_663_370),
    ],
)
def test_parameter_counts(build, shape, classes, parameters):
    model = build(shape, classes, seed=0)
    assert model.spec.size == parameters
    assert model.keras_model.count_params() == parameters
    assert model.input_shape == shape and model.num_classes == classes


def test_apply_is_the_keras_model():
    model = lenet.lenet((8, 8, 1), 4, seed=3)
    images = tf.random.stateless_uniform([2, 8, 8, 1], [5, 6])
    np.testing.assert_array_equal(
        model.apply(model.initial_weights, images), model.keras_model(images)
    )


def test_weights_follow_the_seed():
    first, same, other = (lenet.lenet((8, 8, 1), 4, seed=s) for s in (3, 3, 4))
    for one, two in zip(first.initial_weights, same.initial_weights, strict=True):
        np.testing.assert_array_equal(one, two)
    assert not np.array_equal(first.initial_weights[0], other.initial_weights[0])
    flat = np.concatenate([np.ravel(weight) for weight in first.initial_weights])
    assert -0.5 <= flat.min() < -0.49 and 0.49 < flat.max() <= 0.5


def test_keras_variables_are_left_alone(batch):
    model = lenet.lenet((8, 8, 1), 4, seed=3)
    before = [value.copy() for value in model.keras_model.get_weights()]
    zeros = tuple(tf.zeros_like(weight) for weight in model.initial_weights)
    logits = model.apply(zeros, tf.zeros([1, 8, 8, 1]))
    np.testing.assert_array_equal(logits, np.zeros([1, 4]))
    for one, two in zip(before, model.keras_model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_frozen_layers_have_no_gradient():
    inputs = keras.Input((3,))
    hidden = keras.layers.Dense(5, trainable=False, activation="relu")(inputs)
    model = functional.from_keras(
        keras.Model(inputs, keras.layers.Dense(2)(hidden)), name="half"
    )
    assert model.name == "half" and model.spec.size == 5 * 2 + 2


def test_embedding_gradient_is_dense():
    inputs = keras.Input((2,), dtype="int32")
    hidden = keras.layers.Flatten()(keras.layers.Embedding(7, 3)(inputs))
    model = functional.from_keras(keras.Model(inputs, keras.layers.Dense(2)(hidden)))
    gradient = functional.gradient(
        model, model.initial_weights, tf.constant([[4, 6]]), tf.constant([[0.0, 1.0]])
    )
    table = gradient[:21].numpy().reshape(7, 3)
    assert set(np.flatnonzero(np.any(table != 0, axis=1))) == {4, 6}


def test_unbuilt_model():
    with pytest.raises(ValueError, match="must say what it takes"):
        functional.from_keras(keras.Sequential([keras.layers.Dense(2)]))


def test_nothing_trainable():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.trainable = False
    with pytest.raises(ValueError, match="trainable = True"):
        functional.from_keras(model)


def test_output_that_is_no_logits():
    inputs = keras.Input((3, 3))
    with pytest.raises(ValueError, match=r"one output \[batch, size\]"):
        functional.from_keras(keras.Model(inputs, keras.layers.Dense(2)(inputs)))
