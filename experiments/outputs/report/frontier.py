"""The curves as a figure that a reader can point at, for plotly.js."""

import itertools
from collections.abc import Iterator, Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from experiments.outputs import style
from experiments.outputs.leaks import Leaks
from experiments.outputs.report.curves import Curve, Point

_SYMBOLS = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "x")
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
_HIDDEN = "% of the entries really hidden"
_BYTES = "bytes of one client's message"


def figure(
    curves: Sequence[Curve], leaks: Leaks, heights: tuple[float, float]
) -> go.Figure:
    """Draws leakage against the share hidden and, where counted, against bytes.

    Points are what was measured; the straight lines between them only join them. Single
    values are drawn small where they are too few for an interval, else a bar is the
    interval of 95 %.

    Args:
      curves: From `curves.of`.
      leaks: What is measured.
      heights: The range of the vertical axes, the same in every figure of a page.

    Returns:
      The figure.
    """
    counted = any(point.bytes is not None for curve in curves for point in curve.points)
    columns = 2 if counted else 1
    made = make_subplots(
        rows=1, cols=columns, shared_yaxes=True, horizontal_spacing=0.05
    )
    for trace, column in _traces(curves, columns):
        made.add_trace(trace, row=1, col=column)
    made.update_layout(
        template="plotly_white",
        font={"family": "system-ui, sans-serif", "size": 14, "color": "#1a1a1a"},
        margin={"l": 70, "r": 10, "t": 20, "b": 60},
        height=440,
        legend={"orientation": "h", "y": -0.22, "yanchor": "top"},
        hovermode="closest",
    )
    made.update_yaxes(range=list(heights), zeroline=False)
    # A title longer than the axis would be cut off.
    words = leaks.axis.replace(" (", "<br>(")
    made.update_yaxes(title={"text": words, "font": {"size": 13}}, row=1, col=1)
    made.update_xaxes(range=[-3, 103], title_text=_HIDDEN, row=1, col=1)
    if counted:
        made.update_xaxes(title_text=_BYTES, rangemode="tozero", row=1, col=2)
    made.update_xaxes(title_font_size=13)
    return made


def _traces(curves: Sequence[Curve], columns: int) -> Iterator[tuple[go.Scatter, int]]:
    of_attacks = [curve for curve in curves if not curve.is_guess]
    metrics = list(dict.fromkeys(curve.metric for curve in of_attacks))
    attacks = list(dict.fromkeys(curve.attack for curve in of_attacks))
    colours = dict(zip(metrics, itertools.cycle(style.COLOURS), strict=False))
    symbols = dict(zip(metrics, itertools.cycle(_SYMBOLS), strict=False))
    dashes = dict(zip(attacks, itertools.cycle(_DASHES), strict=False))
    # Where metrics give the same, the smaller mark is seen inside of the larger one.
    sizes = {name: max(7, 15 - 4 * place) for place, name in enumerate(metrics)}
    visible = any(curve.shown for curve in curves)
    for curve in curves:
        name = f"{curve.metric}: {curve.attack}"
        look = {
            "name": name,
            "legendgroup": name,
            "visible": True if curve.shown or not visible else "legendonly",
        }
        for column in range(1, columns + 1):
            points = [
                point for point in curve.points if _across(point, column) is not None
            ]
            if curve.is_guess:
                yield _guess(curve, points, column), column
                continue
            yield (
                go.Scatter(
                    x=[_across(point, column) for point in points],
                    y=[point.height for point in points],
                    error_y=_bars(points),
                    text=[point.text for point in points],
                    hovertemplate=f"{name}<br>%{{text}}<extra></extra>",
                    mode="lines+markers",
                    line={
                        "color": colours[curve.metric],
                        "dash": dashes[curve.attack],
                        "width": sizes[curve.metric] / 4,
                    },
                    marker={
                        "symbol": symbols[curve.metric],
                        "size": sizes[curve.metric],
                    },
                    showlegend=column == 1,
                    **look,
                ),
                column,
            )
            single = [(point, value) for point in points for value in point.values]
            yield (
                go.Scatter(
                    x=[_across(point, column) for point, _ in single],
                    y=[value for _, value in single],
                    mode="markers",
                    marker={
                        "color": colours[curve.metric],
                        "symbol": f"{symbols[curve.metric]}-open",
                        "size": 0.7 * sizes[curve.metric],
                    },
                    hoverinfo="skip",
                    showlegend=False,
                    **look,
                ),
                column,
            )


def _guess(curve: Curve, points: Sequence[Point], column: int) -> go.Scatter:
    """What is guessed without a gradient: a line, as no mask changes it."""
    return go.Scatter(
        x=[_across(point, column) for point in points],
        y=[point.height for point in points],
        text=[point.text for point in points],
        hovertemplate=f"{curve.attack}<br>%{{text}}<extra></extra>",
        mode="lines",
        line={"color": style.GUESS, "dash": "longdashdot", "width": 2},
        name=curve.attack,
        legendgroup=curve.attack,
        showlegend=column == 1,
    )


def _across(point: Point, column: int) -> float | None:
    return point.percent if column == 1 else point.bytes


def _bars(points: Sequence[Point]) -> dict[str, object]:
    """Intervals; where there is none the single values are drawn."""
    bars = [
        (0.0, 0.0)
        if point.values
        else (point.high - point.height, point.height - point.low)
        for point in points
    ]
    return {
        "type": "data",
        "array": [up for up, _ in bars],
        "arrayminus": [down for _, down in bars],
        "visible": any(up or down for up, down in bars),
        "thickness": 1.2,
    }
