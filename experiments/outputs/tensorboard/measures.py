"""The numbers of a summary row that TensorBoard shows, each stated once."""

from collections.abc import Callable
from typing import NamedTuple

from experiments.outputs.statistic import Statistic
from experiments.outputs.style import PSNR_CEILING_DB, drawable_db
from experiments.outputs.summary import SummaryRow

STRONGEST = "strongest"

_PSNR = (
    "Median PSNR in dB of what the attacker reconstructs; higher = more leaked; exact "
    f"reconstructions are drawn at {PSNR_CEILING_DB:g} dB. `naive` takes hidden entries "
    "for zeros, `mask_aware` knows the mask, `strongest` is the best of all on each "
    "example."
)


class Measure(NamedTuple):
    """One number of a row.

    Attributes:
      metric: Its tag in the HParams tab, after "metrics/".
      title: Its name there.
      value: Of a row; None where it was not measured.
      curve: The tag of its curve over the ratio, after "by_ratio/"; "" for none.
      description: What the curve shows.
      attacker: The folder that the curve is in.
    """

    metric: str
    title: str
    value: Callable[[SummaryRow], float | None]
    curve: str = ""
    description: str = ""
    attacker: str = STRONGEST


def _decibels(value: Statistic | None) -> float | None:
    return value and drawable_db(value.median)


MEASURES = (
    Measure(
        "leakage_psnr_strongest_db",
        "leakage, strongest attacker (PSNR, dB)",
        lambda row: _decibels(row.leakage.psnr_strongest),
        "leakage_psnr",
        _PSNR,
    ),
    Measure(
        "leakage_psnr_naive_db",
        "leakage, naive attacker (PSNR, dB)",
        lambda row: _decibels(row.leakage.psnr_naive),
        "leakage_psnr",
        _PSNR,
        "naive",
    ),
    Measure(
        "leakage_psnr_mask_aware_db",
        "leakage, mask-aware attacker (PSNR, dB)",
        lambda row: _decibels(row.leakage.psnr_mask_aware),
        "leakage_psnr",
        _PSNR,
        "mask_aware",
    ),
    Measure(
        "leakage_ssim",
        "leakage, strongest attacker (SSIM)",
        lambda row: row.leakage.ssim_strongest and row.leakage.ssim_strongest.median,
    ),
    Measure(
        "leakage_success_25db",
        "leakage, strongest attacker (share >= 25 dB)",
        lambda row: row.leakage.success_25db and row.leakage.success_25db.rate,
        "success_25db",
        "Share of examples, 0 to 1, that the strongest attacker recovers with a PSNR of "
        "at least 25 dB; diverged attacks are failures.",
    ),
    Measure(
        "leakage_identified",
        "leakage, strongest attacker (share identified, IIP)",
        lambda row: row.leakage.identified and row.leakage.identified.rate,
        "identified",
        "Identifiability precision (IIP): share of examples, 0 to 1, whose strongest "
        "reconstruction is nearer in pixels to its original than to any other picture "
        "of the data set, or of 2,000 of it.",
    ),
    Measure(
        "leakage_perceptual",
        "leakage, strongest attacker (random-feature distance, not LPIPS; lower = more)",
        lambda row: (
            row.leakage.perceptual_strongest and row.leakage.perceptual_strongest.median
        ),
        "perceptual_distance",
        "Median distance of the strongest reconstruction to the original in a fixed "
        "network with random weights; lower = more leaked, 0 = equal. This is **not "
        "LPIPS**: nothing in it was trained.",
    ),
    Measure(
        "relative_bytes",
        "bytes of a round, relative to plain",
        lambda row: row.cost.relative_bytes,
        "overhead_bytes",
        "Bytes of a round, both directions, relative to the round without encryption "
        "(1 = no overhead).",
    ),
    Measure(
        "relative_seconds",
        "time of a round, relative to plain",
        lambda row: row.cost.relative_seconds,
        "overhead_seconds",
        "Seconds of a round relative to the round without encryption (1 = no "
        "overhead).",
    ),
    Measure(
        "accuracy",
        "test accuracy",
        lambda row: row.cost.accuracy and row.cost.accuracy.median,
    ),
    Measure(
        "test_loss",
        "test loss",
        lambda row: row.cost.test_loss and row.cost.test_loss.median,
    ),
    Measure(
        "saturated_share",
        "share of encrypted entries beyond the codec's bound",
        lambda row: row.cost.saturated_share,
    ),
)
