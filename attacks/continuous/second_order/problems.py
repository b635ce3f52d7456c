"""What is matched together, and the objective that says how well it is.

An attack states a problem: rounds, observations in each, and which pictures stand behind
which (`matching.py` has the form). The search (`matching_attack.py`) minimises it.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from attacks import knowledge as knowledge_lib
from attacks import target as target_lib
from attacks.matching import matching, objectives
from attacks.optimisers import batched_lbfgs, lbfgs

_AT_ONCE = 8
"""Trials in the compiled program: one program for every race. Compiling it takes as long
as some hundred evaluations for each trial that it holds."""


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
      compiled: The model's objective.
    """

    rounds: tuple[Round, ...]
    sizes: tuple[int, ...]
    guesses: tuple[tuple[target_lib.Target, int], ...]
    compiled: matching.Matching


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
) -> Callable[[knowledge_lib.Labels | None], lbfgs.Function]:
    """The compiled objective as functions of one NumPy vector.

    Args:
      problem: What is matched.
      knowledge: The model, and how messages are made.

    Returns:
      `labels -> function of the pixels`, and `None -> function of pixels and logits`.
    """
    compiled = problem.compiled
    dtype = compiled.dtype
    rounds = tuple(observed_of(one, dtype) for one in problem.rounds)
    training = knowledge.local_training
    width = knowledge.model.num_classes
    image_shape = (knowledge.batch_size, *knowledge.model.input_shape)
    pixels = int(np.prod(image_shape))

    def images_of(point: np.ndarray) -> tf.Tensor:
        return tf.constant(point[:pixels].reshape(image_shape), dtype)

    def with_labels(labels: knowledge_lib.Labels) -> lbfgs.Function:
        targets = matching.as_targets(knowledge.model, labels, dtype)

        def by_images(point: np.ndarray) -> tuple[float, np.ndarray]:
            value, slope = compiled.known_labels(
                rounds, problem.sizes, images_of(point), targets, training
            )
            return float(value), slope.numpy().astype(np.float64).ravel()

        return by_images

    def by_images_and_logits(point: np.ndarray) -> tuple[float, np.ndarray]:
        logits = tf.constant(point[pixels:].reshape(-1, width), dtype)
        value, slopes = compiled.unknown_labels(
            rounds, problem.sizes, images_of(point), logits, training
        )
        flat = np.concatenate([slope.numpy().ravel() for slope in slopes])
        return float(value), flat.astype(np.float64)

    def objective_of(labels: knowledge_lib.Labels | None) -> lbfgs.Function:
        return by_images_and_logits if labels is None else with_labels(labels)

    return objective_of


def batch_objective(
    problem: Problem,
    knowledge: knowledge_lib.Knowledge,
    classes: Sequence[knowledge_lib.Labels],
) -> batched_lbfgs.BatchFunction:
    """The compiled objective of many trials at once, each with its own classes.

    One program takes the trials in groups; those of a group that would fill less than
    half of it are evaluated one after the other.

    Args:
      problem: What is matched.
      knowledge: See `compiled_objectives`.
      classes: The batch's classes in each trial.

    Returns:
      The function for `batched_lbfgs.minimise`, of the pixels.
    """
    compiled = problem.compiled
    rounds = tuple(observed_of(one, compiled.dtype) for one in problem.rounds)
    one_hot = matching.as_targets(knowledge.model, classes, compiled.dtype)
    shape = (knowledge.batch_size, *knowledge.model.input_shape)
    training = knowledge.local_training

    def group(points: np.ndarray, trials: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        count = len(trials)
        if count > _AT_ONCE // 2:
            filled = np.resize(np.arange(count), _AT_ONCE)
            values, slopes = compiled.hypotheses(
                rounds,
                problem.sizes,
                tf.constant(points[filled].reshape(-1, *shape), compiled.dtype),
                tf.gather(one_hot, trials[filled]),
                training,
            )
        else:
            pairs = [
                compiled.known_labels(
                    rounds,
                    problem.sizes,
                    tf.constant(point.reshape(shape), compiled.dtype),
                    one_hot[trial],
                    training,
                )
                for point, trial in zip(points, trials, strict=True)
            ]
            values, slopes = (tf.stack(part) for part in zip(*pairs, strict=True))
        flat = slopes.numpy().reshape(len(values), -1)
        return (
            values.numpy()[:count].astype(np.float64),
            flat[:count].astype(np.float64),
        )

    def evaluate(
        points: np.ndarray, trials: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        groups = [
            group(points[first : first + _AT_ONCE], trials[first : first + _AT_ONCE])
            for first in range(0, len(trials), _AT_ONCE)
        ]
        values, slopes = zip(*groups, strict=True)
        return np.concatenate(values), np.concatenate(slopes)

    return evaluate


def minimise(
    functions: Sequence[lbfgs.Function],
    points: Sequence[np.ndarray],
    pixels: int,
    budget: lbfgs.Budget,
    progress: lbfgs.Progress | None,
) -> lbfgs.Minimum:
    """Minimises with the first `pixels` variables in [0, 1] and the others free.

    Args:
      functions: For each start the objective.
      points: The starts, float64 [d] each.
      pixels: How many variables are pixels.
      budget: The optimiser's limits.
      progress: Called after every iteration.

    Returns:
      The best point over all starts; see `lbfgs.minimise`.
    """
    free = points[0].size - pixels
    return lbfgs.minimise(
        functions,
        points,
        np.concatenate([np.zeros(pixels), np.full(free, -np.inf)]),
        np.concatenate([np.ones(pixels), np.full(free, np.inf)]),
        budget,
        progress,
    )
