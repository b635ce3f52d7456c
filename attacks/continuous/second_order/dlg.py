"""DLG: pictures and labels found by matching a gradient in the L2 norm.

Zhu, Liu, Han, "Deep Leakage from Gradients", NeurIPS 2019, algorithm 1. The paper's
L-BFGS has no line search and no bounds; this one has both (`lbfgs.py`), computes in
float64 and keeps pixels in [0, 1]. With `mask_aware` the distance is restricted to the
entries that the server sees. Where the knowledge declares local training, the candidate
is what such a client would send (`local_steps.py`).
"""

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


def build_dlg(
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
    """Builds the DLG attack.

    Labels that the knowledge declares are used as they are; otherwise label logits are
    optimised together with the pictures, from the classes that the head's bias
    suggests (the paper starts from N(0, 1)).

    Args:
      mode: What to do about hidden entries; see `target.Mode`.
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
        raises one if view, knowledge and `source` do not go together.
    """
    validation.check_in("mode", mode, target_lib.MODES)
    settings = matching_attack.settings_of(
        initial, effort, budget, progress, extra_starts, programs
    )

    def attack(
        view: views.ServerView, knowledge: knowledge_lib.Knowledge, seed: Seed
    ) -> knowledge_lib.Reconstruction:
        target = target_lib.build_target(view, knowledge, source, mode)
        return matching_attack.reconstruct(
            tuple(np.asarray(tensor) for tensor in view.weights),
            target,
            knowledge,
            candidates.declared(knowledge),
            settings,
            seed,
        )

    return attack
