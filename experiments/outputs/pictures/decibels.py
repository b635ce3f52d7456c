"""PSNR for people: what is better than pixels can be is exact, and no more than that."""

import math

EXACT_DB = 10 * math.log10(12 * 255**2)
"""58.9 dB: the error of rounding pixels to 8 bits. A picture that is known better than
this is known exactly, and how much better says nothing more of what leaked."""


EXACT_ROW_DB, EXACT_WIDE_ROW_DB = EXACT_DB + 20, EXACT_DB + 40
"""78.9 and 98.9 dB: the same of every column of a row of up to 100, and 10,000, columns.
PSNR is of the mean over columns, and a single one that is further off than rounding to 8
bits of its range keeps such a row below."""


def drawable(psnr_db: float, exact: float = EXACT_DB) -> float:
    """PSNR for a plot: what is exact is drawn at the level from which on it is."""
    return min(psnr_db, exact)


def short(psnr_db: float, form: str, exact: float = EXACT_DB) -> str:
    """A number of decibels in a format, or "exact" above a level."""
    return "exact" if psnr_db > exact else format(psnr_db, form)


def in_words(psnr_db: float, exact: float = EXACT_DB) -> str:
    """The same with its unit; NaN has diverged."""
    if math.isnan(psnr_db):
        return "diverged"
    return "exact" if psnr_db > exact else f"{psnr_db:.1f} dB"
