"""GradInversion: matching under the statistics that the model's normalisation keeps.

Yin, Mallya, Vahdat, Alvarez, Kautz, Molchanov, "See through Gradients: Image Batch
Recovery via GradInversion", CVPR 2021: the L2 distance of gradients, total variation,
the pictures' norm, batch-normalisation statistics and agreement among several starts,
with noise in the steps. Two differences: the agreement is with the plain mean of the
starts, without registering them first, and the noise is relative to the slope, so that
it does not drown small ones.
"""

from attacks import effort as effort_lib
from attacks import knowledge as knowledge_lib
from attacks import target as target_lib
from attacks.continuous.first_order import engine as first_order
from attacks.continuous.first_order import recipes
from attacks.continuous.first_order import search as first_order_attack

PUBLISHED = recipes.Recipe(
    distance="l2",
    distance_weight=1.0,
    total_variation=1e-4,
    isotropic=True,
    norm=1e-6,
    statistics=0.1,
    group=0.01,
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
    total_variation=1e-6,
    isotropic=True,
    norm=1e-8,
    group=1e-5,
    step="gradient",
    learning_rate=0.025,
    schedule="cosine",
    warm_up=50,
    langevin=0.01,
    initial="normal",
)
"""Without the statistics, which in an untrained network are those of no data."""

_DEFAULT_EFFORT = effort_lib.Effort()


def build_gradinversion(
    mode: target_lib.Mode = "mask_aware",
    *,
    source: target_lib.Source = 0,
    effort: effort_lib.Effort = _DEFAULT_EFFORT,
    progress: effort_lib.Progress | None = None,
    recipe: recipes.Recipe = UNTRAINED,
    engine: first_order.Engine | None = None,
) -> knowledge_lib.Attack:
    """Builds the attack; arguments and errors as `build_inverting_gradients`.

    Labels of a batch are inferred by the paper's own rule (`label_rules/yin.py`).

    Runs on: attacker. Sees: the weights, the visible entries, the model's public
    statistics and its knowledge.

    Args:
      mode: What to do about hidden entries; see `target.Mode`.
      source: One client's message by its index, or "aggregate".
      effort: Starts, which agree with each other, and iterations over all of them.
      progress: Called after every fifty iterations.
      recipe: `UNTRAINED`, or `PUBLISHED` where the model's statistics are those of data
        (trained, or `batch_statistics.calibrate`).
      engine: The compiled search of that recipe, or None.

    Returns:
      The attack.

    Raises:
      ValueError: See `build_inverting_gradients`.
    """
    return first_order_attack.build_attack(
        first_order_attack.Search(mode, source, recipe, "yin", effort, progress, engine)
    )
