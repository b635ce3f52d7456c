"""Our side of the text case: a step of LAMP, and the vocabulary by the first span."""

from collections.abc import Callable

import numpy as np

from attacks.text import compiled
from attacks.text.continuous import engine
from attacks.text.discrete import candidates
from experiments.suites import memory
from experiments.suites.attack import catalog, text_cases
from experiments.suites.attack.text_cases import TextCase


def build_step(case: TextCase) -> Callable[[], float]:
    """One step of LAMP from the start: distance, prior, slope and Adam.

    Returns:
      A function that takes the step and gives the objective before it.
    """
    compiled_step = engine.build_engine(case.model, "by_tensor").step
    arguments = text_cases.step_arguments(case)

    def evaluate() -> float:
        after = compiled_step(*arguments)
        _ = after.words.numpy()
        return float(after.best)

    return evaluate


def build_check(case: TextCase) -> Callable[[], float]:
    """The log-distance of every token at every position to the span.

    Returns:
      A function that computes all and gives their mean.
    """
    model, weights = case.model, case.model.initial_weights
    entering = compiled.build_entering(model, (candidates.FIRST[0],))
    every = np.ones([model.vocabulary_size], np.bool_)

    def evaluate() -> float:
        found = candidates.rank_vocabulary(
            model, lambda ids: entering(weights, ids)[0], case.span, every
        )
        return float(found.mean())

    return evaluate


def peak_bytes(name: str) -> int:
    """Peak memory of steps of a case in this process; see `suites.memory`."""
    made: TextCase = catalog.make(name, 0, 1, 0)
    return memory.of_evaluations(build_step(made))
