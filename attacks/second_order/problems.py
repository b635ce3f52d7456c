"""What is matched together, and the objective that says how well it is.

An attack states a problem: rounds, observations in each, and which pictures stand behind
which (`matching.py` has the form). The search (`matching_attack.py`) minimises it.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from attacks import knowledge as knowledge_lib
from attacks import target as target_lib
from attacks.second_order import lbfgs, matching, objectives

MOST_HYPOTHESES = 12
"""Labels that are tried one by one; beyond, they are optimised with the pictures."""


class Round(NamedTuple):
    """What is compared in one round; see `matching.py`.

    Attributes:
      weights: The model weights of the round.
      vector: float32 [n], or [o, n] for o observations; zero where unknown.
      matched: bool of that shape, the entries to compare.
      shares: float64 [groups], or [o, groups].
    """

    weights: tuple[np.ndarray, ...]
    vector: np.ndarray
    matched: np.ndarray
    shares: np.ndarray


class Problem(NamedTuple):
    """Everything that is matched together.

    Attributes:
      rounds: At least one.
      sizes: The pictures of each group (client); their sum is the batch size.
      guesses: What to guess the classes from where they are unknown: targets and the
        number of pictures behind each, in the order of the pictures.
    """

    rounds: tuple[Round, ...]
    sizes: tuple[int, ...]
    guesses: tuple[tuple[target_lib.Target, int], ...]


def few_hypotheses(
    possible: Sequence[tuple[int, ...]],
    targets: Sequence[target_lib.Target],
    mode: target_lib.Mode,
) -> tuple[tuple[int, ...], ...]:
    """The classes of single pictures worth a start each.

    Args:
      possible: For each picture its possible classes.
      targets: What is matched.
      mode: Under "naive" only what is settled counts: the published rules know no
        doubt.

    Returns:
      All combinations; none if they are many, or if nothing is matched that could tell
      them apart.
    """
    count = math.prod(len(classes) for classes in possible)
    if not 1 <= count <= (1 if mode == "naive" else MOST_HYPOTHESES):
        return ()
    if count > 1 and not any(np.any(target.matched) for target in targets):
        return ()
    return tuple(itertools.product(*possible))


def observed_of(one: Round, dtype: tf.DType) -> matching.Observed:
    """The round as the compiled objective takes it.

    Args:
      one: The round.
      dtype: The matching's.

    Returns:
      Its tensors; the entry weights make the error relative to what is matched, over
      all observations of the round together.
    """
    known = np.where(one.matched, one.vector, np.float32(0))
    weights = objectives.normalised_weights(one.vector, one.matched)
    return matching.Observed(
        weights=tuple(tf.constant(tensor, dtype) for tensor in one.weights),
        target=tf.constant(known, dtype),
        entry_weights=tf.constant(weights, dtype),
        shares=tf.constant(one.shares, dtype),
    )


def compiled_objectives(
    problem: Problem, knowledge: knowledge_lib.Knowledge
) -> Callable[[tuple[int, ...] | None], lbfgs.Function]:
    """The compiled objective as functions of one NumPy vector.

    Args:
      problem: What is matched.
      knowledge: The model, its matching, and how messages are made.

    Returns:
      `labels -> function of the pixels`, and `None -> function of pixels and logits`.
    """
    compiled = knowledge_lib.matching_of(knowledge)
    dtype = compiled.dtype
    rounds = tuple(observed_of(one, dtype) for one in problem.rounds)
    training = knowledge.local_training
    classes = knowledge.model.num_classes
    image_shape = (knowledge.batch_size, *knowledge.model.input_shape)
    pixels = int(np.prod(image_shape))

    def images_of(point: np.ndarray) -> tf.Tensor:
        return tf.constant(point[:pixels].reshape(image_shape), dtype)

    def with_labels(labels: tuple[int, ...]) -> lbfgs.Function:
        one_hot = tf.one_hot(labels, classes, dtype=dtype)

        def by_images(point: np.ndarray) -> tuple[float, np.ndarray]:
            value, slope = compiled.known_labels(
                rounds, problem.sizes, images_of(point), one_hot, training
            )
            return float(value), slope.numpy().astype(np.float64).ravel()

        return by_images

    def by_images_and_logits(point: np.ndarray) -> tuple[float, np.ndarray]:
        logits = tf.constant(point[pixels:].reshape(-1, classes), dtype)
        value, slopes = compiled.unknown_labels(
            rounds, problem.sizes, images_of(point), logits, training
        )
        flat = np.concatenate([slope.numpy().ravel() for slope in slopes])
        return float(value), flat.astype(np.float64)

    def objective_of(labels: tuple[int, ...] | None) -> lbfgs.Function:
        return by_images_and_logits if labels is None else with_labels(labels)

    return objective_of
