"""Leakage over what was hidden and over bytes, as numbers: figures only draw them."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from experiments.outputs.leaks import Leaks
from experiments.outputs.report import spread as spread_lib
from experiments.outputs.report.costs import Message
from experiments.outputs.report.outcomes import BLIND, CHOOSING, HINDSIGHT, Outcome
from experiments.outputs.summary import Context

_ANY = "any mask"


class Point(NamedTuple):
    """One mask.

    Attributes:
      percent: Of the entries that were really hidden.
      bytes: Of one client's message; None where they were not counted.
      height: The median leakage, as it is drawn.
      low: The lower end of the bar: of the interval, or the smallest value.
      high: The upper end.
      values: All values as they are drawn, where they are too few for an interval.
      text: The same in words.
    """

    percent: float
    bytes: float | None
    height: float
    low: float
    high: float
    values: tuple[float, ...]
    text: str


class Curve(NamedTuple):
    """One attack on one metric.

    Attributes:
      metric: What chose the hidden entries, and how clients agree where that differs.
      attack: The attack and its attacker.
      shown: Whether it is drawn before somebody asks for it.
      points: By the share hidden.
    """

    metric: str
    attack: str
    shown: bool
    points: tuple[Point, ...]

    @property
    def is_guess(self) -> bool:
        """Whether it looks at no message."""
        return self.attack == BLIND


def of(
    context: Context,
    found: Sequence[Outcome],
    messages: Mapping[tuple[Context, str, str, float], Message],
    leaks: Leaks,
) -> list[Curve]:
    """The curves of one context: a point for each mask with a number, none between.

    Shown first is what an attacker who chooses reached, the best of each example in
    hindsight, and the blind guess.

    Args:
      context: What was attacked.
      found: Outcomes of a family of runs.
      messages: Their bytes; used for attacks on single clients.
      leaks: What is measured.

    Returns:
      The curves, those that are shown first.
    """
    groups: dict[tuple[str, str], list[Outcome]] = {}
    for one in found:
        if one.context == context and not one.member_of:
            place = (f"{one.mask.metric}, {one.mask.agreement}", one.name)
            if one.attack == BLIND:
                # The same under every mask, as it looks at no message.
                place = (_ANY, BLIND)
            groups.setdefault(place, []).append(one)
    made = [
        Curve(
            metric,
            attack,
            own[0].attack in (HINDSIGHT, CHOOSING, BLIND),
            tuple(_points(own, messages, leaks)),
        )
        for (metric, attack), own in groups.items()
    ]
    return sorted(
        (curve for curve in made if curve.points),
        key=lambda curve: (
            not curve.shown,
            curve.attack == BLIND,
            curve.metric,
            curve.attack,
        ),
    )


def top(curves: Sequence[Curve], leaks: Leaks) -> tuple[float, float]:
    """A range of heights that has everything, for axes that are to be compared."""
    ends = [
        end
        for curve in curves
        for point in curve.points
        for end in (point.low, point.high, *point.values)
    ]
    low, high = min([0.0, *ends]), max([leaks.near, *ends])
    margin = 0.05 * (high - low)
    return low - margin, high + margin


def _points(
    own: Sequence[Outcome],
    messages: Mapping[tuple[Context, str, str, float], Message],
    leaks: Leaks,
) -> list[Point]:
    points = []
    for one in own:
        spread, mask = one.spread, one.mask
        if spread is None:
            continue
        place = (one.context, mask.metric, mask.agreement, mask.asked)
        message = messages.get(place) if one.context.target == "client" else None
        ends = spread_lib.ends(spread)
        drawn = tuple(leaks.drawn(value) for value in spread.values)
        points.append(
            Point(
                100 * mask.share,
                message and message.total.median,
                leaks.drawn(spread.median),
                leaks.drawn(ends[0]),
                leaks.drawn(ends[1]),
                () if spread.interval else drawn,
                f"{mask.text} hidden: {spread_lib.in_words(spread, leaks)}",
            )
        )
    return sorted(points, key=lambda point: (point.percent, point.bytes or 0.0))
