"""Predictions of single examples, and where attacks are above or below them."""

import math
import pathlib
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from experiments.outputs import blind, files, hindsight, told
from experiments.outputs.pictures.leaks import PICTURES
from experiments.outputs.records import AttackRecord, Record
from experiments.outputs.table import Table

FILE_NAME = "predicted.json"

TOLERANCE_DB = 1.0
"""How far an attack must be above a prediction to be past it."""

CLEAR_DB = 2.0
"""How far an attack must be below a prediction to have fallen short of it. What is lost of
one example scatters around what is predicted, so less is no sign of a weak attack."""

_PSNR = "psnr_db"


BESIDE = (
    "Predicted and measured. Predicted: what is left to who knows the stated prior, uses "
    "every visible entry and is granted the numbers at exactly 0 or 1 (black and white "
    "pixels), computed, with no attack made. Measured: what the attacks that were tried "
    "recovered, to whom nothing was granted. Where measured is lower, a better attack may "
    "recover more: a mask is judged by both"
)


class Predicted(NamedTuple):
    """What is predicted of one example under one mask.

    Attributes:
      metric: What chooses the hidden entries.
      asked: The share of entries that is asked to be hidden.
      example: Its index in the data set.
      psnr_db: The predicted PSNR; infinite if nothing is left to be known.
    """

    metric: str
    asked: float
    example: int
    psnr_db: float


class _Place(NamedTuple):
    """Which example under which mask."""

    metric: str
    asked: float
    example: int


def save(run_folder: pathlib.Path, found: Sequence[Predicted]) -> None:
    """Keeps the predictions of the gradients of single examples in a run's folder."""
    if found:
        content = [one._asdict() for one in found]
        path = run_folder / FILE_NAME
        files.write_atomically(path, files.to_json(content).encode())


def load(run_folder: pathlib.Path) -> list[Predicted]:
    """Reads them; none if the run has no such file, or it is damaged."""
    return [
        Predicted(**{**one, "psnr_db": files.number_from_json(one["psnr_db"])})
        for one in files.read_json(run_folder / FILE_NAME) or ()
    ]


def beside(found: Sequence[Predicted], records: Sequence[Record]) -> list[Table]:
    """What is predicted beside what was measured, so that nobody takes one for the other.

    Args:
      found: Predictions of a run.
      records: Of the same run.

    Returns:
      A table of the examples that have both, if there are some.
    """
    levels, groups = _attacked(found, records)
    leaks = told.of(PICTURES, records)
    rows = []
    for place in sorted(groups, key=lambda one: (one.metric, one.asked, one.example)):
        guess = next(blind.value(one, _PSNR) for one in groups[place])
        best = hindsight.by_measure(groups[place], PICTURES)
        rows.append(
            (
                place.metric,
                f"{100 * place.asked:g} %",
                str(place.example),
                leaks.shown(levels[place]),
                leaks.shown(best[0].number(_PSNR)) if best else "no result",
                "not on record" if math.isnan(guess) else leaks.shown(guess),
            )
        )
    headings = (
        "Hidden by",
        "Asked",
        "Example",
        "Predicted",
        "Measured, best attack tried",
        "Measured, blind guess",
    )
    return [Table(BESIDE, headings, rows)] if rows else []


def passed(found: Sequence[Predicted], records: Sequence[Record]) -> Iterator[str]:
    """Says which predictions were too low, if any.

    Args:
      found: Predictions of a run.
      records: Of the same run.

    Yields:
      A sentence if the best attack on an example is above its prediction by more than
      `TOLERANCE_DB`. What is exact on both sides is equal.
    """
    levels, groups = _attacked(found, records)
    leaks = told.of(PICTURES, records)
    above = []
    for place, group in groups.items():
        for best in hindsight.by_measure(group, leaks):
            reached = leaks.drawn(best.number(_PSNR))
            more = reached - leaks.drawn(levels[place])
            if not math.isnan(more) and more > TOLERANCE_DB:
                above.append((more, place, best))
    if above:
        more, place, best = max(above, key=lambda one: one[0])
        level = levels[place]
        yield (
            f"Past the prediction: {len(above)} of {len(groups)} attacked examples and "
            f"masks were recovered better than predicted, at most by {more:.1f} dB "
            f"(example {place.example}, {place.metric} at {100 * place.asked:g} %: "
            f"{leaks.shown(best.number(_PSNR))} by {best.attack}, "
            f"{leaks.shown(level)} predicted). What is predicted of one example is "
            "no bound."
        )


def fell_short(found: Sequence[Predicted], records: Sequence[Record]) -> Iterator[str]:
    """Says where attacks recovered clearly less than predicted with nothing hidden.

    Args:
      found: Predictions of a run.
      records: Of the same run.

    Yields:
      A sentence if the best attack on an example is below its prediction by more than
      `CLEAR_DB`: then a low number under a mask may come from the attacks.
    """
    levels, groups = _attacked(found, records)
    leaks = told.of(PICTURES, records)
    # With nothing hidden all metrics have the same mask.
    level: dict[int, float] = {}
    bare: list[AttackRecord] = []
    for place, group in groups.items():
        if place.asked == 0.0:
            level[place.example] = levels[place]
            bare += group
    below, count = [], 0
    for one in hindsight.by_measure(bare, leaks):
        reached = leaks.drawn(one.number(_PSNR))
        less = leaks.drawn(level[one.record.image_index]) - reached
        count += not math.isnan(less)
        if less > CLEAR_DB:
            below.append((less, one))
    if below:
        less, worst = max(below, key=lambda each: each[0])
        example = worst.record.image_index
        yield (
            f"With nothing hidden the attacks fell short of the prediction on {len(below)} "
            f"of {count} attacked examples, at most by {less:.1f} dB (example "
            f"{example}: {leaks.shown(worst.number(_PSNR))} by {worst.attack}, "
            f"{leaks.shown(level[example])} predicted). A better attack may recover "
            "more, under a mask too."
        )


def _attacked(
    found: Sequence[Predicted], records: Iterable[Record]
) -> tuple[dict[_Place, float], dict[_Place, list[AttackRecord]]]:
    """Predictions, and attacks on single examples of which there is one, by place."""
    levels = {_Place(one.metric, one.asked, one.example): one.psnr_db for one in found}
    groups: dict[_Place, list[AttackRecord]] = {}
    for record in records:
        if isinstance(record, AttackRecord) and record.target == "client":
            cell = record.cell
            place = _Place(cell.metric, cell.encryption_ratio, record.image_index)
            if record.batch_size == 1 and place in levels:
                groups.setdefault(place, []).append(record)
    return levels, groups
