"""A Keras model read as a chain of convolutions, poolings and dense layers."""

from typing import Any, NamedTuple

import keras
import numpy as np

from attacks import knowledge
from attacks.structure import dense_layers as dense_lib
from selenc_tf.models import functional, value_range

Shape = tuple[int, int, int]


_PASSIVE = (
    keras.layers.InputLayer,
    keras.layers.Dropout,
    keras.layers.SpatialDropout2D,
)
"""Without effect in inference mode."""


class Statistics(NamedTuple):
    """What a normalisation in inference mode needs beside its weights.

    Attributes:
      mean: float64 [channels], public state of the global model.
      variance: float64 [channels].
      epsilon: Added to the variance.
    """

    mean: np.ndarray
    variance: np.ndarray
    epsilon: float


class Block(NamedTuple):
    """Convolution with stride 1, normalisation if any, ReLU, max-pooling if any.

    Attributes:
      kernel: Index of the kernel [h, w, channels in, channels out] in the weights.
      bias: Index of its bias, or None.
      scale: Index of the normalisation's scale, or None.
      shift: Index of its shift, or None.
      statistics: Of the normalisation, or None without one.
      padding: Zeros before and after the rows and the columns.
      rectified: Whether a ReLU follows; a block without one ends the algebra.
      pool: Side of the pooling's windows; 1 without pooling. Rows and columns that fill
        no window are cut.
      input_shape: Height, width, channels of the input.
      output_shape: Of the output, after the pooling.
    """

    kernel: int
    bias: int | None
    scale: int | None
    shift: int | None
    statistics: Statistics | None
    padding: tuple[int, int]
    rectified: bool
    pool: int
    input_shape: Shape
    output_shape: Shape

    @property
    def map_shape(self) -> Shape:
        """Of the output before the pooling."""
        height, width, _ = self.input_shape
        return height, width, self.output_shape[2]

    @property
    def tensors(self) -> tuple[int, ...]:
        """Indices of the block's weights."""
        parts = (self.kernel, self.bias, self.scale, self.shift)
        return tuple(part for part in parts if part is not None)


class Network(NamedTuple):
    """Blocks, then dense layers with ReLUs between, the last of which is the head.

    Attributes:
      contrast: Factor of pictures in [0, 1] before the first block, with the model's own
        units in it: a number, or float64 that broadcasts over a picture.
      offset: Added after it.
      blocks: From the pictures upwards, at least one.
      dense: From the blocks upwards, at least one.
    """

    contrast: Any
    offset: Any
    blocks: tuple[Block, ...]
    dense: tuple[dense_lib.DenseLayer, ...]


def read_network(model: functional.FunctionalModel) -> Network:
    """Reads a model's operations.

    Args:
      model: The model. Only the configuration of its layers and the statistics of its
        normalisations are read.

    Returns:
      The network.

    Raises:
      DoesNotApply: If the model is not such a chain, with the layer that breaks it.
    """
    names = {name: index for index, name in enumerate(model.spec.names)}
    # A sequential model keeps its graph inside; a subclassed one has none.
    graph = getattr(model.keras_model, "_functional", None) or model.keras_model
    operations = list(getattr(graph, "operations", ()))
    dense = dense_lib.dense_layers(model)
    # A layer that is called twice is listed once: what lies between is not known.
    if not operations or len(graph._nodes) != len(operations):
        raise _misfit(model, None)
    busy = [layer for layer in model.keras_model.layers if _acts_in_training(layer)]
    if model.task.training and busy:
        raise _misfit(model, busy[0])
    operations = [one for one in operations if not isinstance(one, _PASSIVE)]
    first = operations[0] if operations else None
    rescaling, operations = _rescaling(operations)
    if rescaling is None:
        raise _misfit(model, first)
    blocks: list[Block] = []
    while operations and isinstance(operations[0], keras.layers.Conv2D):
        operation = operations.pop(0)
        block = _convolution(operation, names)
        while block is not None and operations and not _ends_block(operations[0]):
            operation = operations[0]
            if _is_windowed_maximum(operations[:3]):
                block = _cropped(block, operations[0], operations[1])
                del operations[:3]
            else:
                block = _continued(block, operations.pop(0), names)
        if block is None:
            raise _misfit(model, operation)
        blocks.append(block)
    if not operations:
        raise _without(model, "a flattening and a dense head")
    if not blocks:
        raise _misfit(model, operations[0])
    flatten = operations.pop(0)
    plain = isinstance(flatten, keras.layers.Flatten)
    if not plain or flatten.data_format == "channels_first":
        raise _misfit(model, flatten)
    if not operations:
        raise _without(model, "a dense head")
    other = _not_of_top(operations, dense)
    if other is not None:
        raise _misfit(model, other)
    return Network(*_from_unit(rescaling, model.value_range), tuple(blocks), dense)


def _from_unit(
    rescaling: tuple[float, float], own: value_range.ValueRange
) -> tuple[Any, Any]:
    """Contrast and offset on pictures in [0, 1], which the model takes in its own units."""
    contrast, offset = rescaling
    if own.is_unit:
        return contrast, offset
    low, high = own.low.astype(np.float64), own.high.astype(np.float64)
    return contrast * (high - low), contrast * low + offset


def _acts_in_training(layer: keras.layers.Layer) -> bool:
    """Whether a layer of those that are read computes otherwise in training."""
    if isinstance(layer, keras.layers.BatchNormalization):
        return bool(layer.trainable)
    return isinstance(layer, _PASSIVE[1:]) and layer.rate > 0


def _misfit(
    model: functional.FunctionalModel, operation: keras.Operation | None
) -> knowledge.DoesNotApply:
    where = "its layers are not one after the other"
    if operation is not None:
        where = f"its layer {operation.name!r} ({type(operation).__name__}) is another"
    return _refusal(model, where)


def _without(model: functional.FunctionalModel, missing: str) -> knowledge.DoesNotApply:
    return _refusal(model, f"it is without {missing}")


def _refusal(model: functional.FunctionalModel, where: str) -> knowledge.DoesNotApply:
    return knowledge.DoesNotApply(
        f"`model` ({model.name}) must be convolutions of stride 1 with ReLUs and "
        "max-poolings (normalisations allowed), one flattening, and dense layers with "
        f"ReLUs between them, but {where}."
    )


def _rescaling(
    operations: list[keras.Operation],
) -> tuple[tuple[float, float] | None, list[keras.Operation]]:
    """Contrast and offset before the first convolution, and what follows them."""
    if not operations or not isinstance(operations[0], keras.layers.Rescaling):
        return (1.0, 0.0), operations
    first, *rest = operations
    numbers = (first.scale, first.offset)
    if not all(isinstance(number, int | float) for number in numbers):
        return None, rest
    return (float(numbers[0]), float(numbers[1])), rest


def _ends_block(operation: keras.Operation) -> bool:
    return isinstance(operation, keras.layers.Conv2D | keras.layers.Flatten)


def _convolution(layer: keras.layers.Conv2D, names: dict[str, int]) -> Block | None:
    """The block that a convolution begins, or None if it has strides or the like."""
    rows, columns = layer.kernel_size
    plain = (
        tuple(layer.strides) == (1, 1)
        and tuple(layer.dilation_rate) == (1, 1)
        and layer.groups == 1
        and layer.data_format == "channels_last"
        and layer.padding == "same"
        and rows % 2 == 1
        and columns % 2 == 1
        and layer.kernel.path in names
        and (layer.bias is None or layer.bias.path in names)
        and layer.activation in (keras.activations.linear, keras.activations.relu)
    )
    if not plain:
        return None
    return Block(
        kernel=names[layer.kernel.path],
        bias=None if layer.bias is None else names[layer.bias.path],
        scale=None,
        shift=None,
        statistics=None,
        padding=(rows // 2, columns // 2),
        rectified=layer.activation is keras.activations.relu,
        pool=1,
        input_shape=_triple(layer.input.shape[1:]),
        output_shape=_triple(layer.output.shape[1:]),
    )


def _continued(
    block: Block, layer: keras.layers.Layer, names: dict[str, int]
) -> Block | None:
    """The block with one more layer, or None if that layer does not fit."""
    if isinstance(layer, keras.layers.BatchNormalization):
        if block.rectified or block.pool > 1 or block.statistics is not None:
            return None
        own = [layer.gamma] * layer.scale + [layer.beta] * layer.center
        frozen = any(variable.path not in names for variable in own)
        if frozen or layer.axis not in (-1, 3):
            return None
        return block._replace(
            scale=names[layer.gamma.path] if layer.scale else None,
            shift=names[layer.beta.path] if layer.center else None,
            statistics=Statistics(
                np.asarray(layer.moving_mean, np.float64),
                np.asarray(layer.moving_variance, np.float64),
                float(layer.epsilon),
            ),
        )
    if is_relu(layer) and block.pool == 1:
        return block._replace(rectified=True)
    if isinstance(layer, keras.layers.MaxPooling2D):
        size = layer.pool_size[0]
        square = tuple(layer.pool_size) == tuple(layer.strides) == (size, size)
        if square and layer.padding == "valid":
            return _pooled(block, size)
    return None


def _pooled(block: Block, size: int) -> Block | None:
    if block.pool > 1:
        return None
    height, width, channels = block.output_shape
    return block._replace(
        pool=size, output_shape=(height // size, width // size, channels)
    )


def _cropped(
    block: Block, crop: keras.layers.Cropping2D, windows: keras.layers.Reshape
) -> Block | None:
    """The block with a pooling that is written as a maximum over windows."""
    size = int(windows.output.shape[2])
    rows, columns, _ = block.output_shape
    whole = (rows // size * size, columns // size * size)
    divided = (rows // size, size, columns // size, size)
    fits = (
        tuple(crop.output.shape[1:3]) == whole
        and tuple(windows.output.shape[1:5]) == divided
    )
    return _pooled(block, size) if fits else None


def is_relu(layer: keras.layers.Layer) -> bool:
    """Whether a layer is max(x, 0), and no other rectifier."""
    if isinstance(layer, keras.layers.ReLU):
        return (
            layer.max_value is None
            and layer.negative_slope == 0.0
            and layer.threshold == 0.0
        )
    return (
        isinstance(layer, keras.layers.Activation)
        and layer.activation is keras.activations.relu
    )


def _is_windowed_maximum(operations: list[keras.Operation]) -> bool:
    """Whether these are a cropping, windows along two axes and their maximum."""
    if len(operations) < 3:
        return False
    crop, windows, maximum = operations
    return (
        isinstance(crop, keras.layers.Cropping2D)
        and crop.cropping[0][0] == crop.cropping[1][0] == 0
        and isinstance(windows, keras.layers.Reshape)
        and len(windows.output.shape) == 6
        and windows.output.shape[2] == windows.output.shape[4]
        and type(maximum).__name__ == "Max"
        and maximum.axis in ((2, 4), [2, 4])
        and maximum.initial is None
        and not maximum.keepdims
    )


def _not_of_top(
    operations: list[keras.Operation], dense: tuple[dense_lib.DenseLayer, ...]
) -> keras.Operation | None:
    """The first that keeps the rest from being dense layers, ReLUs and one head."""
    names = [layer.name for layer in dense]
    between: keras.Operation | None = None  # The dense layer that lacks a ReLU so far.
    for layer in operations:
        if isinstance(layer, keras.layers.Dense):
            if between is not None or layer.name not in names:
                return between or layer
            rectified = layer.activation is keras.activations.relu
            between = None if rectified else layer
        elif is_relu(layer):
            between = None
        else:
            return layer
    return None if dense and dense[-1].head else operations[-1]


def _triple(shape: tuple[int, ...]) -> Shape:
    height, width, channels = shape
    return int(height), int(width), int(channels)
