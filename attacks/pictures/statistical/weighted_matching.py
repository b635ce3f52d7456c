"""Gradient matching from given pictures, with a weight for every entry.

The statistical attackers need both: they bring pictures to begin with, and values of
hidden entries that are not all equally sure.
"""

from collections.abc import Sequence
from typing import NamedTuple, cast

import numpy as np
import tensorflow as tf

from attacks import effort as effort_lib
from attacks import knowledge as knowledge_lib
from attacks import target as target_lib
from attacks.labels import candidates as candidates_lib
from attacks.matching import matching
from attacks.optimisers import lbfgs
from attacks.pictures.statistical import public_attack, public_examples


def label_hypotheses(
    target: target_lib.Target,
    knowledge: knowledge_lib.Knowledge,
    guesses: int,
    generator: np.random.Generator,
) -> candidates_lib.Candidates:
    """Lists the classes to try.

    Runs on: attacker. Sees: the visible entries of the head, and its knowledge.

    Args:
      target: The gradient; of entries that are marked visible, imputed ones count too.
      knowledge: Known labels are the only hypothesis.
      guesses: For a batch of unknown classes: how many guesses from the head's bias.
      generator: Varies them.

    Returns:
      In the order of `public_examples`: known labels; the classes that one picture's
      signs allow, if they are at most 12; otherwise guesses from the head's bias
      (`candidates.guesses`).
    """
    if knowledge.classes is not None:
        ordered = public_examples.ordered_labels(knowledge.classes, target.sizes)
        return candidates_lib.Candidates((ordered,), "known")
    found = candidates_lib.candidates((target,), knowledge)
    if knowledge.batch_size == 1 and found.source != "guessed":
        return found
    return candidates_lib.guesses(target, knowledge, guesses, generator)


def settled_labels(
    target: target_lib.Target, knowledge: knowledge_lib.Knowledge
) -> tuple[int, ...] | None:
    """The classes if they are known, or follow from the head for one picture.

    Runs on: attacker. Sees: the visible entries of the head, and its knowledge.

    Returns:
      In the order of `public_examples.ordered_labels`, or None.
    """
    if knowledge.classes is not None:
        return public_examples.ordered_labels(knowledge.classes, target.sizes)
    found = candidates_lib.candidates((target,), knowledge, most=1)
    alone = knowledge.batch_size == 1 and found.source == "inferred"
    return cast("tuple[int, ...]", found.classes[0]) if alone else None


class Match(NamedTuple):
    """The best candidate.

    Attributes:
      images: float64 [b, h, w, c] in [0, 1].
      labels: int64 [b].
      minimum: The optimiser's account.
    """

    images: np.ndarray
    labels: np.ndarray
    minimum: lbfgs.Minimum


def match(
    case: public_attack.Case,
    target: target_lib.Target,
    entry_weights: np.ndarray,
    classes: Sequence[knowledge_lib.Labels],
    starts: Sequence[np.ndarray],
    budget: lbfgs.Budget,
    progress: lbfgs.Progress | None = None,
) -> Match:
    """Optimises pictures to minimise sum_i w_i (q_i - g_i)^2 in the box [0, 1].

    Runs on: attacker. Sees: the weights, the target and its knowledge.

    Args:
      case: For the model, its objective and the weights of the round.
      target: For its vector g, finite wherever the weight is not zero, and its groups.
      entry_weights: float [n], not negative: w.
      classes: Hypotheses of the batch's classes.
      starts: float [b, h, w, c] in [0, 1], one for each hypothesis, which belong
        together one to one.
      budget: The optimiser's limits.
      progress: Called after every iteration.

    Returns:
      The best of all starts by the weighted error.
    """
    compiled, knowledge = case.compiled, case.knowledge
    dtype = compiled.dtype
    observed = matching.Observed(
        weights=tuple(tf.constant(tensor, dtype) for tensor in case.view_weights),
        target=tf.constant(np.where(entry_weights > 0, target.vector, 0.0), dtype),
        entry_weights=tf.constant(entry_weights, dtype),
        shares=tf.constant(target.shares, dtype),
    )
    shape = (knowledge.batch_size, *knowledge.model.input_shape)

    def objective(labels: knowledge_lib.Labels) -> lbfgs.Function:
        one_hot = tf.one_hot(labels, knowledge.model.num_classes, dtype=dtype)

        def by_pixels(point: np.ndarray) -> tuple[float, np.ndarray]:
            value, slope = compiled.known_labels(
                observed,
                target.sizes,
                tf.constant(point.reshape(shape), dtype),
                one_hot,
            )
            return float(value), slope.numpy().astype(np.float64).ravel()

        return by_pixels

    points = [np.asarray(start, np.float64).ravel() for start in starts]
    best = lbfgs.minimise(
        [objective(labels) for labels in classes],
        points,
        np.zeros(points[0].size),
        np.ones(points[0].size),
        budget,
        progress,
    )
    return Match(
        images=best.point.reshape(shape),
        labels=np.array(classes[best.start], np.int64),
        minimum=best,
    )


def limits(effort: effort_lib.Effort, spent_seconds: float) -> lbfgs.Budget:
    """The optimiser's budget after some of the time is spent; never below 0.1 s."""
    seconds = effort.max_seconds
    return lbfgs.Budget(
        restarts=effort.restarts,
        max_iterations=effort.max_iterations,
        max_seconds=None if seconds is None else max(seconds - spent_seconds, 0.1),
    )
