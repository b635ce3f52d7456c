"""The leakage of pictures, and of rows of tables: PSNR, and what it does not tell."""

import math

from experiments.outputs.leaks import Leaks, Number, Share
from experiments.outputs.style import PSNR_CEILING_DB, drawable_db


def _decibels(psnr_db: float) -> str:
    if math.isnan(psnr_db):
        return "diverged"
    return "exact" if math.isinf(psnr_db) else f"{psnr_db:.1f} dB"


PICTURES = Leaks(
    modality="pictures",
    main=Number(
        key="psnr_db",
        name="psnr",
        words="PSNR, dB",
        heading="PSNR",
        form=".1f",
        curve="leakage_psnr",
        description="Median PSNR in dB of what the attacker reconstructs; higher = more "
        f"leaked; exact reconstructions are drawn at {PSNR_CEILING_DB:g} dB. `naive` "
        "takes hidden entries for zeros, `mask_aware` knows the mask, `strongest` is the "
        "best of all on each example.",
    ),
    tag="leakage_psnr_{}_db",
    axis="median PSNR in dB (higher = more leaked)",
    caption="PSNR: leakage in dB, median over examples, higher = more leaked",
    numbers=(
        Number(key="ssim", name="ssim", words="SSIM", heading="SSIM"),
        Number(
            key="perceptual",
            name="perceptual",
            words="random-feature distance, not LPIPS; lower = more",
            curve="perceptual_distance",
            description="Median distance of the strongest reconstruction to the original "
            "in a fixed network with random weights; lower = more leaked, 0 = equal. This "
            "is **not LPIPS**: nothing in it was trained.",
        ),
        Number(key="feature_mse", name="feature_mse", words=""),
    ),
    shares=(
        Share(key="psnr_db", name="success_20db", at_least=20.0),
        Share(
            key="psnr_db",
            name="success_25db",
            words="share >= 25 dB",
            at_least=25.0,
            heading="Succ. %\n25 dB",
            caption="Succ.: share of examples that the strongest attacker recovers with "
            "at least 25 dB",
            curve="success_25db",
            description="Share of examples, 0 to 1, that the strongest attacker recovers "
            "with a PSNR of at least 25 dB; diverged attacks are failures.",
        ),
        Share(key="psnr_db", name="success_30db", at_least=30.0),
        Share(
            key="identified",
            name="identified",
            words="share identified, IIP",
            curve="identified",
            description="Identifiability precision (IIP): share of examples, 0 to 1, whose "
            "strongest reconstruction is nearer in pixels to its original than to any "
            "other picture of the data set, or of 2,000 of it.",
        ),
    ),
    shown=_decibels,
    drawn=drawable_db,
    near=5.0,
)
"""Measures of a record:

* `mse`: mean squared error of the reconstruction, numbers in [0, 1]; NaN if the attack
  diverged.
* `psnr_db`: peak signal-to-noise ratio; infinite for an exact reconstruction, NaN if the
  attack diverged.
* `ssim`: structural similarity in [-1, 1], or None where it was not measured.
* `perceptual`: distance in [0, 4) in a fixed random network, 0 for an equal picture; it
  is not LPIPS. None if the attack diverged, or for other than 1 or 3 channels.
* `feature_mse`: mean squared difference of the model's logits at the weights of the
  attacked round, in squared logits; None if it is not finite.
* `identified`: whether the reconstruction is nearer in pixels to its original than to any
  other picture of the batch and of the data set, or of 2,000 of it; False if the attack
  diverged. The last three are missing in records of versions that did not measure them.
"""
