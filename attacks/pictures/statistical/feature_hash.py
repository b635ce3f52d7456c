"""Long vectors folded into a few well-scaled numbers, for a network to read.

Feature hashing: every entry is added, with a random sign, to one of a fixed number of
bins, which keeps inner products in expectation (Weinberger, Dasgupta, Langford, Smola,
Attenberg, "Feature Hashing for Large Scale Multitask Learning", ICML 2009). Whitening
then makes directions of small variance as large as the others: in a gradient the class
makes nearly all the variance, and the picture the rest.
"""

from typing import NamedTuple

import numpy as np
from scipy import sparse

from selenc_tf import validation


class Features(NamedTuple):
    """A fitted map from e entries to k features: linear, plus a constant.

    Attributes:
      centre: float64 [e], subtracted first.
      scale: float64 [e], then divided by.
      hashing: Sparse [e, bins] with one +1 or -1 in each row.
      directions: float64 [bins, k], whitened principal directions.
    """

    centre: np.ndarray
    scale: np.ndarray
    hashing: sparse.csr_array
    directions: np.ndarray


def fit_features(
    samples: np.ndarray,
    bins: int,
    components: int,
    generator: np.random.Generator,
) -> Features:
    """Fits the map on examples.

    Runs on: attacker. Sees: its own examples.

    Args:
      samples: float [s, e], at least two examples.
      bins: The most bins; vectors that are not longer are not hashed.
      components: The most features to keep, those of the largest variance.
      generator: Of bins and signs.

    Returns:
      The map. On the examples each feature has mean 0 and variance at most 1; nearly 1
      unless its share of the variance is below 1e-8.

    Raises:
      ValueError: If there are fewer than two examples, all are the same, or a count is
        below 1.
    """
    validation.check_at_least("bins", bins, 1)
    validation.check_at_least("components", components, 1)
    validation.check_at_least("len(samples)", len(samples), 2)
    count, entries = samples.shape
    spread = np.std(samples, axis=0, dtype=np.float64)
    if not np.any(spread):
        raise ValueError(
            "`samples` must have an entry that differs between examples, but all "
            f"{count} are the same."
        )
    # What varies less than rounding does is left out.
    enough = spread > 1e-6 * float(np.max(spread, initial=0.0))
    features = Features(
        centre=np.asarray(np.mean(samples, axis=0, dtype=np.float64)),
        scale=np.where(enough, spread, np.inf),
        hashing=_hashing(entries, bins, generator),
        directions=np.eye(min(bins, entries)),
    )
    folded = transform(samples, features)
    # The smaller of the two Gram matrices has all the eigenvalues that are not zero.
    if count <= folded.shape[1]:
        values, vectors = np.linalg.eigh(folded @ folded.T / count)
        kept = _largest(values, components)
        lengths = np.sqrt(values[kept] * count)
        directions = folded.T @ vectors[:, kept] / lengths
    else:
        values, vectors = np.linalg.eigh(folded.T @ folded / count)
        kept = _largest(values, components)
        directions = vectors[:, kept]
    floor = 1e-8 * float(np.sum(np.maximum(values, 0.0)))
    return features._replace(directions=directions / np.sqrt(values[kept] + floor))


def transform(samples: np.ndarray, features: Features) -> np.ndarray:
    """Applies a fitted map.

    Args:
      samples: float [s, e].
      features: The map.

    Returns:
      float64 [s, k].
    """
    standard = (samples - features.centre) / features.scale
    return np.asarray(standard @ features.hashing) @ features.directions


def _hashing(
    entries: int, bins: int, generator: np.random.Generator
) -> sparse.csr_array:
    rows = np.arange(entries)
    if entries <= bins:
        return sparse.csr_array((np.ones(entries), (rows, rows)))
    signs = generator.choice([-1.0, 1.0], entries)
    places = generator.integers(bins, size=entries)
    return sparse.csr_array((signs, (rows, places)), shape=(entries, bins))


def _largest(values: np.ndarray, components: int) -> np.ndarray:
    """Places of the largest eigenvalues, in descending order, without the zero ones."""
    order = np.argsort(values)[::-1][:components]
    positive = order[values[order] > 1e-12 * max(float(values[order[0]]), 1e-300)]
    return positive if len(positive) else order[:1]
