"""Leakage and costs over the encryption ratio, as a figure.

A figure and not scalars of TensorBoard: what its charts show is smoothed unless one says
otherwise, and a smoothed curve of few points shows values that nobody measured.
"""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence

import matplotlib.axes
import matplotlib.figure
from matplotlib.lines import Line2D

from experiments.outputs import measures
from experiments.outputs.leaks import Leaks
from experiments.outputs.measures import Measure
from experiments.outputs.pictures.leaks import PICTURES
from experiments.outputs.style import COLOURS, GUESS, GUESS_DASHES, MARKERS
from experiments.outputs.summary import PLAIN_RELEASE, Context, SummaryRow

_DASHES = {measures.BEST: "-", "naive": "--", "mask_aware": ":"}
_COLUMNS = 2
_APART = 0.03


def figure(
    context: Context, rows: Sequence[SummaryRow], leaks: Leaks = PICTURES
) -> matplotlib.figure.Figure:
    """Draws every measure over the share of entries that was really hidden.

    Across: the shares, one beside the other. A colour and marker for each metric; of the
    main measure also the naive attacker, dashed, the mask-aware one, dotted, and what is
    guessed without a gradient, grey.

    Args:
      context: Of the rows; becomes the title.
      rows: From `summary.summarise`.
      leaks: What is measured.

    Returns:
      The figure, a panel for each measure that was taken.
    """
    own = [row for row in rows if row.context == context]
    lines: dict[str, list[SummaryRow]] = {}
    # Plain rounds have no leakage: last, so that colours are those of the other figure.
    for row in sorted(own, key=lambda row: row.metric == PLAIN_RELEASE):
        lines.setdefault(f"{row.metric}, {row.agreement}", []).append(row)
    panels: dict[str, list[Measure]] = {}
    for one in measures.of(leaks):
        if one.panel and any(one.value(row) is not None for row in own):
            panels.setdefault(one.panel, []).append(one)
    across = {share: place for place, share in enumerate(_shares(own))}
    down = max(1, math.ceil(len(panels) / _COLUMNS))
    made = matplotlib.figure.Figure(figsize=(11, 0.9 + 3 * down), layout="constrained")
    made.suptitle(
        f"Over the share of entries that was hidden\n{context.title}{_examples(own)}"
    )
    axes = made.subplots(down, _COLUMNS, squeeze=False)
    for axis in axes.flat[len(panels) :]:
        axis.set_axis_off()
    for axis, (title, shown) in zip(axes.flat, panels.items(), strict=False):
        axis.set_title(title, fontsize=10)
        axis.set_xticks(
            range(len(across)),
            [f"{float(f'{100 * share:.2g}'):g} %" for share in across],
        )
        axis.grid(True, color="0.9")
        axis.spines[["top", "right"]].set_visible(False)
        guess = measures.blind_guess(own) if title == leaks.axis else None
        if guess is not None:
            axis.axhline(leaks.drawn(guess), color=GUESS, linestyle=GUESS_DASHES)
        for one in shown:
            for index, (name, of_policy) in enumerate(lines.items()):
                _draw(axis, one, index, name, of_policy, across)
    made.legend(
        handles=[
            *_metrics(lines),
            *_attackers(panels),
            *_guess(measures.blind_guess(own)),
            *_unsure(own, panels),
        ],
        frameon=False,
        fontsize=9,
        loc="outside lower center",
        ncols=_COLUMNS,
    )
    return made


def _examples(rows: Sequence[SummaryRow]) -> str:
    """How many examples are behind a point."""
    counts = [row.leakage.best.n for row in rows if row.leakage.best]
    if not counts:
        return ""
    least, most = min(counts), max(counts)
    return f", n={least}" if least == most else f", n={least} to {most}"


def _metrics(names: Iterable[str]) -> list[Line2D]:
    return [
        Line2D([], [], color=colour, marker=marker, linestyle="", label=name)
        for name, colour, marker in zip(
            names, itertools.cycle(COLOURS), itertools.cycle(MARKERS), strict=False
        )
    ]


def _attackers(panels: Mapping[str, Sequence[Measure]]) -> list[Line2D]:
    """Where there is more than one, as of the main measure."""
    several = [shown for shown in panels.values() if len(shown) > 1]
    return [
        Line2D(
            [],
            [],
            color="0.35",
            linestyle=_DASHES[one.attacker],
            label=measures.ATTACKERS[one.attacker],
        )
        for one in (several[0] if several else ())
    ]


def _guess(found: float | None) -> list[Line2D]:
    """The floor, where it is on record."""
    if found is None:
        return []
    look = {"color": GUESS, "linestyle": GUESS_DASHES}
    return [Line2D([], [], **look, label=measures.BLIND)]  # type: ignore[arg-type]


def _unsure(
    rows: Sequence[SummaryRow], panels: Mapping[str, Sequence[Measure]]
) -> list[Line2D]:
    """What a hollow mark is, where there is one."""
    shown = (one for measures_ in panels.values() for one in measures_)
    if not any(one.unsure(row) for one in shown for row in rows):
        return []
    label = "hollow: may be chance, of so few rounds or such"
    return [
        Line2D(
            [],
            [],
            color="0.35",
            marker="o",
            markerfacecolor="white",
            linestyle="",
            label=label,
        )
    ]


def _shares(rows: Sequence[SummaryRow]) -> list[float]:
    return sorted({row.hidden_share for row in rows})


def _draw(
    axis: matplotlib.axes.Axes,
    measure: Measure,
    index: int,
    name: str,
    rows: Sequence[SummaryRow],
    across: dict[float, int],
) -> None:
    points = sorted(
        # Metrics that give the same stand side by side.
        (across[row.hidden_share] + _APART * index, value, measure.unsure(row))
        for row in rows
        if (value := measure.value(row)) is not None and math.isfinite(value)
    )
    colour, marker = COLOURS[index % len(COLOURS)], MARKERS[index % len(MARKERS)]
    axis.plot(
        [place for place, _, _ in points],
        [value for _, value, _ in points],
        _DASHES[measure.attacker],
        color=colour,
        alpha=0.8,
        label=f"{name}: {measure.attacker}",
    )
    for hollow in (False, True):
        axis.plot(
            [place for place, _, unsure in points if unsure == hollow],
            [value for _, value, unsure in points if unsure == hollow],
            color=colour,
            linestyle="",
            marker=marker,
            markersize=5,
            alpha=None if hollow else 0.8,
            markerfacecolor="white" if hollow else colour,
        )
