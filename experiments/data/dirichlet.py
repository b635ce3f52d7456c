"""Clients whose mixtures of classes differ, drawn from a Dirichlet distribution.

T.-M. H. Hsu, H. Qi, M. Brown, 'Measuring the effects of non-identical data distribution
for federated visual classification', arXiv:1909.06335, section 3: a client's shares of
the classes are drawn from Dir(alpha p), p the shares in the whole, and its examples by
them without replacement.
"""

import numpy as np
from numpy.typing import NDArray

_TINY = np.finfo(np.float64).tiny


def deal(
    labels: NDArray[np.int32], num_clients: int, alpha: float, rng: np.random.Generator
) -> tuple[NDArray[np.int64], ...]:
    """Shares rows out, all of them, in sizes that differ by at most one.

    Args:
      labels: int32 [N], the classes.
      num_clients: k, in [1, N].
      alpha: > 0. Client after client draws from what is left, so the last ones have
        what nobody drew.
      rng: Of all draws.

    Returns:
      k arrays of row numbers, together a permutation of 0..N-1.
    """
    classes, numbers, counts = np.unique(
        labels, return_inverse=True, return_counts=True
    )
    waiting = [
        rng.permutation(np.flatnonzero(numbers == number))
        for number in range(len(classes))
    ]
    concentration = np.maximum(alpha * (counts / len(labels)), _TINY)
    parts = []
    for part in np.array_split(np.arange(len(labels)), num_clients):
        left = np.array([len(rows) for rows in waiting])
        taken = _draw(rng, rng.dirichlet(concentration), left, len(part))
        pieces = [rows[:many] for rows, many in zip(waiting, taken, strict=True)]
        waiting = [rows[many:] for rows, many in zip(waiting, taken, strict=True)]
        parts.append(rng.permutation(np.concatenate(pieces)))
    return tuple(parts)


def _draw(
    rng: np.random.Generator,
    shares: NDArray[np.float64],
    left: NDArray[np.int64],
    size: int,
) -> NDArray[np.int64]:
    """How many of each class: drawn by `shares`, from the others once one is used up.

    Args:
      rng: Of the draw.
      shares: float64 [c], with the sum 1.
      left: int64 [c], how many there are; together at least `size`.
      size: How many to draw.

    Returns:
      int64 [c] with the sum `size`, none above `left`.
    """
    taken = np.zeros_like(left)
    while missing := size - int(taken.sum()):
        free = np.where(taken < left, shares, 0.0)
        if not free.sum() > 0:  # Only classes of no share are left.
            free = (left - taken).astype(np.float64)
        more = rng.multinomial(missing, free / free.sum())
        taken = np.minimum(taken + more, left)
    return taken
