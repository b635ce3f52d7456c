"""What a comparison of prediction and attack leaves behind: a table, CSV and a figure."""

import collections
import math
import pathlib
from collections.abc import Sequence
from typing import TextIO

import matplotlib.figure

from experiments.analysis import agreement
from experiments.analysis.agreement import Case
from experiments.outputs import environment, figures, files, text_tables
from experiments.outputs.pictures import decibels
from experiments.outputs.style import COLOURS, MARKERS
from experiments.outputs.table import Table

TOLERANCE_DB = 1.0
"""How far an attack must be above a prediction for that to count as broken."""


def publish(
    folder: pathlib.Path,
    cases: Sequence[Case],
    notes: Sequence[str],
    command: str,
    stream: TextIO,
) -> None:
    """Prints the comparison and writes `check.csv`, `check.md` and `check.png`.

    Args:
      folder: Where to.
      cases: All cases.
      notes: What is assumed, and which attacks have no result: one line each.
      command: That was given.
      stream: Where the table goes.
    """
    if len(cases) < 3:
        print("Too few cases to compare.", file=stream)
        return
    headings = (
        "ratio",
        "metric",
        "predicted, dB",
        "without the box, dB",
        "best attack, dB",
        "which",
        "mean picture, dB",
    )
    table = Table("", headings, _lines(cases))
    text_tables.show(table, stream)
    summary = _summary(cases)
    if not any(math.isnan(case.without_box_db) for case in cases):
        summary += f" {_without_box(cases)}"
    print("\n".join((summary, *notes)), file=stream)
    text = (
        f"`{command}`\n",
        f"{environment.in_words(environment.describe())}.\n",
        f"{summary}\n",
        *(f"{note}\n" for note in notes),
        text_tables.to_markdown(table),
    )
    files.write_atomically(folder / "check.md", "\n".join(text).encode())
    csv = text_tables.to_csv([Case._fields, *cases])
    files.write_atomically(folder / "check.csv", csv.encode())
    files.write_atomically(folder / "check.png", figures.to_png(_figure(cases)))


def _summary(cases: Sequence[Case]) -> str:
    found = agreement.correlation(cases, seed=0)
    capped = agreement.correlation(cases, 0, decibels.EXACT_DB)
    return (
        f"The prediction was {_held(cases)}. Spearman's correlation of it and the "
        f"stronger of the best attack and the mean picture: {_interval(found)}, "
        f"resampling {found.pictures} pictures, {found.cases} cases; with all above "
        f"{decibels.EXACT_DB:.1f} dB (exact in 8 bits) counted as equal: "
        f"{_interval(capped)}."
    )


def _without_box(cases: Sequence[Case]) -> str:
    """The same of the number for who knows the prior alone."""
    other = [case._replace(predicted_db=case.without_box_db) for case in cases]
    found = agreement.correlation(other, seed=0)
    return (
        "The number without the box, for who knows the prior alone, was "
        f"{_held(other)}; its correlation: {_interval(found)}."
    )


def _held(cases: Sequence[Case]) -> str:
    """In how many masks no attack is above the prediction."""
    failures = agreement.broken(cases, TOLERANCE_DB)
    text = (
        f"not beaten in {len(cases) - len(failures)} of {len(cases)} masks "
        f"(by more than {TOLERANCE_DB:g} dB"
    )
    if failures:
        worst = failures[0]
        text += (
            f"; at most by {worst.attack_db - worst.predicted_db:.1f} dB, with "
            f"{worst.attack}, {worst.metric}, ratio {worst.encryption_ratio:g}"
        )
    return f"{text})"


def _interval(found: agreement.Correlation) -> str:
    return (
        f"{found.coefficient:.2f} (95 % interval {found.low:.2f} to {found.high:.2f})"
    )


def _lines(cases: Sequence[Case]) -> list[tuple[str, ...]]:
    groups: dict[tuple[float, str], list[Case]] = {}
    for case in cases:
        groups.setdefault((case.encryption_ratio, case.metric), []).append(case)
    return [
        (
            f"{ratio:g}",
            metric,
            _median([case.predicted_db for case in group]),
            _median([case.without_box_db for case in group]),
            _median([case.attack_db for case in group]),
            _most_often([case.attack for case in group]),
            _median([case.guess_db for case in group]),
        )
        for (ratio, metric), group in sorted(groups.items())
    ]


def _most_often(names: Sequence[str]) -> str:
    """The attack that was the best for most pictures."""
    counts = collections.Counter(name for name in names if name)
    return counts.most_common(1)[0][0] if counts else "none has a result"


def _median(values: Sequence[float]) -> str:
    known = [value for value in values if not math.isnan(value)]
    return text_tables.spread(known, ".1f") if known else "-"


def _figure(cases: Sequence[Case]) -> matplotlib.figure.Figure:
    figure = matplotlib.figure.Figure(figsize=(6.4, 5), layout="constrained")
    axis = figure.subplots()
    for index, metric in enumerate(sorted({case.metric for case in cases})):
        mine = [case for case in cases if case.metric == metric]
        axis.scatter(
            [case.predicted_db for case in mine],
            [case.measured_db for case in mine],
            s=14,
            alpha=0.8,
            color=COLOURS[index % len(COLOURS)],
            marker=MARKERS[index % len(MARKERS)],
            label=metric,
        )
    # The prediction for a picture that is black and white alone is infinite.
    bounds = [case.predicted_db for case in cases if math.isfinite(case.predicted_db)]
    top = max(bounds, default=decibels.EXACT_DB)
    axis.plot([0, top], [0, top], color="0.6", linewidth=1, zorder=0)
    axis.set_xlabel("predicted PSNR, dB")
    axis.set_ylabel("measured: best attack or mean picture, dB")
    axis.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    return figure
