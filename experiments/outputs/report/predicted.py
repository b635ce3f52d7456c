"""Predictions of single examples, and which of them an attack went past."""

import json
import math
import pathlib
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from experiments.outputs import files, hindsight
from experiments.outputs.pictures import decibels
from experiments.outputs.records import AttackRecord, Record

FILE_NAME = "predicted.json"

TOLERANCE_DB = 1.0
"""How far an attack must be above a prediction to be past it."""

_PSNR = "psnr_db"


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


def save(run_folder: pathlib.Path, found: Sequence[Predicted]) -> None:
    """Keeps the predictions of the gradients of single examples in a run's folder."""
    if found:
        content = [one._asdict() for one in found]
        path = run_folder / FILE_NAME
        files.write_atomically(path, files.to_json(content).encode())


def load(run_folder: pathlib.Path) -> list[Predicted]:
    """Reads them; none if the run has no such file."""
    path = run_folder / FILE_NAME
    if not path.exists():
        return []
    return [
        Predicted(**{**one, "psnr_db": files.number_from_json(one["psnr_db"])})
        for one in json.loads(path.read_bytes())
    ]


def passed(found: Sequence[Predicted], records: Iterable[Record]) -> Iterator[str]:
    """Says which predictions were too low, if any.

    Args:
      found: Predictions of a run.
      records: Of the same run.

    Yields:
      A sentence if the best attack on an example is above its prediction by more than
      `TOLERANCE_DB`. What is exact on both sides is equal.
    """
    levels = {(one.metric, one.asked, one.example): one.psnr_db for one in found}
    groups: dict[tuple[str, float, int], list[AttackRecord]] = {}
    for record in records:
        if isinstance(record, AttackRecord) and record.target == "client":
            cell = record.cell
            place = (cell.metric, cell.encryption_ratio, record.image_index)
            if record.batch_size == 1 and place in levels:
                groups.setdefault(place, []).append(record)
    above = []
    for place, group in groups.items():
        for best in hindsight.of_examples(group, _PSNR):
            reached = decibels.drawable(best.number(_PSNR))
            more = reached - decibels.drawable(levels[place])
            if not math.isnan(more) and more > TOLERANCE_DB:
                above.append((more, place, best))
    if above:
        more, (metric, asked, example), best = max(above, key=lambda one: one[0])
        level = levels[metric, asked, example]
        yield (
            f"Past the prediction: {len(above)} of {len(groups)} attacked examples and "
            f"masks were recovered better than predicted, at most by {more:.1f} dB "
            f"(example {example}, {metric} at {100 * asked:g} %: "
            f"{decibels.in_words(best.number(_PSNR))} by {best.attack}, "
            f"{decibels.in_words(level)} predicted). What is predicted of one example is "
            "no bound."
        )
