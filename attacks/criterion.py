"""The attacker's own criterion: how well a guess explains what is visible."""

import itertools

import numpy as np
import tensorflow as tf

from attacks import target as target_lib
from attacks.knowledge import AnyKnowledge
from attacks.matching import matching, objectives
from selenc_tf.models.any_model import AnyModel


def visible_error(
    precise: AnyModel,
    view_weights: tuple[np.ndarray, ...],
    target: target_lib.Target,
    knowledge: AnyKnowledge,
    examples: np.ndarray,
    labels: np.ndarray,
) -> float:
    """The relative squared error of a guess's gradient on the visible entries.

    The same number for every attack, whatever it matched itself: the sum over visible
    entries of (q - g)^2 over the sum of g^2, with the labels as whole classes.

    Runs on: attacker. Sees: the weights, the visible entries and the guess.

    Args:
      precise: The model that it is computed with (`Modality.precise`).
      view_weights: The weights of the round.
      target: The gradient as far as it is visible.
      knowledge: For the modality, and how messages are made.
      examples: [b, ...], as `Reconstruction.examples`.
      labels: As `Reconstruction.labels`.

    Returns:
      The error, not negative; NaN where nothing is visible or something is not finite.
    """
    if not np.any(target.visible):
        return float("nan")
    dtype = precise.initial_weights[0].dtype
    vector = np.where(target.visible, target.vector, np.float32(0))
    weights = tuple(tf.constant(tensor, dtype) for tensor in view_weights)
    bounds = [0, *itertools.accumulate(target.sizes)]
    messages = [
        knowledge.modality.message(
            precise, weights, examples[at:end], labels[at:end], knowledge.local_training
        )
        for at, end in itertools.pairwise(bounds)
    ]
    error = float(
        objectives.squared_error(
            matching.shared_sum(messages, tf.constant(target.shares, dtype)),
            tf.constant(vector, dtype),
            tf.constant(objectives.normalised_weights(vector, target.visible), dtype),
        )
    )
    return error if np.isfinite(error) else float("nan")
