"""DAGER, and where no sentence that it finds explains the gradient, TIGER."""

from attacks import effort as effort_lib
from attacks import knowledge as knowledge_lib
from attacks import programs as programs_lib
from attacks import target as target_lib
from attacks.refusal import DoesNotApply
from attacks.text.continuous import tiger
from attacks.text.discrete import dager, finishing
from federated import views
from selenc_tf.models.text.token_model import TokenModel
from selenc_tf.types import Seed

_DEFAULT_EFFORT = effort_lib.Effort()

Knowledge = knowledge_lib.Knowledge[TokenModel]


def build_dager(
    *,
    mode: target_lib.Mode = "mask_aware",
    source: target_lib.Source = 0,
    effort: effort_lib.Effort = _DEFAULT_EFFORT,
    programs: programs_lib.Programs | None = None,
) -> knowledge_lib.Attack:
    """Builds the attack.

    Args:
      mode: `naive` is DAGER as published, without what follows it here.
      source: One client's message by its index, or "aggregate".
      effort: Of both, each.
      programs: What is compiled already, shared with other attacks; None for its own.

    Returns:
      The attack. Of two results that both leave something unexplained it hands back the
      one whose gradient is nearer to what is visible; one of the second's says so by
      its `stop`, which is a search's. It raises `DoesNotApply` where DAGER does not apply.
    """
    shared = programs or programs_lib.Programs()
    exact = dager.build_dager(mode=mode, source=source, effort=effort, programs=shared)
    if mode == "naive":
        return exact
    search = tiger.build_tiger(source=source, effort=effort, programs=shared)

    def attack(
        view: views.ServerView, knowledge: Knowledge, seed: Seed
    ) -> knowledge_lib.Reconstruction:
        try:
            found = exact(view, knowledge, seed)
        except finishing.NothingFound:
            return search(view, knowledge, seed)
        if found.converged:
            return found
        try:
            other = search(view, knowledge, seed)
        except DoesNotApply:
            return found
        better = other if other.objective < found.objective else found
        return better._replace(seconds=found.seconds + other.seconds)

    return attack
