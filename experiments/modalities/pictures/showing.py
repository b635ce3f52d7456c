"""What TensorBoard shows of reconstructed pictures, and of rows of tables."""

import pathlib
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from experiments.data.dataset import Dataset
from experiments.outputs import (
    files,
    hindsight,
    reconstructions,
    records,
    tensorboard,
    text_tables,
    told,
    tries,
    why,
)
from experiments.outputs import panels as panels_lib
from experiments.outputs.pictures.leaks import PICTURES
from experiments.outputs.records import AttackRecord
from experiments.outputs.table import Table

_MOST_COLUMNS = 20
"""Of a row that is shown."""


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


def tables(
    run_folder: pathlib.Path, dataset: Dataset, found: Sequence[AttackRecord]
) -> list[Table]:
    """Of a table one row: its true values beside what was recovered of it.

    Args:
      run_folder: The folder of the run.
      dataset: Of the run.
      found: The records of its attacks.

    Returns:
      One table, columns of the data down, the shares hidden by the first metric across:
      of each the best attack on that row in hindsight. None where nothing was recovered,
      or the examples are no rows.
    """
    kept = [
        (one, values)
        for one in found
        if len(dataset.example_shape) == 1 and one.target == "client"
        if (values := reconstructions.load(run_folder, one.key)) is not None
    ]
    if not kept:
        return []
    first = kept[0][0]
    places: dict[float, list[tuple[AttackRecord, np.ndarray]]] = {}
    for one, values in kept:
        if (one.image_index, one.cell.metric, one.cell.seed) == (
            first.image_index,
            first.cell.metric,
            first.cell.seed,
        ):
            places.setdefault(one.hidden_share, []).append((one, values))
    leaks = told.of(PICTURES, [first])
    best = [
        max(
            places[share],
            key=lambda pair: hindsight.order(next(tries.of(pair[0])), leaks),
        )
        for share in sorted(places)
    ]
    units = dataset.value_range
    columns = [
        _numbers(units.from_unit(values))
        for values in (dataset.examples[first.image_index], *(each for _, each in best))
    ]
    names = dataset.feature_names or [
        f"column {at + 1}" for at in range(len(columns[0]))
    ]
    left = len(names) - _MOST_COLUMNS
    more = f"; {left} more columns in the files of {reconstructions.FOLDER_NAME}/"
    title = (
        f"One row, {dataset.name} {first.image_index}, hidden by {first.cell.metric}: its "
        "true values and what the best attack on it recovered, in hindsight"
        f"{more if left > 0 else ''}"
    )
    headings = (
        "Column",
        "True",
        *(f"{one.percent} % hidden,\n{one.attack} {one.attacker}" for one, _ in best),
    )
    lines = list(zip(names, *columns, strict=True))[:_MOST_COLUMNS]
    return [Table(title, headings, lines)]


def _numbers(values: np.ndarray) -> list[str]:
    return [f"{value:.4g}" for value in values]


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
