"""What the matching attacks share: pictures (and labels) optimised to match gradients.

Each attack states a problem, and one search solves them all:

    reconstruct: one target (DLG, iDLG)        --+
    multi_round.py: one target in each round   --+--> Problem --> search
    cohort.py: every message and the sum       --+                  |
                                                                    |
    labels: a few hypotheses, a start each <------------------------+
            many: label_race.py <-----------------------------------+
            none: joint_labels.py <---------------------------------+
"""

import math
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from attacks import effort as effort_lib
from attacks import knowledge as knowledge_lib
from attacks import programs as programs_lib
from attacks import target as target_lib
from attacks.continuous.second_order import joint_labels, label_race, problems
from attacks.continuous.second_order import starts as starts_lib
from attacks.labels import candidates
from attacks.matching import matching
from attacks.optimisers import lbfgs
from selenc_tf import validation
from selenc_tf.types import Seed


class Settings(NamedTuple):
    """How a matching attack searches.

    Attributes:
      initial: The distribution of the starting pictures.
      budget: The optimiser's limits; `restarts` grows to the number of hypotheses
        without a race.
      progress: Called after every iteration, or None.
      extra_starts: float [s, b, *input_shape], pictures to start from beside those that are
        drawn, each with every hypothesis (after a race perhaps with its leader only);
        clipped to [0, 1]. None for none.
      programs: Where the model's compiled objective is kept.
    """

    initial: starts_lib.Initial
    budget: lbfgs.Budget
    progress: lbfgs.Progress | None
    extra_starts: np.ndarray | None
    programs: programs_lib.Programs


def settings_of(
    initial: starts_lib.Initial,
    effort: effort_lib.Effort,
    budget: lbfgs.Budget | None,
    progress: lbfgs.Progress | None,
    extra_starts: np.ndarray | None,
    programs: programs_lib.Programs | None,
) -> Settings:
    """The settings that an attack's builder is given.

    Args:
      initial: See `Settings`.
      effort: Starts, iterations and seconds.
      budget: All settings of the optimiser; replaces `effort`.
      progress: See `Settings`.
      extra_starts: See `Settings`.
      programs: Shared with other attacks, or None for the attack's own.

    Returns:
      The settings.

    Raises:
      ValueError: If `initial` is not one of those offered.
    """
    validation.check_in("initial", initial, starts_lib.INITIALS)
    return Settings(
        initial,
        lbfgs.budget_of(effort) if budget is None else budget,
        progress,
        extra_starts,
        programs_lib.Programs() if programs is None else programs,
    )


def reconstruct(
    view_weights: tuple[np.ndarray, ...],
    target: target_lib.Target,
    knowledge: knowledge_lib.Knowledge,
    labels: candidates.Candidates,
    settings: Settings,
    seed: Seed,
) -> knowledge_lib.Reconstruction:
    """Matches one target; see `search`, which has the other arguments.

    Runs on: attacker. Sees: the weights, the visible entries and its knowledge.

    Args:
      view_weights: The weights of the round.
      target: What to match.
      knowledge: The model, the batch size and how messages are made.
      labels: See `search`.
      settings: How to search.
      seed: See `search`.

    Returns:
      The best start by the matching error.

    Raises:
      ValueError: If `extra_starts` has another shape or is not finite.
    """
    problem = problems.Problem(
        rounds=(
            problems.Round(view_weights, target.vector, target.matched, target.shares),
        ),
        sizes=target.sizes,
        guesses=((target, knowledge.batch_size),),
        compiled=settings.programs.of(matching.build_matching, knowledge.model),
    )
    return search(problem, knowledge, labels, settings, seed)


def search(
    problem: problems.Problem,
    knowledge: knowledge_lib.Knowledge,
    labels: candidates.Candidates,
    settings: Settings,
    seed: Seed,
) -> knowledge_lib.Reconstruction:
    """Optimises pictures, and label logits where labels are unknown.

    Runs on: attacker. Sees: the problem and its knowledge.

    Args:
      problem: What to match.
      knowledge: The model, the batch size and how messages are made.
      labels: The possible classes of the batch; the matching error decides. Up to
        `candidates.MOST_CANDIDATES` are tried with one start at least each; more run a
        race (`label_race.py`). None at all, a mere guess, or too few iterations for the
        race: soft labels are optimised jointly.
      settings: How to search.
      seed: Of the starts.

    Returns:
      The best start by the matching error. Where nothing is visible to match, the first
      start, an extra one if there are any: that is all such an attacker can say.

    Raises:
      ValueError: If `extra_starts` has another shape or is not finite.
    """
    began = time.monotonic()
    matched = sum(int(np.count_nonzero(one.matched)) for one in problem.rounds)
    extra = starts_lib.check_extra(settings.extra_starts, knowledge)
    budget, progress = settings.budget, settings.progress
    hypotheses = () if labels.source == "guessed" else labels.classes

    def draw(index: int) -> starts_lib.Start:
        return starts_lib.draw_start(
            problem.guesses, knowledge, settings.initial, seed, index
        )

    raced = None
    if len(hypotheses) > candidates.MOST_CANDIDATES and matched:
        pictures = [draw(index).images for index in range(budget.restarts)]
        pictures[1:1] = list(extra)
        raced = label_race.minimise(
            problem, knowledge, hypotheses, pictures, budget, progress
        )
        hypotheses = hypotheses if raced else ()
    if raced:
        best, classes = raced
    else:
        best, classes = _minimise(
            problem, knowledge, hypotheses, draw, extra, budget, progress
        )
    shape = (knowledge.batch_size, *knowledge.model.input_shape)
    pixels = math.prod(shape)
    return knowledge_lib.Reconstruction(
        examples=best.point[:pixels].reshape(shape).astype(np.float32),
        labels=knowledge_lib.label_array(knowledge.model, classes),
        label_source=labels.source if hypotheses else "optimised",
        objective=best.value,
        start_objectives=best.start_values,
        iterations=best.iterations,
        evaluations=best.evaluations,
        seconds=time.monotonic() - began,
        converged=best.stop == "tolerance" and matched > 0,
        stop=best.stop if matched else "nothing_visible",
        matched_entries=matched,
    )


def _minimise(
    problem: problems.Problem,
    knowledge: knowledge_lib.Knowledge,
    hypotheses: tuple[knowledge_lib.Labels, ...],
    draw: Callable[[int], starts_lib.Start],
    extra: np.ndarray,
    budget: lbfgs.Budget,
    progress: lbfgs.Progress | None,
) -> tuple[lbfgs.Minimum, knowledge_lib.Labels]:
    """A search without a race: the minimum and its labels."""
    tried: tuple[knowledge_lib.Labels, ...] = hypotheses or ((),)
    drawn = max(budget.restarts, len(hypotheses))
    starts = [draw(index) for index in range(drawn + len(extra) * len(tried))]
    for index in range(len(extra) * len(tried)):
        images = extra[index // len(tried)]
        starts[drawn + index] = starts[drawn + index]._replace(images=images)
    classes = [tried[index % len(tried)] for index in range(drawn)]
    classes += list(tried) * len(extra)
    if not any(np.any(one.matched) for one in problem.rounds):
        first = drawn if len(extra) else 0
        starts, classes = starts[first : first + 1], classes[first : first + 1]
    objectives_of = problems.compiled_objectives(problem, knowledge)
    points = [start.images.ravel() for start in starts]
    if not hypotheses:
        logits = [start.logits for start in starts]
        kind = knowledge.model.kind
        return joint_labels.minimise(
            kind, objectives_of, points, logits, budget, progress
        )
    best = problems.minimise(
        [objectives_of(labels) for labels in classes],
        points,
        points[0].size,
        budget,
        progress,
    )
    return best, classes[best.start]
