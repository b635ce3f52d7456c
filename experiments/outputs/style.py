"""How figures look: colours and markers.

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

GUESS, GUESS_DASHES = "#595959", (0, (6, 2, 1, 2))
"""Of the line at what is guessed without a gradient."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X")
