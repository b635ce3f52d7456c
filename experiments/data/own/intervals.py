"""The interval of an input's numbers: asked for, or read from the data."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from selenc_tf.models.value_range import UNIT, ValueRange
from selenc_tf.models.value_range import value_range as make_range


class InUnits(NamedTuple):
    """An input as the model takes it.

    Attributes:
      values: float32 or int32 [N, ...].
      interval: Of float32, else None.
      origin: How the interval was found, for reports; empty if it was asked for.
    """

    values: NDArray[Any]
    interval: ValueRange | None
    origin: str = ""


def in_units(
    path: str,
    array: NDArray[Any],
    asked: tuple[float, float] | None,
    features: tuple[str, ...] | None,
) -> InUnits:
    """Puts pixels into the model's units, and finds the interval of numbers.

    Args:
      path: What errors call the input.
      array: uint8, int32 or float32 [N, ...].
      asked: The interval of the user, or None.
      features: Names of the columns of [N, d], or None.

    Returns:
      uint8 pixels as `asked`, else as [0, 1]; integers as they are; numbers as they
      are, in `asked`, else between the least and the most of their column, or of all
      for examples of higher rank ([0, 1] if they fit).

    Raises:
      ValueError: If the interval cannot be told, or `asked` is none.
    """
    given = None if asked is None else make_range(*asked)
    if array.dtype == np.uint8:
        return _pixels(path, array, given)
    if array.dtype == np.int32:
        return InUnits(array, None)
    if given is not None:
        return InUnits(array, given)
    if not array.size or not np.all(np.isfinite(array)):
        _refuse_holes(path, array, features)
    if array.ndim > 2:
        least, most = array.min(), array.max()
        if least >= 0 and most <= 1:
            return InUnits(array, UNIT, "numbers in [0, 1]")
        what = "the value range is the least and the most of the data"
        return InUnits(array, _between(path, least, most, None), what)
    interval = _between(path, array.min(axis=0), array.max(axis=0), features)
    what = "the value range is the least and the most of each column of the data"
    return InUnits(array, interval, what)


def _pixels(path: str, array: NDArray[Any], given: ValueRange | None) -> InUnits:
    if array.ndim < 3:
        raise ValueError(
            f"`{path}` is uint8 {list(array.shape)}: pixels are [N, h, w] or [N, h, w, c]. "
            "Store numbers as float32, and integers for a vocabulary as int32."
        )
    interval = UNIT if given is None else given
    low, high = float(interval.low), float(interval.high)
    levels = low + np.arange(256) * ((high - low) / 255)
    table = np.clip(levels.astype(np.float32), interval.low, interval.high)
    how = "" if given is not None else "8-bit pixels divided by 255"
    return InUnits(table[array], interval, how)


def _between(
    path: str, low: Any, high: Any, features: tuple[str, ...] | None
) -> ValueRange:
    constant = np.flatnonzero(np.asarray(low == high))
    if constant.size:
        first = int(constant[0])
        which = f"column {first}" if features is None else f"column {features[first]!r}"
        where = which if np.ndim(low) else "all"
        raise ValueError(
            f"The value range of `{path}` cannot be read from the data, as {where} holds "
            "one number only. Leave it out of the data, or say the range "
            "(`--data_range`)."
        )
    return make_range(low, high)


def _refuse_holes(
    path: str, array: NDArray[Any], features: tuple[str, ...] | None
) -> None:
    bad = np.argwhere(~np.isfinite(array))
    if not bad.size:
        raise ValueError(f"`{path}` must not be empty, got {list(array.shape)}.")
    example, *rest = bad[0].tolist()
    column = ""
    if len(rest) == 1:
        column = f", column {rest[0] if features is None else repr(features[rest[0]])}"
    raise ValueError(
        f"`{path}` must hold finite float32 numbers, but {len(bad)} are not (the first in "
        f"example {example}, counted from 0{column}). Leave such examples out."
    )
