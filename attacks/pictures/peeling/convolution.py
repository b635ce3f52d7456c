"""A convolution's input from the gradient of its kernel, given the derivative above.

dL/dW[t, i, o] = sum over positions p of k[p, o] x[p + t, i], with k the derivative by
the convolution's products: for every input channel i the same matrix K of derivatives,
[taps * outputs, positions], times that channel of x. Zhu and Blaschko (ICLR 2021,
equation 6) call these the gradient constraints.
"""

from typing import NamedTuple

import numpy as np
from scipy import linalg

from attacks.structure import network as network_lib

_RANK = 1e-9
"""Smallest share of the largest eigenvalue of K^T K that is not taken for zero."""

_REFINEMENTS = 2


class Input(NamedTuple):
    """The least-squares input of a convolution.

    Attributes:
      values: float64 [h, w, channels].
      determined: Whether the equations of every channel have full rank.
      residual: Norm of what they leave unexplained, relative to that of the gradient.
      open: float64 [n, h, w, channels], directions along which they say nothing.
    """

    values: np.ndarray
    determined: bool
    residual: float
    open: np.ndarray


def design(
    block: network_lib.Block, taps: tuple[int, int], k: np.ndarray
) -> np.ndarray:
    """K for one input channel.

    Args:
      block: The convolution.
      taps: Height and width of its kernel.
      k: float64 [h, w, outputs].

    Returns:
      float64 [taps, outputs, positions], positions in row-major order.
    """
    height, width, _ = block.input_shape
    outputs = k.shape[-1]
    above, left = block.padding
    matrix = np.zeros((taps[0] * taps[1], outputs, height, width))
    rows, columns, channels = np.nonzero(k)
    for tap in range(taps[0] * taps[1]):
        row = rows + tap // taps[1] - above
        column = columns + tap % taps[1] - left
        inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        matrix[tap, channels[inside], row[inside], column[inside]] = k[
            rows[inside], columns[inside], channels[inside]
        ]
    return matrix.reshape(taps[0] * taps[1], outputs, height * width)


def solve(
    block: network_lib.Block,
    k: np.ndarray,
    gradient: np.ndarray,
    visible: np.ndarray,
    *,
    equation_weights: np.ndarray | None = None,
    near: np.ndarray | None = None,
    pull: float = 0.0,
) -> Input:
    """Solves for the input that explains the kernel's gradient.

    Runs on: attacker. Sees: the visible entries of the kernel's gradient.

    Args:
      block: The convolution.
      k: float64 [h, w, outputs], the derivative by its products.
      gradient: float64 [h, w, channels in, outputs], zero where hidden.
      visible: bool of that shape.
      equation_weights: float64 [outputs], factors of the equations, or None for 1.
      near: float64 [h, w, channels in], where ties are drawn to, or None for zero.
      pull: How strongly, relative to the mean eigenvalue of K^T K.

    Returns:
      The input. With `pull` 0 and too few equations, the smallest along open directions.
    """
    height, width, inputs = block.input_shape
    taps, outputs = gradient.shape[:2], gradient.shape[-1]
    matrix = design(block, (taps[0], taps[1]), k)
    weights = np.ones(outputs) if equation_weights is None else equation_weights
    # Outputs without any derivative say nothing.
    live = np.flatnonzero(np.any(k != 0, axis=(0, 1)) & (weights > 0))
    matrix = matrix[:, live].reshape(-1, height * width)
    sides = gradient[..., live].transpose(2, 0, 1, 3).reshape(inputs, -1)
    seen = visible[..., live].transpose(2, 0, 1, 3).reshape(inputs, -1)
    factors = np.tile(weights[live], taps[0] * taps[1])
    start = np.zeros((inputs, height * width))
    if near is not None:
        start = near.reshape(height * width, inputs).T.copy()
    solution, determined = start, len(live) > 0
    open_: list[np.ndarray] = []
    # Channels that show the same entries share their matrix.
    patterns, which = np.unique(seen, axis=0, return_inverse=True)
    for index, pattern in enumerate(patterns):
        own = np.flatnonzero(which.ravel() == index)
        part = matrix[pattern] * factors[pattern, np.newaxis]
        side = sides[own][:, pattern] * factors[pattern]
        gram = part.T @ part
        size = np.trace(gram) / max(1, len(gram))
        if size == 0:
            determined = False
            continue
        x = start[own]
        if pull > 0:
            slope = (side - x @ part.T) @ part
            gram[np.diag_indices_from(gram)] += pull * size
            solution[own] = x + linalg.solve(gram, slope.T, assume_a="pos").T
            continue
        values, vectors = np.linalg.eigh(gram / size)
        kept = values > _RANK * values[-1]
        determined = determined and bool(kept.all())
        for channel in own:
            directions = np.zeros((np.count_nonzero(~kept), height * width, inputs))
            directions[..., channel] = vectors[:, ~kept].T
            open_.extend(directions)
        inverse = np.where(kept, 1.0 / np.where(kept, values, 1.0), 0.0)
        # A second and third pass make up for the squared condition number.
        for _ in range(1 + _REFINEMENTS):
            slope = (side - x @ part.T) @ part / size
            x = x + ((slope @ vectors) * inverse) @ vectors.T
        solution[own] = x
    error = np.where(seen, sides - solution @ matrix.T, 0.0)
    norm = np.linalg.norm(np.where(seen, sides, 0.0))
    return Input(
        values=solution.T.reshape(height, width, inputs),
        determined=determined,
        residual=float(np.linalg.norm(error) / norm) if norm > 0 else 1.0,
        open=np.reshape(open_, (-1, height, width, inputs)),
    )
