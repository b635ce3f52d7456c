"""Distances between pictures that look at edges and textures, without a download.

`random_feature_distance` is NOT LPIPS: it has the form of Zhang, Isola, Efros, Shechtman,
Wang, "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", CVPR 2018
(features of a convolutional network, of unit length across channels, squared differences
averaged over places and layers), but the network is a small one with random weights
made from a fixed seed, and no layer weights are fitted to human judgements. The paper
reports that untrained networks agree with people less than trained ones do. Numbers
compare with each other, never with published LPIPS.

`gradient_deviation` is GMSD: Xue, Zhang, Mou, Bovik, "Gradient Magnitude Similarity
Deviation: A Highly Efficient Perceptual Image Quality Index", IEEE Trans. Image
Processing 2014, without its first halving of the picture, which is too small here.
"""

import numpy as np
import tensorflow as tf
from scipy import ndimage

from selenc_tf.models import value_range

CHANNELS: tuple[int, ...] = (16, 32, 64, 128)
"""Channels of the network's layers: 3x3 convolutions with ReLU and average pooling."""

NETWORK_SEED = 20240229
"""Of the weights. Another seed is another metric."""

_SMALLEST_SIDE = 4
_EPSILON = 1e-10
_GMSD_CONSTANT = 170.0 / 255.0**2
"""The paper's 170, for values in [0, 255]."""


def random_feature_distance(images: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Distance in the features of a fixed random convolutional network, per picture.

    Grey pictures are shown to the network as equal red, green and blue. Layers whose
    picture would be smaller than 4 x 4 are left out (all four need 32 x 32; 28 x 28 has
    three), so that numbers compare at one size of picture only.

    Args:
      images: float [b, h, w, c], reconstructed, clamped to [0, 1] first; c = 1 or 3.
      truth: float [b, h, w, c] in [0, 1].

    Returns:
      float64 [b], 0 for an equal picture up to rounding (1e-15), below 4; about 1e-3
      for barely visible noise.

    Raises:
      ValueError: If the arguments are not pictures of one shape with 1 or 3 channels.
    """
    left, right = _pair(images, truth)
    if left.shape[3] not in (1, 3):
        raise ValueError(
            "`images` must have 1 or 3 channels for the perceptual network, got "
            f"{left.shape[3]}."
        )
    count = len(left)
    both = np.repeat(np.concatenate([left, right]), 3 // left.shape[3], axis=3)
    features = tf.constant(2.0 * both - 1.0, tf.float32)
    generator = np.random.default_rng(NETWORK_SEED)
    distances: list[np.ndarray] = []
    inputs = 3
    for outputs in CHANNELS:
        if distances and min(features.shape[1:3]) < _SMALLEST_SIDE:
            break
        # He et al. 2015: keeps the variance through ReLUs.
        kernel = generator.standard_normal((3, 3, inputs, outputs))
        kernel *= np.sqrt(2.0 / (9 * inputs))
        features = tf.nn.relu(
            tf.nn.conv2d(features, tf.constant(kernel, tf.float32), 1, "SAME")
        )
        distances.append(_unit_difference(features.numpy().astype(np.float64), count))
        features = tf.nn.avg_pool2d(features, 2, 2, "VALID")
        inputs = outputs
        if min(features.shape[1:3]) < 1:
            break
    return np.mean(np.stack(distances), axis=0)


def _unit_difference(features: np.ndarray, count: int) -> np.ndarray:
    """Squared differences of unit vectors across channels, mean over places: [b]."""
    length = np.sqrt(np.sum(np.square(features), axis=3, keepdims=True))
    unit = features / (length + _EPSILON)
    squared = np.square(unit[:count] - unit[count:])
    return np.mean(np.sum(squared, axis=3), axis=(1, 2))


def gradient_deviation(images: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """GMSD of each picture: how unevenly its edges agree with the true ones.

    The standard deviation over pixels of the similarity of gradient magnitudes
    (2 a b + c) / (a^2 + b^2 + c), by Prewitt filters on the mean of the channels.

    Args:
      images: float [b, h, w, c], reconstructed, clamped to [0, 1] first.
      truth: float [b, h, w, c] in [0, 1].

    Returns:
      float64 [b], 0 for an equal picture, at most 0.5.

    Raises:
      ValueError: If the arguments are not pictures of one shape.
    """
    left, right = _pair(images, truth)
    first, second = _magnitudes(left.mean(axis=3)), _magnitudes(right.mean(axis=3))
    similarity = (2 * first * second + _GMSD_CONSTANT) / (
        np.square(first) + np.square(second) + _GMSD_CONSTANT
    )
    return np.std(similarity, axis=(1, 2))


def _magnitudes(grey: np.ndarray) -> np.ndarray:
    """Gradient magnitudes, [b, h, w]; the border is repeated outwards."""
    # Not `ndimage.prewitt`, which would smooth along the batch as well.
    slope = np.repeat([[-1.0, 0.0, 1.0]], 3, axis=0) / 3.0
    across = ndimage.correlate(grey, slope[np.newaxis], mode="nearest")
    down = ndimage.correlate(grey, slope.T[np.newaxis], mode="nearest")
    return np.hypot(across, down)


def _pair(images: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if images.ndim != 4 or images.shape != truth.shape:
        raise ValueError(
            "`images` and `truth` must both be pictures [b, h, w, c] of one shape, got "
            f"{list(images.shape)} and {list(truth.shape)}."
        )
    value_range.check_unit("truth", truth)
    clamped = np.clip(images.astype(np.float64), 0.0, 1.0)
    return clamped, truth.astype(np.float64)
