"""Attacks that are not watched: what their picture is like is seen at their end."""

import math
import time
from typing import Literal

from attacks import knowledge as knowledge_lib
from experiments.suites.attack import cases, recovery
from experiments.suites.attack.cases import Case
from experiments.suites.attack.recovery import Reached
from selenc_tf.types import Seed

Beside = Literal["CPU s", "iterations"]
"""What a table has beside the seconds."""

NOTE = (
    "a fresh call, tracing included, and every level that its picture reaches counts "
    "at its end; the others, traced before, end at the highest level"
)
"""How an attack of this file is timed, for a table's heading, after its name."""


def attack(
    case: Case,
    run: knowledge_lib.Attack,
    picture: int,
    levels: tuple[float, ...],
    beside: Beside,
    seed: Seed,
) -> Reached:
    """One call, with all entries visible and the label known.

    Args:
      case: The case.
      run: The attack.
      picture: Which.
      levels: PSNR in dB.
      beside: The second number of each level that is reached.
      seed: Of the attack.

    Returns:
      The levels of the picture that it ends with, all at the time of its end; or why
      there is none.
    """
    view = cases.server_view(case, picture)
    known = knowledge_lib.Knowledge(case.model, labels=(int(case.labels[picture]),))
    began, worked = time.perf_counter(), time.process_time()
    try:
        found = run(view, known, seed)
    except knowledge_lib.DoesNotApply as refusal:
        return Reached({}, math.nan, time.perf_counter() - began, 0, str(refusal))
    seconds, cpu = time.perf_counter() - began, time.process_time() - worked
    best = recovery.psnr(found.examples[0], case.images[picture])
    end = seconds, cpu if beside == "CPU s" else found.iterations
    reached = {level: end for level in levels if best >= level}
    return Reached(reached, best, seconds, found.evaluations)
