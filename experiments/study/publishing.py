"""From the records of a run to what people look at: TensorBoard, CSV and a table."""

import pathlib
from collections.abc import Sequence
from typing import NamedTuple, TextIO

import numpy as np

from experiments.data.dataset import Dataset
from experiments.outputs import (
    files,
    reconstructions,
    records,
    results,
    tables,
    tensorboard,
    text_tables,
)
from experiments.outputs import (
    panels as panels_lib,
)
from experiments.outputs import (
    summary as summary_lib,
)
from experiments.outputs.records import AttackRecord, RoundRecord

_THREAT_MODEL = """
The server is honest but curious. It sees the weights that it sends, the public mask,
every client's visible entries and ciphertexts, and what is published; it never has the
secret key. Clients do not collude with it.

* **Attack on a client**: one client's message in a `server_blind` round. Nothing but
  that message says anything about the client.
* **Attack on the aggregate**: the published average of a `reveal_aggregate` round. It is
  published whatever was encrypted on the way.
* **Attack on a cohort**: all messages of a `reveal_aggregate` round and the published
  average, together.
* **naive** takes hidden entries for zeros, as most published evaluations do;
  **mask-aware** compares only what it sees. The stronger of the two counts.
"""


class Notes(NamedTuple):
    """What all results of a run have in common, in words.

    Attributes:
      masks: Its masks.
      weights: Which weights were attacked; "" for the first ones.
    """

    masks: str
    weights: str = ""


def everything(run_folder: pathlib.Path, dataset: Dataset, notes: Notes) -> None:
    """Writes `summary.csv`, the figures and the TensorBoard files anew.

    Args:
      run_folder: The folder of the run.
      dataset: In which the records index pictures.
      notes: What its results have in common.
    """
    found = results.load(run_folder)
    rows = summary_lib.summarise(found)
    csv = tables.to_csv(rows).encode()
    files.write_atomically(run_folder / tables.FILE_NAME, csv)
    rounds = [record for record in found if isinstance(record, RoundRecord)]
    names = records.cell_names(record.cell for record in rounds)
    tensorboard.remove_other_rounds(run_folder, tuple(names.values()))
    for cell, name in names.items():
        past = [record for record in rounds if record.cell == cell]
        with tensorboard.RoundWriter(run_folder, name, cell, past):
            pass
    tensorboard.write_by_ratio(run_folder, rows)
    tensorboard.write_hparams(run_folder, rows)
    tensorboard.write_tradeoffs(run_folder, rows)
    tensorboard.write_reconstructions(run_folder, _examples(run_folder, dataset, found))
    tensorboard.write_texts(
        run_folder,
        {
            "data": f"{dataset.note}\n\nSource: {dataset.source}. Licence: "
            f"{dataset.licence}. {dataset.citation}",
            "masks": notes.masks,
            **({"weights": notes.weights} if notes.weights else {}),
            "threat model": _THREAT_MODEL,
            **_feature_errors(found),
            **_without_result(rows),
        },
    )


def summary(
    run_folder: pathlib.Path, dataset: Dataset, notes: Notes, stream: TextIO
) -> None:
    """Prints the table of the run and where to look further.

    Args:
      run_folder: The folder of the run.
      dataset: Whose note goes under the table.
      notes: What its results have in common.
      stream: Where to.
    """
    rows = summary_lib.summarise(results.load(run_folder))
    tables.print_tables(rows, stream)
    said = [note for note in notes if note]
    print(
        "\n" + "\n".join(said) + f"\nData: {dataset.note}\nLook at the "
        f"{'pictures and ' if drawable(dataset) else ''}curves: "
        f"tensorboard --logdir {run_folder}",
        file=stream,
        flush=True,
    )


def _feature_errors(found: Sequence[records.Record]) -> dict[str, str]:
    """Of attacked tables: the median error of each feature, in its own units."""
    groups: dict[tuple[str, ...], list[list[float]]] = {}
    for record in found:
        if isinstance(record, AttackRecord) and "feature_errors" in record.details:
            cell = record.cell
            key = (
                f"{cell.encryption_ratio:g}",
                cell.policy,
                f"{record.attack} {record.attacker}",
            )
            errors = [
                float(files.number_from_json(one))
                for one in record.details["feature_errors"]
            ]
            groups.setdefault(key, []).append(errors)
    if not groups:
        return {}
    features = range(max(len(each[0]) for each in groups.values()))
    lines = [
        (*key, *(f"{error:.3g}" for error in np.median(errors, axis=0)))
        for key, errors in sorted(groups.items())
    ]
    headings = ("ratio", "policy", "attack", *(f"feature {one}" for one in features))
    table = text_tables.Table("", headings, lines)
    return {"errors by feature": text_tables.to_markdown(table)}


def drawable(dataset: Dataset) -> bool:
    """Whether examples are pictures that a screen can show, grey or in colour."""
    return dataset.images.ndim == 4 and dataset.images.shape[3] in (1, 3)


def _examples(
    run_folder: pathlib.Path, dataset: Dataset, found: tuple[records.Record, ...]
) -> list[tensorboard.Example]:
    by_picture: dict[tuple[int, str], list[AttackRecord]] = {}
    for record in found:
        if isinstance(record, AttackRecord):
            key = (record.image_index, record.target)
            by_picture.setdefault(key, []).append(record)
    examples: list[tensorboard.Example] = []
    if not drawable(dataset):
        return examples
    for (row, target), of_picture in sorted(by_picture.items()):
        panels = [
            tensorboard.panel(record, image)
            for record in of_picture
            if (image := reconstructions.load(run_folder, record.key)) is not None
        ]
        reasons: dict[panels_lib.Place, str] = {
            (one.cell.encryption_ratio, one.cell.policy, one.attacker): _why(one)
            for one in of_picture
            if one.status != "ok"
        }
        if not panels and not reasons:
            continue
        label = of_picture[0].label
        known = "" if label is None else f", label {label}"
        after = records.after(of_picture[0].weights_after_rounds)
        name = f"{dataset.name} {row}{known}{after}, {target}"
        examples.append(tensorboard.Example(name, dataset.images[row], panels, reasons))
    return examples


def _why(record: AttackRecord) -> str:
    """Why an attack has no picture."""
    return f"{record.attack} {record.status.replace('_', ' ')}: {record.reason}"


def _without_result(rows: Sequence[summary_lib.SummaryRow]) -> dict[str, str]:
    """Of every cell: which attacks have no picture and no number, and why."""
    lines = [
        (
            row.context.title,
            row.policy,
            f"{row.encryption_ratio:g}",
            row.leakage.strongest or "none",
            reason,
        )
        for row in rows
        for reason in row.leakage.without_result
    ]
    headings = ("what", "policy", "ratio", "strongest with a result", "no result")
    table = text_tables.Table("", headings, lines)
    return {"attacks without a result": text_tables.to_markdown(table)} if lines else {}
