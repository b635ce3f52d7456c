"""The distance of one candidate's gradient from the target, and its slope.

The derivative of a distance D(g(x)) by the picture x is a second derivative of the loss.
It is taken backward twice. Forward over reverse (with r = dD/dg, the derivative by x of the
directional derivative of the loss along r; Pearlmutter, "Fast Exact Multiplication by
the Hessian", Neural Computation 1994) does the same convolutions and is the oracle of
the tests.
"""

from collections.abc import Callable, Sequence

import tensorflow as tf

from attacks.continuous.first_order import recipes
from attacks.matching import cosine, distances
from selenc_tf import flatten
from selenc_tf.models import functional
from selenc_tf.types import Vector, Weights


def build_slope(
    model: functional.FunctionalModel, recipe: recipes.Recipe
) -> Callable[..., tuple[tf.Tensor, tf.Tensor]]:
    """The distance of one candidate and its derivative by the pictures.

    Runs on: attacker. Sees: the visible entries, the weights and its own candidates.

    Args:
      model: The architecture; its initial weights are not used.
      recipe: For the distance.

    Returns:
      `(weights, target [n], matched [n], images [b, h, w, c], labels [b, classes],
      shares [b]) -> distance, slope [b, h, w, c]`.
    """
    distance = distances.build_distance(recipe.distance, model.spec)

    def of_parts(
        parts: Sequence[tf.Tensor], target: Vector, matched: Vector
    ) -> tuple[tf.Tensor, Sequence[tf.Tensor]]:
        """The distance and its derivative by each tensor of the gradient."""
        if recipe.distance == "cosine":
            return cosine.distance(
                parts,
                flatten.unflatten(target, model.spec),
                flatten.unflatten(matched, model.spec),
            )
        gradient = flatten.flatten(parts)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(gradient)
            error = distance(gradient, target, matched)
        return error, flatten.unflatten(tape.gradient(error, gradient), model.spec)

    def slope_of_error(
        weights: Weights,
        target: Vector,
        matched: Vector,
        images: tf.Tensor,
        labels: tf.Tensor,
        shares: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        # Relative to the target's norm: tiny gradients would underflow when squared.
        norm = tf.norm(target)
        scale = tf.where(norm > 0, 1.0 / tf.where(norm > 0, norm, 1.0), 1.0)
        with tf.GradientTape(watch_accessed_variables=False) as outer:
            outer.watch(images)
            with tf.GradientTape(watch_accessed_variables=False) as inner:
                inner.watch(weights)
                losses = model.losses(weights, images, labels)
                loss = scale * tf.reduce_sum(shares * losses)
            parts = inner.gradient(
                loss, weights, unconnected_gradients=tf.UnconnectedGradients.ZERO
            )
            parts = [tf.convert_to_tensor(part) for part in parts]
        error, slopes = of_parts(parts, scale * target, matched)
        return error, outer.gradient(
            parts,
            images,
            output_gradients=list(slopes),
            unconnected_gradients=tf.UnconnectedGradients.ZERO,
        )

    return slope_of_error
