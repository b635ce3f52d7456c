"""Distances between pictures: MSE, PSNR and SSIM, always per picture.

MSE and PSNR are for examples of any shape.

Wang, Bovik, Sheikh, Simoncelli, "Image Quality Assessment: From Error Visibility to
Structural Similarity", IEEE Trans. Image Processing 2004, for SSIM.
"""

import numpy as np
import tensorflow as tf

from selenc_tf.models import value_range

SSIM_WINDOW = 11
"""Side of the Gaussian window (sigma 1.5) in pixels, as in the paper."""


def mse(images: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Mean squared error of each picture, after clamping to [0, 1].

    Args:
      images: float [b, ...], reconstructed.
      truth: float [b, ...] in [0, 1].

    Returns:
      float64 [b].

    Raises:
      ValueError: If the arguments differ in shape, or the truth is outside [0, 1].
    """
    left, right = _pair(images, truth)
    return np.mean(np.square(left - right).reshape(len(left), -1), axis=1)


def psnr(images: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Peak signal-to-noise ratio of each picture: 10 log10(1 / MSE).

    Args:
      images: float [b, ...], clamped to [0, 1] first.
      truth: float [b, ...] in [0, 1].

    Returns:
      float64 [b], in dB; +inf for an exact picture.

    Raises:
      ValueError: If the arguments differ in shape, or the truth is outside [0, 1].

    Example:
      All pixels off by 0.1: 10 log10(1 / 0.01) = 20 dB.
    """
    with np.errstate(divide="ignore"):
        return -10.0 * np.log10(mse(images, truth))


def ssim(images: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Structural similarity of each picture (`tf.image.ssim`, 11x11, sigma 1.5).

    k1 = 0.01, k2 = 0.03, range 1, the mean over windows inside the picture and over
    channels.

    Args:
      images: float [b, h, w, c], clamped to [0, 1] first.
      truth: float [b, h, w, c] in [0, 1]; h and w at least 11.

    Returns:
      float64 [b], at most 1.

    Raises:
      ValueError: If the arguments are not pictures of one shape, smaller than the
        window, or the truth is outside [0, 1].
    """
    if images.ndim != 4:
        raise ValueError(
            "`images` must be pictures [b, h, w, c] for SSIM, got shape "
            f"{list(images.shape)}. Use PSNR for other examples."
        )
    left, right = _pair(images, truth)
    if min(left.shape[1:3]) < SSIM_WINDOW:
        raise ValueError(
            f"`images` must be at least {SSIM_WINDOW}x{SSIM_WINDOW} pixels, the window "
            f"of SSIM, got {left.shape[1]}x{left.shape[2]}. Use PSNR for small ones."
        )
    # `tf.image.ssim` computes in float32.
    values = tf.image.ssim(
        tf.constant(left, tf.float32),
        tf.constant(right, tf.float32),
        max_val=1.0,
        filter_size=SSIM_WINDOW,
        filter_sigma=1.5,
        k1=0.01,
        k2=0.03,
    )
    return values.numpy().astype(np.float64)


def _pair(images: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if images.ndim < 2 or images.shape != truth.shape:
        raise ValueError(
            "`images` and `truth` must both be [b, ...] of one shape, got "
            f"{list(images.shape)} and {list(truth.shape)}."
        )
    value_range.check_unit("truth", truth)
    clamped = np.clip(images.astype(np.float64), 0.0, 1.0)
    return clamped, truth.astype(np.float64)
