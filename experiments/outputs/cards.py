"""Figures for TensorBoard's first screen, drawn for the size at which it shows them.

A card shows a picture some 330 pixels wide and 215 high, whatever its own size. What is
drawn here has letters of ten pixels there, and is sharp where somebody makes it larger.
"""

import itertools
import re
import textwrap
from collections.abc import Callable, Sequence

import matplotlib.axes
import matplotlib.figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

from experiments.outputs import blind, measures
from experiments.outputs.leakage_summary import Leakage
from experiments.outputs.leaks import Leaks
from experiments.outputs.statistic import Statistic
from experiments.outputs.style import COLOURS, GUESS, GUESS_DASHES, MARKERS
from experiments.outputs.summary import PLAIN_RELEASE, Context, SummaryRow

WIDTH, HEIGHT = 3.3, 2.15
"""Inches; at a hundred pixels each it is what a card shows."""

DPI = 300
_LETTERS = 7.5
_LARGEST, _SMALLEST = 11.0, 9.5
"""Of words; a card shows 93 pixels an inch, so that the smallest have 12 pixels."""
_MORE = "More: report.html."
_LINE = 1.18
"""Height of a line of text by that of its letters, and their mean width by it."""
_LETTER_WIDTH = 0.53
_DENSE = 1.1
"""The same height in a text that fills its card."""


def in_words(title: str, sentences: Sequence[str]) -> matplotlib.figure.Figure:
    """A result in words, in letters as large as it leaves room for.

    Args:
      title: What it is of.
      sentences: The result.

    Returns:
      The figure.
    """
    made = matplotlib.figure.Figure(figsize=(WIDTH, HEIGHT))
    size, heading, lines = _fitting(title, sentences)
    step = _DENSE * size / (72 * HEIGHT)
    for place, line in enumerate(heading):
        made.text(0.02, 0.99 - place * step, line, size=size, weight="bold", va="top")
    top = 0.99 - (len(heading) + 0.4) * step
    for place, line in enumerate(lines):
        made.text(0.02, top - place * step, line, size=size, va="top")
    return made


def _fitting(
    title: str, sentences: Sequence[str]
) -> tuple[float, list[str], list[str]]:
    """The size of letters, and the lines of a title and of what of a text fits.

    Where not all of it does, what stands in brackets is left out, then the last sentences.
    """
    size = _LARGEST
    while size >= _SMALLEST:
        heading, lines = _wrapped(title, " ".join(sentences), size)
        if _fits(heading, lines, size):
            return size, heading, lines
        size -= 0.25
    size = _SMALLEST
    short = [_without_brackets(one) for one in sentences]
    for count in range(len(short), 0, -1):
        last = short[count - 1]
        # Its price has a card of its own.
        for end in (last, f"{last.partition('; ')[0].rstrip('.')}."):
            text = " ".join([*short[: count - 1], end, _MORE])
            heading, lines = _wrapped(title, text, size)
            if _fits(heading, lines, size):
                return size, heading, lines
    heading, lines = _wrapped(title, short[0], size)
    while not _fits(heading, [*lines, _MORE], size):
        lines = lines[:-1]
    return size, heading, [*lines[:-1], f"{lines[-1]} ..", _MORE]


def _wrapped(title: str, text: str, size: float) -> tuple[list[str], list[str]]:
    columns = int(72 * (WIDTH - 0.1) / (_LETTER_WIDTH * size))
    # Bold letters are wider by an eighth.
    return textwrap.wrap(title, int(columns / 1.12)), textwrap.wrap(text, columns)


def _fits(heading: Sequence[str], lines: Sequence[str], size: float) -> bool:
    return (len(heading) + len(lines) + 0.6) * _DENSE * size <= 72 * HEIGHT


def _without_brackets(sentence: str) -> str:
    """A sentence without its details; whose a factor is stays."""
    kept, depth = "", 0
    named = re.sub(r"(?<= x) \(([\w, ]+)\)", r" by \1", sentence)
    for part in re.split(r"([()])", named):
        depth += (part == "(") - (part == ")")
        kept += part if depth == 0 and part != ")" else ""
    return re.sub(r" +([;,.])", r"\1", re.sub(r" {2,}", " ", kept)).strip()


def leakage(
    context: Context, rows: Sequence[SummaryRow], leaks: Leaks
) -> matplotlib.figure.Figure:
    """The main measure over the share really hidden, and that of the blind guess.

    Solid: the best of each example in hindsight; dashed: the same of naive attackers.

    Args:
      context: What was attacked.
      rows: From `summary.summarise`.
      leaks: What is measured.
    """
    own = [row for row in rows if row.context == context and row.leakage.best]
    made, axis = _panel(own, f"What leaks: {leaks.axis}".replace(" (", "\n("))
    attackers: tuple[tuple[str, Callable[[Leakage], Statistic | None]], ...] = (
        ("-", lambda found: found.best),
        ("--", lambda found: found.naive),
    )
    for dashes, chosen in attackers:
        _lines(
            axis,
            own,
            lambda row, chosen=chosen: (  # type: ignore[misc]
                (found := chosen(row.leakage)) and leaks.drawn(found.median)
            ),
            dashes,
        )
    handles = [
        Line2D([], [], color="0.3", linestyle="-", label="best attack"),
    ]
    if any(row.leakage.naive for row in own):
        handles.append(Line2D([], [], color="0.3", linestyle="--", label="naive"))
    guess = measures.blind_guess(own)
    if guess is not None:
        line = axis.axhline(leaks.drawn(guess), color=GUESS, linestyle=GUESS_DASHES)
        line.set_label(blind.NAME)
        handles.append(line)
    _legend(made, own, handles)
    return made


def uploads(context: Context, rows: Sequence[SummaryRow]) -> matplotlib.figure.Figure:
    """Bytes that clients send in a round of training, by those without encryption.

    Args:
      context: What was attacked.
      rows: From `summary.summarise`.
    """
    own = [row for row in rows if row.context == context and has_uploads(row)]
    title = "What it costs: bytes up, x those of a round in the clear"
    return _costs(own, title, lambda row: row.cost.relative_upload_bytes)


def _costs(
    own: Sequence[SummaryRow],
    title: str,
    value: Callable[[SummaryRow], float | None],
) -> matplotlib.figure.Figure:
    made, axis = _panel(own, title)
    _lines(axis, own, value, "-")
    axis.set_ylim(bottom=0)
    axis.axhline(1.0, color=GUESS, linestyle=":")
    # A screen ends some pixels above the end of its last cards: nothing is there, and the
    # legend is inside, above the lines.
    engine = made.get_layout_engine()
    if isinstance(engine, ConstrainedLayoutEngine):
        engine.set(rect=(0, 0.08, 1, 0.92))
    axis.legend(
        handles=_metric_handles(own),
        loc="upper left",
        frameon=False,
        fontsize=_LETTERS - 0.5,
    )
    axis.set_ylim(top=1.25 * axis.get_ylim()[1])
    return made


def message(context: Context, rows: Sequence[SummaryRow]) -> matplotlib.figure.Figure:
    """Bytes of a client's attacked message, by those of a clear one: of an audit.

    Args:
      context: What was attacked.
      rows: From `summary.summarise`.
    """
    own = [row for row in rows if row.context == context and has_message(row)]
    title = "What it costs: bytes of a client's\nmessage, x those of a clear one"
    return _costs(own, title, lambda row: row.relative_message_bytes)


def has_message(row: SummaryRow) -> bool:
    """Whether the bytes of its attacked messages were counted."""
    return row.relative_message_bytes is not None


def has_uploads(row: SummaryRow) -> bool:
    """Whether the bytes of its rounds were measured, of a row that hides by a metric."""
    return (
        row.metric != PLAIN_RELEASE
        and row.cost.relative_upload_bytes is not None
        and row.leakage != Leakage()
    )


def _panel(
    own: Sequence[SummaryRow], title: str
) -> tuple[matplotlib.figure.Figure, matplotlib.axes.Axes]:
    made = matplotlib.figure.Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
    axis = made.subplots()
    axis.set_title(title, fontsize=_LETTERS + 0.5, loc="left")
    shares = sorted({row.hidden_share for row in own})
    axis.set_xticks(
        range(len(shares)), [f"{float(f'{100 * one:.2g}'):g} %" for one in shares]
    )
    axis.set_xlabel("of the entries really hidden", fontsize=_LETTERS, labelpad=1)
    axis.tick_params(labelsize=_LETTERS, length=2)
    axis.grid(True, color="0.9")
    axis.spines[["top", "right"]].set_visible(False)
    return made, axis


def _metrics(own: Sequence[SummaryRow]) -> list[str]:
    return list(dict.fromkeys(row.metric for row in own))


def _lines(
    axis: matplotlib.axes.Axes,
    own: Sequence[SummaryRow],
    value: Callable[[SummaryRow], float | None],
    dashes: str,
) -> None:
    shares = sorted({row.hidden_share for row in own})
    for place, metric in enumerate(_metrics(own)):
        points = sorted(
            # Metrics that give the same stand side by side.
            (shares.index(row.hidden_share) + 0.06 * place, found)
            for row in own
            if row.metric == metric and (found := value(row)) is not None
        )
        axis.plot(
            [across for across, _ in points],
            [up for _, up in points],
            dashes,
            color=COLOURS[place % len(COLOURS)],
            marker=MARKERS[place % len(MARKERS)],
            markersize=3.5,
            linewidth=1.2,
        )


def _metric_handles(own: Sequence[SummaryRow]) -> list[Line2D]:
    return [
        Line2D([], [], color=colour, marker=marker, markersize=3.5, label=name)
        for name, colour, marker in zip(
            _metrics(own),
            itertools.cycle(COLOURS),
            itertools.cycle(MARKERS),
            strict=False,
        )
    ]


def _legend(
    made: matplotlib.figure.Figure,
    own: Sequence[SummaryRow],
    more: Sequence[Line2D],
) -> None:
    made.legend(
        handles=[*_metric_handles(own), *more],
        loc="outside lower center",
        frameon=False,
        fontsize=_LETTERS - 0.5,
        ncols=3,
        columnspacing=1.0,
        handlelength=2.2,
        borderpad=0,
    )
