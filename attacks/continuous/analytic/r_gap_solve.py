"""One step of recursive inversion: a convolution's input by least squares.

Zhu, Blaschko, "R-GAP: Recursive Gradient Attack on Privacy", ICLR 2021, equations 7-9,
for leaky ReLUs. That the weight constraints of a sigmoid or tanh layer count by its
derivative, so that saturated outputs cannot spoil the rest, is ours.
"""

from typing import NamedTuple

import numpy as np
from scipy import linalg, sparse
from scipy.linalg import lapack

from attacks.optimisers import blas
from attacks.structure import activations
from attacks.structure import chain as r_gap_layers

_RANK_TOLERANCE = 1e-12
"""Pivots of the scaled normal equations below this are zero: singular values below a
millionth of the largest."""
_CLEAR_OF_TOLERANCE = 100
"""The condition is an estimate, by LAPACK usually within a factor of three."""
_RIDGE = 1e-10
_REFINEMENTS = 3


class Layer(NamedTuple):
    """What is known of a convolution before its input is.

    Attributes:
      output: float64 [outputs], z after the activation, row-major (height, width,
        channels); anything where it is not known.
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
    """Weighted equations, those of the gradient by input channel.

    A row of the latter reads every stride-th position in both directions, too many for
    sparse products to be the faster ones.
    """

    weight_rows: sparse.csr_matrix
    weight_sides: np.ndarray
    gradient_rows: list[np.ndarray]
    gradient_sides: list[np.ndarray]


def solve(shape: r_gap_layers.ConvLayer, layer: Layer) -> Step:
    """Solves weight and gradient constraints together for the input.

    Zhu and Blaschko 2021, equations 7-9. Both kinds are divided by the root mean square
    of their right-hand sides, because gradients are orders of magnitude smaller. Before
    that each weight constraint is multiplied by the trust in its z, which for a sigmoid
    or tanh is a': a' W x = a' (z - b). Gradient entries that are hidden drop out, and so
    do all those of a channel of which some output, and with it the derivative there, is
    not known. Weight constraints of known outputs stay.

    Runs on: attacker. Sees: the weights and the visible entries of the kernel.

    Args:
      shape: The convolution.
      layer: What is known.

    Returns:
      The least-squares input; where the equations leave a direction open, the smallest
      one along it.
    """
    z = activations.inverse(shape.activation, layer.output)
    weights = r_gap_layers.weight_constraints(shape, layer.kernel)
    bias = np.tile(layer.bias, z.size // layer.bias.size)
    derivative = activations.derivative(shape.activation, layer.output)
    system = _equations(
        shape, layer, weights, z - bias, layer.slopes_of_loss * derivative
    )
    # Where cores are shared, the threads of a Cholesky mostly wait for each other: 2.5 s
    # of processor time with two threads for 3,072 unknowns, 0.3 s with one.
    with blas.one_thread():
        x, rank = _least_squares(system, weights.shape[1])
    # With all inputs known the outputs that were not follow.
    complete = np.where(
        layer.output_known,
        layer.output,
        activations.forward(shape.activation, weights @ x + bias),
    )
    derivative = activations.derivative(shape.activation, complete)
    return Step(
        input=x,
        slopes_of_loss=weights.T @ (layer.slopes_of_loss * derivative),
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
    trust = activations.trust(shape.activation, layer.output)[known]
    scale = _root_mean_square(trust * sides[known])
    per_channel = known.reshape(-1, channels_out).all(axis=0)
    visible = (layer.visible & per_channel).transpose(2, 0, 1, 3)
    visible = visible.reshape(channels_in, -1)
    gradient = layer.gradient.transpose(2, 0, 1, 3).reshape(channels_in, -1)
    rows = r_gap_layers.gradient_constraints(
        shape, (height, width), derivative.reshape(shape.output_shape)
    )
    size = _root_mean_square(gradient[visible])
    rows = rows.toarray() / size
    return _System(
        weight_rows=sparse.diags(trust / scale) @ weights[np.flatnonzero(known)],
        weight_sides=trust * sides[known] / scale,
        gradient_rows=[rows[seen] for seen in visible],
        gradient_sides=[
            part[seen] / size for part, seen in zip(gradient, visible, strict=True)
        ],
    )


def _root_mean_square(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values)))) if values.any() else 1.0


def _least_squares(system: _System, unknowns: int) -> tuple[np.ndarray, int]:
    """Cholesky of the normal equations, refined with the true residuals.

    The refinement makes up for the squared condition number (Bjorck, "Numerical Methods
    for Least Squares Problems", 1996, section 2.9.4: corrected semi-normal equations).
    """
    channels = len(system.gradient_rows)
    gram = (system.weight_rows.T @ system.weight_rows).toarray()
    for channel, rows in enumerate(system.gradient_rows):
        own = slice(channel, None, channels)
        gram[own, own] += rows.T @ rows
    diagonal = np.sqrt(np.diag(gram))
    scale = np.where(diagonal > 0, diagonal, 1.0)
    gram /= scale[:, np.newaxis]
    gram /= scale
    factor, order, rank = _factorise(gram)
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
    return x, rank


def _factorise(gram: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Factorises normal equations with ones (or zeros) on the diagonal.

    Without pivots, in less than half the time, if the condition leaves no doubt of
    the rank: no pivot is below the smallest eigenvalue, nor that below the reciprocal
    condition in the 1-norm, as the norm is at least 1.

    Args:
      gram: float64 [n, n]; overwritten.

    Returns:
      The upper factor of gram[order][:, order], with a ridge where the rank is short;
      the order, int [n]; and the numerical rank.
    """
    order = np.arange(len(gram))
    # Symmetric, so the transpose is the same matrix in LAPACK's order of entries.
    factor, failed = lapack.dpotrf(gram.T, clean=False)
    if not failed:
        norm = np.max(np.sum(np.abs(gram), axis=0))
        condition, _ = lapack.dpocon(factor, norm)
        if condition > _CLEAR_OF_TOLERANCE * _RANK_TOLERANCE:
            return factor, order, len(gram)
    factor, pivots, rank, _ = lapack.dpstrf(gram.T, tol=_RANK_TOLERANCE)
    if rank == len(gram):
        return factor, pivots - 1, int(rank)  # LAPACK counts from 1.
    gram[np.diag_indices_from(gram)] += _RIDGE
    factor, _ = linalg.cho_factor(gram.T, overwrite_a=True, check_finite=False)
    return factor, order, int(rank)
