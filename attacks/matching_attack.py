"""What DLG and iDLG share: pictures (and labels) optimised to match a gradient."""

import dataclasses
import time
from collections.abc import Callable
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
import tensorflow as tf

from attacks import knowledge as knowledge_lib
from attacks import labels as labels_lib
from attacks import lbfgs, matching, objectives
from attacks import target as target_lib
from selenc_tf.types import Seed

Initial: TypeAlias = Literal["grey", "uniform"]
"""Starting pictures: mid-grey with noise of standard deviation 0.1, or U(0, 1)."""

INITIALS: tuple[Initial, ...] = ("grey", "uniform")

_GREY_NOISE = 0.1
_LOGIT_HEIGHT = 4.0
"""How sure of its guessed classes a start is. Near-uniform soft labels are a trap: they
make a vanishing gradient, and the search drives all pixels to their bounds to enlarge
it (a dense net, one picture: all 12 runs from N(0, 0.1) logits ended there)."""
_GUESS_NOISE = 0.3
"""Standard deviation of the guess's noise in all starts but the first, in pictures."""


class Start(NamedTuple):
    """A candidate to begin with.

    Attributes:
      images: float64 [b, h, w, c] in [0, 1].
      logits: float64 [b, classes].
    """

    images: np.ndarray
    logits: np.ndarray


def draw_start(
    target: target_lib.Target,
    knowledge: knowledge_lib.Knowledge,
    initial: Initial,
    seed: Seed,
    index: int,
) -> Start:
    """Draws a start from the attacker's seed.

    Args:
      target: For a guess of the classes.
      knowledge: For the shapes.
      initial: The distribution of the pixels.
      seed: The attack's seed, two non-negative numbers.
      index: Which start.

    Returns:
      The start; equal arguments give equal numbers.
    """
    generator = np.random.default_rng([*seed, index])
    model, size = knowledge.model, knowledge.batch_size
    shape = (size, *model.input_shape)
    if initial == "uniform":
        images = generator.uniform(size=shape)
    else:
        images = np.clip(0.5 + _GREY_NOISE * generator.standard_normal(shape), 0, 1)
    noise = generator.standard_normal(model.num_classes)
    # The first start only breaks ties.
    noise *= _GUESS_NOISE if index else 1e-9
    classes = labels_lib.guess_classes(
        target, model.spec, model.num_classes, size, noise
    )
    logits = 0.1 * generator.standard_normal((size, model.num_classes))
    logits[np.arange(size), classes] += _LOGIT_HEIGHT
    return Start(images, logits)


def reconstruct(
    view_weights: tuple[np.ndarray, ...],
    target: target_lib.Target,
    knowledge: knowledge_lib.Knowledge,
    hypotheses: tuple[tuple[int, ...], ...],
    label_source: str,
    initial: Initial,
    budget: lbfgs.Budget,
    seed: Seed,
    progress: lbfgs.Progress | None,
) -> knowledge_lib.Reconstruction:
    """Optimises pictures, and label logits where labels are unknown.

    Runs on: attacker. Sees: the weights, the visible entries and its knowledge.

    Args:
      view_weights: The weights of the round.
      target: What to match.
      knowledge: The model and the batch size.
      hypotheses: The possible classes of the batch, each tried with one start at least;
        the matching error decides. None at all: soft labels are optimised jointly.
      label_source: What the reconstruction says about them.
      initial: The distribution of the starts.
      budget: The optimiser's limits; `restarts` grows to the number of hypotheses.
      seed: Of the starts.
      progress: Called after every iteration.

    Returns:
      The best start by the matching error. Where nothing is visible to match, the first
      start as it was drawn: that is all such an attacker can say.
    """
    began = time.monotonic()
    nothing = not bool(np.any(target.matched))
    count = 1 if nothing else max(budget.restarts, len(hypotheses))
    starts = [
        draw_start(target, knowledge, initial, seed, index) for index in range(count)
    ]
    objectives_of = _compiled_objectives(view_weights, target, knowledge)
    if hypotheses:
        best = _minimise(
            [objectives_of(hypotheses[i % len(hypotheses)]) for i in range(count)],
            [start.images.ravel() for start in starts],
            starts[0].images.size,
            budget,
            progress,
        )
        found = np.array(hypotheses[best.start % len(hypotheses)])
    else:
        best, found = _search_labels_too(objectives_of, starts, budget, progress)
    pixels = starts[0].images.size
    return knowledge_lib.Reconstruction(
        images=best.point[:pixels].reshape(starts[0].images.shape).astype(np.float32),
        labels=found.astype(np.int64),
        label_source=label_source if hypotheses else "optimised",
        objective=best.value,
        start_objectives=best.start_values,
        iterations=best.iterations,
        evaluations=best.evaluations,
        seconds=time.monotonic() - began,
        converged=best.stop == "tolerance" and not nothing,
        stop="nothing_visible" if nothing else best.stop,
        matched_entries=int(np.count_nonzero(target.matched)),
    )


def _minimise(
    functions: list[lbfgs.Function],
    points: list[np.ndarray],
    pixels: int,
    budget: lbfgs.Budget,
    progress: lbfgs.Progress | None,
) -> lbfgs.Minimum:
    """Minimises with the first `pixels` variables in [0, 1] and the others free."""
    free = points[0].size - pixels
    return lbfgs.minimise(
        functions,
        points,
        np.concatenate([np.zeros(pixels), np.full(free, -np.inf)]),
        np.concatenate([np.ones(pixels), np.full(free, np.inf)]),
        budget,
        progress,
    )


def _search_labels_too(
    objectives_of: Callable[[tuple[int, ...] | None], lbfgs.Function],
    starts: list[Start],
    budget: lbfgs.Budget,
    progress: lbfgs.Progress | None,
) -> tuple[lbfgs.Minimum, np.ndarray]:
    """Optimises pictures and label logits, then the pictures with the labels rounded.

    Softmax reaches a class only with infinite logits, which keeps the joint search from
    the exact solution. The joint phase may use half of the budget's iterations and
    seconds, the other phase the iterations that are left and the other half of the
    time. The rounded pictures are kept if their error is the smaller one.
    """
    seconds = None if budget.max_seconds is None else budget.max_seconds / 2
    half = dataclasses.replace(
        budget,
        max_iterations=(budget.max_iterations + 1) // 2,
        max_seconds=seconds,
    )
    pixels = starts[0].images.size
    points = [
        np.concatenate([start.images.ravel(), start.logits.ravel()]) for start in starts
    ]
    joint = _minimise(
        [objectives_of(None)] * len(points), points, pixels, half, progress
    )
    logits = joint.point[pixels:].reshape(starts[0].logits.shape)
    found = np.argmax(logits, axis=1)
    left = budget.max_iterations - joint.iterations
    if left < 1 or joint.stop in ("tolerance", "not_finite"):
        return joint, found
    classes = tuple(int(label) for label in found)

    def report(start: int, iteration: int, value: float) -> None:
        if progress is not None:
            progress(joint.start, joint.iterations + iteration, value)

    rounded = _minimise(
        [objectives_of(classes)],
        [joint.point[:pixels]],
        pixels,
        dataclasses.replace(half, max_iterations=left),
        report,
    )
    winner = rounded if rounded.value < joint.value else joint
    return winner._replace(
        start=joint.start,
        start_values=joint.start_values,
        iterations=joint.iterations + rounded.iterations,
        evaluations=joint.evaluations + rounded.evaluations,
    ), found


def _compiled_objectives(
    view_weights: tuple[np.ndarray, ...],
    target: target_lib.Target,
    knowledge: knowledge_lib.Knowledge,
) -> Callable[[tuple[int, ...] | None], lbfgs.Function]:
    """The compiled objective as functions of one NumPy vector.

    Returns:
      `labels -> function of the pixels`, and `None -> function of pixels and logits`.
    """
    compiled = knowledge_lib.matching_of(knowledge)
    dtype = compiled.dtype
    observed = matching.Observed(
        weights=tuple(tf.constant(tensor, dtype) for tensor in view_weights),
        target=tf.constant(np.where(target.visible, target.vector, 0.0), dtype),
        entry_weights=tf.constant(
            objectives.normalised_weights(target.vector, target.matched), dtype
        ),
        shares=tf.constant(target.shares, dtype),
    )
    classes = knowledge.model.num_classes
    image_shape = (knowledge.batch_size, *knowledge.model.input_shape)
    pixels = int(np.prod(image_shape))

    def images_of(point: np.ndarray) -> tf.Tensor:
        return tf.constant(point[:pixels].reshape(image_shape), dtype)

    def with_labels(labels: tuple[int, ...]) -> lbfgs.Function:
        one_hot = tf.one_hot(labels, classes, dtype=dtype)

        def by_images(point: np.ndarray) -> tuple[float, np.ndarray]:
            value, slope = compiled.known_labels(
                observed, target.sizes, images_of(point), one_hot
            )
            return float(value), slope.numpy().astype(np.float64).ravel()

        return by_images

    def by_images_and_logits(point: np.ndarray) -> tuple[float, np.ndarray]:
        logits = tf.constant(point[pixels:].reshape(-1, classes), dtype)
        value, slopes = compiled.unknown_labels(
            observed, target.sizes, images_of(point), logits
        )
        flat = np.concatenate([slope.numpy().ravel() for slope in slopes])
        return float(value), flat.astype(np.float64)

    def objective_of(labels: tuple[int, ...] | None) -> lbfgs.Function:
        return by_images_and_logits if labels is None else with_labels(labels)

    return objective_of
