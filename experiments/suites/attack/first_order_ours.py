"""Our side of the first-order cases: the cosine distance, and the time to a PSNR."""

import math
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from attacks import knowledge as knowledge_lib
from attacks.continuous.first_order import engine as first_order
from attacks.continuous.first_order import recipes, slopes, starts
from attacks.pictures.first_order import quick_inversion
from experiments.suites import memory
from experiments.suites.attack import catalog, recovery
from experiments.suites.attack.cases import Case
from experiments.suites.attack.recovery import Reached
from selenc_tf.types import Seed

_CHUNK = 5
"""Iterations between looks at the picture."""


class Search(NamedTuple):
    """An attack that is watched.

    Attributes:
      recipe: Of the engine.
      budget: Iterations that its learning rate is planned for.
    """

    recipe: recipes.Recipe
    budget: int


class Limits(NamedTuple):
    """When watching ends.

    Attributes:
      levels: PSNR in dB; it ends when all are reached,
      iterations: or after so many, or those of the budget if they are fewer,
      seconds: or after so long.
    """

    levels: tuple[float, ...]
    iterations: int
    seconds: float


def build_single(case: Case) -> Callable[[], float]:
    """One evaluation of the first picture at the first start: distance and slope.

    As a plain graph. XLA takes minutes to compile these networks (278 s for the ConvNet
    of width 64 on two shared cores), so that no attack uses it, and it is not timed.
    """
    compiled = tf.function(
        slopes.build_slope(case.model, quick_inversion.UNTRAINED), autograph=False
    )
    # As an argument: constants would be folded, and copied into the graph.
    weights = tuple(tf.convert_to_tensor(one) for one in case.model.initial_weights)
    target = tf.constant(case.gradients[0])
    everything = tf.ones_like(target)
    labels = tf.one_hot(case.labels[:1], case.model.num_classes)
    shares = tf.ones([1])
    point = case.starts[:1]

    def evaluate() -> float:
        images = tf.constant(point)
        value, slope = compiled(weights, target, everything, images, labels, shares)
        _ = slope.numpy()
        return float(value)

    return evaluate


def traced_engine(case: Case, what: Search) -> first_order.Engine:
    """The engine of a search after one iteration, so that tracing is not timed."""
    engine = first_order.build_engine(case.model, what.recipe)
    state = first_order.start(tf.constant(case.starts[:1, np.newaxis]))
    _advance(engine, _problem(case, 0), state, 1, what.budget, (0, 0))
    return engine


def attack(
    case: Case,
    engine: first_order.Engine,
    what: Search,
    picture: int,
    limits: Limits,
    seed: Seed,
) -> Reached:
    """A search with the label known, looked at after every few iterations.

    Args:
      case: The case.
      engine: What `traced_engine` made for `what`.
      what: The search.
      picture: Which.
      limits: When to stop.
      seed: Of the start, and of noise if the recipe has any.

    Returns:
      When each level was reached, in seconds and iterations.
    """
    truth = case.images[picture]
    label = int(case.labels[picture])
    known = knowledge_lib.Knowledge(case.model, labels=(label,))
    drawn = starts.draw_images(known, what.recipe.initial, seed, 0)
    problem = _problem(case, picture)
    last = min(what.budget, limits.iterations)
    done, best = 0, -math.inf
    reached: dict[float, tuple[float, float]] = {}
    began = time.perf_counter()
    state = first_order.start(tf.constant(drawn[np.newaxis]))
    while done < last and time.perf_counter() - began < limits.seconds:
        done = min(last, done + _CHUNK)
        state = _advance(engine, problem, state, done, what.budget, seed)
        best = max(best, recovery.psnr(state.images.numpy()[0, 0], truth))
        now = time.perf_counter() - began
        for level in limits.levels:
            if best >= level and level not in reached:
                reached[level] = (now, done)
        if best >= max(limits.levels):
            break
    return Reached(reached, best, time.perf_counter() - began, done)


def peak_bytes(name: str) -> int:
    """Peak memory of evaluations of a case in this process; see `suites.memory`."""
    return memory.of_evaluations(build_single(catalog.make(name, 0, 1, 0)))


def _problem(case: Case, picture: int) -> first_order.Problem:
    """One trial for one picture, all entries visible."""
    target = tf.constant(case.gradients[picture : picture + 1])
    classes = case.model.num_classes
    return first_order.Problem(
        weights=tuple(tf.convert_to_tensor(one) for one in case.model.initial_weights),
        targets=target,
        matched=tf.ones_like(target),
        labels=tf.one_hot(case.labels[picture : picture + 1, np.newaxis], classes),
        shares=tf.ones([1]),
        which=tf.zeros([1], tf.int32),
        group=tf.zeros([1], tf.int32),
        features=tf.zeros([1, 1]),
        known_features=tf.zeros([1, 1]),
    )


def _advance(
    engine: first_order.Engine,
    problem: first_order.Problem,
    state: first_order.State,
    until: int,
    budget: int,
    seed: Seed,
) -> first_order.State:
    numbers = np.random.default_rng(seed).integers(0, 2**30, 2)
    return engine.advance(
        problem,
        state,
        tf.constant(until),
        tf.constant(budget),
        tf.constant(numbers, tf.int32),
    )
