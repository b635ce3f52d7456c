"""iDLG: the label of one picture read off the head, then the picture by matching.

Zhao, Mopuri, Bilen, "iDLG: Improved Deep Leakage from Gradients", 2020. Where the
visible entries leave a few classes possible, each gets a start and the matching error
decides; where they leave many, the label is optimised with the picture, as DLG does.
"""

import numpy as np

from attacks import knowledge as knowledge_lib
from attacks import labels as labels_lib
from attacks import lbfgs, matching_attack
from attacks import target as target_lib
from federated import views
from selenc_tf import validation
from selenc_tf.types import Seed

_DEFAULT_BUDGET = lbfgs.Budget()
_MOST_HYPOTHESES = 12


def build_idlg(
    mode: target_lib.Mode = "mask_aware",
    *,
    source: target_lib.Source = 0,
    initial: matching_attack.Initial = "grey",
    budget: lbfgs.Budget = _DEFAULT_BUDGET,
    progress: lbfgs.Progress | None = None,
) -> knowledge_lib.Attack:
    """Builds the iDLG attack, for one picture.

    Labels that the knowledge declares are not looked at: the point is to infer them.

    Args:
      mode: What to do about hidden entries, in the label rule and in the matching.
      source: One client's message by its index, or "aggregate".
      initial: The distribution of the starting pictures.
      budget: Starts, iterations, seconds and tolerance.
      progress: Called after every iteration.

    Returns:
      The attack.

    Raises:
      ValueError: If `mode` or `initial` is not one of those offered. The attack itself
        raises one if the batch is not one picture, or view, knowledge and `source` do
        not go together.
    """
    validation.check_in("mode", mode, target_lib.MODES)
    validation.check_in("initial", initial, matching_attack.INITIALS)

    def attack(
        view: views.ServerView, knowledge: knowledge_lib.Knowledge, seed: Seed
    ) -> knowledge_lib.Reconstruction:
        if knowledge.batch_size != 1:
            raise ValueError(
                "`knowledge.batch_size` must be 1 for iDLG, whose label rule is for a "
                f"single picture, got {knowledge.batch_size}. Use DLG for batches."
            )
        target = target_lib.build_target(view, knowledge, source, mode)
        labels = labels_lib.possible_labels(
            target, mode, knowledge.model.spec, knowledge.model.num_classes
        )
        few = 1 <= len(labels) <= (1 if mode == "naive" else _MOST_HYPOTHESES)
        # With nothing to match, trying hypotheses cannot tell them apart.
        few = few and (len(labels) == 1 or bool(np.any(target.matched)))
        return matching_attack.reconstruct(
            tuple(np.asarray(tensor) for tensor in view.weights),
            target,
            knowledge,
            tuple((label,) for label in labels) if few else (),
            "inferred" if len(labels) == 1 else "enumerated",
            initial,
            budget,
            seed,
            progress,
        )

    return attack
