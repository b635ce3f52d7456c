"""The angle between gradients again, walked in large plain steps from grey.

The objective of Inverting Gradients (Geiping et al., NeurIPS 2020) without its two
brakes. Signs of the slope give every pixel the same step, however little the gradients
say about it, and a start from noise has to be unlearned pixel by pixel: here Adam gets
the slope itself, begins at grey, and takes steps four times as large with less memory
of earlier ones, as the slopes of a ReLU network do not agree for long. On a wide network
120 iterations came further than 300 of the published recipe (`docs/attacks.md`).
"""

import functools

from attacks import effort as effort_lib
from attacks.continuous.first_order import recipes, search

UNTRAINED = recipes.Recipe(
    distance="cosine",
    step="gradient",
    learning_rate=0.1,
    first_decay=0.6,
    schedule="cosine",
    initial="grey",
)
"""For an untrained network, whose distances are small: without total variation."""

build_quick_inversion = functools.partial(
    search.build_attack,
    recipe=UNTRAINED,
    effort=effort_lib.Effort(restarts=1, max_iterations=120),
)
"""Builds the attack as `search.build_attack` does. About 100 iterations for each start
are enough, which is what `effort` is unless another is given."""
