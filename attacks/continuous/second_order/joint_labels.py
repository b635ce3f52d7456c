"""Pictures and labels optimised together, where nothing tells the labels.

Zhu, Liu, Han, "Deep Leakage from Gradients", NeurIPS 2019: the candidate's labels are
softmax(logits). Events have sigmoids instead, and values are searched for themselves.
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from attacks import knowledge as knowledge_lib
from attacks.continuous.second_order import problems
from attacks.matching import matching
from attacks.optimisers import lbfgs
from selenc_tf.models.objectives import Kind


def minimise(
    kind: Kind,
    objectives_of: Callable[[knowledge_lib.Labels | None], lbfgs.Function],
    images: Sequence[np.ndarray],
    logits: Sequence[np.ndarray],
    budget: lbfgs.Budget,
    progress: lbfgs.Progress | None,
) -> tuple[lbfgs.Minimum, knowledge_lib.Labels]:
    """Optimises pictures and labels, then the pictures with the labels rounded.

    Softmax and sigmoid reach a class only with infinite logits, which keeps the joint
    search from the exact solution. The joint phase may use half of the budget's
    iterations and seconds, the other phase the iterations that are left and the other
    half of the time. The rounded pictures are kept if their error is the smaller one.
    Values are not rounded, and have the whole budget.

    Runs on: attacker.

    Args:
      kind: What the model learns.
      objectives_of: See `problems.compiled_objectives`.
      images: float64 [pixels] in [0, 1], one for each start.
      logits: float64 [b, num_classes], one for each start; see `matching.soft_labels`.
      budget: The optimiser's limits.
      progress: Called after every iteration.

    Returns:
      The minimum, whose point begins with the pixels, and the labels.
    """
    pixels = images[0].size
    points = [
        np.concatenate([start, own.ravel()])
        for start, own in zip(images, logits, strict=True)
    ]
    seconds = None if budget.max_seconds is None else budget.max_seconds / 2
    half = dataclasses.replace(
        budget,
        max_iterations=(budget.max_iterations + 1) // 2,
        max_seconds=seconds,
    )
    joint = problems.minimise(
        [objectives_of(None)] * len(points),
        points,
        pixels,
        budget if kind == "values" else half,
        progress,
    )
    free = joint.point[pixels:].reshape(logits[0].shape)
    soft = matching.soft_labels(kind, free).numpy()
    if kind == "values":
        return joint, _rows(soft)
    classes: knowledge_lib.Labels = _rows(np.round(soft))
    if kind == "classes":
        classes = tuple(int(label) for label in np.argmax(free, axis=1))
    left = budget.max_iterations - joint.iterations
    if left < 1 or joint.stop in ("tolerance", "not_finite"):
        return joint, classes if kind == "classes" else _rows(soft)

    def report(start: int, iteration: int, value: float) -> None:
        if progress is not None:
            progress(joint.start, joint.iterations + iteration, value)

    rounded = problems.minimise(
        [objectives_of(classes)],
        [joint.point[:pixels]],
        pixels,
        dataclasses.replace(half, max_iterations=left),
        report,
    )
    winner = rounded if rounded.value < joint.value else joint
    if winner is joint and kind == "binary":
        classes = _rows(soft)
    return winner._replace(
        start=joint.start,
        start_values=joint.start_values,
        iterations=joint.iterations + rounded.iterations,
        evaluations=joint.evaluations + rounded.evaluations,
    ), classes


def _rows(numbers: np.ndarray) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(float(one) for one in row) for row in numbers)
