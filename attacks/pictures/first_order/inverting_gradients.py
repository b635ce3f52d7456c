"""Inverting Gradients: the angle between gradients and the variation of the picture.

Geiping, Bauermeister, Dröge, Moeller, "Inverting Gradients: How easy is it to break
privacy in federated learning?", NeurIPS 2020, equation 4: the cosine distance of whole
gradients plus total variation, minimised over pictures in a box by Adam on the signs of
the slope, with a step size divided by ten at 3/8, 5/8 and 7/8 of the way, from several
starts.
"""

import dataclasses

from attacks import effort as effort_lib
from attacks import knowledge as knowledge_lib
from attacks import target as target_lib
from attacks.continuous.first_order import engine as first_order
from attacks.continuous.first_order import recipes
from attacks.continuous.first_order import search as first_order_attack
from attacks.matching import distances

PUBLISHED = recipes.Recipe(
    distance="cosine",
    total_variation=1e-6,
    step="sign",
    learning_rate=0.025,
    schedule="steps",
    initial="normal",
)
"""The recipe for an untrained network. The paper's step of 0.1 is in units of the
pixels' standard deviation, about 0.25 of their range."""

_DEFAULT_EFFORT = effort_lib.Effort()


def recipe_of(
    *,
    distance: distances.Name = "cosine",
    total_variation: float = 1e-6,
    learning_rate: float = 0.025,
    hinge: float = 0.0,
) -> recipes.Recipe:
    """The published recipe with some settings changed.

    Args:
      distance: What is matched.
      total_variation: Weight of the variation; the paper takes 1e-6 for untrained
        networks, up to 0.1 for trained ones and larger pictures.
      learning_rate: Of the first steps, in units of pixels in [0, 1].
      hinge: Weight of the magnitude rule's promise, where that rule is known.

    Returns:
      The recipe.
    """
    return dataclasses.replace(
        PUBLISHED,
        distance=distance,
        total_variation=total_variation,
        learning_rate=learning_rate,
        hinge=hinge,
    )


def build_inverting_gradients(
    mode: target_lib.Mode = "mask_aware",
    *,
    source: target_lib.Source = 0,
    effort: effort_lib.Effort = _DEFAULT_EFFORT,
    progress: effort_lib.Progress | None = None,
    recipe: recipes.Recipe = PUBLISHED,
    engine: first_order.Engine | None = None,
) -> knowledge_lib.Attack:
    """Builds the attack.

    Declared labels are used; otherwise one picture's possible classes are tried, and a
    batch's are read off the head's bias.

    Runs on: attacker. Sees: the weights, the visible entries and its knowledge.

    Args:
      mode: What to do about hidden entries; see `target.Mode`.
      source: One client's message by its index, or "aggregate".
      effort: Starts, and iterations over all of them; the paper takes 4,800 to 24,000
        for each start.
      progress: Called after every fifty iterations.
      recipe: The published one, or one of `recipe_of`.
      engine: `first_order.build_engine(model, recipe)`, compiled once for a study.
        Without it every attack compiles its own, which costs seconds.

    Returns:
      The attack.

    Raises:
      ValueError: If `mode` is not one of those offered or the engine is of another
        recipe. The attack itself raises one if view, knowledge and `source` do not go
        together.
    """
    return first_order_attack.build_attack(
        first_order_attack.Search(
            mode, source, recipe, "bias_corrected", effort, progress, engine
        )
    )
