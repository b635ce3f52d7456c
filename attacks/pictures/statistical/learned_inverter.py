"""Pictures predicted from a gradient by what was learnt on public pictures.

Learning to invert: Wu, Chen, Guo, Weinberger, "Learning To Invert: Simple Adaptive
Attacks for Gradient Inversion in Federated Learning", UAI 2023. The attacker computes
the gradients that its own pictures would have sent in this very round, hides the same
entries, and learns the way back. The mask is the same for all examples, so the network
is not told about it. The linear learner is the conditional mean of the pixels under a
Gaussian (`gaussian.py`): no training, and often better from few pictures.
"""

import dataclasses

import numpy as np

from attacks import effort as effort_lib
from attacks import knowledge as knowledge_lib
from attacks import programs as programs_lib
from attacks import target as target_lib
from attacks.matching import objectives
from attacks.pictures.statistical import (
    picture_learning,
    prior_pictures,
    public_attack,
    weighted_matching,
)

_DEFAULT_EFFORT = effort_lib.Effort()
_DEFAULT_LEARNING = picture_learning.Learning()


def build_learned_inverter(
    *,
    source: target_lib.Source = 0,
    effort: effort_lib.Effort = _DEFAULT_EFFORT,
    progress: effort_lib.Progress | None = None,
    learning: picture_learning.Learning = _DEFAULT_LEARNING,
    programs: programs_lib.Programs | None = None,
) -> knowledge_lib.Attack:
    """Builds LTI: the prediction alone, without a search for a matching gradient.

    Labels come from the knowledge, or else from the head; where several are possible,
    those whose gradient with the predicted pictures is nearest to what is visible.

    Args:
      source: One client's message by its index, or "aggregate".
      effort: `max_iterations` counts steps of Adam; `restarts` is not used.
      progress: Called after every epoch with the held-out error.
      learning: How to learn.
      programs: What is compiled already, shared with other attacks; None for its own.

    Returns:
      The attack.

    Raises:
      ValueError: From the attack: if view, knowledge and `source` do not go together;
        `DoesNotApply` if there are fewer than four public pictures or the messages are
        not gradients.
    """

    def solve(case: public_attack.Case) -> knowledge_lib.Reconstruction:
        predicted = picture_learning.predict(case, learning, effort, progress)
        hypotheses = weighted_matching.label_hypotheses(
            case.target, case.knowledge, 1, case.generator
        )
        errors = [
            case.visible_error(predicted.images, np.array(classes))
            for classes in hypotheses.classes
        ]
        best = int(np.argmin(np.nan_to_num(errors, nan=np.inf)))
        return prior_pictures.as_reconstruction(
            predicted.images,
            np.array(hypotheses.classes[best]),
            hypotheses.source,
            errors[best],
            "trained",
            iterations=predicted.steps,
            evaluations=predicted.gradients + len(errors),
            seconds=case.seconds,
            matched_entries=predicted.entries,
        )

    return public_attack.build(
        solve, source, programs, picture_learning.FEWEST_PICTURES
    )


def build_learned_start(
    *,
    source: target_lib.Source = 0,
    effort: effort_lib.Effort = _DEFAULT_EFFORT,
    progress: effort_lib.Progress | None = None,
    learning: picture_learning.Learning = _DEFAULT_LEARNING,
    programs: programs_lib.Programs | None = None,
) -> knowledge_lib.Attack:
    """Builds mask-aware matching that starts from the learnt pictures.

    Args:
      source: One client's message by its index, or "aggregate".
      effort: Half of the seconds are for learning. `max_iterations` limits both the
        steps of Adam and the iterations of L-BFGS-B; every class that is possible gets
        one start, and `restarts` is not used beyond that.
      progress: Called during both.
      learning: How to learn.
      programs: What is compiled already, shared with other attacks; None for its own.

    Returns:
      The attack.

    Raises:
      ValueError: As `build_learned_inverter`.
    """

    def solve(case: public_attack.Case) -> knowledge_lib.Reconstruction:
        seconds = effort.max_seconds
        half = None if seconds is None else seconds / 2
        predicted = picture_learning.predict(
            case, learning, dataclasses.replace(effort, max_seconds=half), progress
        )
        hypotheses = weighted_matching.label_hypotheses(
            case.target, case.knowledge, 1, case.generator
        )
        found = weighted_matching.match(
            case,
            case.target,
            objectives.normalised_weights(case.target.vector, case.target.visible),
            hypotheses.classes,
            [predicted.images] * len(hypotheses.classes),
            weighted_matching.limits(effort, case.seconds),
            progress,
        )
        last = found.minimum
        return knowledge_lib.Reconstruction(
            examples=found.images.astype(np.float32),
            labels=found.labels,
            label_source=hypotheses.source,
            objective=last.value,
            start_objectives=last.start_values,
            iterations=last.iterations,
            evaluations=last.evaluations + predicted.gradients,
            seconds=case.seconds,
            converged=last.stop == "tolerance",
            stop=last.stop,
            matched_entries=int(np.count_nonzero(case.target.visible)),
        )

    return public_attack.build(
        solve, source, programs, picture_learning.FEWEST_PICTURES
    )
