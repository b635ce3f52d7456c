"""What an algebraic route makes of one layer's gradient, before labels are settled."""

from typing import NamedTuple

import numpy as np

from attacks.continuous.features import span as span_lib


class Pieces(NamedTuple):
    """Inputs of a layer and derivatives by its outputs, example by example.

    Attributes:
      features: float64 [b, f]; 0 where unknown.
      known: bool [f].
      errors: float64 [b, f], standard deviations; inf where unknown.
      slopes: float64 [b, u], each example's derivative of its loss; 0 where unknown.
      units: bool [u], where `slopes` is known.
      slope_errors: float64 [b, u], standard deviations.
      labels: int64 [b], or None where the route did not need them.
      residual: Squared error relative to the squares, over the visible entries used.
      entries: Their number.
      some: Whether these may be fewer examples than the batch has, each with its label.
    """

    features: np.ndarray
    known: np.ndarray
    errors: np.ndarray
    slopes: np.ndarray
    units: np.ndarray
    slope_errors: np.ndarray
    labels: np.ndarray | None
    residual: float
    entries: int
    some: bool = False


def rounding(features: np.ndarray, known: np.ndarray) -> np.ndarray:
    """What a client's float32 leaves of features that it computed itself, [b, f]."""
    count = max(int(np.count_nonzero(known)), 1)
    size = np.sqrt(np.sum(np.square(features), axis=1, keepdims=True) / count)
    if not known.all():
        # Where the largest ones are hidden the others come from sums as large as theirs.
        size = np.max(np.abs(features), axis=1, keepdims=True)
    return span_lib.ROUNDING * (np.abs(features) + size)


def of_mixing(
    span: span_lib.Span, mixing: np.ndarray, spread: np.ndarray | None = None
) -> Pieces:
    """Takes the examples of a span apart.

    Args:
      span: Of the layer, the row of ones known.
      mixing: float64 [r, b = r], so that `span.left mixing` is [h_n; 1] for each n.
      spread: float64 [b, r, r], the covariance of the columns of `mixing`, or None
        where it is small beside the noise of the span.

    Returns:
      The pieces, without labels.
    """
    size = mixing.shape[1]
    inputs = (span.left @ mixing).T
    known = span.rows[:-1]
    variance = np.einsum("rn,irs,sn->ni", mixing, span.noise[:-1], mixing)
    if spread is not None:
        left = span.left[:-1]
        variance = variance + np.einsum("ir,nrs,is->ni", left, spread, left)
    features = np.where(known, inputs[:, :-1], 0.0)
    errors = np.sqrt(np.maximum(variance, 0.0) + rounding(features, known) ** 2)
    unmixing = np.linalg.inv(mixing)
    slopes = size * (unmixing @ span.right.T) * span.scale
    spread = span_lib.ROUNDING * np.sqrt(np.square(unmixing) @ (span.singular**-2.0))
    # Rounding of the terms too, whose sizes are the columns'.
    slope_errors = size * spread[:, None] * span.scale + span_lib.ROUNDING * np.abs(
        slopes
    )
    return Pieces(
        features=features,
        known=known,
        errors=np.where(known, errors, np.inf),
        slopes=np.where(span.columns, slopes, 0.0),
        units=span.columns,
        slope_errors=slope_errors,
        labels=None,
        residual=span.residual,
        entries=span.entries,
    )


def of_unmixing(span: span_lib.Span, unmixing: np.ndarray) -> Pieces | None:
    """The examples by the rows of an unmixing matrix.

    Args:
      span: Of the layer, the row of ones known.
      unmixing: float64 [r, r], rows m so that `span.right m` are an example's derivatives.

    Returns:
      The pieces, without labels; None if one has no ones.
    """
    whole = np.linalg.inv(unmixing)
    ones = span.left[-1] @ whole
    return of_mixing(span, whole / ones) if np.all(np.abs(ones) > 0) else None
