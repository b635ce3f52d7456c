"""Checks of arguments whose errors say what was expected, what was found, what to do."""

import math
import numbers
from collections.abc import Collection
from typing import TypeVar

import numpy as np

_T = TypeVar("_T")


def _shown(value: object) -> str:
    """A value as a message has it: 0.0, and not np.float64(0.0)."""
    return repr(value.item() if isinstance(value, np.generic) else value)


def check_in(name: str, value: _T, allowed: Collection[_T]) -> _T:
    """Returns `value` if it is one of `allowed`.

    Raises:
      ValueError: If it is not; the message lists what is allowed.

    Example:
      >>> check_in("rounding", "up", ("nearest", "stochastic"))
      Traceback (most recent call last):
      ...
      ValueError: `rounding` must be one of: nearest, stochastic; got 'up'.
    """
    if value not in allowed:
        listed = ", ".join(str(item) for item in allowed)
        raise ValueError(f"`{name}` must be one of: {listed}; got {_shown(value)}.")
    return value


def check_fraction(name: str, value: float) -> float:
    """Returns `value` if it is a number in [0, 1].

    Raises:
      ValueError: If it is NaN or outside the interval.
    """
    if math.isnan(value) or not 0.0 <= value <= 1.0:
        raise ValueError(
            f"`{name}` must be in [0, 1], got {_shown(value)}. It is a share of the "
            "parameters: 0.1 encrypts a tenth of them."
        )
    return value


def check_at_least(name: str, value: float, least: float) -> float:
    """Returns `value` if it is a finite number and not below `least`.

    Raises:
      ValueError: If it is NaN, infinite or too small.
    """
    if not math.isfinite(value):
        raise ValueError(
            f"`{name}` must be finite and at least {least}, got {_shown(value)}."
        )
    if value < least:
        raise ValueError(f"`{name}` must be at least {least}, got {_shown(value)}.")
    return value


def check_count(name: str, value: int, least: int) -> int:
    """Returns `value` if it is a whole number and not below `least`.

    Raises:
      TypeError: If it is no whole number.
      ValueError: If it is too small.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"`{name}` must be a whole number, got {_shown(value)}.")
    check_at_least(name, value, least)
    return int(value)


def check_positive(name: str, value: float) -> float:
    """Returns `value` if it is a finite number above zero.

    Raises:
      ValueError: If it is not.
    """
    if not math.isfinite(value) or value <= 0:
        raise ValueError(f"`{name}` must be positive and finite, got {_shown(value)}.")
    return value
