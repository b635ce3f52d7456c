"""Inverting Gradients with what was learned since: the "modern" settings.

The settings by which the authors of Geiping et al., "Inverting Gradients", NeurIPS 2020,
later replaced their own: softened signs, a cosine schedule with warm-up, a start from a
tiled patch (Wei et al., ESORICS 2020), isotropic total variation with the differences
of colours, and the head's input as its gradient shows it.
"""

import functools

from attacks.continuous.first_order import recipes, search
from attacks.pictures.priors import penalty

PUBLISHED = recipes.Recipe(
    distance="cosine",
    prior=penalty.PicturePrior(total_variation=0.1, isotropic=True, features=0.1),
    step="soft_sign",
    learning_rate=0.025,
    schedule="cosine",
    warm_up=50,
    initial="patterned",
)
"""For trained networks and larger pictures; the step is 0.1 standard deviations."""

UNTRAINED = recipes.Recipe(
    distance="cosine",
    prior=penalty.PicturePrior(total_variation=1e-6, isotropic=True, features=1e-4),
    step="soft_sign",
    learning_rate=0.025,
    schedule="cosine",
    warm_up=50,
    initial="patterned",
)
"""With the priors as weak as an untrained network's small distances want them."""

build_modern = functools.partial(
    search.build_attack,
    recipe=UNTRAINED,
)
"""Builds the attack as `search.build_attack` does; `recipe` may be `PUBLISHED`."""
