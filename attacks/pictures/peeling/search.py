"""Searches below a level, with their clock and their reports."""

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from attacks import effort as effort_lib
from attacks.continuous.first_order import engine as first_order
from attacks.optimisers import blas
from attacks.pictures.peeling import descent, linearised, newton, peel, walk

_CHUNK = 50
"""Iterations between two looks at the clock, and two reports of progress."""

_STEPS = 5
"""Steps between two reports."""


class Search(NamedTuple):
    """What all searches of one attack share.

    Attributes:
      problem: The network and its gradient.
      compiled: A depth -> the compiled search below it, made once each.
      walks: A block's index -> the compiled walk on its input, made once each.
      maps: A depth -> the compiled activations there and their derivative.
      deadline: By `time.monotonic()`, or None.
      progress: Called after every fifty iterations, or None.
    """

    problem: peel.Problem
    compiled: Callable[[int], descent.Advance]
    walks: Callable[[int], walk.Walk]
    maps: Callable[[int], linearised.Linearised]
    deadline: float | None
    progress: effort_lib.Progress | None


class Found(NamedTuple):
    """Where a search ended.

    Attributes:
      image: float [h, w, c].
      objective: With priors; infinite if it never was finite. Of `step` the misfit.
      iterations: Done.
      stop: "iterations", "seconds", "not_finite", "tolerance" or "closed_form".
    """

    image: np.ndarray
    objective: float
    iterations: int
    stop: str


def step(
    search: Search, level: peel.Level, image: np.ndarray, steps: int, *, done: int = 0
) -> Found | None:
    """Steps to the picture that a level determines (`newton.py`).

    Runs on: attacker. Sees: the weights, and what is known at the level.

    Args:
      search: What to search, and how long.
      level: How far down the network is known.
      image: float [h, w, c], where to begin.
      steps: At most, at least 1.
      done: Iterations before it, for the reports.

    Returns:
      The picture that fits best, with the stop "tolerance" if it fits to rounding; None
      if what is known cannot say all pixels.
    """
    network = search.problem.network
    if not newton.applies(network, level.depth, level.reached):
        return None
    weights = tuple(tf.constant(one, tf.float32) for one in search.problem.weights)

    def report(count: int, misfit: float) -> None:
        if search.progress is not None and count % _STEPS == 0:
            search.progress(0, done + count, misfit)

    with blas.one_thread():
        found = newton.solve(
            search.maps(level.depth),
            newton.pose(weights, level.reached),
            image,
            steps,
            deadline=search.deadline,
            report=report,
        )
    late = search.deadline is not None and time.monotonic() > search.deadline
    stop = "seconds" if late else "iterations"
    if found.misfit < newton.EXACT:
        stop = "tolerance"
    elif not np.isfinite(found.misfit):
        stop = "not_finite"
    return Found(found.image, found.misfit, found.steps, stop)


def run(
    search: Search,
    level: peel.Level,
    image: np.ndarray,
    iterations: int,
    *,
    start: int = 0,
    done: int = 0,
) -> Found:
    """Searches the picture below a level.

    Runs on: attacker. Sees: the weights and the visible entries.

    Args:
      search: What to search, and how long.
      level: How far down the network is known.
      image: float32 [h, w, c], where to begin.
      iterations: At most, at least 1.
      start: Which start this is, for the reports.
      done: Iterations before it, for the reports.

    Returns:
      The iterate with the smallest objective.
    """
    problem = search.problem
    posed = descent.pose(
        problem.network,
        problem.spec,
        problem.weights,
        problem.target,
        level.depth,
        level.reached,
    )
    advance = search.compiled(level.depth)
    images = np.asarray(image, np.float32)[np.newaxis, np.newaxis]
    state = first_order.start(tf.constant(images))
    noise = tf.zeros([2], tf.int32)  # The recipe draws none.
    walked, stop = 0, "iterations"
    while walked < iterations:
        walked = min(iterations, walked + _CHUNK)
        state = advance(
            posed, state, tf.constant(walked), tf.constant(iterations), noise
        )
        if search.progress is not None:
            search.progress(start, done + walked, float(state.best_objective[0]))
        late = search.deadline is not None and time.monotonic() > search.deadline
        if walked < iterations and late:
            stop = "seconds"
            break
    objective = float(state.best_objective[0])
    if not np.isfinite(objective):
        objective, stop = float("inf"), "not_finite"
    return Found(state.best_images.numpy()[0, 0], objective, walked, stop)
