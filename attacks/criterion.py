"""The attacker's own criterion: how well a guess explains what is visible."""

import numpy as np
import tensorflow as tf

from attacks import knowledge as knowledge_lib
from attacks import target as target_lib
from attacks.matching import matching, objectives


def visible_error(
    compiled: matching.Matching,
    view_weights: tuple[np.ndarray, ...],
    target: target_lib.Target,
    knowledge: knowledge_lib.Knowledge,
    images: np.ndarray,
    labels: np.ndarray,
) -> float:
    """The relative squared error of a guess's gradient on the visible entries.

    The same number for every attack, whatever it matched itself: the sum over visible
    entries of (q - g)^2 over the sum of g^2, with the labels as whole classes.

    Runs on: attacker. Sees: the weights, the visible entries and the guess.

    Args:
      compiled: The model's objective.
      view_weights: The weights of the round.
      target: The gradient as far as it is visible.
      knowledge: For the number of classes, and how messages are made.
      images: float [b, *input_shape] in [0, 1].
      labels: As `Reconstruction.labels`.

    Returns:
      The error, not negative; NaN where nothing is visible or something is not finite.
    """
    if not np.any(target.visible):
        return float("nan")
    dtype = compiled.dtype
    vector = np.where(target.visible, target.vector, np.float32(0))
    observed = matching.Observed(
        weights=tuple(tf.constant(tensor, dtype) for tensor in view_weights),
        target=tf.constant(vector, dtype),
        entry_weights=tf.constant(
            objectives.normalised_weights(vector, target.visible), dtype
        ),
        shares=tf.constant(target.shares, dtype),
    )
    candidate = matching.group_gradient(
        compiled.model,
        observed,
        target.sizes,
        tf.constant(images, dtype),
        matching.as_targets(knowledge.model, labels, dtype),
        knowledge.local_training,
    )
    error = float(
        objectives.squared_error(candidate, observed.target, observed.entry_weights)
    )
    return error if np.isfinite(error) else float("nan")
