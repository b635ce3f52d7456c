"""TensorBoard event files, derived from the records of a run.

```
tb/cells/<cell>/                    scalars by round, and an HParams trial
tb/by_ratio/<policy>/<attacker>/    scalars by encryption ratio
tb/report/                          pictures, figures and texts
```

To TensorBoard a folder is a "run" with one colour. It shows the path as the run's name
in a narrow column, and begins with all runs switched off once there are more than 40:
hence few folders, and names that hold only what differs.

Every writer starts its own event files anew and writes all that the records hold, so a
run that is resumed shows each point once, also in a TensorBoard that is already open.
"""

import contextlib
import math
import pathlib
import time
import types
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorboard.plugins.hparams import api as hparams_api

from experiments.outputs import figures, records
from experiments.outputs.records import AttackRecord, Cell, Record, RoundRecord
from experiments.outputs.statistic import Statistic
from experiments.outputs.summary import PLAIN_RELEASE, SummaryRow

FOLDER_NAME = "tb"

_STEP_IS_RATIO = (
    "**The horizontal axis is the encryption ratio in per mille**: step 100 means that "
    "10 % of the entries are encrypted. Set *Smoothing* to 0 to see the true values. "
)
_METRICS = {
    "metrics/leakage_psnr_strongest_db": "leakage, strongest attacker (PSNR, dB)",
    "metrics/leakage_psnr_naive_db": "leakage, naive attacker (PSNR, dB)",
    "metrics/leakage_psnr_mask_aware_db": "leakage, mask-aware attacker (PSNR, dB)",
    "metrics/leakage_ssim": "leakage, strongest attacker (SSIM)",
    "metrics/relative_bytes": "bytes of a round, relative to plain",
    "metrics/relative_seconds": "time of a round, relative to plain",
    "metrics/accuracy": "test accuracy",
}


class Example(NamedTuple):
    """One attacked example with all that was made of it.

    Attributes:
      name: Says which example it is, for example "mnist-5k image 17, label 3".
      original: [h, w, c] in [0, 1].
      panels: The reconstructions.
    """

    name: str
    original: NDArray[np.floating]
    panels: Sequence[figures.Panel]


class RoundWriter(contextlib.AbstractContextManager["RoundWriter"]):
    """Writes the curves of one cell while it trains."""

    def __init__(
        self,
        run_folder: pathlib.Path,
        name: str,
        cell: Cell,
        past: Iterable[Record] = (),
    ) -> None:
        """Starts the curves, with the rounds that are already on record.

        Args:
          run_folder: The folder of the run.
          name: Of the curves: one of `records.cell_names`.
          cell: The point of the grid that is trained.
          past: Records of the run; attacks and other cells are skipped.
        """
        folder = run_folder / FOLDER_NAME / "cells" / name
        self._writer = _fresh_writer(folder, "rounds", forget=True)
        mine = [
            record
            for record in past
            if isinstance(record, RoundRecord) and record.cell == cell
        ]
        for record in sorted(mine, key=lambda record: record.round):
            self.write(record)

    def write(self, record: RoundRecord) -> None:
        """Adds one round.

        Args:
          record: Of this cell, with a higher round than those before.
        """
        values = {
            "round/loss": record.loss,
            "round/accuracy": record.accuracy,
            "round/seconds": record.round_seconds,
            "round/client_to_server_bytes": record.client_to_server_bytes,
            "round/server_to_client_bytes": record.server_to_client_bytes,
            "round/ciphertext_bytes": record.ciphertext_bytes,
        }
        with self._writer.as_default():
            for tag, value in values.items():
                _scalar(tag, value, record.round, "The horizontal axis is the round.")
        self._writer.flush()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: types.TracebackType | None,
    ) -> None:
        """Closes the event file."""
        self._writer.close()


def remove_other_rounds(run_folder: pathlib.Path, names: Collection[str]) -> None:
    """Removes the curves of rounds that an earlier session wrote under other names.

    Args:
      run_folder: The folder of the run.
      names: The names of all cells that have rounds.
    """
    _remove_stale(run_folder / FOLDER_NAME / "cells", "rounds", names)


def write_by_ratio(run_folder: pathlib.Path, rows: Sequence[SummaryRow]) -> None:
    """Writes leakage and overhead as scalars over the encryption ratio.

    Args:
      run_folder: The folder of the run.
      rows: From `summary.summarise`.
    """
    root = run_folder / FOLDER_NAME / "by_ratio"
    # The plain training has one ratio and no leakage: no curve.
    rows = [row for row in rows if row.policy != PLAIN_RELEASE]
    settings = [_settings(row) for row in rows]
    for setting in settings:
        del setting["encryption_ratio"]
    curves: dict[str, list[SummaryRow]] = {}
    names = records.distinguishing_names(settings, always=("policy",))
    for name, row in zip(names, rows, strict=True):
        curves.setdefault(name, []).append(row)
    # One ratio makes no curve, and TensorBoard unchecks everything beyond 40 runs.
    curves = {name: group for name, group in curves.items() if len(group) > 1}
    attackers = ("naive", "mask_aware", "strongest")
    _remove_stale(root, "scalars", {f"{n}/{a}" for n in curves for a in attackers})
    for name, of_curve in curves.items():
        ordered = sorted(of_curve, key=lambda row: row.encryption_ratio)
        for attacker in attackers:
            with _fresh_default(root / name / attacker, "scalars", forget=True):
                for row in ordered:
                    _write_leakage(row, attacker)
                    if attacker == "strongest":
                        _write_overhead(row)


def write_hparams(run_folder: pathlib.Path, rows: Sequence[SummaryRow]) -> None:
    """Writes one HParams trial for each row.

    Args:
      run_folder: The folder of the run.
      rows: From `summary.summarise`.
    """
    root = run_folder / FOLDER_NAME / "cells"
    trials = _trials(rows)
    names = records.distinguishing_names(
        [_settings(row) for row in rows], always=("policy", "encryption_ratio")
    )
    _remove_stale(root, "trial", names)
    with _fresh_default(_report(run_folder), "hparams"):
        hparams_api.hparams_config(
            hparams=[
                hparams_api.HParam(name) for name in (trials[0] if trials else ())
            ],
            metrics=[
                hparams_api.Metric(tag, display_name=text)
                for tag, text in _METRICS.items()
            ],
        )
    for name, trial, row in zip(names, trials, rows, strict=True):
        with _fresh_default(root / name, "trial"):
            hparams_api.hparams(trial, trial_id=f"{name} {run_folder.name}")
            for tag, value in zip(_METRICS, _metrics(row), strict=True):
                _scalar(tag, value, 0, f"{_METRICS[tag]}, one value for each trial.")


def write_reconstructions(
    run_folder: pathlib.Path, examples: Sequence[Example]
) -> None:
    """Writes one picture for each example; also as PNG into `figures/`.

    Args:
      run_folder: The folder of the run.
      examples: All examples of the run that are to be shown.
    """
    with _fresh_default(_report(run_folder), "reconstructions"):
        for example in examples:
            png = figures.to_png(
                figures.reconstruction_figure(
                    example.name, example.original, example.panels
                )
            )
            figures.save_png(run_folder, f"reconstruction_{example.name}", png)
            tf.summary.image(
                f"reconstructions/{example.name}",
                _decoded(png),
                step=0,
                description="The original beside what the attackers made of it. "
                "Pixels are enlarged, not smoothed.",
            )


def write_tradeoffs(run_folder: pathlib.Path, rows: Sequence[SummaryRow]) -> None:
    """Draws leakage against overhead for each context; also as PNG into `figures/`.

    Args:
      run_folder: The folder of the run.
      rows: From `summary.summarise`.
    """
    attacked = [row.context for row in rows if row.psnr_strongest is not None]
    # One point is no trade-off; the table has it.
    contexts = [
        context for context in dict.fromkeys(attacked) if attacked.count(context) > 1
    ]
    with _fresh_default(_report(run_folder), "figures"):
        for context in contexts:
            png = figures.to_png(figures.tradeoff_figure(context, rows))
            figures.save_png(run_folder, f"leakage_vs_overhead_{context.title}", png)
            tf.summary.image(
                f"leakage_vs_overhead/{context.title}",
                _decoded(png),
                step=0,
                description="Solid: the strongest attacker. Dashed: the naive one. The "
                "numbers at the points are encryption ratios.",
            )


def write_texts(run_folder: pathlib.Path, texts: Mapping[str, str]) -> None:
    """Writes notes, such as which data was used and what the attacker may know.

    Args:
      run_folder: The folder of the run.
      texts: Markdown by title.
    """
    with _fresh_default(_report(run_folder), "texts"):
        for title, text in texts.items():
            tf.summary.text(title, text, step=0)


def panel(record: AttackRecord, image: NDArray[np.floating]) -> figures.Panel:
    """The panel of a record.

    Args:
      record: The record.
      image: Its reconstruction, [h, w, c].

    Returns:
      What `Example.panels` holds.
    """
    return figures.Panel(
        record.cell.encryption_ratio,
        record.cell.policy,
        record.attacker,
        image,
        record.psnr_db,
    )


@contextlib.contextmanager
def _fresh_default(
    folder: pathlib.Path, part: str, forget: bool = False
) -> Iterator[None]:
    """Summaries of the body go into event files that are started anew."""
    writer = _fresh_writer(folder, part, forget)
    try:
        with writer.as_default():
            yield
    finally:
        writer.close()


def _report(run_folder: pathlib.Path) -> pathlib.Path:
    return run_folder / FOLDER_NAME / "report"


def _remove_stale(root: pathlib.Path, part: str, kept: Collection[str]) -> None:
    """Removes a part's event files of an earlier session from folders not `kept`."""
    for path in root.rglob(f"events.out.tfevents.*.{part}"):
        if path.parent.relative_to(root).as_posix() not in kept:
            path.unlink()


def _write_leakage(row: SummaryRow, attacker: str) -> None:
    value: Statistic | None = getattr(row, f"psnr_{attacker}")
    _scalar(
        "by_ratio/leakage_psnr",
        value and figures.drawable_db(value.median),
        _step(row),
        f"{_STEP_IS_RATIO}Median PSNR in dB of what the attacker reconstructs; higher ="
        " more leaked; exact reconstructions are drawn at "
        f"{figures.PSNR_CEILING_DB:g} dB. `naive` takes hidden entries for zeros, "
        "`mask_aware` knows the mask, `strongest` is the best of all on each example.",
    )


def _write_overhead(row: SummaryRow) -> None:
    _scalar(
        "by_ratio/overhead_bytes",
        row.relative_bytes,
        _step(row),
        f"{_STEP_IS_RATIO}Bytes of a round, both directions, relative to the round "
        "without encryption (1 = no overhead).",
    )
    _scalar(
        "by_ratio/overhead_seconds",
        row.relative_seconds,
        _step(row),
        f"{_STEP_IS_RATIO}Seconds of a round relative to the round without encryption "
        "(1 = no overhead).",
    )


def _fresh_writer(
    folder: pathlib.Path, part: str, forget: bool
) -> tf.summary.SummaryWriter:
    """A writer whose own event files of earlier sessions are gone.

    Args:
      folder: Where to; created if need be.
      part: Ending of the file names, which tells the files of several writers apart.
      forget: Whether a TensorBoard that is already open shall forget the folder's old
        points, of all its parts, which it keeps in memory. This takes an event "session
        starts at step 0" in a file whose name sorts after the old files and before
        the new one, as TensorBoard reads them in that order.

    Returns:
      The writer.
    """
    folder.mkdir(parents=True, exist_ok=True)
    old = list(folder.glob(f"events.out.tfevents.*.{part}"))
    for path in old:
        path.unlink()
    if old and forget:
        now = time.time()
        log = tf.compat.v1.SessionLog(status=tf.compat.v1.SessionLog.START)
        start = tf.compat.v1.Event(wall_time=now, step=0, session_log=log)
        version = tf.compat.v1.Event(wall_time=now, file_version="brain.Event:2")
        # TensorBoard takes the first start of a folder for its beginning and forgets
        # at the second: two make sure.
        events = (version, start, start)
        name = f"events.out.tfevents.{int(now):010d}.!start.{part}"
        with tf.io.TFRecordWriter(str(folder / name)) as file:
            for event in events:
                file.write(event.SerializeToString())
    return tf.summary.create_file_writer(str(folder), filename_suffix=f".{part}")


def _scalar(tag: str, value: float | None, step: int, description: str) -> None:
    if value is not None and math.isfinite(value):
        tf.summary.scalar(tag, float(value), step=step, description=description)


def _step(row: SummaryRow) -> int:
    return round(1000 * row.encryption_ratio)


def _decoded(png: bytes) -> tf.Tensor:
    """A picture as uint8 [1, h, w, 3]."""
    return tf.image.decode_png(png, channels=3)[tf.newaxis]


def _trials(rows: Sequence[SummaryRow]) -> list[dict[str, str | float | int]]:
    """What one compares trials by, also of several runs, and what else differs."""
    settings = [_settings(row) for row in rows]
    keys = records.telling_keys(
        settings, ("policy", "encryption_ratio", "dataset", "model")
    )
    return [{key: setting[key] for key in keys} for setting in settings]


def _settings(row: SummaryRow) -> dict[str, str | float | int]:
    """What sets rows apart, the most telling first."""
    return {
        "policy": row.policy,
        "encryption_ratio": row.encryption_ratio,
        "target": row.context.target,
        "dataset": row.context.dataset,
        "model": row.context.model,
        "agreement": row.agreement,
        "release": row.context.release,
        "num_clients": row.context.num_clients,
        "batch_size": row.context.batch_size,
    }


def _metrics(row: SummaryRow) -> tuple[float | None, ...]:
    """In the order of `_METRICS`."""

    def decibels(value: Statistic | None) -> float | None:
        return value and figures.drawable_db(value.median)

    return (
        decibels(row.psnr_strongest),
        decibels(row.psnr_naive),
        decibels(row.psnr_mask_aware),
        row.ssim_strongest and row.ssim_strongest.median,
        row.relative_bytes,
        row.relative_seconds,
        row.accuracy and row.accuracy.median,
    )
