"""What TensorBoard shows of reconstructed pictures, and of rows of tables."""

import pathlib
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from experiments.data.dataset import Dataset
from experiments.outputs import (
    files,
    reconstructions,
    records,
    tensorboard,
    text_tables,
    why,
)
from experiments.outputs import panels as panels_lib
from experiments.outputs.records import AttackRecord


def show(
    run_folder: pathlib.Path, dataset: Dataset, found: Sequence[AttackRecord]
) -> None:
    """Writes the originals beside what attackers made of them, if they are pictures."""
    shown = _examples(run_folder, dataset, found) if drawable(dataset) else ()
    tensorboard.write_reconstructions(run_folder, list(shown))


def texts(
    run_folder: pathlib.Path, dataset: Dataset, found: Sequence[AttackRecord]
) -> Mapping[str, str]:
    """Of attacked tables: the median error of each feature, in its own units."""
    del run_folder, dataset  # The records say all.
    groups: dict[tuple[str, ...], list[list[float]]] = {}
    for record in found:
        if "feature_errors" in record.details:
            cell = record.cell
            key = (
                record.percent,
                cell.metric,
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
    headings = (
        "hidden, %",
        "metric",
        "attack",
        *(f"feature {one}" for one in features),
    )
    table = text_tables.Table("", headings, lines)
    return {"errors by feature": text_tables.to_markdown(table)}


def drawable(dataset: Dataset) -> bool:
    """Whether examples are pictures that a screen can show, grey or in colour."""
    return dataset.examples.ndim == 4 and dataset.examples.shape[3] in (1, 3)


def _examples(
    run_folder: pathlib.Path, dataset: Dataset, found: Sequence[AttackRecord]
) -> Iterator[tensorboard.Example]:
    by_picture: dict[tuple[int, str], list[AttackRecord]] = {}
    for record in found:
        key = (record.image_index, record.target)
        by_picture.setdefault(key, []).append(record)
    for (row, target), of_picture in sorted(by_picture.items()):
        panels = [
            tensorboard.panel(record, image)
            for record in of_picture
            if (image := reconstructions.load(run_folder, record.key)) is not None
        ]
        reasons: dict[panels_lib.Place, str] = {
            (one.cell.encryption_ratio, one.cell.metric, one.attacker): (
                _why(one)
                if one.status != "ok"
                else reconstructions.why_none(run_folder, one.key)
            )
            for one in of_picture
            if one.status != "ok" or reconstructions.load(run_folder, one.key) is None
        }
        if not panels and not reasons:
            continue
        label = of_picture[0].label
        known = "" if label is None else f", label {label}"
        after = records.after(of_picture[0].weights_after_rounds)
        name = f"{dataset.name} {row}{known}{after}, {target}"
        yield tensorboard.Example(name, dataset.examples[row], panels, reasons)


def _why(record: AttackRecord) -> str:
    """Why an attack has no picture."""
    return f"{record.attack} {why.no_result(record.status, record.reason)}"
