"""The angle between gradients again, walked in large plain steps from grey.

The objective of Inverting Gradients (Geiping et al., NeurIPS 2020) without its two
brakes. Signs of the slope give every pixel the same step, however little the gradients
say about it, and a start from noise has to be unlearned pixel by pixel: here Adam gets
the slope itself, begins at grey, and takes steps four times as large with less memory
of earlier ones, as the slopes of a ReLU network do not agree for long. On a wide network
120 iterations came further than 300 of the published recipe (`docs/attacks.md`).
"""

from attacks import effort as effort_lib
from attacks import knowledge as knowledge_lib
from attacks import target as target_lib
from attacks.continuous.first_order import engine as first_order
from attacks.continuous.first_order import recipes
from attacks.continuous.first_order import search as first_order_attack

UNTRAINED = recipes.Recipe(
    distance="cosine",
    step="gradient",
    learning_rate=0.1,
    first_decay=0.6,
    schedule="cosine",
    initial="grey",
)
"""For an untrained network, whose distances are small: without total variation."""

_DEFAULT_EFFORT = effort_lib.Effort(restarts=1, max_iterations=120)


def build_quick_inversion(
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
      effort: Starts, and iterations over all of them; about 100 for each start.
      progress: Called after every fifty iterations.
      recipe: `UNTRAINED` or another.
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
