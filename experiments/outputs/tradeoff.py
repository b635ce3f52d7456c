"""Leakage against overhead, as a pure function from summary rows to a figure."""

import math
import textwrap
from collections.abc import Sequence
from typing import NamedTuple

import matplotlib.axes
import matplotlib.figure
import matplotlib.ticker
import numpy as np
from matplotlib import patheffects

from experiments.outputs import hindsight, measures
from experiments.outputs.leaks import Leaks
from experiments.outputs.pictures.leaks import PICTURES
from experiments.outputs.statistic import Statistic
from experiments.outputs.style import COLOURS, GUESS, GUESS_DASHES, MARKERS
from experiments.outputs.summary import Context, SummaryRow

_NEAR_LOG = 0.08


def figure(
    context: Context, rows: Sequence[SummaryRow], leaks: Leaks = PICTURES
) -> matplotlib.figure.Figure:
    """Draws leakage against overhead, one line for each metric.

    Across: bytes of a round, up and down, relative to the plain round, logarithmic. Up:
    leakage to the best of each example in hindsight, solid, with the 95 % interval of its
    median where it has one, and the same of naive attackers, dashed: the gap between the
    two is what a naive evaluation does not see. Points carry the encryption ratio.

    Args:
      context: Of the rows; becomes the title.
      rows: From `summary.summarise`; those without measured bytes are left out.
      leaks: What is measured.

    Returns:
      The figure; it says so if there is nothing to draw.
    """
    made = matplotlib.figure.Figure(figsize=(7.5, 6.5), layout="constrained")
    axis = made.subplots()
    axis.set_title(f"Leakage against overhead\n{context.title}", fontsize=12)
    axis.set_xlabel(
        "bytes of a round, up and down, relative to the plain round (log scale)",
        fontsize=12,
    )
    axis.set_ylabel(leaks.axis, fontsize=10)
    lines: dict[str, list[SummaryRow]] = {}
    for row in rows:
        if row.context == context and row.cost.relative_bytes and row.leakage.best:
            name = f"{row.metric}, {row.agreement}"
            lines.setdefault(name, []).append(row)
    nothing = [
        f"{row.metric} at {row.percent} %"
        for row in rows
        if row.context == context
        and row.leakage.without_result
        and not row.leakage.best
    ]
    if nothing:
        text = f"no attack has a result (summary.csv says why): {', '.join(nothing)}"
        axis.set_xlabel(f"{axis.get_xlabel()}\n{textwrap.fill(text, 90)}", fontsize=10)
    if not lines:
        axis.text(
            0.5,
            0.5,
            "no point has both leakage and bytes\n(the bytes need a round without "
            "encryption to compare with)",
            ha="center",
            va="center",
            transform=axis.transAxes,
        )
        return made
    for index, (name, of_policy) in enumerate(lines.items()):
        _draw_policy(axis, index, name, of_policy, leaks)
    if any(row.leakage.naive for of_policy in lines.values() for row in of_policy):
        name = measures.ATTACKERS["naive"]
        axis.plot([], [], color="0.35", linestyle="--", label=name)
    best = [row.leakage.best for of_policy in lines.values() for row in of_policy]
    sure = ", 95 % interval" if any(one and _has_interval(one) for one in best) else ""
    axis.plot([], [], color="0.35", linestyle="-", label=f"{hindsight.NAME}{sure}")
    guess = measures.blind_guess(row for own in lines.values() for row in own)
    if guess is not None:
        axis.axhline(
            leaks.drawn(guess),
            color=GUESS,
            linestyle=GUESS_DASHES,
            label=measures.BLIND,
        )
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter(matplotlib.ticker.FuncFormatter(_times))
    axis.xaxis.set_minor_formatter(matplotlib.ticker.FuncFormatter(_times))
    axis.tick_params(which="minor", labelsize=9)
    axis.grid(True, which="major", color="0.9")
    axis.spines[["top", "right"]].set_visible(False)
    axis.margins(x=0.08, y=0.1)
    drawn = [row for of_policy in lines.values() for row in of_policy]
    axis.set_ylim(*_limits(drawn, leaks))
    made.legend(fontsize=11, frameon=False, loc="outside lower center", ncols=2)
    return made


def _draw_policy(
    axis: matplotlib.axes.Axes,
    index: int,
    name: str,
    rows: Sequence[SummaryRow],
    leaks: Leaks,
) -> None:
    ordered = sorted(rows, key=lambda row: row.encryption_ratio)
    colour = COLOURS[index % len(COLOURS)]
    marker = MARKERS[index % len(MARKERS)]
    points = [
        (row.cost.relative_bytes, row.leakage.best, row.encryption_ratio)
        for row in ordered
        if row.cost.relative_bytes is not None and row.leakage.best is not None
    ]
    heights = [leaks.drawn(strongest.median) for _, strongest, _ in points]
    axis.errorbar(
        [across for across, _, _ in points],
        heights,
        yerr=np.transpose([_error_bar(strongest, leaks) for _, strongest, _ in points]),
        color=colour,
        marker=marker,
        capsize=3,
        linewidth=1.8,
        label=name,
    )
    naive = [
        (row.cost.relative_bytes, leaks.drawn(row.leakage.naive.median))
        for row in ordered
        if row.cost.relative_bytes is not None and row.leakage.naive is not None
    ]
    axis.plot(
        [across for across, _ in naive],
        [up for _, up in naive],
        color=colour,
        marker=marker,
        markersize=4,
        markerfacecolor="white",
        linestyle="--",
        linewidth=1.2,
    )
    for label in _labels(
        [
            (across, height, ratio)
            for (across, _, ratio), height in zip(points, heights, strict=True)
        ],
        leaks.near,
    ):
        axis.annotate(
            ", ".join(f"{100 * ratio:g}" for ratio in label.ratios) + " %",
            (label.across, label.height),
            xytext=(6, 6 if index % 2 == 0 else -12),
            textcoords="offset points",
            fontsize=10,
            color=colour,
            path_effects=[patheffects.withStroke(linewidth=3, foreground="white")],
        )


class _Label(NamedTuple):
    """One text for points that lie too close together for one each."""

    across: float
    height: float
    ratios: tuple[float, ...]


def _labels(
    points: Sequence[tuple[float, float, float]], near_up: float
) -> list[_Label]:
    """Joins the ratios of neighbouring points: within 8 % in x and `near_up` in y."""
    labels: list[_Label] = []
    for across, height, ratio in points:
        near = [
            at
            for at, label in enumerate(labels)
            if abs(np.log(across / label.across)) < _NEAR_LOG
            and abs(height - label.height) < near_up
        ]
        if near:
            old = labels[near[0]]
            labels[near[0]] = _Label(
                max(old.across, across), old.height, (*old.ratios, ratio)
            )
        else:
            labels.append(_Label(across, height, (ratio,)))
    return labels


def _limits(rows: Sequence[SummaryRow], leaks: Leaks) -> tuple[float, float]:
    """The range of the medians and finite intervals; infinite bars leave the axes."""
    heights = [0.0]
    for row in rows:
        for value in (row.leakage.best, row.leakage.naive, row.leakage.blind):
            if value is not None:
                heights.append(leaks.drawn(value.median))
        best = row.leakage.best
        if best is not None and _has_interval(best):
            ends = (leaks.drawn(best.low_95), leaks.drawn(best.high_95))
            heights += [end for end in ends if math.isfinite(end)]
    margin = 0.06 * max(leaks.near / 5, max(heights) - min(heights))
    return min(heights) - margin, max(heights) + 2 * margin


def _has_interval(value: Statistic) -> bool:
    return not math.isnan(value.low_95)


def _error_bar(value: Statistic, leaks: Leaks) -> tuple[float, float]:
    """Lengths below and above the median; none without an interval."""
    if not _has_interval(value):
        return 0.0, 0.0
    middle = leaks.drawn(value.median)
    low, high = leaks.drawn(value.low_95), leaks.drawn(value.high_95)
    return max(0.0, middle - low), max(0.0, high - middle)


def _times(value: float, position: int | None) -> str:
    del position
    return f"{value:.3g}x"
