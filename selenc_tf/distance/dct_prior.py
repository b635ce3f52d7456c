"""What is known of pictures by frequency: a Gaussian in the domain of cosines.

The power of natural pictures falls with frequency, about as 1 / f^2 (D. J. Field,
"Relations between the statistics of natural images and the response properties of cortical
cells", J. Opt. Soc. Am. A 4(12), 1987; D. L. Ruderman, "The statistics of natural images",
Network 5(4), 1994), and the coefficients of a cosine transform are nearly uncorrelated
(N. Ahmed, T. Natarajan, K. R. Rao, "Discrete cosine transform", IEEE Trans. Computers
C-23(1), 1974).
Colours are uncorrelated along the principal axes of the channels (D. L. Ruderman,
T. W. Cronin, C.-C. Chiao, "Statistics of cone responses to natural images", J. Opt. Soc.
Am. A 15(8), 1998).
"""

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from selenc_tf.distance.prior import GaussianPrior, moments

_PICTURES = 16
"""The radial law counts as much as so many pictures beside the measured variances."""

_CLEAR = 4.0
"""Squared t-value from which a mean coefficient is believed, less that share of it."""

_FLOOR = 1e-6
"""Smallest variance of a coefficient relative to the mean one."""

_MEAN, _DEVIATION = 0.5, 0.25
"""Of photographs' pixels in [0, 1], as networks' normalisations commonly have them."""

_EXPONENT = 2.0
_COLOUR_SHARES = (0.9, 0.08, 0.02)
"""Of brightness, red against blue, and green against both: our choice, of the order that
Ruderman, Cronin and Chiao report."""


def dct(images: NDArray[np.floating], batch_size: int = 1) -> GaussianPrior:
    """A variance for every frequency, and uncorrelated colours.

    The measured variance of every coefficient is averaged with a power law of the radial
    frequency that is fitted to all of them, so that a handful of pictures does. The mean
    is that of each channel, with those coefficients of the mean picture that the pictures
    agree on.

    Runs on: anybody. Sees: public pictures, never the analysed one.

    Args:
      images: [N, h, w, c] in [0, 1], at least one, not all of one value.
      batch_size: b, pictures in the analysed batch.

    Returns:
      The prior.

    Raises:
      ValueError: If there is no variance to estimate, or these are no pictures.
    """
    if images.ndim != 4:
        raise ValueError(
            "`images` must be pictures [N, h, w, c] for the DCT prior, which is about "
            f"frequencies, got shape {list(images.shape)}. Take the isotropic one."
        )
    deviation, means, _ = moments(images)
    count, shape = len(images), images.shape[1:]
    pixels = deviation.reshape(-1, shape[2])
    _, colours = np.linalg.eigh(pixels.T @ pixels / len(pixels))
    coefficients = fft.dctn(deviation, axes=(1, 2), norm="ortho") @ colours
    average = _agreed(coefficients)
    measured = np.mean(np.square(coefficients - average), axis=0)
    fitted = np.stack(
        [_radial_fit(measured[..., channel]) for channel in range(shape[2])], axis=-1
    )
    power = (_PICTURES * fitted + count * measured) / (_PICTURES + count)
    mean = means + fft.idctn(average @ colours.T, axes=(0, 1), norm="ortho")
    return _prior("dct", mean, power, colours, batch_size)


def photographs(shape: tuple[int, int, int], batch_size: int = 1) -> GaussianPrior:
    """What holds of natural photographs in general, without any at hand.

    Power as 1 / (1 + f)^2, f the frequency in half-periods a side; mean 0.5 and standard
    deviation 0.25; of three channels 90 % of the variance in brightness.

    Args:
      shape: Height, width and channels of a picture.
      batch_size: b, pictures in the analysed batch.

    Returns:
      The prior.
    """
    channels = shape[2]
    shares, colours = np.ones(channels), np.eye(channels)
    if channels == len(_COLOUR_SHARES):
        shares = np.array(_COLOUR_SHARES)
        axes = np.array([[1.0, 1, 1], [1, 0, -1], [1, -2, 1]]).T
        colours = axes / np.linalg.norm(axes, axis=0)
    falling = np.power(_radius(shape[0], shape[1]), -_EXPONENT)
    power = falling[..., np.newaxis] * shares
    power *= _DEVIATION**2 / np.mean(power)
    return _prior("photographs", np.full(shape, _MEAN), power, colours, batch_size)


def _agreed(coefficients: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of [N, h, w, c], shrunk to zero where the N do not agree on it."""
    count, mean = len(coefficients), np.mean(coefficients, axis=0)
    if count == 1:
        return np.zeros_like(mean)
    squared_error = np.var(coefficients, axis=0, ddof=1) / count
    kept = np.square(mean) - _CLEAR * squared_error
    found: NDArray[np.float64] = np.where(kept > 0, kept, 0.0)
    return np.divide(found, mean, out=found, where=kept > 0)


def _prior(
    name: str,
    mean: NDArray[np.float64],
    power: NDArray[np.float64],
    colours: NDArray[np.float64],
    batch_size: int,
) -> GaussianPrior:
    height, width, _ = mean.shape
    variance = float(np.mean(power))
    shares = np.maximum(power / variance, _FLOOR)
    return GaussianPrior(
        name,
        (batch_size, *mean.shape),
        np.tile(mean.ravel(), batch_size),
        variance,
        (np.eye(batch_size), _cosines(height), _cosines(width), colours),
        np.sqrt(shares / np.mean(shares)),
    )


def _cosines(length: int) -> NDArray[np.float64]:
    """The matrix from coefficients to values, orthogonal [length, length]."""
    found: NDArray[np.float64] = fft.idct(np.eye(length), axis=0, norm="ortho")
    return found


def _radius(height: int, width: int) -> NDArray[np.float64]:
    """1 + the radial frequency of each coefficient, in half-periods of the longer side."""
    side = max(height, width)
    rows, columns = np.arange(height) * side / height, np.arange(width) * side / width
    radius: NDArray[np.float64] = 1.0 + np.hypot(rows[:, np.newaxis], columns)
    return radius


def _radial_fit(power: NDArray[np.float64]) -> NDArray[np.float64]:
    """A power law of the radius, by least squares of logarithms over rings."""
    radius = _radius(*power.shape)
    ring = radius.astype(int)
    counts = np.bincount(ring.ravel())
    sums = np.bincount(ring.ravel(), power.ravel())
    radii = np.bincount(ring.ravel(), radius.ravel())
    used = (counts > 0) & (sums > 0)
    if np.count_nonzero(used) < 2:
        return np.full(power.shape, np.mean(power))
    x = np.log(radii[used] / counts[used])
    y = np.log(sums[used] / counts[used])
    slope, constant = np.polyfit(x, y, 1, w=np.sqrt(counts[used]))
    # Power that rises with frequency is none of pictures: white is the least.
    if slope > 0:
        return np.full(power.shape, np.mean(power))
    fitted: NDArray[np.float64] = np.exp(constant + slope * np.log(radius))
    return fitted
