"""Words of a sentence from the one vector that a classifier makes of it."""
