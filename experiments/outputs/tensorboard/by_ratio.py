"""Leakage and overhead as curves over the encryption ratio."""

import pathlib
from collections.abc import Sequence

from experiments.outputs import figures, records
from experiments.outputs.statistic import Statistic
from experiments.outputs.summary import PLAIN_RELEASE, SummaryRow
from experiments.outputs.tensorboard import event_files, trials

_STEP_IS_RATIO = (
    "**The horizontal axis is the encryption ratio in per mille**: step 100 means that "
    "10 % of the entries are encrypted. Set *Smoothing* to 0 to see the true values. "
)


def write_by_ratio(run_folder: pathlib.Path, rows: Sequence[SummaryRow]) -> None:
    """Writes leakage and overhead as scalars over the encryption ratio.

    Args:
      run_folder: The folder of the run.
      rows: From `summary.summarise`.
    """
    root = run_folder / event_files.FOLDER_NAME / "by_ratio"
    # The plain training has one ratio and no leakage: no curve.
    rows = [row for row in rows if row.policy != PLAIN_RELEASE]
    settings = [trials.settings_of(row) for row in rows]
    for setting in settings:
        del setting["encryption_ratio"]
    curves: dict[str, list[SummaryRow]] = {}
    names = records.distinguishing_names(settings, always=("policy",))
    for name, row in zip(names, rows, strict=True):
        curves.setdefault(name, []).append(row)
    # One ratio makes no curve, and TensorBoard unchecks everything beyond 40 runs.
    curves = {name: group for name, group in curves.items() if len(group) > 1}
    attackers = ("naive", "mask_aware", "strongest")
    event_files.remove_stale(
        root, "scalars", {f"{n}/{a}" for n in curves for a in attackers}
    )
    for name, of_curve in curves.items():
        ordered = sorted(of_curve, key=lambda row: row.encryption_ratio)
        for attacker in attackers:
            with event_files.fresh_default(
                root / name / attacker, "scalars", forget=True
            ):
                for row in ordered:
                    _write_leakage(row, attacker)
                    if attacker == "strongest":
                        _write_strongest(row)
                        _write_overhead(row)


def _write_leakage(row: SummaryRow, attacker: str) -> None:
    value: Statistic | None = getattr(row, f"psnr_{attacker}")
    event_files.scalar(
        "by_ratio/leakage_psnr",
        value and figures.drawable_db(value.median),
        _step(row),
        f"{_STEP_IS_RATIO}Median PSNR in dB of what the attacker reconstructs; higher ="
        " more leaked; exact reconstructions are drawn at "
        f"{figures.PSNR_CEILING_DB:g} dB. `naive` takes hidden entries for zeros, "
        "`mask_aware` knows the mask, `strongest` is the best of all on each example.",
    )


def _write_strongest(row: SummaryRow) -> None:
    """What is measured of the strongest attacker's pictures alone."""
    event_files.scalar(
        "by_ratio/success_25db",
        row.success_25db and row.success_25db.rate,
        _step(row),
        f"{_STEP_IS_RATIO}Share of examples, 0 to 1, that the strongest attacker "
        "recovers with a PSNR of at least 25 dB; diverged attacks are failures.",
    )
    event_files.scalar(
        "by_ratio/identified",
        row.identified and row.identified.rate,
        _step(row),
        f"{_STEP_IS_RATIO}Identifiability precision (IIP): share of examples, 0 to 1, "
        "whose strongest reconstruction is nearer in pixels to its original than to "
        "any other picture of the data set, or of 2,000 of it.",
    )
    event_files.scalar(
        "by_ratio/perceptual_distance",
        row.perceptual_strongest and row.perceptual_strongest.median,
        _step(row),
        f"{_STEP_IS_RATIO}Median distance of the strongest reconstruction to the "
        "original in a fixed network with random weights; lower = more leaked, 0 = "
        "equal. This is **not LPIPS**: nothing in it was trained.",
    )


def _write_overhead(row: SummaryRow) -> None:
    event_files.scalar(
        "by_ratio/overhead_bytes",
        row.relative_bytes,
        _step(row),
        f"{_STEP_IS_RATIO}Bytes of a round, both directions, relative to the round "
        "without encryption (1 = no overhead).",
    )
    event_files.scalar(
        "by_ratio/overhead_seconds",
        row.relative_seconds,
        _step(row),
        f"{_STEP_IS_RATIO}Seconds of a round relative to the round without encryption "
        "(1 = no overhead).",
    )


def _step(row: SummaryRow) -> int:
    return round(1000 * row.encryption_ratio)
