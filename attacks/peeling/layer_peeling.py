"""Layer peeling: a ReLU network inverted from its head down, as far as algebra goes.

R-GAP (Zhu, Blaschko, ICLR 2021) needs activations that can be inverted. Through ReLUs
and max-poolings the gradient of a kernel still is linear in the layer's input, once it
is known which outputs count; from the head down that is known, or can be found
(`pooled.py`). Layers are taken off while a kernel has more entries for each input
channel than that channel has positions. What remains is a shallower network of which
the output, the derivative by it and all gradients are known: pictures are searched that
fit these (`descent.py`), which are far easier to find than ones that fit the gradient of
the whole network. This attack is this project's.
"""

import functools
import time
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from attacks import effort as effort_lib
from attacks import knowledge as knowledge_lib
from attacks import target as target_lib
from attacks.analytic import closed_form
from attacks.first_order import engine as first_order
from attacks.first_order import quick_inversion
from attacks.first_order import search as search_lib
from attacks.peeling import descent, peel, top
from attacks.peeling import network as network_lib
from attacks.second_order import blas
from federated import views
from selenc_tf.types import Seed

_CHUNK = 50
"""Iterations between two looks at the clock, and two reports of progress."""

_SCOUTING = 1 / 3
"""Share of the iterations after which a layer that resisted is tried again."""

_DEFAULT_EFFORT = effort_lib.Effort(restarts=1, max_iterations=500)


class _Found(NamedTuple):
    """Where a search ended.

    Attributes:
      image: float32 [h, w, c].
      objective: With priors.
      iterations: Done.
      stop: "iterations", "seconds" or "not_finite".
    """

    image: np.ndarray
    objective: float
    iterations: int
    stop: str


def build_layer_peeling(
    *,
    source: target_lib.Source = 0,
    effort: effort_lib.Effort = _DEFAULT_EFFORT,
    progress: effort_lib.Progress | None = None,
) -> knowledge_lib.Attack:
    """Builds the attack, for one picture.

    It is mask-aware by nature: hidden entries are equations that it does without.

    Args:
      source: One client's message by its index, or "aggregate".
      effort: Starts of the search below the layers taken off, and its iterations.
      progress: Called after every fifty iterations.

    Returns:
      The attack. `stop` is "closed_form" if every layer came off, else how the search
      ended: "iterations", "seconds", "not_finite"; or "nothing_visible", "not_finite",
      "all_zero", or "not_applicable" where the model is not a chain that `network.py`
      reads. `objective` is that of gradient matching. Where the dense layers show too
      little to begin with, as with a hidden head, it is `quick_inversion`. The attack
      raises a ValueError if the batch is not one picture, or view, knowledge and
      `source` do not go together.
    """

    def attack(
        view: views.ServerView, knowledge: knowledge_lib.Knowledge, seed: Seed
    ) -> knowledge_lib.Reconstruction:
        if knowledge.batch_size != 1:
            raise ValueError(
                "`knowledge.batch_size` must be 1 for layer peeling, whose equations "
                f"are for a single picture, got {knowledge.batch_size}. Use DLG for "
                "batches."
            )
        began = time.monotonic()
        target = target_lib.build_target(view, knowledge, source, "mask_aware")
        labels, label_source = closed_form.label_of(target, knowledge)
        network = network_lib.read_network(knowledge.model)
        stop = closed_form.nothing_to_go_by(target)
        if stop is None and network is None:
            stop = "not_applicable"
        found, entries, ended = None, 0, stop or "not_applicable"
        if stop is None and network is not None:
            with blas.one_thread():
                reached = top.read(target, view.weights, network.dense, int(labels[0]))
            if reached is None:
                return quick_inversion.build_quick_inversion(
                    source=source, effort=effort, progress=progress
                )(view, knowledge, seed)
            problem = peel.Problem(network, knowledge.model.spec, view.weights, target)
            found, entries = _reconstruct(
                problem, reached, knowledge, effort, progress, seed, began
            )
            ended = found.stop
        shape = (1, *knowledge.model.input_shape)
        images = closed_form.fill(
            np.zeros(shape)
            if found is None
            else np.clip(found.image, 0, 1)[np.newaxis],
            np.full(shape, found is not None),
            knowledge,
        )
        result = closed_form.report(
            view, target, knowledge, images, labels, label_source, ended, entries, began
        )
        searched = 0 if found is None else found.iterations
        return result._replace(iterations=searched, evaluations=searched + 1)

    return attack


def _reconstruct(
    problem: peel.Problem,
    reached: top.Known,
    knowledge: knowledge_lib.Knowledge,
    effort: effort_lib.Effort,
    progress: effort_lib.Progress | None,
    seed: Seed,
    began: float,
) -> tuple[_Found, int]:
    """Takes layers off, searches below them, and takes off more where that helped."""
    deadline = None if effort.max_seconds is None else began + effort.max_seconds

    @functools.cache
    def compiled(depth: int) -> descent.Advance:
        return descent.build_advance(problem.network, depth)

    def starts_of(count: int) -> list[np.ndarray]:
        return [
            search_lib.draw_images(knowledge, initial, seed, index)[0]
            for index in range(count)
            for initial in ("normal", "grey")
        ]

    def search(
        level: peel.Level, image: np.ndarray, iterations: int, start: int, done: int
    ) -> _Found:
        advance = compiled(level.depth)
        return _search(
            advance,
            problem,
            level,
            image,
            iterations,
            start,
            done,
            seed,
            deadline,
            progress,
        )

    level = peel.begin(problem, reached)
    level, resisted = peel.descend(problem, level, starts_of(2), deadline)
    if level.depth == 0:
        return _Found(
            peel.picture(problem, level), 0.0, 0, "closed_form"
        ), level.entries
    left, done = effort.max_iterations, 0
    first = search_lib.draw_images(knowledge, descent.RECIPE.initial, seed, 0)[0]
    if resisted and left > 1:
        scout = search(level, first, max(1, int(left * _SCOUTING)), 0, 0)
        done = scout.iterations
        left -= done
        level, _ = peel.descend(problem, level, [scout.image], deadline)
        first = scout.image
        if level.depth == 0:
            image = peel.picture(problem, level)
            return _Found(image, 0.0, done, "closed_form"), level.entries
        if scout.stop == "seconds" or left < 1:
            return scout, level.entries
    count = max(1, min(effort.restarts, left))
    best: _Found | None = None
    for start in range(count):
        image = first
        if start:
            image = search_lib.draw_images(
                knowledge, descent.RECIPE.initial, seed, start
            )[0]
        found = search(level, image, left // count, start, done)
        done += found.iterations
        if best is None or found.objective < best.objective:
            best = found
        if found.stop == "seconds":
            break
    assert best is not None
    return best._replace(iterations=done), level.entries


def _search(
    advance: descent.Advance,
    problem: peel.Problem,
    level: peel.Level,
    image: np.ndarray,
    iterations: int,
    start: int,
    done: int,
    seed: Seed,
    deadline: float | None,
    progress: effort_lib.Progress | None,
) -> _Found:
    """One start of the search below a level."""
    posed = descent.pose(
        problem.network,
        problem.spec,
        problem.weights,
        problem.target,
        level.depth,
        level.reached,
    )
    state = first_order.start(tf.constant(image[np.newaxis, np.newaxis]))
    numbers = tf.zeros([2], tf.int32)  # The recipe has no noise.
    walked, stop = 0, "iterations"
    while walked < iterations:
        walked = min(iterations, walked + _CHUNK)
        state = advance(
            posed, state, tf.constant(walked), tf.constant(iterations), numbers
        )
        if progress is not None:
            progress(start, done + walked, float(state.best_objective[0]))
        if walked < iterations and deadline is not None and time.monotonic() > deadline:
            stop = "seconds"
            break
    objective = float(state.best_objective[0])
    if not np.isfinite(objective):
        objective, stop = float("inf"), "not_finite"
    return _Found(state.best_images.numpy()[0, 0], objective, walked, stop)
