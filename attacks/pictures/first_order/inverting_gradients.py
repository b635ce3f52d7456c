"""Inverting Gradients: the angle between gradients and the variation of the picture.

Geiping, Bauermeister, Dröge, Moeller, "Inverting Gradients: How easy is it to break
privacy in federated learning?", NeurIPS 2020, equation 4: the cosine distance of whole
gradients plus total variation, minimised over pictures in a box by Adam on the signs of
the slope, with a step size divided by ten at 3/8, 5/8 and 7/8 of the way, from several
starts.
"""

import functools

from attacks.continuous.first_order import recipes, search
from attacks.pictures.priors import penalty

PUBLISHED = recipes.Recipe(
    distance="cosine",
    prior=penalty.PicturePrior(total_variation=1e-6),
    step="sign",
    learning_rate=0.025,
    schedule="steps",
    initial="normal",
)
"""The recipe for an untrained network. The paper's step of 0.1 is in units of the
pixels' standard deviation, about 0.25 of their range."""

build_inverting_gradients = functools.partial(
    search.build_attack,
    recipe=PUBLISHED,
)
"""Builds the attack as `search.build_attack` does; the paper takes 4,800 to
24,000 iterations for each start."""
