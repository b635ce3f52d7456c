"""Several rounds with the same pictures, matched together.

A client that takes part in more than one round sends more equations about the same
pictures: at other weights, and, where the mask changes, with other entries visible.
The objective is the mean of the rounds' relative errors, as in Geiping et al.,
"Inverting Gradients: How easy is it to break privacy in federated learning?", NeurIPS
2020, section 6, who match the mean over the queries of a client.
"""

import numpy as np

from attacks import effort as effort_lib
from attacks import knowledge as knowledge_lib
from attacks import programs as programs_lib
from attacks import target as target_lib
from attacks.continuous.second_order import matching_attack, problems, starts
from attacks.labels import candidates, signs
from attacks.matching import matching
from attacks.optimisers import lbfgs
from federated import views
from selenc_tf import validation
from selenc_tf.types import Seed

_DEFAULT_EFFORT = effort_lib.Effort()


def build_multi_round(
    mode: target_lib.Mode = "mask_aware",
    *,
    source: target_lib.Source = 0,
    initial: starts.Initial = "grey",
    effort: effort_lib.Effort = _DEFAULT_EFFORT,
    budget: lbfgs.Budget | None = None,
    progress: lbfgs.Progress | None = None,
    extra_starts: np.ndarray | None = None,
    programs: programs_lib.Programs | None = None,
) -> knowledge_lib.Attack:
    """Builds the attack on all rounds that the knowledge has of the same pictures.

    Runs on: attacker. Sees: the view and `Knowledge.earlier`, each round with its own
    weights and mask. Without earlier rounds it is DLG, or iDLG for a single picture of
    unknown class.

    Args:
      mode: What to do about hidden entries; see `target.Mode`.
      source: One client's messages by its index, or the "aggregate" of every round.
      initial: The distribution of the starting pictures.
      effort: Starts, iterations and seconds.
      budget: All settings of the optimiser; replaces `effort`.
      progress: Called after every iteration.
      extra_starts: float32 [s, b, h, w, c] in [0, 1], pictures to start from beside
        those that are drawn, or None.
      programs: What is compiled already, shared with other attacks; None for its own.

    Returns:
      The attack.

    Raises:
      ValueError: If `mode` or `initial` is not one of those offered. The attack itself
        raises one if a view, the knowledge and `source` do not go together.

    Example:
      earlier = dataclasses.replace(knowledge, earlier=(first_view, second_view))
      build_multi_round()(third_view, earlier, (0, 1))
    """
    validation.check_in("mode", mode, target_lib.MODES)
    settings = matching_attack.settings_of(
        initial, effort, budget, progress, extra_starts, programs
    )

    def attack(
        view: views.ServerView, knowledge: knowledge_lib.Knowledge, seed: Seed
    ) -> knowledge_lib.Reconstruction:
        rounds = (view, *knowledge.earlier)
        targets = tuple(
            target_lib.build_target(one, knowledge, source, mode) for one in rounds
        )
        problem = problems.Problem(
            rounds=tuple(
                problems.Round(
                    weights=tuple(np.asarray(tensor) for tensor in one.weights),
                    vector=target.vector,
                    matched=target.matched,
                    shares=target.shares,
                )
                for one, target in zip(rounds, targets, strict=True)
            ),
            sizes=targets[0].sizes,
            guesses=((_most_of_the_head(targets, knowledge), knowledge.batch_size),),
            compiled=settings.programs.of(matching.build_matching, knowledge.model),
        )
        if knowledge.batch_size > 1 or knowledge.model.kind != "classes":
            labels = candidates.declared(knowledge)
        else:
            # The published rule knows no doubt.
            most = 1 if mode == "naive" else knowledge.model.num_classes
            labels = candidates.candidates(targets, knowledge, mode, most=most)
        return matching_attack.search(problem, knowledge, labels, settings, seed)

    return attack


def _most_of_the_head(
    targets: tuple[target_lib.Target, ...], knowledge: knowledge_lib.Knowledge
) -> target_lib.Target:
    """The round that shows most of the head's bias, for a guess of the classes."""
    model = knowledge.model
    head = signs.find_head(
        candidates.readable_layout(targets[0], model), model.num_classes
    )
    if head is None or head.bias is None:
        return targets[0]
    shown = [int(np.count_nonzero(target.visible[head.bias])) for target in targets]
    return targets[int(np.argmax(shown))]
