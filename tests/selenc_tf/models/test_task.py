import keras
import numpy as np
import pytest
import tensorflow as tf

from selenc_tf.models import functional, joining, structures
from selenc_tf.models import task as task_lib
from tests.selenc_tf.models import architectures
from tests.selenc_tf.models.architectures import ARCHITECTURES

QUICK = ("softmax", "regularised", "batch normalisation", "two outputs")
"""Also tried in inference mode by default."""
ALIKE = (
    *("dense", "binary", "multi-label", "smoothed labels", "regression"),
    *("robust regression", "own loss", "l1, known scale", "hinge", "lambda"),
    *("convolution", "any size", "two inputs", "shared layer", "layer normalisation"),
)
"""The same in both modes: none of their layers looks at it."""
LONG = (
    "BERT",
    "language model",
    "embedding, LSTM",
    "attention",
    "multi-label",
    "adapter",
    "separable convolution",
    "hinge",
    "smoothed labels",
    "l1, known scale",
    "masked values",
    "any size",
    "robust regression",
    "shared layer",
)
"""Longest to trace."""


def task_of(name, training=True):
    model = architectures.build(name)
    inputs = None
    if name == "any size":
        inputs = tf.TensorSpec((None, None, None, 3))
    return task_lib.from_keras(
        model, ARCHITECTURES[name].loss, inputs=inputs, training=training
    )


def stepped(task, inputs, labels, seed=(1, 2)):
    @tf.function(autograph=False)
    def step(weights, state, inputs, labels):
        with tf.GradientTape() as tape:
            tape.watch(weights)
            made = task_lib.step(task, weights, state, inputs, labels, seed=seed)
        slopes = tape.gradient(made.loss, weights)
        return made.loss, made.state, [tf.convert_to_tensor(one) for one in slopes]

    return step(task.initial_weights, task.initial_state, inputs, labels)


def check_slopes(slopes, expected):
    """To float32 rounding, of which there is most where a gradient cancels out."""
    scale = max(np.max(np.abs(right)) for right in expected)
    assert scale > 0
    for found, right in zip(slopes, expected, strict=True):
        np.testing.assert_allclose(found, right, rtol=1e-4, atol=1e-6 * scale)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=pytest.mark.slow) if n in LONG else n
        for n, one in ARCHITECTURES.items()
        if not one.random
    ],
)
def test_loss_and_gradient_are_those_of_keras(name):
    task = task_of(name)
    inputs, labels = architectures.batches(architectures.clients(name)[0])[0]
    loss, state, slopes = stepped(task, inputs, labels)
    model = architectures.build(name)
    wanted, expected = architectures.gradient(name, model, inputs, labels, True)
    assert float(wanted) > 0
    np.testing.assert_allclose(loss, wanted, rtol=1e-5)
    check_slopes(slopes, expected)
    moved = [model.non_trainable_variables[at] for at in task.places.moving]
    for found, right in zip(state, moved, strict=True):
        np.testing.assert_allclose(found, right, rtol=1e-5)


@pytest.mark.parametrize(
    "name",
    [
        n
        if n in QUICK
        else pytest.param(n, marks=pytest.mark.long if n in ALIKE else pytest.mark.slow)
        for n in ARCHITECTURES
    ],
)
def test_inference_mode_is_that_of_keras(name):
    task = task_of(name, training=False)
    inputs, labels = architectures.batches(architectures.clients(name)[0])[0]
    loss, state, slopes = stepped(task, inputs, labels, seed=None)
    model = architectures.build(name)
    wanted, expected = architectures.gradient(name, model, inputs, labels, False)
    np.testing.assert_allclose(loss, wanted, rtol=1e-5)
    check_slopes(slopes, expected)
    for found, right in zip(state, task.initial_state, strict=True):
        np.testing.assert_array_equal(found, right)


@pytest.mark.parametrize(
    "name", ["dropout", pytest.param("noise", marks=pytest.mark.slow)]
)
def test_random_layers_have_the_mean_of_keras(name):
    """Over seeds, the loss: and not that of inference mode."""
    task = task_of(name)
    inputs, labels = architectures.batches(architectures.clients(name)[0])[0]

    @tf.function(autograph=False)
    def loss(seed):
        made = task_lib.step(
            task, task.initial_weights, task.initial_state, inputs, labels, seed=seed
        )
        return made.loss

    ours = [float(loss(tf.constant([7, at]))) for at in range(300)]
    assert float(loss(tf.constant([7, 3]))) == ours[3]
    model = architectures.build(name)
    call = tf.function(lambda x: model(x, training=True), autograph=False)
    oracle = ARCHITECTURES[name].oracle
    theirs = [float(oracle(labels, call(inputs))) for _ in range(300)]
    error = np.hypot(np.std(ours), np.std(theirs)) / np.sqrt(300)
    assert abs(np.mean(ours) - np.mean(theirs)) < 4 * error
    calm, _ = architectures.gradient(name, model, inputs, labels, False)
    assert abs(np.mean(ours) - float(calm)) > 4 * error


def test_a_random_step_needs_a_seed():
    task = task_of("dropout")
    assert task.is_random
    inputs, labels = architectures.batches(architectures.clients("dropout")[0])[0]
    with pytest.raises(ValueError, match="`seed` must be given"):
        stepped(task, inputs, labels, seed=None)


def test_a_rate_of_zero_is_not_random():
    model = architectures.dense(lambda: keras.layers.Dropout(0.0))()
    assert not task_lib.from_keras(model).is_random


@pytest.mark.parametrize("bad", [3, -1])
def test_labels_out_of_range_are_refused_and_not_shown(bad):
    task = task_of("dense")
    inputs, labels = architectures.batches(architectures.clients("dense")[0])[0]
    labels = np.where(np.arange(len(labels)) == 1, bad, labels)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"integers in \[0, 3\)"):
        stepped(task, inputs, labels)


@pytest.mark.parametrize(
    ("name", "loss", "message"),
    [
        ("softmax", architectures.CLASSES, "from_logits=True"),
        ("dense", architectures.PROBABILITIES, "from_logits=False"),
        ("binary", architectures.PROBABILITIES, "sigmoid outputs"),
        (
            "dense",
            keras.losses.SparseCategoricalCrossentropy(True, reduction="none"),
            "reduced to one number",
        ),
        ("dense", "no_such_loss", "must be the name of a Keras loss"),
        ("two outputs", {"which": architectures.CLASSES}, "one loss for each output"),
    ],
)
def test_a_loss_that_does_not_fit(name, loss, message):
    with pytest.raises(ValueError, match=message):
        task_lib.from_keras(architectures.build(name), loss)


def test_one_output_may_be_a_logit_or_a_value():
    with pytest.raises(ValueError, match="may be a logit or a value"):
        task_lib.from_keras(architectures.dense(units=1)())


def test_a_compiled_model_brings_its_loss():
    model = architectures.build("regression")
    model.compile(loss="mean_absolute_error")
    assert task_lib.from_keras(model).objective.name == "mean_absolute_error"
    model = architectures.build("dense")
    model.compile(loss="sparse_categorical_crossentropy")
    with pytest.raises(ValueError, match="from_logits=False"):
        task_lib.from_keras(model)


def half(dtype):
    return [keras.Input((4,)), keras.layers.Dense(3, dtype=dtype, name="low")]


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda: half("mixed_float16"), "'low' must compute in float32"),
        (lambda: half("float64"), "'low' must compute in float32"),
        (
            lambda: [
                keras.Input((4, 4, 3)),
                keras.layers.Flatten(data_format="channels_first", name="turned"),
                keras.layers.Dense(3),
            ],
            "'turned' must have its channels last",
        ),
        (
            lambda: [
                keras.Input(batch_shape=(2, 5, 4)),
                keras.layers.LSTM(3, stateful=True, name="memory"),
                keras.layers.Dense(3),
            ],
            "'memory' must not keep a state",
        ),
        (
            lambda: [
                keras.Input((4,)),
                keras.layers.Dense(4, name="cut"),
                keras.layers.Lambda(tf.stop_gradient),
                keras.layers.Dense(3),
            ],
            "cut/kernel' of .* must be reached by a gradient",
        ),
        (
            lambda: [
                keras.Input((4,)),
                keras.layers.Dense(3, kernel_constraint="non_neg", name="bound"),
            ],
            "'bound' must have no constraint",
        ),
        (
            lambda: [
                keras.Input((4,)),
                keras.layers.SpectralNormalization(keras.layers.Dense(3, name="kept")),
            ],
            "kept/kernel' of .* must be changed by the optimiser alone",
        ),
        (
            lambda: [
                keras.Input((1,), dtype="string"),
                keras.layers.StringLookup(vocabulary=["a", "b"]),
                keras.layers.Embedding(3, 2),
                keras.layers.Flatten(),
                keras.layers.Dense(3),
            ],
            "in the data set",
        ),
        (
            lambda: [
                keras.Input((4,)),
                keras.layers.Lambda(lambda x: x + tf.random.normal(tf.shape(x))),
                keras.layers.Dense(3),
            ],
            "SeedGenerator",
        ),
    ],
)
def test_what_cannot_be_done_is_refused(made, message):
    with pytest.raises(ValueError, match=message):
        task_lib.from_keras(keras.Sequential(made()))


@pytest.mark.parametrize("state", ["floatx", "backend"])
def test_global_state_is_checked(monkeypatch, state):
    model = architectures.build("dense")
    if state == "floatx":
        monkeypatch.setattr(keras.config, "floatx", lambda: "float16")
    else:
        monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ValueError, match=state):
        task_lib.from_keras(model)


def test_inputs_nested_otherwise():
    task = task_of("two inputs")
    (inputs, labels), *_ = architectures.batches(architectures.clients("two inputs")[0])
    with pytest.raises(ValueError, match=r"dictionary of \['wide', 'deep'\]"):
        stepped(task, {"wide": inputs["wide"]}, labels)
    with pytest.raises(ValueError, match="must have the shape"):
        stepped(task, {**inputs, "deep": inputs["wide"]}, labels)


def test_joined_inputs_in_their_own_order():
    task = task_of("two inputs")
    inputs, _ = architectures.clients("two inputs")[0]
    assert list(task.inputs) == ["wide", "deep"] == list(inputs)
    joined = joining.join(task.inputs, dict(reversed(inputs.items())))
    np.testing.assert_array_equal(
        joined, np.concatenate([inputs["wide"], inputs["deep"]], 1)
    )
    parts = joining.split(task.inputs, joined)
    for key, part in inputs.items():
        np.testing.assert_array_equal(parts[key], part)


@pytest.mark.parametrize("name", ["two inputs", "batch normalisation", "multi-label"])
def test_functional_gradient_is_that_of_the_task(name):
    task = task_of(name)
    model = functional.from_task(task)
    inputs, labels = architectures.batches(architectures.clients(name)[0])[0]
    found = functional.gradient(
        model,
        model.initial_weights,
        joining.join(task.inputs, inputs) if name == "two inputs" else inputs,
        functional.targets(model, tf.constant(labels)),
    )
    _, _, slopes = stepped(task, inputs, labels)
    expected = np.concatenate([np.ravel(one) for one in slopes])
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["lambda", "batch normalisation", "adapter"])
def test_float64(name):
    model = functional.from_task(task_of(name))
    double = functional.in_float64(model)
    inputs, labels = architectures.batches(architectures.clients(name)[0])[0]
    targets = functional.targets(model, tf.constant(labels))
    single = functional.gradient(model, model.initial_weights, inputs, targets)
    found = functional.gradient(
        double,
        double.initial_weights,
        tf.cast(inputs, tf.float64),
        tf.cast(targets, tf.float64),
    )
    assert found.dtype == tf.float64
    np.testing.assert_allclose(found, single, rtol=1e-3, atol=1e-6)


def test_a_loss_that_no_attack_knows():
    with pytest.raises(ValueError, match="to be attacked"):
        functional.from_task(task_of("robust regression"))


def test_the_model_is_left_as_it_was():
    model = architectures.build("batch normalisation")
    before = [value.copy() for value in model.get_weights()]
    task = task_lib.from_keras(model)
    inputs, labels = architectures.batches(
        architectures.clients("batch normalisation")[0]
    )[0]
    stepped(task, inputs, labels)
    for one, two in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_zeros_are_an_example():
    task = task_of("any size")
    assert structures.zeros(task.inputs).shape == (1, 1, 1, 3)


class Doubled(keras.Model):
    def train_step(self, data):
        raise NotImplementedError


def test_a_step_of_its_own_is_not_silently_another():
    inputs = keras.Input((6,))
    model = Doubled(inputs, keras.layers.Dense(3)(inputs))
    with pytest.raises(ValueError, match="has its own `train_step`"):
        task_lib.from_keras(model)
    assert task_lib.from_keras(model, architectures.CLASSES).spec.size == 21


class Plain(keras.Model):
    """Without a mode, as most are written."""

    def __init__(self):
        super().__init__()
        self.first, self.last = keras.layers.Dense(4), keras.layers.Dense(3)

    def call(self, x):
        return self.last(self.first(x))


@pytest.mark.filterwarnings("ignore:`build.*` was called on layer:UserWarning")
def test_a_subclass_is_built_from_what_it_is_said_to_take():
    with pytest.raises(ValueError, match="must say what it takes"):
        task_lib.from_keras(Plain())
    task = task_lib.from_keras(Plain(), inputs=tf.TensorSpec((None, 6)))
    assert task.spec.size == 6 * 4 + 4 + 4 * 3 + 3
    inputs, labels = architectures.batches(architectures.clients("dense")[0])[0]
    assert np.isfinite(stepped(task, inputs, labels)[0])


def test_given_inputs_must_be_the_models():
    with pytest.raises(ValueError, match=r"dictionary of \['wide', 'deep'\]"):
        task_lib.from_keras(
            architectures.build("two inputs"),
            inputs={"wide": tf.TensorSpec((None, 6)), "more": tf.TensorSpec((None, 2))},
        )


def test_events_may_be_bool():
    task = task_of("binary")
    inputs, labels = architectures.batches(architectures.clients("binary")[0])[0]
    assert stepped(task, inputs, labels > 0)[0] == stepped(task, inputs, labels)[0]


class Focused(keras.losses.SparseCategoricalCrossentropy):
    def call(self, y_true, y_pred):
        return tf.square(super().call(y_true, y_pred))


def test_a_subclass_of_a_known_loss_is_another_loss():
    task = task_lib.from_keras(architectures.build("dense"), Focused(from_logits=True))
    assert task.objective.kind == "other"
