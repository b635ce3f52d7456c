"""The figures, as pure functions from numbers to matplotlib figures.

Colours are those of Okabe and Ito ("Color universal design", 2008), which the colour
blind can tell apart; policies also differ in their markers, attackers in their dashes.
Nothing touches pyplot, so no figure stays open and no display is needed.
"""

import io
import math
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import matplotlib.axes
import matplotlib.figure
import matplotlib.ticker
import numpy as np
from matplotlib import patheffects
from matplotlib.backends import backend_agg
from numpy.typing import NDArray

from experiments.outputs import files, records
from experiments.outputs.records import ATTACKERS
from experiments.outputs.statistic import Statistic
from experiments.outputs.summary import Context, SummaryRow

FOLDER_NAME = "figures"

PSNR_CEILING_DB = 150.0
"""Where an exact reconstruction, whose PSNR is infinite, is drawn."""

_NEAR_LOG = 0.08
_NEAR_DB = 5.0
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_DPI = 100
_ATTACKERS = {"naive": "naive", "mask_aware": "mask-aware"}


class Panel(NamedTuple):
    """One reconstruction in a picture.

    Attributes:
      encryption_ratio: m / n.
      policy: What chose the hidden entries.
      attacker: "naive" or "mask_aware".
      image: [h, w, c], c = 1 or 3; clipped to [0, 1].
      psnr_db: Its PSNR.
    """

    encryption_ratio: float
    policy: str
    attacker: str
    image: NDArray[np.floating]
    psnr_db: float


def to_png(figure: matplotlib.figure.Figure) -> bytes:
    """Renders a figure.

    Args:
      figure: From this module.

    Returns:
      A PNG file.
    """
    buffer = io.BytesIO()
    backend_agg.FigureCanvasAgg(figure)
    figure.savefig(buffer, format="png", dpi=_DPI)
    return buffer.getvalue()


def save_png(run_folder: pathlib.Path, name: str, png: bytes) -> pathlib.Path:
    """Keeps a figure in the folder of a run.

    Args:
      run_folder: The folder of the run.
      name: Without ending; what does not belong into a file name is replaced.
      png: From `to_png`.

    Returns:
      The file, `figures/<name>.png`.
    """
    path = run_folder / FOLDER_NAME / f"{records.path_name(name)}.png"
    path.parent.mkdir(exist_ok=True)
    files.write_atomically(path, png)
    return path


def reconstruction_figure(
    title: str, original: NDArray[np.floating], panels: Sequence[Panel]
) -> matplotlib.figure.Figure:
    """Lays out one example: the original beside what the attackers made of it.

    One row for each encryption ratio; the original in the first column, then for each
    policy the naive and the mask-aware attacker's picture with its PSNR. Pixels are
    enlarged as squares, never smoothed.

    Args:
      title: Which example it is.
      original: [h, w, c] in [0, 1], c = 1 or 3.
      panels: The reconstructions, at least one. Of several for one place, the one with
        the highest PSNR is shown.

    Returns:
      The figure.

    Raises:
      ValueError: If there is nothing to show.
    """
    if not panels:
        raise ValueError(
            "`panels` must hold at least one reconstruction, got none. Attack the "
            "example first."
        )
    ratios = sorted({panel.encryption_ratio for panel in panels})
    columns = [
        (policy, attacker)
        for policy in sorted({panel.policy for panel in panels})
        for attacker in ATTACKERS
    ]
    figure = matplotlib.figure.Figure(
        figsize=(1.3 + 1.75 * (1 + len(columns)), 1.1 + 2.05 * len(ratios)),
        layout="constrained",
    )
    figure.suptitle(title, fontsize=14)
    axes = figure.subplots(len(ratios), 1 + len(columns), squeeze=False)
    for ratio, row in zip(ratios, axes, strict=True):
        _show(row[0], original, "")
        row[0].set_ylabel(
            f"{100 * ratio:g} %\nencrypted", fontsize=13, rotation=0, ha="right"
        )
        row[0].yaxis.set_label_coords(-0.08, 0.4)
        for (policy, attacker), axis in zip(columns, row[1:], strict=True):
            shown = [
                panel
                for panel in panels
                if (panel.policy, panel.encryption_ratio, panel.attacker)
                == (policy, ratio, attacker)
            ]
            if shown:
                best = max(shown, key=lambda panel: _orderable(panel.psnr_db))
                _show(axis, best.image, _decibels(best.psnr_db))
            else:
                axis.axis("off")
                axis.text(0.5, 0.5, "not attacked", ha="center", va="center")
    headings = [f"{policy}\n{_ATTACKERS[attacker]}" for policy, attacker in columns]
    for axis, heading in zip(axes[0], ("original", *headings), strict=True):
        axis.set_title(heading, fontsize=13, pad=8)
    return figure


def tradeoff_figure(
    context: Context, rows: Sequence[SummaryRow]
) -> matplotlib.figure.Figure:
    """Draws leakage against overhead, one line for each policy.

    Across: bytes of a round relative to the plain round, logarithmic. Up: PSNR of the
    strongest attacker with its 95 % interval (the quartiles where there are fewer than
    three examples), solid, and of the naive attacker, dashed: the gap between the two
    is what a naive evaluation does not see. Points carry the encryption ratio.

    Args:
      context: Of the rows; becomes the title.
      rows: From `summary.summarise`; those without measured bytes are left out.

    Returns:
      The figure; it says so if there is nothing to draw.
    """
    figure = matplotlib.figure.Figure(figsize=(7.5, 6.5), layout="constrained")
    axis = figure.subplots()
    axis.set_title(f"Leakage against overhead\n{context.title}", fontsize=12)
    axis.set_xlabel(
        "bytes of a round relative to the plain round (log scale)", fontsize=12
    )
    axis.set_ylabel("leakage: median PSNR in dB (higher = more leaked)", fontsize=12)
    lines: dict[str, list[SummaryRow]] = {}
    for row in rows:
        if row.context == context and row.relative_bytes and row.psnr_strongest:
            name = f"{row.policy}, {row.agreement}"
            lines.setdefault(name, []).append(row)
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
        return figure
    for index, (name, of_policy) in enumerate(lines.items()):
        _draw_policy(axis, index, name, of_policy)
    axis.plot([], [], color="0.35", linestyle="--", label="naive attacker")
    axis.plot([], [], color="0.35", linestyle="-", label="strongest attacker, 95 % CI")
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter(matplotlib.ticker.FuncFormatter(_times))
    axis.xaxis.set_minor_formatter(matplotlib.ticker.FuncFormatter(_times))
    axis.tick_params(which="minor", labelsize=9)
    axis.grid(True, which="major", color="0.9")
    axis.spines[["top", "right"]].set_visible(False)
    axis.margins(x=0.08, y=0.1)
    axis.set_ylim(*_limits([row for of_policy in lines.values() for row in of_policy]))
    figure.legend(fontsize=11, frameon=False, loc="outside lower center", ncols=2)
    return figure


def drawable_db(psnr_db: float) -> float:
    """PSNR for a plot: an exact reconstruction is drawn at `PSNR_CEILING_DB`."""
    return min(psnr_db, PSNR_CEILING_DB)


def _draw_policy(
    axis: matplotlib.axes.Axes, index: int, name: str, rows: Sequence[SummaryRow]
) -> None:
    ordered = sorted(rows, key=lambda row: row.encryption_ratio)
    colour = _COLOURS[index % len(_COLOURS)]
    marker = _MARKERS[index % len(_MARKERS)]
    points = [
        (row.relative_bytes, row.psnr_strongest, row.encryption_ratio)
        for row in ordered
        if row.relative_bytes is not None and row.psnr_strongest is not None
    ]
    heights = [drawable_db(strongest.median) for _, strongest, _ in points]
    axis.errorbar(
        [across for across, _, _ in points],
        heights,
        yerr=np.transpose([_error_bar(strongest) for _, strongest, _ in points]),
        color=colour,
        marker=marker,
        capsize=3,
        linewidth=1.8,
        label=name,
    )
    naive = [
        (row.relative_bytes, drawable_db(row.psnr_naive.median))
        for row in ordered
        if row.relative_bytes is not None and row.psnr_naive is not None
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
        ]
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


def _labels(points: Sequence[tuple[float, float, float]]) -> list[_Label]:
    """Joins the ratios of neighbouring points: within 8 % in x and 5 dB in y."""
    labels: list[_Label] = []
    for across, height, ratio in points:
        near = [
            at
            for at, label in enumerate(labels)
            if abs(np.log(across / label.across)) < _NEAR_LOG
            and abs(height - label.height) < _NEAR_DB
        ]
        if near:
            old = labels[near[0]]
            labels[near[0]] = _Label(
                max(old.across, across), old.height, (*old.ratios, ratio)
            )
        else:
            labels.append(_Label(across, height, (ratio,)))
    return labels


def _limits(rows: Sequence[SummaryRow]) -> tuple[float, float]:
    """The range of the medians and finite intervals; infinite bars leave the axes."""
    heights = [0.0]
    for row in rows:
        for value in (row.psnr_strongest, row.psnr_naive):
            if value is not None:
                heights.append(drawable_db(value.median))
        if row.psnr_strongest is not None:
            low, high = _interval(row.psnr_strongest)
            heights += [end for end in (low, high) if math.isfinite(end)]
    margin = 0.06 * max(1.0, max(heights) - min(heights))
    return min(heights) - margin, max(heights) + 2 * margin


def _interval(value: Statistic) -> tuple[float, float]:
    """The 95 % interval, or the quartiles of a sample too small for it."""
    if math.isnan(value.low_95) or math.isnan(value.high_95):
        return value.low_quartile, value.high_quartile
    return value.low_95, value.high_95


def _error_bar(value: Statistic) -> tuple[float, float]:
    """Lengths below and above the median."""
    low, high = _interval(value)
    middle = drawable_db(value.median)
    return max(0.0, middle - drawable_db(low)), max(0.0, drawable_db(high) - middle)


def _show(axis: matplotlib.axes.Axes, image: NDArray[np.floating], below: str) -> None:
    pixels = np.clip(np.nan_to_num(np.asarray(image, np.float32)), 0.0, 1.0)
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3):
        raise ValueError(
            "A picture must be [h, w, c] with 1 or 3 channels, got "
            f"{list(pixels.shape)}."
        )
    if pixels.shape[2] == 1:
        pixels = np.repeat(pixels, 3, axis=2)
    axis.imshow(pixels, interpolation="nearest")
    axis.set_xticks([])
    axis.set_yticks([])
    axis.set_xlabel(below, fontsize=13)


def _decibels(psnr_db: float) -> str:
    if math.isnan(psnr_db):
        return "diverged"
    return "exact" if math.isinf(psnr_db) else f"{psnr_db:.1f} dB"


def _orderable(psnr_db: float) -> float:
    return -math.inf if math.isnan(psnr_db) else psnr_db


def _times(value: float, position: int | None) -> str:
    del position
    return f"{value:.3g}x"
