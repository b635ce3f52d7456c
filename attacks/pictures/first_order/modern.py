"""Inverting Gradients with what was learned since: the "modern" settings.

The settings by which the authors of Geiping et al., "Inverting Gradients", NeurIPS 2020,
later replaced their own: softened signs, a cosine schedule with warm-up, a start from a
tiled patch (Wei et al., ESORICS 2020), isotropic total variation with the differences
of colours, and the head's input as its gradient shows it.
"""

from attacks import effort as effort_lib
from attacks import knowledge as knowledge_lib
from attacks import target as target_lib
from attacks.continuous.first_order import engine as first_order
from attacks.continuous.first_order import recipes
from attacks.continuous.first_order import search as first_order_attack

PUBLISHED = recipes.Recipe(
    distance="cosine",
    total_variation=0.1,
    isotropic=True,
    features=0.1,
    step="soft_sign",
    learning_rate=0.025,
    schedule="cosine",
    warm_up=50,
    initial="patterned",
)
"""For trained networks and larger pictures; the step is 0.1 standard deviations."""

UNTRAINED = recipes.Recipe(
    distance="cosine",
    total_variation=1e-6,
    isotropic=True,
    features=1e-4,
    step="soft_sign",
    learning_rate=0.025,
    schedule="cosine",
    warm_up=50,
    initial="patterned",
)
"""With the priors as weak as an untrained network's small distances want them."""

_DEFAULT_EFFORT = effort_lib.Effort()


def build_modern(
    mode: target_lib.Mode = "mask_aware",
    *,
    source: target_lib.Source = 0,
    effort: effort_lib.Effort = _DEFAULT_EFFORT,
    progress: effort_lib.Progress | None = None,
    recipe: recipes.Recipe = UNTRAINED,
    engine: first_order.Engine | None = None,
) -> knowledge_lib.Attack:
    """Builds the attack; arguments and errors as `build_inverting_gradients`.

    Runs on: attacker. Sees: the weights, the visible entries and its knowledge.

    Args:
      mode: What to do about hidden entries; see `target.Mode`.
      source: One client's message by its index, or "aggregate".
      effort: Starts, and iterations over all of them.
      progress: Called after every fifty iterations.
      recipe: `UNTRAINED` or `PUBLISHED`.
      engine: The compiled search of that recipe, or None.

    Returns:
      The attack.

    Raises:
      ValueError: See `build_inverting_gradients`.
    """
    return first_order_attack.build_attack(
        first_order_attack.Search(
            mode, source, recipe, "bias_corrected", effort, progress, engine
        )
    )
