"""PSNR for people: what is better than pixels can be is exact, and no more than that."""

import math

EXACT_DB = 10 * math.log10(12 * 255**2)
"""58.9 dB: the error of rounding pixels to 8 bits. A picture that is known better than
this is known exactly, and how much better says nothing more of what leaked."""


def drawable(psnr_db: float) -> float:
    """PSNR for a plot: what is exact is drawn at `EXACT_DB`."""
    return min(psnr_db, EXACT_DB)


def short(psnr_db: float, form: str) -> str:
    """A number of decibels in a format, or "exact"."""
    return "exact" if psnr_db > EXACT_DB else format(psnr_db, form)


def in_words(psnr_db: float) -> str:
    """The same with its unit; NaN has diverged."""
    if math.isnan(psnr_db):
        return "diverged"
    return "exact" if psnr_db > EXACT_DB else f"{psnr_db:.1f} dB"
