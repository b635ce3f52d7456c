"""What ordinary models are made of: TensorFlow's operations, as Keras uses them.

Layers, losses, metrics and optimisers of Keras, and functions of `keras.ops` as layers of
one's own call them, are traced with their gradients. Each has a name and the set of its
operations.

    python -m tests.federated.key_flow.ordinary
"""

import inspect
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from federated.key_flow import op_kinds
from federated.key_flow.pure_ops import PURE_OPS

KNOWN = (
    PURE_OPS
    | op_kinds.RANDOM
    | op_kinds.STATE
    | op_kinds.DATASETS
    | op_kinds.STATEFUL_DATASETS
    | op_kinds.HARMLESS
    | op_kinds.CALLS
    | op_kinds.IFS
    | op_kinds.CASES
    | op_kinds.WHILES
    | {"Const", "Assert", "Empty"}
)
"""Operations that the analysis knows. (`Assert` says its text, where it is looked at.)"""

_VECTOR, _SERIES, _PICTURE, _VOLUME = (5,), (6, 4), (8, 8, 3), (4, 4, 4, 2)
_K = keras.layers

_ACTIVATIONS = (
    "celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_tanh "
    "leaky_relu linear log_sigmoid log_softmax mish relu relu6 selu sigmoid silu "
    "soft_shrink softmax softplus softsign sparse_plus sparse_sigmoid sparsemax "
    "squareplus swish tanh tanh_shrink"
).split()


def operations(body: Callable[..., Any], *specs: tf.TensorSpec) -> set[str]:
    """The operations of a function's graph and of the functions that it calls."""
    traced = tf.function(body, autograph=False).get_concrete_function(*specs)
    graph_def = traced.graph.as_graph_def()
    library = graph_def.library.function
    nodes = itertools.chain(graph_def.node, *(one.node_def for one in library))
    return {node.op for node in nodes} - {one.signature.name for one in library}


def with_gradients(body: Callable[..., Any], variables: Sequence[Any] = ()) -> Any:
    """A function's outputs, and the gradients of their squares."""

    def call(*arguments: tf.Tensor) -> Any:
        floats = [one for one in arguments if one.dtype.is_floating]
        with tf.GradientTape() as tape:
            tape.watch(floats)
            outputs = tf.nest.flatten(body(*arguments))
            squares = [
                tf.reduce_sum(tf.square(tf.cast(one, tf.float32)))
                for one in outputs
                if one.dtype.is_floating
            ]
            loss = tf.add_n(squares) if squares else tf.constant(0.0)
        sources = [*(one.value for one in variables), *floats]
        return outputs, tape.gradient(loss, sources, unconnected_gradients="zero")

    return call


def _layers() -> Iterator[tuple[Callable[[], Any], Sequence[tuple[int, ...]], Any]]:
    """How to make a layer, the shapes of its inputs without the batch, their dtype."""

    def layer(
        kind: str, *arguments: Any, of: Any, dtype: Any = tf.float32, **options: Any
    ) -> Any:
        make = lambda: getattr(_K, kind)(*arguments, **options)  # noqa: E731
        return make, of if isinstance(of, list) else [of], dtype

    for name in _ACTIVATIONS:
        yield layer("Activation", name, of=(6,))
    for kind in (
        "ELU LeakyReLU PReLU ReLU Softmax Flatten LayerNormalization UnitNormalization "
        "RMSNormalization Normalization BatchNormalization Masking ActivityRegularization"
    ).split():
        for shape in (_VECTOR, _SERIES, _PICTURE):
            yield layer(kind, of=shape)
    for kind in ("Dropout", "GaussianNoise", "GaussianDropout", "AlphaDropout"):
        yield layer(kind, 0.3, of=_VECTOR)
    for d, shape in ((1, _SERIES), (2, _PICTURE), (3, _VOLUME)):
        yield layer(f"SpatialDropout{d}D", 0.5, of=shape)
        for padding, strides in itertools.product(("valid", "same"), (1, 2)):
            how = {"padding": padding, "strides": strides, "of": shape}
            yield layer(f"Conv{d}D", 4, 3, **how)
            yield layer(f"Conv{d}DTranspose", 4, 3, **how)
            yield layer(f"MaxPooling{d}D", 2, **how)
            yield layer(f"AveragePooling{d}D", 2, **how)
        yield layer(f"Conv{d}D", 4, 3, padding="same", dilation_rate=2, of=shape)
        for kind in ("GlobalMaxPooling", "GlobalAveragePooling"):
            yield layer(f"{kind}{d}D", of=shape)
        for kind in ("UpSampling", "ZeroPadding", "Cropping"):
            yield layer(f"{kind}{d}D", 1, of=shape)
        for kind in ("AdaptiveAveragePooling", "AdaptiveMaxPooling"):
            yield layer(f"{kind}{d}D", 2, of=shape)
        if d < 3:
            yield layer(f"DepthwiseConv{d}D", 3, of=shape)
            yield layer(f"SeparableConv{d}D", 4, 3, of=shape)
        steps = (3, *([6] * d if d < 3 else [4] * 3), 2)
        yield layer(f"ConvLSTM{d}D", 3, 3, of=steps)
    yield layer("Conv1D", 4, 3, padding="causal", of=_SERIES)
    yield layer("Conv2D", 6, 3, groups=3, of=_PICTURE)
    for how in ("nearest", "bilinear", "bicubic", "lanczos3"):
        yield layer("UpSampling2D", 2, interpolation=how, of=_PICTURE)
        yield layer("Resizing", 5, 6, interpolation=how, of=_PICTURE)
    for kind in "Add Average Multiply Maximum Minimum Subtract Concatenate".split():
        yield layer(kind, of=[_SERIES, _SERIES])
    yield layer("Dot", axes=(2, 2), normalize=True, of=[_SERIES, _SERIES])
    yield layer("Dense", 4, of=_VECTOR)
    yield layer("Dense", 4, kernel_regularizer="orthogonal_regularizer", of=_SERIES)
    yield layer("Embedding", 9, 4, mask_zero=True, of=(6,), dtype=tf.int32)
    yield layer("GroupNormalization", groups=1, of=_PICTURE)
    yield layer("BatchNormalization", axis=1, of=_PICTURE)
    for kind in ("LSTM", "GRU", "SimpleRNN"):
        for how in ({}, {"return_sequences": True}, {"unroll": True}, {"dropout": 0.2}):
            yield layer(kind, 4, of=_SERIES, **how)
    yield lambda: _K.Bidirectional(_K.GRU(3)), [_SERIES], tf.float32
    yield lambda: _K.RNN([_K.LSTMCell(3), _K.GRUCell(4)]), [_SERIES], tf.float32
    yield lambda: _K.TimeDistributed(_K.Dense(3)), [_SERIES], tf.float32
    yield lambda: _K.SpectralNormalization(_K.Dense(3)), [_VECTOR], tf.float32
    yield (
        lambda: keras.Sequential([_K.Embedding(9, 4, mask_zero=True), _K.LSTM(4)]),
        [(6,)],
        tf.int32,
    )
    for kind in ("MultiHeadAttention", "GroupQueryAttention"):
        how = [4, 4, 2] if kind == "GroupQueryAttention" else [2, 3]
        yield (
            lambda kind=kind, how=how: getattr(_K, kind)(*how, dropout=0.1),
            [_SERIES, _SERIES],
            tf.float32,
        )
    for kind in ("Attention", "AdditiveAttention"):
        yield layer(kind, of=[_SERIES, _SERIES])
    yield layer("Permute", (2, 1), of=_SERIES)
    yield layer("Reshape", (3, 8), of=_SERIES)
    yield layer("RepeatVector", 3, of=_VECTOR)
    yield layer("Rescaling", 2.0, 1.0, of=_PICTURE)
    yield layer("CenterCrop", 4, 4, of=_PICTURE)
    for kind in "Brightness Contrast Rotation Zoom Hue Saturation Shear Invert".split():
        yield layer(f"Random{kind}", 0.2, of=_PICTURE)
    for kind in "RandomFlip RandomGaussianBlur RandomErasing AutoContrast".split():
        yield layer(kind, of=_PICTURE)
    yield layer("RandomTranslation", 0.2, 0.2, of=_PICTURE)
    yield layer("RandomCrop", 5, 5, of=_PICTURE)
    for how in ("one_hot", "multi_hot", "count"):
        of = () if how == "one_hot" else (4,)
        yield layer(
            "CategoryEncoding", num_tokens=9, output_mode=how, of=of, dtype=tf.int32
        )
    yield layer("Discretization", bin_boundaries=[0.0, 0.5, 1.0], of=_VECTOR)
    yield layer("Hashing", num_bins=9, of=(4,), dtype=tf.int32)
    yield layer("IntegerLookup", vocabulary=[3, 4, 5], of=(4,), dtype=tf.int64)


def _of_layers() -> Iterator[tuple[str, Callable[[], set[str]]]]:
    for number, (make, shapes, dtype) in enumerate(_layers()):
        for batch, training in ((3, True), (None, False)):

            def traced(make=make, shapes=shapes, dtype=dtype, batch=batch, on=training):
                layer = make()

                def body(*inputs):
                    takes = "training" in inspect.signature(layer.call).parameters
                    how = {"training": on} if takes else {}
                    pairs = isinstance(
                        layer, (_K.MultiHeadAttention, _K.GroupQueryAttention)
                    )
                    if len(inputs) == 1 or pairs:
                        return layer(*inputs, **how)
                    return layer(list(inputs), **how)

                body(*(tf.cast(tf.ones([3, *one]), dtype) for one in shapes))
                specs = [tf.TensorSpec([batch, *one], dtype) for one in shapes]
                return operations(
                    with_gradients(body, layer.trainable_variables), *specs
                )

            yield f"layer {number} {training=}", traced


def _of_losses() -> Iterator[tuple[str, Callable[[], set[str]]]]:
    same = [tf.TensorSpec([None, 4])] * 2
    classes = [tf.TensorSpec([None], tf.int32), tf.TensorSpec([None, 4])]
    parts = [tf.TensorSpec([3, 5], tf.int32), tf.TensorSpec([3, 9, 7])]
    for name, loss in inspect.getmembers(keras.losses, inspect.isclass):
        if name == "Loss":
            continue
        sparse = name in ("SparseCategoricalCrossentropy", "Circle")
        specs = parts if name == "CTC" else classes if sparse else same
        for reduction in ("sum_over_batch_size", "mean_with_sample_weight"):
            yield (
                f"loss {name} {reduction}",
                lambda loss=loss, specs=specs, how=reduction: operations(
                    with_gradients(loss(reduction=how)), *specs
                ),
            )


def _of_metrics() -> Iterator[tuple[str, Callable[[], set[str]]]]:
    options: dict[str, dict[str, Any]] = {
        "MeanIoU": {"num_classes": 4},
        "OneHotMeanIoU": {"num_classes": 4},
        "IoU": {"num_classes": 4, "target_class_ids": [1]},
        "OneHotIoU": {"num_classes": 4, "target_class_ids": [1]},
        "BinaryIoU": {"target_class_ids": [1]},
        "PrecisionAtRecall": {"recall": 0.5},
        "RecallAtPrecision": {"precision": 0.5},
        "SensitivityAtSpecificity": {"specificity": 0.5},
        "SpecificityAtSensitivity": {"sensitivity": 0.5},
    }
    same = [tf.TensorSpec([3, 4])] * 2
    classes = [tf.TensorSpec([None], tf.int32), tf.TensorSpec([None, 4])]
    numbers = [tf.TensorSpec([None])] * 2
    for name, kind in inspect.getmembers(keras.metrics, inspect.isclass):
        if name in ("Metric", "MeanMetricWrapper"):
            continue
        specs = classes if name.startswith("Sparse") else same
        if name in ("IoU", "MeanIoU"):
            specs = numbers
        if name in ("Mean", "Sum"):
            specs = [tf.TensorSpec([None])]

        def traced(name=name, kind=kind, specs=specs):
            metric = kind(**options.get(name, {}))

            def body(*arguments):
                metric.update_state(*arguments)
                return metric.result()

            return operations(body, *specs)

        yield f"metric {name}", traced


def _of_optimizers() -> Iterator[tuple[str, Callable[[], set[str]]]]:
    others = ("Optimizer", "OptimizerMap", "MultiOptimizer", "LossScaleOptimizer")
    schedule = keras.optimizers.schedules.CosineDecay(0.1, 10)
    for name, kind in inspect.getmembers(keras.optimizers, inspect.isclass):
        if name in others:
            continue
        for how in (
            {},
            {"clipnorm": 1.0},
            {"global_clipnorm": 1.0},
            {"use_ema": True},
            {"weight_decay": 0.01},
            {"learning_rate": schedule},
            {"gradient_accumulation_steps": 2},
        ):

            def traced(kind=kind, how=how):
                weights = [tf.Variable(np.ones(one, np.float32)) for one in ((4, 3), 4)]
                kept = [keras.Variable(one.numpy()) for one in weights]
                optimizer = kind(**how)
                optimizer.build(kept)

                def body(*gradients):
                    optimizer.apply(list(gradients), kept)
                    return [one.value for one in kept]

                return operations(
                    body, *(tf.TensorSpec(one.shape, tf.float32) for one in kept)
                )

            yield f"optimizer {name} {list(how)}", traced


def _of_functions() -> Iterator[tuple[str, Callable[[], set[str]]]]:
    """Functions of `keras.ops`, on the first arguments that each one takes."""
    x, square = tf.TensorSpec([3, 4]), tf.TensorSpec([3, 3])
    numbers = tf.TensorSpec([3, 4], tf.int32)
    flags = tf.TensorSpec([3, 4], tf.bool)
    picture = tf.TensorSpec([2, 6, 6, 3])
    ways = [(x,), (x, x), (square,), (picture,), (numbers,), (numbers, numbers)]
    ways += [(flags,), (flags, x, x), (x, x, x)]
    rest: list[tuple[Any, ...]] = [(), (1,), ((4, 3),), (0.5,), (0.0, 1.0)]
    for name, function in inspect.getmembers(keras.ops, inspect.isfunction):

        def traced(function=function):
            for specs, more in itertools.product(ways, rest):
                try:
                    return operations(
                        with_gradients(lambda *a, m=more: function(*a, *m)), *specs
                    )
                except Exception:
                    continue  # Not such arguments.
            return set()

        yield f"keras.ops.{name}", traced


def computations() -> Iterator[tuple[str, Callable[[], set[str]]]]:
    """For each ordinary computation its name, and a function that traces it."""
    yield from _of_layers()
    yield from _of_losses()
    yield from _of_metrics()
    yield from _of_optimizers()
    yield from _of_functions()


def main() -> None:
    """Prints what is used and on no list, and what is on a list and not used."""
    used: dict[str, str] = {}
    for name, traced in computations():
        try:
            found = traced()
        except Exception as error:
            print(name, "was not traced:", repr(error)[:200])
            continue
        for op in found:
            used.setdefault(op, name)
    print("On no list:", {op: used[op] for op in sorted(set(used) - KNOWN)})
    print("Not used:", " ".join(sorted(PURE_OPS - set(used))))


if __name__ == "__main__":
    main()
