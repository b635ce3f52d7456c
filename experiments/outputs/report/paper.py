"""The curves as a figure for a paper, in files that can be scaled: SVG and PDF."""

import io
import logging
from collections.abc import Sequence

import matplotlib
import matplotlib.figure
from matplotlib.backends import backend_pdf, backend_svg

from experiments.outputs import style
from experiments.outputs.leaks import Leaks
from experiments.outputs.report.curves import Curve

_DASHES = ("-", "--", ":", "-.")
_SETTINGS = (
    ("svg.hashsalt", "selenc-tf"),
    ("svg.fonttype", "none"),
    ("pdf.fonttype", 42),
)


def figure(
    curves: Sequence[Curve], leaks: Leaks, heights: tuple[float, float]
) -> matplotlib.figure.Figure:
    """Draws the curves that are shown first: leakage over the share hidden.

    Args:
      curves: From `curves.of`; all are drawn if none is shown first.
      leaks: What is measured.
      heights: The range of the vertical axis.

    Returns:
      The figure: medians, with the interval of 95 % or all single values.
    """
    drawn = [curve for curve in curves if curve.shown] or list(curves)
    made = matplotlib.figure.Figure(
        figsize=(5.2, 3.2 + 0.17 * len(drawn)), layout="constrained"
    )
    axis = made.subplots()
    of_attacks = [curve for curve in drawn if not curve.is_guess]
    metrics = list(dict.fromkeys(curve.metric for curve in of_attacks))
    attacks = list(dict.fromkeys(curve.attack for curve in of_attacks))
    for curve in drawn:
        if curve.is_guess:
            axis.plot(
                [one.percent for one in curve.points],
                [one.height for one in curve.points],
                color=style.GUESS,
                linestyle=style.GUESS_DASHES,
                label=curve.attack,
            )
            continue
        place = metrics.index(curve.metric)
        colour = style.COLOURS[place % len(style.COLOURS)]
        marker = style.MARKERS[place % len(style.MARKERS)]
        points = curve.points
        bars = [
            (0.0, 0.0) if one.values else (one.height - one.low, one.high - one.height)
            for one in points
        ]
        axis.errorbar(
            [one.percent for one in points],
            [one.height for one in points],
            yerr=list(zip(*bars, strict=True)),
            color=colour,
            marker=marker,
            linestyle=_DASHES[attacks.index(curve.attack) % len(_DASHES)],
            capsize=2,
            label=f"{curve.metric}: {curve.attack}",
        )
        single = [(one.percent, value) for one in points for value in one.values]
        axis.plot(
            [across for across, _ in single],
            [up for _, up in single],
            marker=marker,
            markerfacecolor="none",
            markersize=3.5,
            linestyle="",
            color=colour,
        )
    axis.set_xlim(-3, 103)
    axis.set_ylim(*heights)
    axis.set_xlabel("% of the entries really hidden")
    axis.set_ylabel(leaks.axis.replace(" (", "\n("))
    axis.grid(True, color="0.9")
    axis.spines[["top", "right"]].set_visible(False)
    made.legend(loc="outside lower center", frameon=False, fontsize=8)
    return made


def to_svg(figure: matplotlib.figure.Figure) -> bytes:
    """The figure as SVG, the same bytes every time."""
    buffer = io.BytesIO()
    with matplotlib.rc_context(dict(_SETTINGS)):
        backend_svg.FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None})
    return buffer.getvalue()


def to_pdf(figure: matplotlib.figure.Figure) -> bytes:
    """The figure as PDF, the same bytes every time."""
    buffer = io.BytesIO()
    # It tells of every table of a font, and commands show what is told.
    teller = logging.getLogger("fontTools")
    before = teller.level
    teller.setLevel(logging.WARNING)
    try:
        with matplotlib.rc_context(dict(_SETTINGS)):
            backend_pdf.FigureCanvasPdf(figure).print_pdf(
                buffer, metadata={"CreationDate": None}
            )
    finally:
        teller.setLevel(before)
    return buffer.getvalue()
