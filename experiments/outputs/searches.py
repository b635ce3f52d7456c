"""How the searches of a run went: the objective by iteration, kept and drawn."""

import itertools
import math
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib.figure
import matplotlib.lines

from experiments.outputs import files
from experiments.outputs.records import AttackKey
from experiments.outputs.style import COLOURS

FILE_NAME = "searches.jsonl"

_MOST_POINTS = 200
_COLUMNS = 4
_DASHES = ("-", "--", ":", "-.")
_COLOURS = (*COLOURS, "#8a8a8a", "#7a4419")
"""With a grey and a brown: there are more attacks than the others have looks for."""
# Inches: of a figure, for its title; of a name in the legend, and of each letter in it.
_LEAST_WIDTH, _NAME_WIDTH, _LETTER_WIDTH = 6.4, 0.6, 0.07


class Point(NamedTuple):
    """What a search says of itself now and then.

    Attributes:
      start: Which of its starts, from 0.
      iteration: Of the attack, all starts together, in its own unit.
      objective: What it makes small; another one for every attack.
    """

    start: int
    iteration: int
    objective: float


class Search(NamedTuple):
    """One search.

    Attributes:
      title: What all of one figure share: data, model, release, target.
      metric: What chose the hidden entries.
      ratio: The encryption ratio that was asked for.
      attack: Its name and attacker.
      points: In order.
    """

    title: str
    metric: str
    ratio: float
    attack: str
    points: tuple[Point, ...]


class Observer:
    """Takes down what one search after the other says."""

    def __init__(self) -> None:
        """Starts with nothing taken down."""
        self._points: list[Point] = []

    def __call__(self, start: int, iteration: int, objective: float) -> None:
        """Takes down one word of the search that runs."""
        if math.isfinite(objective):
            self._points.append(Point(start, iteration, float(objective)))

    def take(self) -> tuple[Point, ...]:
        """What was said since the last call; at most some 200 points are kept of it."""
        taken = tuple(self._points)
        self._points.clear()
        return taken[:: max(1, math.ceil(len(taken) / _MOST_POINTS))]


def line_of(key: AttackKey, points: Sequence[Point]) -> dict[str, Any]:
    """A search as a line of `searches.jsonl`."""
    cell = key.cell
    title = f"{cell.dataset}, {cell.model}, {cell.release}, attack on the {key.target}"
    return {
        "title": title,
        "metric": cell.metric,
        "ratio": cell.encryption_ratio,
        "attack": f"{key.attack} {key.attacker.replace('_', '-')}",
        "points": [list(point) for point in points],
    }


def load(run_folder: pathlib.Path) -> tuple[Search, ...]:
    """The searches of a run; none where the file is not there.

    Raises:
      ValueError: If a line before the last is damaged.
    """
    path = run_folder / FILE_NAME
    if not path.exists():
        return ()
    lines = files.parse_lines(path.read_bytes(), str(path)).records
    return tuple(map(search_of, lines))


def search_of(line: Mapping[str, Any]) -> Search:
    """A search from a line of `searches.jsonl`."""
    points = tuple(Point(*point) for point in line["points"])
    return Search(**{**line, "points": points})


def figure(searches: Sequence[Search]) -> matplotlib.figure.Figure:
    """Draws searches of one title: a panel for each metric and ratio.

    A colour and dash for each attack, a line for each start of each message. Objectives of
    different attacks are different things: lines of one colour may be compared.
    """
    places = sorted({(one.ratio, one.metric) for one in searches})
    attacks = sorted({one.attack for one in searches})
    each = itertools.cycle(itertools.product(_DASHES, _COLOURS))
    looks = dict(zip(attacks, each, strict=False))
    columns = min(_COLUMNS, len(places))
    rows = math.ceil(len(places) / columns)
    width = max(_LEAST_WIDTH, 3.2 * columns)
    longest = max(map(len, attacks))
    names = max(1, int(width / (_NAME_WIDTH + _LETTER_WIDTH * longest)))
    below = 0.18 * math.ceil(len(attacks) / names)
    drawn = matplotlib.figure.Figure(
        figsize=(width, 2.4 * rows + 0.6 + below), layout="constrained"
    )
    axes = drawn.subplots(rows, columns, squeeze=False, sharex=True).ravel()
    for axis in axes[len(places) :]:
        axis.set_visible(False)
    for axis in axes[max(0, len(places) - columns) : len(places)]:
        axis.set_xlabel("iteration", fontsize=8)
    for axis, (ratio, metric) in zip(axes, places, strict=False):
        axis.set_title(f"{100 * ratio:g} % by {metric}", fontsize=9)
        for one in searches:
            if (one.ratio, one.metric) == (ratio, metric):
                _draw(axis, one, *looks[one.attack])
        axis.set_yscale("log")
        axis.grid(alpha=0.3)
        axis.tick_params(labelsize=8)
    drawn.supylabel("objective of the attack", fontsize=9)
    drawn.suptitle(searches[0].title, fontsize=10)
    handles = [
        matplotlib.lines.Line2D([], [], linestyle=dash, color=colour, label=name)
        for name, (dash, colour) in looks.items()
    ]
    drawn.legend(handles=handles, loc="outside lower center", ncols=names, fontsize=8)
    return drawn


def _draw(axis: Any, search: Search, dash: str, colour: str) -> None:
    for start in sorted({point.start for point in search.points}):
        own = [
            point
            for point in search.points
            if point.start == start and point.objective > 0
        ]
        axis.plot(
            [point.iteration for point in own],
            [point.objective for point in own],
            color=colour,
            linestyle=dash,
            linewidth=0.9,
            alpha=0.7,
            marker="." if len(own) == 1 else None,
        )


def by_title(searches: Iterable[Search]) -> dict[str, list[Search]]:
    """Those that said anything, by the figure that they are in."""
    found: dict[str, list[Search]] = {}
    for one in searches:
        if one.points:
            found.setdefault(one.title, []).append(one)
    return found
