"""A head of which whole rows are hidden, completed by the softmax's logarithms.

The kernel's gradient of one example is h d^T with d = p - e_y and p = softmax(W^T h + b).
What hangs together of its visible entries gives h up to a scale s where it is read, and
d up to 1 / s (`outer_product.py`). A mask by magnitude hides all entries of the largest
h_i and most of the label's column; but for every other class d_j is p_j, and

    log p_j - b_j = s (h_read W)_j + sum over unread i of h_i W_ij - log Z

is linear in s, the unread h_i and the constant. With more classes than unknowns they
follow, and the classes to spare say whether it is a softmax of one example at all.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import special

from attacks.continuous.analytic import outer_product

_SPARE = 2
"""Equations beyond the unknowns, so that what is no softmax is found out."""

_ROUNDING = 1e-7
"""What float32 leaves of the logarithm of a probability."""

_MISFIT = 1e-4
"""Largest error of a column, relative to its size, that is believed: float32 makes about
1e-7, and several examples, steps or another loss make 1e-2 and more."""

_UNSURE = 1e-3
"""Largest error of the input, relative to its norm, that it is still told with."""

_FAINT = 1e-2
"""A derivative of this times `_MISFIT` is not told from zero: p - 1 of a class that is
nearly sure is a difference of float32 numbers."""


class SoftmaxHead(NamedTuple):
    """One example's head, complete.

    Attributes:
      features: float64 [f], the head's input.
      errors: float64 [f], standard deviations of what was solved for; those of an
        entry's own rounding are not in them.
      delta: float64 [classes], p - e_y.
      delta_known: bool [classes], false where labels that are left differ.
      labels: The classes that the visible entries leave, of those that were asked about.
      residual: Root mean square of what the equations above leave unexplained.
    """

    features: np.ndarray
    errors: np.ndarray
    delta: np.ndarray
    delta_known: np.ndarray
    labels: tuple[int, ...]
    residual: float


class _Solution(NamedTuple):
    features: np.ndarray
    errors: np.ndarray
    residual: float


def complete(
    values: np.ndarray,
    known: np.ndarray,
    kernel: np.ndarray,
    bias: np.ndarray,
    labels: Sequence[int],
) -> SoftmaxHead | None:
    """Completes the head's input and the derivative by the logits.

    Runs on: attacker. Sees: the head's weights and its visible entries.

    Args:
      values: float64 [f + 1, classes], the head's gradient, its bias's as the last row;
        zero where unknown.
      known: bool of that shape.
      kernel: float64 [f, classes], its weights.
      bias: float64 [classes], its biases.
      labels: The classes that the example may have.

    Returns:
      The head; None where every row can be read without the equations, classes are too
      few for the unread rows, or what is visible is not the gradient of one example's
      softmax cross-entropy: several examples or steps, smoothed labels, another loss.
    """
    fit = outer_product.factorise(values[:-1], known[:-1], values[-1], known[-1])
    unread = ~fit.rows_known
    if not unread.any():
        return None
    found: list[tuple[int, _Solution, np.ndarray]] = []
    for label in labels:
        sign = _sign(fit, label)
        if sign is None:
            continue
        solution = _solve(fit, sign, kernel, bias, label)
        if solution is None:
            continue
        delta = special.softmax(solution.features @ kernel + bias)
        delta[label] -= 1.0
        if _reproduces(solution.features, delta, values, known):
            found.append((label, solution, delta))
    if not found:
        return None
    _, solution, delta = found[0]
    left = tuple(label for label, _, _ in found)
    told = np.ones(delta.shape, np.bool_)
    if len(left) > 1:
        told[list(left)] = False
    return SoftmaxHead(
        solution.features, solution.errors, delta, told, left, solution.residual
    )


def _sign(fit: outer_product.OuterProduct, label: int) -> float | None:
    """The sign of the columns but the label's, whose is the other one; or None."""
    signs = np.sign(fit.columns)
    own, signs[label] = signs[label], 0.0
    positive, negative = bool(np.any(signs > 0)), bool(np.any(signs < 0))
    sign = 1.0 if positive else -1.0
    if positive == negative or own == sign:
        return None
    return sign


def _solve(
    fit: outer_product.OuterProduct,
    sign: float,
    kernel: np.ndarray,
    bias: np.ndarray,
    label: int,
) -> _Solution | None:
    """The least-squares answer of the equations above, if they determine it."""
    unread = ~fit.rows_known
    used = fit.columns * sign > 0
    used[label] = False
    rows = fit.rows * sign
    read = (rows @ kernel)[used]
    sides = np.log((fit.columns * sign)[used]) - bias[used]
    design = np.column_stack([kernel[unread][:, used].T, np.ones(read.size), read])
    if fit.scaled:  # The bias has said the scale.
        design, sides = design[:, :-1], sides - read
    spare = len(design) - design.shape[1]
    if spare < _SPARE:
        return None
    sizes = np.linalg.norm(design, axis=0)
    if not np.all(sizes > 0) or not np.isfinite(design).all():
        return None
    left, singular, right = np.linalg.svd(design / sizes, full_matrices=False)
    if singular[-1] <= _ROUNDING * singular[0]:
        return None
    answer = right.T @ ((left.T @ sides) / singular)
    error = sides - (design / sizes) @ answer
    residual = float(np.sqrt(np.sum(np.square(error)) / spare))
    answer = answer / sizes
    spread = np.sqrt(np.sum(np.square(right / singular[:, np.newaxis]), axis=0)) / sizes
    spread *= max(residual, _ROUNDING)
    scale, scale_error = (1.0, 0.0) if fit.scaled else (answer[-1], spread[-1])
    count = int(np.count_nonzero(unread))
    features, errors = rows * scale, np.abs(rows) * scale_error
    features[unread], errors[unread] = answer[:count], spread[:count]
    if not np.linalg.norm(errors) <= _UNSURE * np.linalg.norm(features):
        return None
    return _Solution(features, errors, residual)


def _reproduces(
    features: np.ndarray, delta: np.ndarray, values: np.ndarray, known: np.ndarray
) -> bool:
    """Whether h d^T is what is visible, column by column.

    It has Z in it, which the equations took for a constant of its own, the label's
    column, and entries that do not hang together with those that were read.
    """
    inputs = np.append(features, 1.0)
    error = np.where(known, values - np.outer(inputs, delta), 0.0)
    sizes = np.linalg.norm(np.where(known, values, 0.0), axis=0)
    faint = np.linalg.norm(known * inputs[:, np.newaxis], axis=0)
    allowed = _MISFIT * (sizes + _FAINT * faint)
    return bool(np.all(np.linalg.norm(error, axis=0) <= allowed))
