"""Gradient matching from given pictures, with a weight for every entry.

The statistical attackers need both: they bring pictures to begin with, and values of
hidden entries that are not all equally sure.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from attacks import effort as effort_lib
from attacks import knowledge as knowledge_lib
from attacks import programs as programs_lib
from attacks import target as target_lib
from attacks.labels import signs as labels_lib
from attacks.matching import matching
from attacks.optimisers import lbfgs
from attacks.pictures.statistical import public_examples

_MOST_HYPOTHESES = 12
_GUESS_NOISE = 0.3
"""Standard deviation of the noise of further guesses of a batch's classes, in units of
one picture."""


class Hypotheses(NamedTuple):
    """Which classes the batch may have.

    Attributes:
      classes: Each of length b; at least one.
      source: What a reconstruction says about its labels.
    """

    classes: tuple[tuple[int, ...], ...]
    source: str


def label_hypotheses(
    target: target_lib.Target,
    knowledge: knowledge_lib.Knowledge,
    guesses: int,
    generator: np.random.Generator,
) -> Hypotheses:
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
      (`labels.guess_classes`).
    """
    if knowledge.labels is not None:
        ordered = public_examples.ordered_labels(knowledge.labels, target.sizes)
        return Hypotheses((ordered,), "known")
    model, size = knowledge.model, knowledge.batch_size
    if size == 1:
        possible = labels_lib.possible_labels(
            target, "mask_aware", model.spec, model.num_classes
        )
        if 1 <= len(possible) <= _MOST_HYPOTHESES:
            source = "inferred" if len(possible) == 1 else "enumerated"
            return Hypotheses(tuple((label,) for label in possible), source)
    found: list[tuple[int, ...]] = []
    for index in range(guesses):
        noise = generator.standard_normal(model.num_classes)
        noise *= _GUESS_NOISE if index else 1e-9
        classes = labels_lib.guess_classes(
            target, model.spec, model.num_classes, size, noise
        )
        found.append(tuple(sorted(int(label) for label in classes)))
    distinct = tuple(dict.fromkeys(found))
    return Hypotheses(distinct, "inferred" if len(distinct) == 1 else "enumerated")


def settled_labels(
    target: target_lib.Target, knowledge: knowledge_lib.Knowledge
) -> tuple[int, ...] | None:
    """The classes if they are known, or follow from the head for one picture.

    Runs on: attacker. Sees: the visible entries of the head, and its knowledge.

    Returns:
      In the order of `public_examples.ordered_labels`, or None.
    """
    if knowledge.labels is not None:
        return public_examples.ordered_labels(knowledge.labels, target.sizes)
    if knowledge.batch_size > 1:
        return None
    model = knowledge.model
    label = labels_lib.infer_label(target, "mask_aware", model.spec, model.num_classes)
    return None if label is None else (label,)


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
    view_weights: tuple[np.ndarray, ...],
    target: target_lib.Target,
    entry_weights: np.ndarray,
    knowledge: knowledge_lib.Knowledge,
    classes: Sequence[tuple[int, ...]],
    starts: Sequence[np.ndarray],
    budget: lbfgs.Budget,
    progress: lbfgs.Progress | None = None,
    programs: programs_lib.Programs | None = None,
) -> Match:
    """Optimises pictures to minimise sum_i w_i (q_i - g_i)^2 in the box [0, 1].

    Runs on: attacker. Sees: the weights, the target and its knowledge.

    Args:
      view_weights: The weights of the round.
      target: For its vector g, finite wherever the weight is not zero, and its groups.
      entry_weights: float [n], not negative: w.
      knowledge: The model.
      classes: Hypotheses of the batch's classes.
      starts: float [b, h, w, c] in [0, 1], one for each hypothesis, which belong
        together one to one.
      budget: The optimiser's limits.
      progress: Called after every iteration.
      programs: What is compiled already, shared with other attacks, or None.

    Returns:
      The best of all starts by the weighted error.
    """
    programs = programs_lib.Programs() if programs is None else programs
    compiled = programs.of(matching.build_matching, knowledge.model)
    dtype = compiled.dtype
    observed = matching.Observed(
        weights=tuple(tf.constant(tensor, dtype) for tensor in view_weights),
        target=tf.constant(np.where(entry_weights > 0, target.vector, 0.0), dtype),
        entry_weights=tf.constant(entry_weights, dtype),
        shares=tf.constant(target.shares, dtype),
    )
    shape = (knowledge.batch_size, *knowledge.model.input_shape)

    def objective(labels: tuple[int, ...]) -> lbfgs.Function:
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
