"""Pictures and label logits optimised together, where nothing tells the labels.

Zhu, Liu, Han, "Deep Leakage from Gradients", NeurIPS 2019: the candidate's labels are
softmax(logits).
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from attacks.continuous.second_order import problems
from attacks.optimisers import lbfgs


def minimise(
    objectives_of: Callable[[tuple[int, ...] | None], lbfgs.Function],
    images: Sequence[np.ndarray],
    logits: Sequence[np.ndarray],
    budget: lbfgs.Budget,
    progress: lbfgs.Progress | None,
) -> tuple[lbfgs.Minimum, tuple[int, ...]]:
    """Optimises pictures and label logits, then the pictures with the labels rounded.

    Softmax reaches a class only with infinite logits, which keeps the joint search from
    the exact solution. The joint phase may use half of the budget's iterations and
    seconds, the other phase the iterations that are left and the other half of the
    time. The rounded pictures are kept if their error is the smaller one.

    Runs on: attacker.

    Args:
      objectives_of: See `problems.compiled_objectives`.
      images: float64 [pixels] in [0, 1], one for each start.
      logits: float64 [b, classes], one for each start.
      budget: The optimiser's limits.
      progress: Called after every iteration.

    Returns:
      The minimum, whose point begins with the pixels, and the classes.
    """
    seconds = None if budget.max_seconds is None else budget.max_seconds / 2
    half = dataclasses.replace(
        budget,
        max_iterations=(budget.max_iterations + 1) // 2,
        max_seconds=seconds,
    )
    pixels = images[0].size
    points = [
        np.concatenate([start, classes.ravel()])
        for start, classes in zip(images, logits, strict=True)
    ]
    joint = problems.minimise(
        [objectives_of(None)] * len(points), points, pixels, half, progress
    )
    found = np.argmax(joint.point[pixels:].reshape(logits[0].shape), axis=1)
    classes = tuple(int(label) for label in found)
    left = budget.max_iterations - joint.iterations
    if left < 1 or joint.stop in ("tolerance", "not_finite"):
        return joint, classes

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
    return winner._replace(
        start=joint.start,
        start_values=joint.start_values,
        iterations=joint.iterations + rounded.iterations,
        evaluations=joint.evaluations + rounded.evaluations,
    ), classes
