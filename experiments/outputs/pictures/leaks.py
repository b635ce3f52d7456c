"""The leakage of pictures, and of rows of tables: PSNR, and what it does not tell."""

import functools
from types import MappingProxyType

from experiments.outputs.leaks import EXACT, Leaks, Number, Seen, Share
from experiments.outputs.pictures import decibels

_PICTURES = Leaks(
    modality="pictures",
    main=Number(
        key="psnr_db",
        name="psnr",
        words="PSNR, dB",
        heading="PSNR",
        form=".1f",
    ),
    tag="leakage_psnr_{}_db",
    axis=f"median PSNR in dB (higher = more leaked; {decibels.EXACT_DB:.1f} = exact)",
    caption="PSNR: leakage in dB, median over examples, higher = more leaked; exact = "
    "closer than rounding to 8 bits",
    numbers=(
        Number(key="ssim", name="ssim", words="SSIM", heading="SSIM"),
        Number(
            key="perceptual",
            name="perceptual",
            words="random-feature distance, not LPIPS; lower = more",
            panel="distance in a network with random weights (not LPIPS): lower = more",
        ),
        Number(key="feature_mse", name="feature_mse", words=""),
    ),
    shares=(
        Share(
            key="psnr_db",
            name=EXACT,
            words="recovered exactly",
            at_least=decibels.EXACT_DB,
            told=True,
        ),
        Share(key="psnr_db", name="success_20db", at_least=20.0),
        Share(
            key="psnr_db",
            name="success_25db",
            words="share >= 25 dB",
            at_least=25.0,
            heading="Succ. %\n25 dB",
            caption="Succ.: share of examples whose best attack in hindsight recovers them "
            "with at least 25 dB",
            panel="share of examples recovered with 25 dB, best of each in hindsight",
        ),
        Share(key="psnr_db", name="success_30db", at_least=30.0),
        Share(
            key="identified",
            name="identified",
            words="share identified, IIP",
            panel="share nearer to its original than to any other picture (IIP)",
        ),
    ),
    shown=decibels.in_words,
    short=decibels.short,
    drawn=decibels.drawable,
    near=5.0,
    exact=decibels.EXACT_DB,
    lookups=("retrieval",),
    # A picture can be readable though its PSNR is that of a grey one.
    beyond=(("psnr_db", 1.0), ("ssim", 0.1), ("identified", 0.5)),
    beyond_words="more than 1 dB of PSNR above it, nor 0.1 of SSIM and above 99 pictures "
    "of noise, both also above all of up to 99 random public pictures (of the example's "
    "class, where the attacker is told or names it), nor identified (nearer to its "
    "original than to any other picture) where neither the guess nor noise is",
    beyond_shortly="above it by 1 dB of PSNR, 0.1 of SSIM or by being identified among "
    "others, beyond chance",
    by_chance=("ssim", "identified"),
    seen=MappingProxyType(
        {
            "ssim": Seen(
                "seen by SSIM, {ssim:.2f} against {guess:.2f} of a blind guess, and not "
                "by PSNR",
                "seen by SSIM {ssim:.2f}",
            ),
            "identified": Seen(
                "identified, nearer to its original than to any other picture, and not "
                "better by PSNR",
                "identified",
            ),
        }
    ),
)


def _of_rows(exact: float) -> Leaks:
    """The same of rows, of which every column is exact from so many decibels on."""
    return _PICTURES._replace(
        axis=f"median PSNR in dB (higher = more leaked; {exact:.1f} = exact)",
        caption="PSNR: leakage in dB of values scaled to [0, 1], median over rows, higher "
        "= more leaked; exact = every column closer than rounding to 8 bits of its range",
        # How well a picture can be seen at so many decibels says nothing of a row.
        shares=tuple(
            one._replace(
                at_least=exact if one.name == EXACT else None,
                panel=one.panel.replace("picture", "row"),
            )
            for one in _PICTURES.shares
            if not one.name.startswith("success_")
        ),
        shown=functools.partial(decibels.in_words, exact=exact),
        short=functools.partial(decibels.short, exact=exact),
        drawn=functools.partial(decibels.drawable, exact=exact),
        exact=exact,
        columns=True,
        beyond_words="more than 1 dB of PSNR above it and above all of up to 99 random "
        "public rows (of the example's class, where the attacker is told or names it), nor "
        "identified (nearer to its original than to any other row) where neither the guess "
        "nor random rows are, nor some column exactly more often than one value for all is "
        "right",
        beyond_shortly="above it by 1 dB of PSNR or by being identified among others, "
        "beyond chance, and no column read",
        seen=MappingProxyType(
            {
                "identified": Seen(
                    "identified, nearer to its original than to any other row, and not "
                    "better by PSNR",
                    "identified",
                )
            }
        ),
    )


WIDE_ROW = "wide_row"
"""In the details of a record: its example is a row of more than 100 columns."""

PICTURES = _PICTURES._replace(
    told_as=MappingProxyType(
        {
            "feature_errors": _of_rows(decibels.EXACT_ROW_DB),
            WIDE_ROW: _of_rows(decibels.EXACT_WIDE_ROW_DB),
        }
    )
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
