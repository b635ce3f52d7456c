"""Every metric at every ratio as a trial of TensorBoard's HParams tab."""

import pathlib
from collections.abc import Sequence

from tensorboard.plugins.hparams import api as hparams_api

from experiments.outputs import measures, records
from experiments.outputs.leaks import Leaks
from experiments.outputs.pictures.leaks import PICTURES
from experiments.outputs.summary import SummaryRow
from experiments.outputs.tensorboard import event_files


def write_hparams(
    run_folder: pathlib.Path, rows: Sequence[SummaryRow], leaks: Leaks = PICTURES
) -> None:
    """Writes one HParams trial for each row.

    Args:
      run_folder: The folder of the run.
      rows: From `summary.summarise`.
      leaks: What is measured.
    """
    root = run_folder / event_files.FOLDER_NAME / "cells"
    trials, shown = _trials(rows), measures.of(leaks)
    names = records.distinguishing_names(
        [settings_of(row) for row in rows], always=("metric", "encryption_ratio")
    )
    event_files.remove_stale(root, "trial", names)
    with event_files.fresh_default(event_files.report_folder(run_folder), "hparams"):
        hparams_api.hparams_config(
            hparams=[
                hparams_api.HParam(name) for name in (trials[0] if trials else ())
            ],
            metrics=[
                hparams_api.Metric(f"metrics/{one.metric}", display_name=one.title)
                for one in shown
            ],
        )
    for name, trial, row in zip(names, trials, rows, strict=True):
        with event_files.fresh_default(root / name, "trial"):
            hparams_api.hparams(trial, trial_id=f"{name} {run_folder.name}")
            for one in shown:
                event_files.scalar(
                    f"metrics/{one.metric}",
                    one.value(row),
                    0,
                    f"{one.title}, one value for each trial.",
                )


def settings_of(row: SummaryRow) -> dict[str, str | float | int]:
    """What sets rows apart, the most telling first."""
    return {
        "metric": row.metric,
        "encryption_ratio": row.encryption_ratio,
        "target": row.context.target,
        "dataset": row.context.dataset,
        "model": row.context.model,
        "agreement": row.agreement,
        "release": row.context.release,
        "num_clients": row.context.num_clients,
        "batch_size": row.context.batch_size,
        "weights_after_rounds": row.context.weights_after_rounds,
    }


def _trials(rows: Sequence[SummaryRow]) -> list[dict[str, str | float | int]]:
    """What one compares trials by, also of several runs, and what else differs."""
    settings = [settings_of(row) for row in rows]
    keys = records.telling_keys(
        settings,
        ("metric", "encryption_ratio", "dataset", "model", "weights_after_rounds"),
    )
    trials = [{key: setting[key] for key in keys} for setting in settings]
    if any(row.leakage.without_result for row in rows):
        # A trial has numbers, or says here why it has none.
        for trial, row in zip(trials, rows, strict=True):
            trial["without_result"] = "; ".join(row.leakage.without_result)
    return trials
