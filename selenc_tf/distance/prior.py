"""What is known of pictures beforehand: a Gaussian whose covariance public data gives.

The covariance is kept as a square root C with Sigma_x = C C^T, a Kronecker product of one
small matrix for each axis, times a diagonal where there is one (`dct_prior.py`), so that it
is never formed for products.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from selenc_tf import validation

_CLOSE_TO_ONE = 0.999


class GaussianPrior(NamedTuple):
    """N(mean, C C^T) over the flat inputs of a batch, pictures independent.

    Attributes:
      name: As results report it.
      shape: (b, h, w, c); d is its product.
      mean: float64 [d].
      variance: > 0, the variance of every pixel.
        The mean of them where they differ.
      axes: C / sqrt(variance) as a Kronecker product: one matrix for each axis of
        `shape`, with rows of norm 1, or () for the identity.
      amplitudes: A diagonal to the right of that product: float64 [*shape[1:]], the mean
        of whose squares is 1, or None for 1. `axes` are then orthogonal.
    """

    name: str
    shape: tuple[int, ...]
    mean: NDArray[np.float64]
    variance: float
    axes: tuple[NDArray[np.float64], ...]
    amplitudes: NDArray[np.float64] | None = None

    @property
    def unknowns(self) -> int:
        """The number of entries of the mean, d."""
        return len(self.mean)


def isotropic(images: NDArray[np.floating], batch_size: int = 1) -> GaussianPrior:
    """Independent pixels of one variance: mean and variance over all public pixels.

    Runs on: anybody. Sees: public pictures, never the analysed one.

    Args:
      images: [N, h, w, c], or [N, d] of a table, in [0, 1], at least one, not all of
        one value.
      batch_size: b, pictures in the analysed batch.

    Returns:
      The prior. Each channel, or feature, has its own mean; the variance is the mean
      squared deviation from it.

    Raises:
      ValueError: If there is no variance to estimate.
    """
    _, mean, variance = moments(images)
    shape = (batch_size, *images.shape[1:])
    return GaussianPrior(
        "isotropic", shape, np.broadcast_to(mean, shape).ravel(), variance, ()
    )


def stationary(images: NDArray[np.floating], batch_size: int = 1) -> GaussianPrior:
    """A full covariance that falls off exponentially with the distance of two pixels.

    Sigma_x = v R_h (x) R_w (x) R_c with R_h[i, j] = r_h^|i-j|, likewise for columns, and
    R_c the correlation of the channels. r_h and r_w are the correlations of
    neighbouring pixels. Few numbers are estimated, so that twenty pictures do, where a
    sample covariance of 3,072 pixels would have rank twenty.

    Runs on: anybody. Sees: public pictures, never the analysed one.

    Args:
      images: [N, h, w, c] in [0, 1], at least one, not all of one value.
      batch_size: b, pictures in the analysed batch.

    Returns:
      The prior.

    Raises:
      ValueError: If there is no variance to estimate.
    """
    if images.ndim != 4:
        raise ValueError(
            "`images` must be pictures [N, h, w, c] for the stationary prior, which is "
            f"about neighbouring pixels, got shape {list(images.shape)}. Take the "
            "isotropic one."
        )
    deviation, mean, variance = moments(images)
    shape = (batch_size, *images.shape[1:])
    channels = deviation.reshape(-1, images.shape[3])
    spread = np.sqrt(np.mean(np.square(channels), axis=0))
    correlation = np.full([len(spread)] * 2, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = (channels.T @ channels) / len(channels) / np.outer(spread, spread)
    # A channel without variance is uncorrelated; nearly equal ones stay distinct.
    correlation = np.clip(np.nan_to_num(correlation), -_CLOSE_TO_ONE, _CLOSE_TO_ONE)
    np.fill_diagonal(correlation, 1.0)
    axes = (
        np.eye(batch_size),
        _decaying(_neighbours(deviation, 1), images.shape[1]),
        _decaying(_neighbours(deviation, 2), images.shape[2]),
        _root(correlation),
    )
    return GaussianPrior(
        "stationary", shape, np.broadcast_to(mean, shape).ravel(), variance, axes
    )


def apply_root(
    prior: GaussianPrior, vectors: NDArray[np.float64], transpose: bool = False
) -> NDArray[np.float64]:
    """C X, or C^T X.

    Args:
      prior: The prior.
      vectors: X, float64 [d] or [d, k].
      transpose: Whether to apply C^T.

    Returns:
      float64 of the shape of `vectors`.
    """
    scale = np.sqrt(prior.variance)
    if not prior.axes:
        return scale * vectors
    values = vectors.reshape(*prior.shape, vectors.size // prior.unknowns)
    amplitudes = None if prior.amplitudes is None else prior.amplitudes[..., np.newaxis]
    if amplitudes is not None and not transpose:
        values = values * amplitudes
    for axis, matrix in enumerate(prior.axes):
        factor = matrix.T if transpose else matrix
        values = np.moveaxis(np.tensordot(factor, values, axes=(1, axis)), 0, axis)
    if amplitudes is not None and transpose:
        values = values * amplitudes
    return scale * values.reshape(vectors.shape)


def apply_inverse_root(
    prior: GaussianPrior, vectors: NDArray[np.float64]
) -> NDArray[np.float64]:
    """C^-1 X.

    Args:
      prior: The prior.
      vectors: X, float64 [d] or [d, k].

    Returns:
      float64 of the shape of `vectors`.
    """
    scale = np.sqrt(prior.variance)
    if not prior.axes:
        return vectors / scale
    values = vectors.reshape(*prior.shape, vectors.size // prior.unknowns)
    for axis, matrix in enumerate(prior.axes):
        inverse = np.linalg.inv(matrix)
        values = np.moveaxis(np.tensordot(inverse, values, axes=(1, axis)), 0, axis)
    if prior.amplitudes is not None:
        values = values / prior.amplitudes[..., np.newaxis]
    return values.reshape(vectors.shape) / scale


def moments(
    images: NDArray[np.floating],
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Deviations from the channels' means, those means, and the mean square.

    Args:
      images: [N, h, w, c], or [N, d] of a table, at least one.

    Returns:
      float64 of that shape, float64 [c] or [d], and the variance, > 0.

    Raises:
      ValueError: If there is no variance to estimate.
    """
    if images.ndim < 2 or not len(images):
        raise ValueError(
            "`images` must be [N, h, w, c], or [N, d] of a table, with at least one "
            f"example, got shape {list(images.shape)}."
        )
    values = images.astype(np.float64)
    mean = values.mean(axis=tuple(range(values.ndim - 1)))
    deviation = values - mean
    variance = float(np.mean(np.square(deviation)))
    validation.check_positive("variance of the prior's images", variance)
    return deviation, mean, variance


def _neighbours(deviation: NDArray[np.float64], axis: int) -> float:
    """Correlation of neighbours along an axis, in [0, 0.999]."""
    if deviation.shape[axis] < 2:
        return 0.0
    length = deviation.shape[axis] - 1
    left = np.take(deviation, range(length), axis)
    right = np.take(deviation, range(1, length + 1), axis)
    scale = np.sqrt(np.sum(np.square(left)) * np.sum(np.square(right)))
    found = float(np.sum(left * right) / scale) if scale > 0 else 0.0
    return min(max(found, 0.0), _CLOSE_TO_ONE)


def _decaying(correlation: float, length: int) -> NDArray[np.float64]:
    """The root of the matrix correlation^|i - j|."""
    positions = np.arange(length)
    distances = np.abs(positions[:, None] - positions)
    return np.linalg.cholesky(np.power(correlation, distances.astype(np.float64)))


def _root(correlation: NDArray[np.float64]) -> NDArray[np.float64]:
    """A root of a correlation matrix, with 0.1 % of the identity mixed in."""
    mixed = _CLOSE_TO_ONE * correlation + (1 - _CLOSE_TO_ONE) * np.eye(len(correlation))
    values, vectors = np.linalg.eigh(mixed)
    # Clipping may have left a slightly negative eigenvalue.
    positive = (vectors * np.maximum(values, 1e-6)) @ vectors.T
    scale = np.sqrt(np.diag(positive))
    return np.linalg.cholesky(positive / np.outer(scale, scale))
