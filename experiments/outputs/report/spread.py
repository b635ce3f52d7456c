"""A measured number and how sure it is: all values while they are few."""

import math
from collections.abc import Callable, Iterable
from typing import NamedTuple

from experiments.outputs import statistic
from experiments.outputs.leaks import Leaks
from experiments.outputs.statistic import FEW as FEW


class Sample(NamedTuple):
    """What was measured on one example.

    Attributes:
      seed: Of the run.
      example: Its index in the data set.
      value: The measure; infinite for an exact picture, never NaN.
    """

    seed: int
    example: int
    value: float


class Spread(NamedTuple):
    """What several measurements say together.

    Attributes:
      unit: What each value is of: "example" (of one seed), or "seed" (the median over the
        examples of one seed, which share its weights).
      values: One for each unit, in the order of seeds and examples.
      examples: How many examples are behind them; one that several seeds have is one.
      median: Of the values.
      interval: Of 95 % for the median; None where there are less than `FEW` values, or
        where they are of one message and so not independent.
    """

    unit: str
    values: tuple[float, ...]
    examples: int
    median: float
    interval: tuple[float, float] | None


def of(
    samples: Iterable[Sample], independent: bool = True, exact: float = math.inf
) -> Spread | None:
    """Puts measurements together, seed by seed if there are several.

    The interval is that of `statistic.interval`, which assumes independent values.

    Args:
      samples: The measurements.
      independent: Whether the examples of one seed are of messages of their own.
      exact: What is larger is exact (`statistic.quartiles`).

    Returns:
      The spread, or None for no measurement.
    """
    listed = sorted(samples)
    if not listed:
        return None
    values, seeds = [one.value for one in listed], [one.seed for one in listed]
    unit = "example"
    if len(set(seeds)) > 1:
        unit, values = "seed", statistic.middles(values, seeds, exact)
    ordered = tuple(values)
    usable = unit == "seed" or independent
    return Spread(
        unit,
        ordered,
        len({one.example for one in listed}),
        statistic.median(ordered, exact),
        statistic.interval(ordered) if usable else None,
    )


def ends(spread: Spread) -> tuple[float, float]:
    """The interval; where there is none the smallest and the largest value."""
    return spread.interval or (min(spread.values), max(spread.values))


def short(spread: Spread, leaks: Leaks) -> str:
    """For a cell of a table: "9.1, 8.0", "8.5 [7.9, 9.1]" or "8.5 (7.9 to 9.1)".

    Square brackets are an interval, round ones the smallest and largest value.
    """
    text = _number(leaks)
    if len(spread.values) < FEW:
        return ", ".join(text(value) for value in spread.values)
    if spread.interval is None:
        low, high = ends(spread)
        return f"{text(spread.median)} ({text(low)} to {text(high)})"
    return f"{text(spread.median)} [{text(spread.interval[0])}, {text(spread.interval[1])}]"


def in_words(spread: Spread, leaks: Leaks) -> str:
    """For a sentence: the median and how sure it is, or all values while they are few."""
    count, shown = len(spread.values), leaks.shown
    several = "s" if count > 1 else ""
    units = (
        f"medians of {count} seeds, {spread.examples} examples"
        if spread.unit == "seed"
        else f"{count} example{several} of one seed"
    )
    listed = [shown(value) for value in spread.values]
    if count > 1 and len(set(listed)) == 1:
        return f"{listed[0]} each time ({units})"
    if count < FEW:
        return f"{', '.join(listed)} ({units})"
    if spread.interval is None:
        low, high = (shown(end) for end in ends(spread))
        return (
            f"median {shown(spread.median)} ({low} to {high}; {units}; no interval, as "
            "they share messages)"
        )
    low, high = (shown(end) for end in spread.interval)
    return f"median {shown(spread.median)} (95 % interval {low} to {high}; {units})"


def _number(leaks: Leaks) -> Callable[[float], str]:
    return lambda value: leaks.short(value, leaks.main.form)
