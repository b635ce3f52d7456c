"""Hidden entries imputed from public gradients, then matched as far as they are sure.

Gradients of natural pictures at given weights are far from filling their space, so the
visible entries of one say much about the others. The attacker fits a Gaussian to the
gradients of its public pictures, conditions it on what it sees, and matches the visible
entries together with the conditional mean, each entry weighted by its precision: the
optimal attack for a Gaussian error in the sense of Balunovic, Dimitrov, Staab, Vechev,
"Bayesian Framework for Gradient Leakage", ICLR 2022. Bishop, "Pattern Recognition and
Machine Learning", 2006, section 2.3.1, for the conditional.
"""

import dataclasses

import numpy as np

from attacks import effort as effort_lib
from attacks import knowledge as knowledge_lib
from attacks import programs as programs_lib
from attacks import target as target_lib
from attacks.matching import objectives
from attacks.optimisers import lbfgs
from attacks.pictures.statistical import (
    completed_gradient,
    prior_pictures,
    public_attack,
    weighted_matching,
)
from selenc_tf import validation

_DEFAULT_EFFORT = effort_lib.Effort()


def build_imputation(
    *,
    source: target_lib.Source = 0,
    effort: effort_lib.Effort = _DEFAULT_EFFORT,
    progress: effort_lib.Progress | None = None,
    batches: int = 1000,
    max_entries: int = 20_000,
    slack: float = 1e-4,
    refine: bool = True,
    programs: programs_lib.Programs | None = None,
) -> knowledge_lib.Attack:
    """Builds the attack by conditional-Gaussian imputation and weighted matching.

    Half of the iterations and seconds go to matching the visible and the imputed
    entries; with `refine` the other half, and what is left, goes to the visible ones
    alone, from the pictures found so far: where they determine the pictures, no error
    of the imputation remains, and where they do not, the pictures stay close to what
    was imputed.

    Labels come from the knowledge, or else from the head (`label_hypotheses`), imputed
    entries included for batches.

    Args:
      source: One client's message by its index, or "aggregate".
      effort: Starts, L-BFGS-B iterations and seconds.
      progress: Called after every iteration.
      batches: Public gradients to fit on, at least 3.
      max_entries: See `completed_gradient.complete`.
      slack: See `completed_gradient.complete`; positive.
      refine: Whether to end with the visible entries alone.
      programs: What is compiled already, shared with other attacks; None for its own.

    Returns:
      The attack.

    Raises:
      ValueError: If a number is out of its range. The attack itself raises one if view,
        knowledge and `source` do not go together, and `DoesNotApply` if there are fewer
        than three public pictures or the messages are not gradients.
    """
    validation.check_at_least("batches", batches, 3)
    validation.check_at_least("max_entries", max_entries, 1)
    validation.check_positive("slack", slack)

    def solve(case: public_attack.Case) -> knowledge_lib.Reconstruction:
        target, knowledge, generator = case.target, case.knowledge, case.generator
        completed = completed_gradient.complete(
            case, batches=batches, max_entries=max_entries, slack=slack
        )
        guessing = completed.target if knowledge.batch_size > 1 else target
        hypotheses = weighted_matching.label_hypotheses(
            guessing, knowledge, effort.restarts, generator
        )
        count = max(effort.restarts, len(hypotheses.classes))
        classes = [
            hypotheses.classes[i % len(hypotheses.classes)] for i in range(count)
        ]
        starts = [
            completed.images
            if index < len(hypotheses.classes)
            else prior_pictures.prior_pictures(knowledge, labels, "random", generator)
            for index, labels in enumerate(classes)
        ]
        whole = weighted_matching.limits(effort, case.seconds)
        first = whole if not refine else _half(whole)
        found = weighted_matching.match(
            case,
            completed.target,
            completed.weights,
            classes,
            starts,
            first,
            progress,
        )
        last = found.minimum
        iterations, evaluations = last.iterations, last.evaluations
        if refine and last.stop != "not_finite" and whole.max_iterations > iterations:
            matched = weighted_matching.match(
                case,
                target,
                objectives.normalised_weights(target.vector, target.visible),
                [tuple(int(label) for label in found.labels)],
                [found.images],
                dataclasses.replace(
                    weighted_matching.limits(effort, case.seconds),
                    max_iterations=whole.max_iterations - iterations,
                ),
                progress,
            )
            last, found = matched.minimum, matched
            iterations += last.iterations
            evaluations += last.evaluations
        return knowledge_lib.Reconstruction(
            examples=found.images.astype(np.float32),
            labels=found.labels,
            label_source=hypotheses.source,
            objective=case.visible_error(found.images, found.labels),
            start_objectives=last.start_values,
            iterations=iterations,
            evaluations=evaluations,
            seconds=case.seconds,
            converged=last.stop == "tolerance" and refine,
            stop=last.stop,
            matched_entries=int(np.count_nonzero(target.visible)),
        )

    return public_attack.build(solve, source, programs, least=3)


def _half(budget: lbfgs.Budget) -> lbfgs.Budget:
    seconds = budget.max_seconds
    return dataclasses.replace(
        budget,
        max_iterations=(budget.max_iterations + 1) // 2,
        max_seconds=None if seconds is None else seconds / 2,
    )
