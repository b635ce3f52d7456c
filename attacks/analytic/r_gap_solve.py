"""One step of recursive inversion: a convolution's input by least squares."""

from typing import NamedTuple

import numpy as np
from scipy import linalg, sparse
from scipy.linalg import lapack

from attacks.analytic import r_gap_layers

_RANK_TOLERANCE = 1e-12
"""Pivots of the scaled normal equations below this are zero: singular values below a
millionth of the largest."""
_RIDGE = 1e-10
_REFINEMENTS = 3


class Layer(NamedTuple):
    """What is known of a convolution before its input is.

    Attributes:
      output: float64 [outputs], z after the activation, row-major (height, width,
        channels).
      output_known: bool [outputs].
      slopes_of_loss: float64 [outputs], dL / d output.
      gradient: float64 [h, w, channels in, channels out], zero where hidden.
      visible: bool of that shape.
      kernel: float64 of that shape, the weights.
      bias: float64 [channels out].
    """

    output: np.ndarray
    output_known: np.ndarray
    slopes_of_loss: np.ndarray
    gradient: np.ndarray
    visible: np.ndarray
    kernel: np.ndarray
    bias: np.ndarray


class Step(NamedTuple):
    """The input of a convolution.

    Attributes:
      input: float64 [inputs].
      slopes_of_loss: float64 [inputs], dL / d input.
      rank: Numerical rank of the equations.
      unknowns: Number of inputs.
      gradient_rows: Number of gradient entries used.
    """

    input: np.ndarray
    slopes_of_loss: np.ndarray
    rank: int
    unknowns: int
    gradient_rows: int


class _System(NamedTuple):
    """Weighted equations, those of the gradient by input channel."""

    weight_rows: sparse.csr_matrix
    weight_sides: np.ndarray
    gradient_rows: list[sparse.csr_matrix]
    gradient_sides: list[np.ndarray]


def solve(shape: r_gap_layers.ConvLayer, layer: Layer) -> Step:
    """Solves weight and gradient constraints together for the input.

    Zhu and Blaschko 2021, equations 7-9. Both kinds are divided by the root mean square
    of their right-hand sides, because gradients are orders of magnitude smaller.
    Gradient entries that are hidden drop out, and so do all those of a channel of which
    some output, and with it the derivative there, is not known. Weight constraints of
    known outputs stay.

    Runs on: attacker. Sees: the weights and the visible entries of the kernel.

    Args:
      shape: The convolution.
      layer: What is known.

    Returns:
      The least-squares input; where the equations leave a direction open, the smallest
      one along it.
    """
    slope = shape.slope
    z = np.where(layer.output > 0, layer.output, layer.output / slope)
    weights = r_gap_layers.weight_constraints(shape, layer.kernel)
    bias = np.tile(layer.bias, z.size // layer.bias.size)
    derivative = layer.slopes_of_loss * np.where(z > 0, 1.0, slope)
    system = _equations(shape, layer, weights, z - bias, derivative)
    x, rank = _least_squares(system, weights.shape[1])
    # With all inputs known the outputs that were not follow.
    complete = np.where(layer.output_known, z, weights @ x + bias)
    derivative = layer.slopes_of_loss * np.where(complete > 0, 1.0, slope)
    return Step(
        input=x,
        slopes_of_loss=weights.T @ derivative,
        rank=rank,
        unknowns=x.size,
        gradient_rows=sum(side.size for side in system.gradient_sides),
    )


def _equations(
    shape: r_gap_layers.ConvLayer,
    layer: Layer,
    weights: sparse.csr_matrix,
    sides: np.ndarray,
    derivative: np.ndarray,
) -> _System:
    height, width, channels_in, channels_out = layer.kernel.shape
    known = layer.output_known
    scale = _root_mean_square(sides[known])
    per_channel = known.reshape(-1, channels_out).all(axis=0)
    visible = (layer.visible & per_channel).transpose(2, 0, 1, 3)
    visible = visible.reshape(channels_in, -1)
    gradient = layer.gradient.transpose(2, 0, 1, 3).reshape(channels_in, -1)
    rows = r_gap_layers.gradient_constraints(
        shape, (height, width), derivative.reshape(shape.output_shape)
    )
    size = _root_mean_square(gradient[visible])
    return _System(
        weight_rows=weights[np.flatnonzero(known)] / scale,
        weight_sides=sides[known] / scale,
        gradient_rows=[rows[np.flatnonzero(seen)] / size for seen in visible],
        gradient_sides=[
            part[seen] / size for part, seen in zip(gradient, visible, strict=True)
        ],
    )


def _root_mean_square(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values)))) if values.any() else 1.0


def _least_squares(system: _System, unknowns: int) -> tuple[np.ndarray, int]:
    """Pivoted Cholesky of the normal equations, refined with the true residuals.

    The refinement makes up for the squared condition number (Bjorck, "Numerical Methods
    for Least Squares Problems", 1996, section 2.9.4: corrected semi-normal equations).
    """
    channels = len(system.gradient_rows)
    gram = (system.weight_rows.T @ system.weight_rows).toarray()
    for channel, rows in enumerate(system.gradient_rows):
        own = slice(channel, None, channels)
        gram[own, own] += (rows.T @ rows).toarray()
    diagonal = np.sqrt(np.diag(gram))
    scale = np.where(diagonal > 0, diagonal, 1.0)
    gram /= np.outer(scale, scale)
    factor, order, rank, _ = lapack.dpstrf(gram, tol=_RANK_TOLERANCE)
    order = order - 1  # LAPACK counts from 1.
    if rank < unknowns:
        gram[np.diag_indices(unknowns)] += _RIDGE
        factor, _ = linalg.cho_factor(gram, check_finite=False)
        order = np.arange(unknowns)
    x = np.zeros(unknowns)
    for _ in range(1 + _REFINEMENTS):
        side = system.weight_rows.T @ (system.weight_sides - system.weight_rows @ x)
        for channel in range(channels):
            own = slice(channel, None, channels)
            rows, target = system.gradient_rows[channel], system.gradient_sides[channel]
            side[own] += rows.T @ (target - rows @ x[own])
        step = linalg.cho_solve(
            (factor, False), (side / scale)[order], check_finite=False
        )
        x[order] += step / scale[order]
    return x, int(rank)
