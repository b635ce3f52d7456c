"""The head of recursive inversion: its input and the derivative by the logits.

R-GAP is published for one logit and a logistic loss, where <g, W> = -u / (1 + e^u) has
to be solved for the margin u and two u can fit (Zhu and Blaschko 2021, section 3.1).
With softmax cross-entropy the derivative by the logits is p - y =: d, and the head's
kernel [features, classes] has the gradient h d^T. Its visible entries give h up to a
scale s and d up to 1 / s. A visible entry of the bias, whose gradient is d, settles s.
Without one,

    softmax(W^T h s + b) - y = d / s

has one unknown, s, in as many equations as classes, and its sign is that with which only
the label's entry of d is negative. Entries of h that are not read at all follow where
there are more classes than they (`softmax_head.py`).
"""

from typing import NamedTuple

import numpy as np
from scipy import optimize, special

from attacks.continuous.analytic import (
    completed_target,
    outer_product,
    softmax_head,
)
from attacks.labels import head as head_lib
from attacks.structure import dense_layers as dense_lib

_SCALES = 241
_MISFIT = 1e-6


class HeadInput(NamedTuple):
    """What goes into the head and what comes back.

    Attributes:
      features: float64 [f], zero where not known.
      features_known: bool [f].
      delta: float64 [classes], p - y.
      delta_known: bool [classes].
      entries: Number of visible entries used.
      errors: float64 [f], standard deviations of features that were solved for and not
        read; 0 of the others.
    """

    features: np.ndarray
    features_known: np.ndarray
    delta: np.ndarray
    delta_known: np.ndarray
    entries: int
    errors: np.ndarray


def read(
    vector: np.ndarray,
    visible: np.ndarray,
    layer: dense_lib.DenseLayer,
    kernel: np.ndarray,
    bias: np.ndarray,
    label: int,
) -> HeadInput | None:
    """Recovers the head's input and the derivative by the logits for one picture.

    Runs on: attacker. Sees: the weights and the visible entries of the head.

    Args:
      vector: float64 [n], the gradient, zero where hidden.
      visible: bool [n].
      layer: The head.
      kernel: float64 [f, classes], its weights.
      bias: float64 [classes], its biases.
      label: The picture's class.

    Returns:
      What is known, or None if no entry is, they are not an outer product, or the scale
      cannot be found.
    """
    part = completed_target.read_layer(vector, visible, layer)
    fit = _factorised(part.values, part.known)
    if not (fit.rows_known.all() and fit.columns_known.all()):
        conserved = _factorised(*head_lib.conserve(part.values, part.known))
        # Not of a picture that the network is sure of: rounded, its p - y is 0 at its
        # label too, or does not sum to zero there.
        if conserved.residual <= _MISFIT:
            fit = conserved
    if not fit.rows_known.any() or fit.residual > _MISFIT:
        return None
    entries = int(np.count_nonzero(part.known))
    if not fit.rows_known.all():
        # Without conservation, whose differences have lost digits.
        full = softmax_head.complete(part.values, part.known, kernel, bias, (label,))
        if full is not None:
            told = np.ones_like(fit.rows_known)
            errors = np.where(fit.rows_known, 0.0, full.errors)
            delta, delta_known = full.delta, full.delta_known
            if fit.scaled and fit.columns_known.all():
                # As the client rounded it, which is how it went into all layers below.
                delta, delta_known = fit.columns, fit.columns_known
            return HeadInput(full.features, told, delta, delta_known, entries, errors)
    delta, delta_known = fit.columns, fit.columns_known
    features = fit.rows
    if not fit.scaled:
        scale = _find_scale(fit, kernel, bias, label)
        if scale is None:
            return None
        features, delta = features * scale, delta / scale
    rows, rows_known = head_lib.conserve(delta[np.newaxis], delta_known[np.newaxis])
    delta, delta_known = rows[0], rows_known[0]
    if fit.rows_known.all() and not delta_known.all():
        # All of the head's input is known, so its output is.
        delta = special.softmax(features @ kernel + bias)
        delta[label] -= 1.0
        delta_known = np.ones_like(delta_known)
    errors = np.zeros(len(features))
    return HeadInput(features, fit.rows_known, delta, delta_known, entries, errors)


def _factorised(values: np.ndarray, known: np.ndarray) -> outer_product.OuterProduct:
    """The head's gradient, the bias in the last row, as input times p - y."""
    return outer_product.factorise(values[:-1], known[:-1], values[-1], known[-1])


def _find_scale(
    fit: outer_product.OuterProduct, kernel: np.ndarray, bias: np.ndarray, label: int
) -> float | None:
    """The s that makes both sides of the equation above agree."""
    if not (fit.rows_known.all() and fit.columns_known.any()):
        return None
    logits = fit.rows @ kernel
    one_hot = np.eye(bias.size)[label]
    seen = fit.columns_known
    # Only the label's entry of d = columns / s is negative.
    votes = np.sum(np.sign(fit.columns[seen]) * np.where(one_hot[seen] > 0, -1, 1))
    sign = 1.0 if votes >= 0 else -1.0

    def misfit(log_scale: float) -> float:
        scale = sign * np.exp(log_scale)
        delta = special.softmax(logits * scale + bias) - one_hot
        expected = fit.columns / scale
        error = np.sum(np.square(delta - expected)[seen])
        return float(error / (np.sum(np.square(delta)[seen]) + 1e-300))

    # |d| <= 1 bounds the scale from below; features of a millionth of it from above.
    least = np.log(np.max(np.abs(fit.columns)))
    grid = np.linspace(least, least + 2 * np.log(1e6), _SCALES)
    values = [misfit(point) for point in grid]
    best = int(np.argmin(values))
    low, high = grid[max(best - 1, 0)], grid[min(best + 1, _SCALES - 1)]
    found = optimize.minimize_scalar(
        misfit, bounds=(low, high), method="bounded", options={"xatol": 1e-12}
    )
    return sign * float(np.exp(found.x)) if np.isfinite(found.fun) else None
