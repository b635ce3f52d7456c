"""iDLG: the label of one picture read off the head, then the picture by matching.

Zhao, Mopuri, Bilen, "iDLG: Improved Deep Leakage from Gradients", 2020. Where the
visible entries leave a few classes possible, each gets a start and the matching error
decides; where they leave many, as with a hidden head, these run a race
(`label_race.py`). Where nothing is visible to tell them apart, or the iterations are
too few for the race (it takes 4 to 5 for each class), the label is optimised with the
picture, as DLG does.
"""

import dataclasses

import numpy as np

from attacks import effort as effort_lib
from attacks import knowledge as knowledge_lib
from attacks import programs as programs_lib
from attacks import target as target_lib
from attacks.continuous.second_order import matching_attack, starts
from attacks.labels import candidates
from attacks.optimisers import lbfgs
from federated import views
from selenc_tf import validation
from selenc_tf.types import Seed

_DEFAULT_EFFORT = effort_lib.Effort()


def build_idlg(
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
    """Builds the iDLG attack, for one picture.

    Labels that the knowledge declares are not looked at: the point is to infer them.

    Args:
      mode: What to do about hidden entries, in the label rule and in the matching.
      source: One client's message by its index, or "aggregate".
      initial: The distribution of the starting pictures.
      effort: Starts, iterations and seconds.
      budget: All settings of the optimiser; replaces `effort`.
      progress: Called after every iteration.
      extra_starts: float32 [s, b, h, w, c] in [0, 1], pictures to start from beside
        those that are drawn (another attack's result), or None.
      programs: What is compiled already, shared with other attacks; None for its own.

    Returns:
      The attack.

    Raises:
      ValueError: If `mode` or `initial` is not one of those offered. The attack itself
        raises `DoesNotApply` if the batch is not one picture, and a ValueError if view,
        knowledge and `source` do not go together.
    """
    validation.check_in("mode", mode, target_lib.MODES)
    settings = matching_attack.settings_of(
        initial, effort, budget, progress, extra_starts, programs
    )

    def attack(
        view: views.ServerView, knowledge: knowledge_lib.Knowledge, seed: Seed
    ) -> knowledge_lib.Reconstruction:
        target = target_lib.build_target(view, knowledge, source, mode)
        knowledge_lib.check_one_picture(knowledge, "iDLG")
        # The published rule knows no doubt.
        most = 1 if mode == "naive" else knowledge.model.num_classes
        unknown = dataclasses.replace(knowledge, labels=None)
        return matching_attack.reconstruct(
            tuple(np.asarray(tensor) for tensor in view.weights),
            target,
            knowledge,
            candidates.candidates((target,), unknown, mode, most=most),
            settings,
            seed,
        )

    return attack
