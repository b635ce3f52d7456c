"""What a recipe's priors say of one candidate, as one number."""

from collections.abc import Callable

import tensorflow as tf

from attacks.continuous.first_order import recipes
from attacks.pictures.priors import features, priors
from selenc_tf.models import functional
from selenc_tf.types import Weights


def build_penalty(
    model: functional.FunctionalModel, recipe: recipes.Recipe
) -> Callable[..., tf.Tensor]:
    """The recipe's priors on one candidate.

    Args:
      model: The architecture, for its normalisation and its head.
      recipe: With the weights of the priors.

    Returns:
      `(weights, images [b, h, w, c], consensus [b, h, w, c], features [f], known [f])
      -> scalar`.

    Raises:
      ValueError: If the recipe has a prior on layers that the model does not have.
    """
    normalised = features.normalisation_inputs(model) if recipe.statistics else None
    head = features.head_inputs(model) if recipe.features else None

    def penalty(
        weights: Weights,
        images: tf.Tensor,
        consensus: tf.Tensor,
        seen: tf.Tensor,
        known: tf.Tensor,
    ) -> tf.Tensor:
        total = tf.zeros([])
        if recipe.total_variation and recipe.isotropic:
            total += recipe.total_variation * priors.padded_variation(
                images, inner=2.0, outer=0.5, double_opponents=True
            )
        elif recipe.total_variation:
            total += recipe.total_variation * priors.total_variation(images)
        if recipe.norm:
            total += recipe.norm * priors.mean_norm(images)
        if recipe.group:
            total += recipe.group * priors.group_distance(images, consensus)
        if normalised is not None:
            total += recipe.statistics * priors.statistics_distance(
                normalised.apply(weights, images),
                normalised.means,
                normalised.variances,
            )
        if head is not None:
            (inputs,) = head.apply(weights, images)
            total += recipe.features * priors.feature_distance(inputs, seen, known)
        return total

    return penalty
