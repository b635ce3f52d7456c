"""What an analysis leaves behind: records, CSV, a text for people and a figure."""

import csv
import io
import math
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TextIO

import matplotlib.figure
import matplotlib.ticker
import numpy as np
import rich.box
import rich.console
import rich.table
import rich.text

from experiments.analysis import study
from experiments.analysis.study import Analysed, Row, Threshold
from experiments.outputs import figures, files
from selenc_tf.distance.predict import Prediction

RECORDS, CSV, TEXT, FIGURE = (
    "analysis.jsonl",
    "analysis.csv",
    "analysis.md",
    "analysis.png",
)

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_CRITERIA = {
    study.IDENTIFIABILITY: "a direction of the input is lost",
    study.PSNR: "PSNR bound below {:g} dB",
}


class Heading(NamedTuple):
    """What all results of an analysis share.

    Attributes:
      model: With its number of parameters.
      dataset: What the data really is.
      noise: As the flag says it.
      prior: Likewise.
      prior_psnr_db: Of an attacker who knows nothing but the prior.
      psnr_threshold_db: Of the criterion "psnr".
    """

    model: str
    dataset: str
    noise: str
    prior: str
    prior_psnr_db: float
    psnr_threshold_db: float

    @property
    def title(self) -> str:
        """One line."""
        return (
            f"{self.model}, {self.dataset}, error of visible entries: {self.noise}, "
            f"prior: {self.prior}"
        )


class Line(NamedTuple):
    """One line of the summary: a metric and a ratio over all pictures.

    Attributes:
      metric: What chose the hidden entries.
      ratio: As asked for.
      hidden: m.
      unknowns: d.
      pictures: How many gradients.
      cosines: Zero-fill cosines, one for each gradient.
      ranks: Likewise.
      degrees: Degrees of freedom.
      psnrs: PSNR bounds in dB.
    """

    metric: str
    ratio: float
    hidden: int
    unknowns: int
    pictures: int
    cosines: tuple[float, ...]
    ranks: tuple[float, ...]
    degrees: tuple[float, ...]
    psnrs: tuple[float, ...]


def to_record(analysed: Analysed) -> dict[str, Any]:
    """One gradient's results as JSON can write them."""
    return {
        "pictures": list(analysed.pictures),
        "seconds": analysed.seconds,
        "rows": [
            {
                "metric": row.metric,
                "asked_ratio": row.asked_ratio,
                **row.prediction._asdict(),
            }
            for row in analysed.rows
        ],
        "thresholds": [dict(found._asdict()) for found in analysed.thresholds],
    }


def from_record(record: Mapping[str, Any]) -> Analysed:
    """Undoes `to_record`."""
    return Analysed(
        pictures=tuple(record["pictures"]),
        rows=tuple(
            Row(
                row["metric"],
                row["asked_ratio"],
                Prediction(
                    **{
                        name: files.number_from_json(row[name])
                        for name in Prediction._fields
                    }
                ),
            )
            for row in record["rows"]
        ),
        thresholds=tuple(
            Threshold(
                found["metric"],
                found["criterion"],
                found["low"],
                files.number_from_json(found["high"]),
            )
            for found in record["thresholds"]
        ),
        seconds=record["seconds"],
    )


def load(folder: pathlib.Path) -> tuple[Analysed, ...]:
    """The finished gradients of a folder, in the order of the work."""
    return tuple(from_record(record) for record in files.read_lines(folder / RECORDS))


def summarise(results: Sequence[Analysed]) -> tuple[Line, ...]:
    """Puts the gradients together: one line for each ratio and metric."""
    groups: dict[tuple[float, str], list[Prediction]] = {}
    for analysed in results:
        for row in analysed.rows:
            groups.setdefault((row.asked_ratio, row.metric), []).append(row.prediction)
    return tuple(
        Line(
            metric=metric,
            ratio=ratio,
            hidden=found[0].hidden,
            unknowns=found[0].unknowns,
            pictures=len(found),
            cosines=tuple(each.zero_fill_cosine for each in found),
            ranks=tuple(each.rank for each in found),
            degrees=tuple(each.degrees_of_freedom for each in found),
            psnrs=tuple(each.psnr_bound_db for each in found),
        )
        for (ratio, metric), found in sorted(
            groups.items(), key=lambda item: item[0][0]
        )
    )


def publish(
    folder: pathlib.Path,
    heading: Heading,
    results: Sequence[Analysed],
    command: str,
    environment: Mapping[str, Any],
) -> None:
    """Writes CSV, text and figure anew, each whole or not at all.

    Args:
      folder: Of the analysis.
      heading: What all results share.
      results: Of the finished gradients.
      command: What made them.
      environment: From `environment.describe`.
    """
    files.write_atomically(folder / CSV, to_csv(results).encode())
    if results:
        text = to_markdown(heading, results, command, environment)
        files.write_atomically(folder / TEXT, text.encode())
        png = figures.to_png(figure(heading, results))
        files.write_atomically(folder / FIGURE, png)


def to_csv(results: Sequence[Analysed]) -> str:
    """One row for each gradient, metric and ratio, with its metric's thresholds."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    ends = [
        f"{criterion}_threshold_{end}"
        for criterion in study.CRITERIA
        for end in ("low", "high")
    ]
    writer.writerow(
        [
            "pictures",
            "metric",
            "asked_ratio",
            *Prediction._fields,
            "identifiable",
            *ends,
        ]
    )
    for analysed in results:
        brackets = {
            (found.metric, found.criterion): (found.low, found.high)
            for found in analysed.thresholds
        }
        for row in analysed.rows:
            writer.writerow(
                [
                    " ".join(map(str, analysed.pictures)),
                    row.metric,
                    row.asked_ratio,
                    *row.prediction,
                    row.prediction.identifiable,
                    *(
                        end
                        for criterion in study.CRITERIA
                        for end in brackets[row.metric, criterion]
                    ),
                ]
            )
    return buffer.getvalue()


def to_markdown(
    heading: Heading,
    results: Sequence[Analysed],
    command: str,
    environment: Mapping[str, Any],
) -> str:
    """The tables with the command, the versions and the machine that made them."""
    cpu, versions = environment["cpu"], environment["versions"]
    named = ("python", "tensorflow", "keras", "numpy", "scipy")
    lines = [
        f"# {heading.title}",
        "",
        "```",
        command,
        "```",
        "",
        f"{len(results)} gradient(s) of {len(results[0].pictures)} picture(s); "
        "more than one: median (min, max). The prior alone gives "
        f"{heading.prior_psnr_db:.1f} dB.",
        "",
        f"| {' | '.join(_HEADER)} |",
        f"|{' --- |' * len(_HEADER)}",
        *(f"| {' | '.join(_cells(line))} |" for line in summarise(results)),
        "",
        "| metric | protects from where | smallest ratio that does, bracket |",
        "| --- | --- | --- |",
        *(
            f"| {metric} | {_criterion(criterion, heading)} | {bracket} |"
            for metric, criterion, bracket in _brackets(results)
        ),
        "",
        f"{cpu['cores']} cores of {cpu['model']}, {', '.join(environment['devices'])}; "
        f"{', '.join(f'{name} {versions[name]}' for name in named)}; "
        f"{sum(each.seconds for each in results):.0f} s of work.",
        "",
    ]
    return "\n".join(lines)


def print_tables(heading: Heading, results: Sequence[Analysed], stream: TextIO) -> None:
    """Prints the same tables for people."""
    console = rich.console.Console(file=stream, highlight=False)
    console.print(rich.text.Text(heading.title, style="bold"))
    made = rich.table.Table(box=rich.box.SIMPLE_HEAD, pad_edge=False)
    for index, name in enumerate(_HEADER):
        made.add_column(name, justify="left" if index == 1 else "right")
    previous: float | None = None
    for line in summarise(results):
        if previous is not None and line.ratio != previous:
            made.add_section()
        made.add_row(*_cells(line))
        previous = line.ratio
    console.print(made)
    for metric, criterion, bracket in _brackets(results):
        console.print(
            rich.text.Text(f"{metric}: {_criterion(criterion, heading)}: {bracket}")
        )


def figure(heading: Heading, results: Sequence[Analysed]) -> matplotlib.figure.Figure:
    """Draws the PSNR bound against the encryption ratio, one line for each metric.

    A band spans the pictures. A shaded strip marks where identifiability is lost: the
    bracket of the median picture.

    Args:
      heading: Becomes the title.
      results: At least one.

    Returns:
      The figure.
    """
    drawn = matplotlib.figure.Figure(figsize=(7.5, 5.5), layout="constrained")
    axis = drawn.subplots()
    axis.set_title(
        f"Predicted leakage\n{heading.model}, {heading.dataset}", fontsize=12
    )
    axis.set_xlabel("encrypted share of the parameters in %", fontsize=12)
    axis.set_ylabel("bound of the attackers' PSNR in dB", fontsize=12)
    lines = summarise(results)
    metrics = list(dict.fromkeys(line.metric for line in lines))
    for index, metric in enumerate(metrics):
        colour = _COLOURS[index % len(_COLOURS)]
        own = [line for line in lines if line.metric == metric]
        across = [100 * line.ratio for line in own]
        axis.plot(
            across,
            [np.median(line.psnrs) for line in own],
            color=colour,
            marker=_MARKERS[index % len(_MARKERS)],
            linewidth=1.8,
            label=metric,
        )
        axis.fill_between(
            across,
            [min(line.psnrs) for line in own],
            [max(line.psnrs) for line in own],
            color=colour,
            alpha=0.15,
            linewidth=0,
        )
        low, high = _median_bracket(results, metric, study.IDENTIFIABILITY)
        if math.isfinite(high):
            axis.axvspan(100 * low, 100 * high, color=colour, alpha=0.25, linewidth=0)
            axis.axvline(100 * high, color=colour, linestyle=":", linewidth=1.5)
    axis.axhline(
        heading.prior_psnr_db, color="0.4", linestyle="--", label="the prior alone"
    )
    axis.plot([], [], color="0.4", linestyle=":", label="a direction is lost")
    axis.set_xscale("symlog", linthresh=1.0)
    axis.set_xlim(left=0.0, right=105.0)
    axis.xaxis.set_major_locator(
        matplotlib.ticker.FixedLocator([0, 1, 2, 5, 10, 20, 50, 100])
    )
    axis.xaxis.set_major_formatter(matplotlib.ticker.FormatStrFormatter("%g"))
    axis.grid(True, which="major", color="0.9")
    axis.spines[["top", "right"]].set_visible(False)
    drawn.legend(fontsize=11, frameon=False, loc="outside lower center", ncols=3)
    return drawn


_HEADER = (
    "encrypted",
    "metric",
    "zero-fill cosine",
    "rank",
    "degrees of freedom",
    "PSNR bound, dB",
)


def _cells(line: Line) -> tuple[str, ...]:
    return (
        f"{100 * line.ratio:g} %",
        line.metric,
        _spread(line.cosines, ".3f"),
        f"{_spread(line.ranks, '.0f')} of {line.unknowns}",
        _spread(line.degrees, ".0f"),
        _spread(line.psnrs, ".1f"),
    )


def _spread(values: Sequence[float], form: str) -> str:
    middle = format(float(np.median(values)), form)
    if len(values) == 1:
        return middle
    return f"{middle} ({min(values):{form}}, {max(values):{form}})"


def _criterion(criterion: str, heading: Heading) -> str:
    return _CRITERIA[criterion].format(heading.psnr_threshold_db)


def _brackets(results: Sequence[Analysed]) -> list[tuple[str, str, str]]:
    """Metric, criterion and the bracket in words, for the median picture."""
    pairs = dict.fromkeys(
        (found.metric, found.criterion)
        for analysed in results
        for found in analysed.thresholds
    )
    words = []
    for metric, criterion in pairs:
        low, high = _median_bracket(results, metric, criterion)
        if math.isinf(high):
            text = "never"
        elif high == 0.0:
            text = "always"
        else:
            text = f"{100 * low:.2f} to {100 * high:.2f} %"
        words.append((metric, criterion, text))
    return words


def _median_bracket(
    results: Sequence[Analysed], metric: str, criterion: str
) -> tuple[float, float]:
    """The bracket of the picture in the middle (the later of two)."""
    found = sorted(
        (each.high, each.low)
        for analysed in results
        for each in analysed.thresholds
        if (each.metric, each.criterion) == (metric, criterion)
    )
    high, low = found[len(found) // 2]
    return low, high
