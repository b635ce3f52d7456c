"""Our side of the second-order cases: the matching error and DLG."""

import math
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import tensorflow as tf

from attacks import knowledge as knowledge_lib
from attacks import programs
from attacks.continuous.second_order import dlg
from attacks.matching import matching, objectives
from attacks.optimisers import lbfgs
from experiments.suites import memory
from experiments.suites.attack import cases, catalog, recovery
from experiments.suites.attack.cases import Case
from experiments.suites.attack.recovery import Reached

GRAPH, XLA = "plain graph", "XLA, patches"

COMPILED: Mapping[str, bool] = MappingProxyType({GRAPH: False, XLA: True})
"""Ways to compile the objective: whether by XLA."""


def build_evaluation(
    case: Case, compiled: matching.Matching, trials: int
) -> Callable[[], float]:
    """One evaluation, value and slope, of so many trials, which are of one target.

    A single one is as the optimiser asks for it.
    """
    observed, ask = _observed(case), compiled.known_labels
    labels, points = case.labels[:trials], case.starts[:trials].astype(np.float64)
    if trials > 1:
        ask = compiled.hypotheses
        labels, points = labels[:, np.newaxis], points[:, np.newaxis]
    one_hot = tf.one_hot(labels, case.model.num_classes, dtype=tf.float64)

    def evaluate() -> float:
        values, slopes = ask(observed, (1,), tf.constant(points), one_hot)
        _ = slopes.numpy()
        return float(np.ravel(values)[0])

    return evaluate


def _observed(case: Case) -> matching.Observed:
    gradient = case.gradients[0]
    weights = objectives.normalised_weights(gradient, np.ones_like(gradient, np.bool_))
    return matching.Observed(
        weights=tuple(tf.cast(one, tf.float64) for one in case.model.initial_weights),
        target=tf.constant(gradient, tf.float64),
        entry_weights=tf.constant(weights),
        shares=tf.ones([1], tf.float64),
    )


def attack(
    case: Case,
    compiled: matching.Matching,
    picture: int,
    levels: tuple[float, ...],
    max_seconds: float,
) -> Reached:
    """DLG with the label known, watched from outside until it reaches all levels.

    Args:
      case: The case.
      compiled: Its objective, traced already.
      picture: Which.
      levels: PSNR in dB, rising.
      max_seconds: At most.

    Returns:
      When each level was reached, in seconds and CPU seconds.
    """
    truth = case.images[picture]
    best, reached = -math.inf, {}
    began, worked = time.perf_counter(), time.process_time()

    def watched(rounds: Any, sizes: Any, images: Any, *others: Any) -> Any:
        nonlocal best
        found = compiled.known_labels(rounds, sizes, images, *others)
        best = max(best, recovery.psnr(images.numpy()[0], truth))
        for level in levels:
            if best >= level and level not in reached:
                reached[level] = (
                    time.perf_counter() - began,
                    time.process_time() - worked,
                )
        if best >= max(levels):
            # A perfect match, so that the search ends.
            return tf.zeros_like(found[0]), found[1]
        return found

    known = knowledge_lib.Knowledge(case.model, labels=(int(case.labels[picture]),))
    shared = programs.Programs()
    shared.use(
        compiled._replace(known_labels=watched), matching.build_matching, case.model
    )
    run = dlg.build_dlg(budget=lbfgs.Budget(max_seconds=max_seconds), programs=shared)
    found = run(cases.server_view(case, picture), known, (0, picture))
    return Reached(reached, best, time.perf_counter() - began, found.evaluations)


def peak_bytes(name: str, way: str, trials: int) -> int:
    """Peak memory of evaluations of a case in this process; see `suites.memory`."""
    case = catalog.make(name, 1, trials, 0)
    compiled = matching.build_matching(case.model, jit_compile=COMPILED[way])
    evaluate = build_evaluation(case, compiled, trials)
    return memory.of_evaluations(evaluate)
