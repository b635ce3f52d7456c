"""Every policy at every ratio as a trial of TensorBoard's HParams tab."""

import pathlib
from collections.abc import Sequence

from tensorboard.plugins.hparams import api as hparams_api

from experiments.outputs import figures, records
from experiments.outputs.statistic import Statistic
from experiments.outputs.summary import SummaryRow
from experiments.outputs.tensorboard import event_files

_METRICS = {
    "metrics/leakage_psnr_strongest_db": "leakage, strongest attacker (PSNR, dB)",
    "metrics/leakage_psnr_naive_db": "leakage, naive attacker (PSNR, dB)",
    "metrics/leakage_psnr_mask_aware_db": "leakage, mask-aware attacker (PSNR, dB)",
    "metrics/leakage_ssim": "leakage, strongest attacker (SSIM)",
    "metrics/leakage_success_25db": "leakage, strongest attacker (share >= 25 dB)",
    "metrics/leakage_identified": "leakage, strongest attacker (share identified, IIP)",
    "metrics/leakage_perceptual": (
        "leakage, strongest attacker (random-feature distance, not LPIPS; lower = more)"
    ),
    "metrics/relative_bytes": "bytes of a round, relative to plain",
    "metrics/relative_seconds": "time of a round, relative to plain",
    "metrics/accuracy": "test accuracy",
}


def write_hparams(run_folder: pathlib.Path, rows: Sequence[SummaryRow]) -> None:
    """Writes one HParams trial for each row.

    Args:
      run_folder: The folder of the run.
      rows: From `summary.summarise`.
    """
    root = run_folder / event_files.FOLDER_NAME / "cells"
    trials = _trials(rows)
    names = records.distinguishing_names(
        [settings_of(row) for row in rows], always=("policy", "encryption_ratio")
    )
    event_files.remove_stale(root, "trial", names)
    with event_files.fresh_default(event_files.report_folder(run_folder), "hparams"):
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
        with event_files.fresh_default(root / name, "trial"):
            hparams_api.hparams(trial, trial_id=f"{name} {run_folder.name}")
            for tag, value in zip(_METRICS, _metrics(row), strict=True):
                event_files.scalar(
                    tag, value, 0, f"{_METRICS[tag]}, one value for each trial."
                )


def settings_of(row: SummaryRow) -> dict[str, str | float | int]:
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


def _trials(rows: Sequence[SummaryRow]) -> list[dict[str, str | float | int]]:
    """What one compares trials by, also of several runs, and what else differs."""
    settings = [settings_of(row) for row in rows]
    keys = records.telling_keys(
        settings, ("policy", "encryption_ratio", "dataset", "model")
    )
    return [{key: setting[key] for key in keys} for setting in settings]


def _metrics(row: SummaryRow) -> tuple[float | None, ...]:
    """In the order of `_METRICS`."""

    def decibels(value: Statistic | None) -> float | None:
        return value and figures.drawable_db(value.median)

    return (
        decibels(row.psnr_strongest),
        decibels(row.psnr_naive),
        decibels(row.psnr_mask_aware),
        row.ssim_strongest and row.ssim_strongest.median,
        row.success_25db and row.success_25db.rate,
        row.identified and row.identified.rate,
        row.perceptual_strongest and row.perceptual_strongest.median,
        row.relative_bytes,
        row.relative_seconds,
        row.accuracy and row.accuracy.median,
    )
