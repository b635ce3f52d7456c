"""How much of a table's rows was recovered, column by column and in its own units.

Balunovic, Dimitrov, Vechev et al., "TabLeak: Tabular Data Leakage in Federated Learning",
ICML 2023, count numbers as recovered within an interval and categories exactly; here the
errors themselves are given, and matches of whole numbers and categories.
"""

from collections.abc import Sequence

import numpy as np

from selenc_tf.models.value_range import ValueRange, check_unit


def absolute_error(
    rows: np.ndarray, truth: np.ndarray, units: ValueRange
) -> np.ndarray:
    """|found - true| of every feature, in the data's own units.

    Args:
      rows: float [b, d], reconstructed and matched to the truth, clamped to [0, 1].
      truth: float [b, d] in [0, 1].
      units: Of the data.

    Returns:
      float64 [b, d].

    Raises:
      ValueError: If the arguments are not rows of one shape, or the truth is outside
        [0, 1].

    Example:
      0.5 for 0.25 where the range is [0, 80]: 20.
    """
    found, true = _own(rows, truth, units)
    return np.abs(found - true)


def relative_error(
    rows: np.ndarray, truth: np.ndarray, units: ValueRange
) -> np.ndarray:
    """|found - true| / |true| of every feature, in the data's own units.

    Args:
      rows: See `absolute_error`.
      truth: See `absolute_error`.
      units: Of the data.

    Returns:
      float64 [b, d]; where the true value is 0, 0 for an exact one and else infinity.

    Raises:
      ValueError: See `absolute_error`.
    """
    found, true = _own(rows, truth, units)
    error, size = np.abs(found - true), np.abs(true)
    apart = np.where(error > 0, np.inf, 0.0)
    return np.divide(error, size, out=apart, where=size > 0)


def integers_match(
    rows: np.ndarray, truth: np.ndarray, units: ValueRange, columns: Sequence[int]
) -> np.ndarray:
    """Whether whole numbers come out exactly when rounded.

    Args:
      rows: See `absolute_error`.
      truth: See `absolute_error`.
      units: Of the data, in which the columns hold whole numbers.
      columns: Which features.

    Returns:
      bool [b, len(columns)].

    Raises:
      ValueError: See `absolute_error`; and if there is no such column, or its true
        values are no whole numbers.

    Example:
      37.4 for 37: True; 37.6 for 37: False.
    """
    found, true = _own(rows, truth, units)
    chosen = _columns("columns", columns, true.shape[1])
    whole = np.round(true[:, chosen])
    if not np.allclose(true[:, chosen], whole, rtol=1e-5, atol=1e-3):
        raise ValueError(
            f"`columns` must name features of whole numbers in the data's own units, but "
            f"of {list(columns)} at least one is not. Check `units`."
        )
    return np.round(found[:, chosen]) == whole


def categories_match(
    rows: np.ndarray, truth: np.ndarray, groups: Sequence[tuple[int, int]]
) -> np.ndarray:
    """Whether the largest of each group of one-hot columns is the true one.

    Args:
      rows: See `absolute_error`.
      truth: See `absolute_error`.
      groups: First column and the one after the last, of each categorical feature.

    Returns:
      bool [b, len(groups)]. A tie at the top is no match.

    Raises:
      ValueError: See `absolute_error`; and if there is no such group, or its true
        columns are not one-hot.

    Example:
      [.2, .7, .1] for [0, 1, 0]: True.
    """
    _check(rows, truth)
    matches = np.zeros((len(rows), len(groups)), np.bool_)
    for index, (first, end) in enumerate(groups):
        chosen = _columns("groups", range(first, end), truth.shape[1])
        true, found = truth[:, chosen], rows[:, chosen]
        # A constant one-hot column in its own range may stand at any two values.
        top = true == np.max(true, axis=1, keepdims=True, initial=0.0)
        if not chosen or not np.all(np.sum(top, axis=1) == 1):
            raise ValueError(
                f"`groups` must name one-hot columns, but ({first}, {end}) does not: some "
                "row has no single largest entry there."
            )
        best = found == np.max(found, axis=1, keepdims=True)
        matches[:, index] = np.all(best == top, axis=1)
    return matches


def _own(
    rows: np.ndarray, truth: np.ndarray, units: ValueRange
) -> tuple[np.ndarray, np.ndarray]:
    _check(rows, truth)
    clamped = np.clip(rows.astype(np.float64), 0.0, 1.0)
    return units.from_unit(clamped), units.from_unit(truth.astype(np.float64))


def _check(rows: np.ndarray, truth: np.ndarray) -> None:
    if rows.ndim != 2 or rows.shape != truth.shape:
        raise ValueError(
            "`rows` and `truth` must both be [b, d] of one shape, got "
            f"{list(rows.shape)} and {list(truth.shape)}."
        )
    check_unit("truth", truth)


def _columns(name: str, columns: Sequence[int], width: int) -> list[int]:
    if not all(0 <= column < width for column in columns):
        raise ValueError(
            f"`{name}` must be in [0, {width}), the features, got {list(columns)}."
        )
    return list(columns)
