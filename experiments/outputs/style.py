"""How figures look: colours, markers, and where what is infinite is drawn.

The colours are those of Okabe and Ito ("Color universal design", 2008), which the colour
blind can tell apart; what differs in colour also differs in its marker.
"""

BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK = COLOURS = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#000000",
)

MARKERS = ("o", "s", "^", "D", "v", "P", "X")

PSNR_CEILING_DB = 150.0
"""Where an exact reconstruction, whose PSNR is infinite, is drawn."""


def drawable_db(psnr_db: float) -> float:
    """PSNR for a plot: an exact reconstruction is drawn at `PSNR_CEILING_DB`."""
    return min(psnr_db, PSNR_CEILING_DB)
