"""Between a model's own units and [0, 1], in which attacks search and are scored."""

from typing import Any, NamedTuple

import numpy as np


class ValueRange(NamedTuple):
    """The interval that every number of an example lies in. Public.

    Attributes:
      low: float32, broadcast over an example: one number, or one for each feature.
      high: Alike, above `low`.
    """

    low: np.ndarray
    high: np.ndarray

    @property
    def is_unit(self) -> bool:
        """Whether it is [0, 1] for every feature."""
        return bool(np.all(self.low == 0) and np.all(self.high == 1))

    def to_unit(self, values: Any) -> Any:
        """Values of the model's units in [0, 1]."""
        return (values - self.low) / (self.high - self.low)

    def from_unit(self, values: Any) -> Any:
        """Values of [0, 1] in the model's units."""
        return self.low + values * (self.high - self.low)


UNIT = ValueRange(np.zeros([], np.float32), np.ones([], np.float32))
"""Pictures as they are usually fed to a model."""


def value_range(low: Any, high: Any) -> ValueRange:
    """Makes a checked range.

    Args:
      low: A number, or one for each feature.
      high: Alike.

    Returns:
      The range.

    Raises:
      ValueError: If a bound is not finite, or no interval lies between them.
    """
    lows, highs = np.asarray(low, np.float32), np.asarray(high, np.float32)
    if not (np.all(np.isfinite(lows)) and np.all(np.isfinite(highs))):
        raise ValueError("`low` and `high` of a value range must be finite numbers.")
    if not np.all(lows < highs):
        raise ValueError(
            "`low` of a value range must be below `high` for every feature, but it is "
            f"not for {int(np.sum(~(lows < highs)))}. A feature that never changes can be "
            "left out, or given an interval of its own."
        )
    return ValueRange(lows, highs)


def check_unit(name: str, values: np.ndarray) -> None:
    """Checks that values are in [0, 1] and finite; they are never printed.

    Args:
      name: What they were given as.
      values: Any shape.

    Raises:
      ValueError: If one is outside.
    """
    if not np.all((values >= 0) & (values <= 1)):
        raise ValueError(
            f"`{name}` must be in [0, 1], the unit of attacks, but at least one value is "
            "outside or not a number. Say the data's own interval (`value_range`), and "
            "convert by `ValueRange.to_unit`."
        )
