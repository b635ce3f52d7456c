"""Small Keras models as users bring them, and plain Keras as the oracle.

Nothing of the project is used here: gradients by a tape on the model itself, federated
averaging by a loop over clients.
"""

import types
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import keras
import keras_hub
import numpy as np
import tensorflow as tf

layers = keras.layers
CLIENTS = (12, 8)
"""Examples of the two clients."""
BATCH = 4
RATE = 0.1


class Architecture(NamedTuple):
    """A model with its data.

    Attributes:
      build: Makes the Keras model.
      draw: `(generator, number of examples) -> (inputs, labels)`.
      loss: What a user would pass; None for what is recognised.
      oracle: `(labels, outputs) -> scalar` for the plain loop.
      says: Whether model and loss say what a batch is; else the data have to.
      random: Whether training draws random numbers.
    """

    build: Callable[[], keras.Model]
    draw: Callable[[np.random.Generator, int], tuple[Any, Any]]
    loss: Any
    oracle: Callable[[Any, Any], tf.Tensor]
    says: bool = True
    random: bool = False


def numbers(generator, count):
    x = generator.normal(1.0, 2.0, size=(count, 6)).astype(np.float32)
    return x, x[:, :3].argmax(1).astype(np.int32)


def events(width):
    def draw(generator, count):
        x, _ = numbers(generator, count)
        return x, (x[:, :width] > 1).astype(np.float32)

    return draw


def values(generator, count):
    x, _ = numbers(generator, count)
    return x, (0.2 * x[:, :2]).astype(np.float32)


def signs(generator, count):
    """Labels [b] beside outputs [b, 1]."""
    x, _ = numbers(generator, count)
    return x, np.sign(x[:, 0] - 1).astype(np.float32)


def token_values(generator, count):
    x, _ = tokens(generator, count)
    return x, (0.3 * x[:, :, np.newaxis]).astype(np.float32)


def pictures(generator, count):
    x = generator.uniform(size=(count, 6, 6, 3)).astype(np.float32)
    return x, x.mean((1, 2)).argmax(1).astype(np.int32)


def sequences(generator, count):
    x = generator.normal(size=(count, 5, 4)).astype(np.float32)
    return x, x.sum(1)[:, :3].argmax(1).astype(np.int32)


def tokens(generator, count):
    x = generator.integers(1, 12, size=(count, 5)).astype(np.int32)
    x[:, 3:] *= generator.integers(0, 2, size=(count, 2)).astype(np.int32)
    return x, (x.sum(1) % 3).astype(np.int32)


def next_tokens(generator, count):
    x, _ = tokens(generator, count)
    return x, np.concatenate([x[:, 1:], 0 * x[:, :1]], 1)


def sentences(generator, count):
    x, y = tokens(generator, count)
    return {
        "token_ids": x,
        "segment_ids": np.zeros_like(x),
        "padding_mask": (x > 0).astype(np.int32),
    }, y


def pairs(generator, count):
    x, y = numbers(generator, count)
    return {"wide": x, "deep": x[:, ::-1][:, :2].copy()}, y


def two_answers(generator, count):
    x, y = numbers(generator, count)
    return x, {"which": y, "much": (0.2 * x[:, :1]).astype(np.float32)}


def dense(*middle, units=3, activation=None, **options):
    """A dense net; `middle` are functions that make layers."""
    return lambda: keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(7, activation="tanh", **options),
            *[make() for make in middle],
            layers.Dense(units, activation=activation, **options),
        ]
    )


def two_inputs():
    wide, deep = keras.Input((6,), name="wide"), keras.Input((2,), name="deep")
    hidden = layers.Concatenate()([wide, layers.Dense(4, activation="relu")(deep)])
    return keras.Model({"wide": wide, "deep": deep}, layers.Dense(3)(hidden))


def two_outputs():
    inputs = keras.Input((6,))
    hidden = layers.Dense(5, activation="tanh")(inputs)
    return keras.Model(
        inputs, {"which": layers.Dense(3)(hidden), "much": layers.Dense(1)(hidden)}
    )


def shared():
    inputs = keras.Input((6,))
    twice = layers.Dense(6, activation="tanh")
    return keras.Model(inputs, layers.Dense(3)(twice(twice(inputs))))


def frozen():
    model = dense(layers.BatchNormalization)()
    model.layers[0].trainable = model.layers[1].trainable = False
    return model


def adapter():
    model = dense()()
    model.layers[0].enable_lora(2)
    return model


def nested():
    return keras.Sequential([dense(units=5)(), layers.Dense(3)])


def attention():
    inputs = keras.Input((5, 4))
    seen = layers.MultiHeadAttention(2, 2)(inputs, inputs)
    pooled = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(inputs + seen))
    return keras.Model(inputs, layers.Dense(3)(pooled))


def conv(*middle, size=6):
    return lambda: keras.Sequential(
        [
            keras.Input((size, size, 3)),
            layers.Conv2D(4, 3, activation="relu"),
            *[make() for make in middle],
            layers.GlobalAveragePooling2D(),
            layers.Dense(3),
        ]
    )


def recurrent(layer, **options):
    def build():
        inputs = keras.Input((5,), dtype="int32")
        embedded = layers.Embedding(12, 4, mask_zero=True)(inputs)
        return keras.Model(inputs, layers.Dense(3)(layer(5, **options)(embedded)))

    return build


def masked():
    return keras.Sequential(
        [
            keras.Input((5,), dtype="int32"),
            layers.Embedding(12, 3, mask_zero=True),
            layers.Dense(1),
        ]
    )


def language():
    inputs = keras.Input((5,), dtype="int32")
    hidden = layers.GRU(5, return_sequences=True)(layers.Embedding(12, 4)(inputs))
    return keras.Model(inputs, layers.Dense(12)(hidden))


def bert():
    return keras_hub.models.BertTextClassifier(
        keras_hub.models.BertBackbone(
            vocabulary_size=12,
            num_layers=1,
            num_heads=2,
            hidden_dim=4,
            intermediate_dim=6,
            dropout=0.0,
            max_sequence_length=5,
        ),
        num_classes=3,
        preprocessor=None,
        dropout=0.0,
    )


def without_padding(labels, outputs):
    """Cross-entropy of the tokens that are not padding, as many write it."""
    each = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, outputs)
    kept = tf.cast(labels != 0, tf.float32)
    return tf.reduce_sum(each * kept) / tf.reduce_sum(kept)


def zeros_count_twice(labels, outputs):
    """Losses of examples, with a comparison as many write it."""
    each = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, outputs)
    return tf.where(labels == 0, 2 * each, each)


def both(labels, outputs):
    return CLASSES(labels["which"], outputs["which"]) + SQUARES(
        labels["much"], outputs["much"]
    )


CLASSES = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
PROBABILITIES = keras.losses.SparseCategoricalCrossentropy()
EVENTS = keras.losses.BinaryCrossentropy()
SQUARES = keras.losses.MeanSquaredError()
HUBER = keras.losses.Huber()
HINGE = keras.losses.Hinge()
SMOOTHED = keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.1)
L2 = keras.regularizers.L2(0.05)

ARCHITECTURES: Mapping[str, Architecture] = types.MappingProxyType(
    {
        "dense": Architecture(dense(), numbers, None, CLASSES),
        "softmax": Architecture(
            dense(activation="softmax"), numbers, None, PROBABILITIES
        ),
        "binary": Architecture(
            dense(units=1, activation="sigmoid"), events(1), None, EVENTS
        ),
        "multi-label": Architecture(
            dense(units=3, activation="sigmoid"), events(3), None, EVENTS
        ),
        "smoothed labels": Architecture(dense(units=2), events(2), SMOOTHED, SMOOTHED),
        "regression": Architecture(
            dense(units=2), values, "mean_squared_error", SQUARES
        ),
        "robust regression": Architecture(dense(units=2), values, HUBER, HUBER),
        "own loss": Architecture(
            dense(),
            numbers,
            zeros_count_twice,
            lambda labels, outputs: tf.reduce_mean(zeros_count_twice(labels, outputs)),
            says=False,
        ),
        "regularised": Architecture(
            dense(kernel_regularizer=L2), numbers, None, CLASSES
        ),
        "l1, known scale": Architecture(
            dense(
                lambda: layers.Normalization(mean=[1.0] * 7, variance=[2.0] * 7),
                lambda: layers.Lambda(lambda x: x * tf.constant([1.0] * 3 + [2.0] * 4)),
                kernel_regularizer="l1",
            ),
            numbers,
            None,
            CLASSES,
        ),
        "hinge": Architecture(dense(units=1), signs, "hinge", HINGE, says=False),
        "masked values": Architecture(masked, token_values, "huber", HUBER, says=False),
        "activity regularised": Architecture(
            dense(lambda: layers.ActivityRegularization(l2=0.1)),
            numbers,
            None,
            CLASSES,
        ),
        "batch normalisation": Architecture(
            dense(layers.BatchNormalization), numbers, None, CLASSES
        ),
        "layer normalisation": Architecture(
            dense(layers.LayerNormalization), numbers, None, CLASSES
        ),
        "dropout": Architecture(
            dense(lambda: layers.Dropout(0.5)), numbers, None, CLASSES, random=True
        ),
        "noise": Architecture(
            dense(lambda: layers.GaussianNoise(0.5)),
            numbers,
            None,
            CLASSES,
            random=True,
        ),
        "lambda": Architecture(
            dense(lambda: layers.Lambda(lambda x: x * tf.cast(2, x.dtype))),
            numbers,
            None,
            CLASSES,
        ),
        "convolution": Architecture(conv(), pictures, None, CLASSES),
        "separable convolution": Architecture(
            conv(
                lambda: layers.SeparableConv2D(4, 3),
                lambda: layers.GroupNormalization(2),
            ),
            pictures,
            None,
            CLASSES,
        ),
        "any size": Architecture(conv(size=None), pictures, None, CLASSES, says=False),
        "attention": Architecture(attention, sequences, None, CLASSES),
        "embedding, LSTM": Architecture(recurrent(layers.LSTM), tokens, None, CLASSES),
        "language model": Architecture(
            language, next_tokens, without_padding, without_padding, says=False
        ),
        "two inputs": Architecture(two_inputs, pairs, None, CLASSES),
        "two outputs": Architecture(
            two_outputs, two_answers, {"which": CLASSES, "much": SQUARES}, both
        ),
        "shared layer": Architecture(shared, numbers, None, CLASSES),
        "frozen layers": Architecture(frozen, numbers, None, CLASSES),
        "adapter": Architecture(adapter, numbers, None, CLASSES),
        "model in a model": Architecture(nested, numbers, None, CLASSES),
        "BERT": Architecture(bert, sentences, None, CLASSES),
    }
)


def build(name: str) -> keras.Model:
    """The model with the start weights that both sides use."""
    keras.utils.set_random_seed(3)
    return ARCHITECTURES[name].build()


def clients(name: str) -> list[tuple[Any, Any]]:
    generator = np.random.default_rng(5)
    return [ARCHITECTURES[name].draw(generator, count) for count in CLIENTS]


def batches(client: tuple[Any, Any]) -> list[tuple[Any, Any]]:
    count = len(tf.nest.flatten(client)[0])
    return [
        tf.nest.map_structure(lambda part, at=at: part[at : at + BATCH], client)
        for at in range(0, count, BATCH)
    ]


def gradient(
    name: str, model: keras.Model, inputs: Any, labels: Any, training: bool
) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """Loss and gradient of a batch as a user of Keras would take them."""
    with tf.GradientTape() as tape:
        outputs = model(inputs, training=training)
        loss = ARCHITECTURES[name].oracle(labels, outputs) + sum(model.losses)
    slopes = tape.gradient(loss, [one.value for one in model.trainable_variables])
    return loss, [tf.convert_to_tensor(slope) for slope in slopes]


def averaged(
    name: str, rounds: int, statistics: bool
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Federated averaging: weights, then the moving state, averaged or as it was."""
    model = build(name)
    variables = [*model.trainable_variables, *model.non_trainable_variables]
    count = len(model.trainable_variables)
    shared_values = [one.numpy() for one in variables]
    for _ in range(rounds):
        sums = [0.0 for _ in variables]
        for client, weight in zip(clients(name), CLIENTS, strict=True):
            for variable, value in zip(variables, shared_values, strict=True):
                variable.assign(value)
            for inputs, labels in batches(client):
                _, slopes = gradient(name, model, inputs, labels, True)
                for variable, slope in zip(variables, slopes, strict=False):
                    variable.assign_sub(RATE * slope)
            sums = [
                total + weight * one.numpy().astype(np.float64)
                for total, one in zip(sums, variables, strict=True)
            ]
        means = [np.asarray(total / sum(CLIENTS)) for total in sums]
        kept = means[count:] if statistics else shared_values[count:]
        shared_values = [
            new.astype(old.dtype)
            for new, old in zip(means[:count] + kept, shared_values, strict=True)
        ]
    return shared_values[:count], shared_values[count:]
