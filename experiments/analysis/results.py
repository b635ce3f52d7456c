"""What is known of one gradient, and its record."""

import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from experiments.outputs import files
from selenc_tf.distance.predict import Prediction

FILE_NAME = "analysis.jsonl"

IDENTIFIABILITY, PSNR = CRITERIA = ("identifiability", "psnr")


class Row(NamedTuple):
    """The prediction for one metric and ratio.

    Attributes:
      metric: What chose the hidden entries.
      asked_ratio: The flag's ratio; `prediction.encryption_ratio` is m / n.
      prediction: The numbers.
    """

    metric: str
    asked_ratio: float
    prediction: Prediction


class Threshold(NamedTuple):
    """From where on a criterion holds for a metric's masks.

    Attributes:
      metric: What chose the hidden entries.
      criterion: "identifiability" (a direction is lost) or "psnr" (the bound is below
        `--psnr_threshold_db`).
      low: The largest tried ratio that does not protect.
      high: The smallest tried ratio that does; +inf if none does.
    """

    metric: str
    criterion: str
    low: float
    high: float


class Analysed(NamedTuple):
    """What is known of one gradient.

    Attributes:
      pictures: Indices in the data set.
      rows: One for each metric and ratio.
      thresholds: One for each metric and criterion.
      seconds: What it took.
    """

    pictures: tuple[int, ...]
    rows: tuple[Row, ...]
    thresholds: tuple[Threshold, ...]
    seconds: float


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
    """Undoes `to_record`.

    Raises:
      ValueError: If a prediction lacks a number, as in a file of another version.
    """
    missing = {
        name for row in record["rows"] for name in Prediction._fields if name not in row
    }
    if missing:
        raise ValueError(
            f"An analysed gradient lacks {sorted(missing)}: another version of selenc-tf, "
            "whose bound is another one, wrote it. Start a new analysis with another "
            "`--run_name`."
        )
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
    return tuple(from_record(record) for record in files.read_lines(folder / FILE_NAME))
