"""Convolutions as matrix products of patches, for compilation by XLA.

In float64 XLA runs a convolution as plain loops, and the two derivatives of gradient
matching make some fifteen of them. A matrix product with the patches of the input is the
same sum, and XLA has fast matrix products. `python -m experiments.benchmark
--suite=attack` times both.
"""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf


def use_patches(model: keras.Model) -> int:
    """Makes the plain 2-D convolutions of a model multiply patches instead.

    The model is changed in place, so it has to be the caller's own copy. Convolutions
    with groups, dilation or channels first, and subclasses, stay as they are.

    Args:
      model: A built model.

    Returns:
      How many layers were changed.
    """
    changed = 0
    for layer in model._flatten_layers(include_self=False):
        if type(layer) is keras.layers.Conv2D and _is_plain(layer):
            layer.convolution_op = _convolution(layer.strides, layer.padding)
            changed += 1
    return changed


def _is_plain(layer: keras.layers.Conv2D) -> bool:
    return bool(
        layer.groups == 1
        and tuple(layer.dilation_rate) == (1, 1)
        and layer.data_format == "channels_last"
    )


def _convolution(
    strides: tuple[int, int], padding: str
) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """`(inputs [b, h, w, c], kernel [i, j, c, f]) -> [b, rows, columns, f]`."""

    def convolve(inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        inputs, kernel = tf.convert_to_tensor(inputs), tf.convert_to_tensor(kernel)
        batch = inputs.shape[0] if inputs.shape[0] is not None else tf.shape(inputs)[0]
        height, width, channels = inputs.shape[1:]
        window = tuple(kernel.shape[:2])
        places, (rows, columns) = _places((height, width), window, strides, padding)
        gather = _gather(places, height * width)
        taken = gather(tf.reshape(inputs, [batch, height * width, channels]))
        length = window[0] * window[1] * channels
        product = tf.matmul(
            tf.reshape(taken, [-1, length]), tf.reshape(kernel, [length, -1])
        )
        return tf.reshape(product, [batch, rows, columns, kernel.shape[3]])

    return convolve


def _places(
    size: tuple[int, int],
    window: tuple[int, int],
    strides: tuple[int, int],
    padding: str,
) -> tuple[np.ndarray, tuple[int, int]]:
    """Which pixel each entry of each patch is: int32 [patches * window], and the grid.

    Pixels are counted row by row; height * width stands for the padding.
    """
    along = [
        _along(length, taken, stride, padding)
        for length, taken, stride in zip(size, window, strides, strict=True)
    ]
    rows, columns = (axis[:, np.newaxis] for axis in along)
    rows = rows.reshape(len(along[0]), 1, window[0], 1)
    columns = columns.reshape(1, len(along[1]), 1, window[1])
    outside = (rows < 0) | (rows >= size[0]) | (columns < 0) | (columns >= size[1])
    places = np.where(outside, size[0] * size[1], rows * size[1] + columns)
    return places.ravel().astype(np.int32), (len(along[0]), len(along[1]))


def _along(length: int, window: int, stride: int, padding: str) -> np.ndarray:
    """The positions of the windows along one axis, int [windows, window]."""
    if padding == "same":
        count = -(-length // stride)
        first = -(max((count - 1) * stride + window - length, 0) // 2)
    else:
        count, first = (length - window) // stride + 1, 0
    return first + stride * np.arange(count)[:, np.newaxis] + np.arange(window)


def _gather(places: np.ndarray, pixels: int) -> Callable[[tf.Tensor], tf.Tensor]:
    """`[b, pixels, c] -> [b, len(places), c]`; its derivative gathers, too.

    TensorFlow's own derivative scatters, entry by entry.
    """
    order = np.argsort(places, kind="stable")
    inside = order[places[order] < pixels]
    counts = np.bincount(places[inside], minlength=pixels)
    most = int(counts.max(initial=1))
    back = np.full((pixels, most), len(places), np.int32)
    rank = np.arange(len(inside)) - np.repeat(np.cumsum(counts) - counts, counts)
    back[places[inside], rank] = inside

    @tf.custom_gradient
    def forth(image: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        padded = tf.pad(image, [[0, 0], [0, 1], [0, 0]])
        return tf.gather(padded, places, axis=1), collect

    @tf.custom_gradient
    def collect(taken: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        padded = tf.pad(taken, [[0, 0], [0, 1], [0, 0]])
        return tf.reduce_sum(tf.gather(padded, back, axis=1), axis=2), forth

    return forth
