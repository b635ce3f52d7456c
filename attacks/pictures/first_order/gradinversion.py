"""GradInversion: matching under the statistics that the model's normalisation keeps.

Yin, Mallya, Vahdat, Alvarez, Kautz, Molchanov, "See through Gradients: Image Batch
Recovery via GradInversion", CVPR 2021: the L2 distance of gradients, total variation,
the pictures' norm, batch-normalisation statistics and agreement among several starts,
with noise in the steps. Two differences: the agreement is with the plain mean of the
starts, without registering them first, and the noise is relative to the slope, so that
it does not drown small ones.
"""

import functools

from attacks.continuous.first_order import recipes, search
from attacks.pictures.priors import penalty

PUBLISHED = recipes.Recipe(
    distance="l2",
    distance_weight=1.0,
    prior=penalty.PicturePrior(
        total_variation=1e-4, isotropic=True, norm=1e-6, statistics=0.1, group=0.01
    ),
    step="gradient",
    learning_rate=0.025,
    schedule="cosine",
    warm_up=50,
    langevin=0.01,
    initial="normal",
)
"""The published weights, but for the distance's: it is relative here, so it is 1."""

UNTRAINED = recipes.Recipe(
    distance="l2",
    prior=penalty.PicturePrior(
        total_variation=1e-6, isotropic=True, norm=1e-8, group=1e-5
    ),
    step="gradient",
    learning_rate=0.025,
    schedule="cosine",
    warm_up=50,
    langevin=0.01,
    initial="normal",
)
"""Without the statistics, which in an untrained network are those of no data."""

build_gradinversion = functools.partial(
    search.build_attack,
    recipe=UNTRAINED,
    label_rule="yin",
)
"""Builds the attack as `search.build_attack` does, whose starts agree with each other.

`recipe` may be `PUBLISHED` where the model's public statistics, which it sees too, are
those of data (trained, or `batch_statistics.calibrate`). Labels of a batch are inferred
by the paper's own rule (`labels/yin.py`)."""
