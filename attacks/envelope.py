"""The strongest of several attackers, by a criterion that the attacker can compute.

A defence is as good as its strongest attacker makes it look. Which one that is must be
decided without the truth: by how well a member's pictures and labels explain what is
visible, measured in the same way for all of them.
"""

import dataclasses
import math
import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from attacks import criterion
from attacks import knowledge as knowledge_lib
from attacks import target as target_lib
from federated import views
from selenc_tf import validation
from selenc_tf.types import Seed


@dataclasses.dataclass(frozen=True)
class Budget:
    """How much the attacks may cost together.

    Attributes:
      max_seconds: After this wall-clock time no further member begins; one that runs is
        not interrupted: its own effort limits it. None for no limit.
      max_attacks: The most members to run, or None.
    """

    max_seconds: float | None = None
    max_attacks: int | None = None

    def __post_init__(self) -> None:
        """Checks the ranges.

        Raises:
          ValueError: If a limit is not positive.
        """
        if self.max_seconds is not None:
            validation.check_positive("max_seconds", self.max_seconds)
        if self.max_attacks is not None:
            validation.check_at_least("max_attacks", self.max_attacks, 1)


class Member(NamedTuple):
    """One attack's part in an envelope.

    Attributes:
      reconstruction: What it returned, or None if it failed.
      criterion: `criterion.visible_error` of the reconstruction, 0 for a perfect match;
        NaN where that is undefined.
      failure: The exception's type and text, or None.
      seconds: Wall-clock time of the attack.
    """

    reconstruction: knowledge_lib.Reconstruction | None
    criterion: float
    failure: str | None
    seconds: float


class Envelope(NamedTuple):
    """All members, and the one that the attacker would choose.

    Attributes:
      best_name: The name of the best member, or None if none has a result.
      best: Its reconstruction, or None.
      chosen_by: "criterion"; "prior", where the criterion is undefined for all and the
        first member that uses no gradient was taken; "order", the first member with a
        result, where there is no such member either; "none".
      members: By name, in the order of the attacks: those that ran, and those that
        were given as finished.
      skipped: Names of the attacks for which the budget did not last.
    """

    best_name: str | None
    best: knowledge_lib.Reconstruction | None
    chosen_by: str
    members: Mapping[str, Member]
    skipped: tuple[str, ...]


_NO_LIMIT = Budget()
_NOTHING_FINISHED: Mapping[str, Member] = MappingProxyType({})


def strongest(
    attacks: Mapping[str, knowledge_lib.Attack],
    view: views.ServerView,
    knowledge: knowledge_lib.Knowledge,
    seed: Seed,
    budget: Budget = _NO_LIMIT,
    *,
    source: target_lib.Source = 0,
    finished: Mapping[str, Member] = _NOTHING_FINISHED,
) -> Envelope:
    """Runs attacks one after another and picks the best by the visible error.

    An attack that raises an exception is recorded as failed, and the others go on; only
    an interruption by the user ends it all. To resume a study that was cut off, pass
    the members that it had as `finished`: they are neither run nor counted against the
    budget.

    Prior knowledge that a member used does not enter the criterion, so where the
    visible entries do not determine the pictures, a search that fits them exactly is
    preferred to a likelier picture that fits them less well. `members` has both.

    Runs on: attacker. Sees: what the attacks see; never the truth.

    Args:
      attacks: By name, in the order in which they are to run.
      view: The server's view of a round.
      knowledge: What the attacker knows beside it, the same for all.
      seed: The same for all.
      budget: Limits of all together.
      source: What the attacks were built to attack: the criterion is about this message.
      finished: Members of an earlier call with the same arguments; other names than
        those of `attacks` are left out.

    Returns:
      The envelope. Of equal members the first wins.

    Raises:
      ValueError: If there are no attacks, or view, knowledge and `source` do not go
        together.
    """
    if not attacks:
        raise ValueError("`attacks` must name at least one attack, got none.")
    target = target_lib.build_target(view, knowledge, source, "mask_aware")
    view_weights = tuple(np.asarray(tensor) for tensor in view.weights)
    deadline = time.monotonic() + (budget.max_seconds or math.inf)
    left = math.inf if budget.max_attacks is None else budget.max_attacks
    members: dict[str, Member] = {}
    skipped: list[str] = []
    for name, attack in attacks.items():
        if name in finished:
            members[name] = finished[name]
        elif left < 1 or time.monotonic() >= deadline:
            skipped.append(name)
        else:
            left -= 1
            members[name] = _run(attack, view, knowledge, seed, target, view_weights)
    best_name, chosen_by = _choose(members)
    return Envelope(
        best_name=best_name,
        best=None if best_name is None else members[best_name].reconstruction,
        chosen_by=chosen_by,
        members=MappingProxyType(members),
        skipped=tuple(skipped),
    )


def _run(
    attack: knowledge_lib.Attack,
    view: views.ServerView,
    knowledge: knowledge_lib.Knowledge,
    seed: Seed,
    target: target_lib.Target,
    view_weights: tuple[np.ndarray, ...],
) -> Member:
    began = time.monotonic()
    try:
        found = attack(view, knowledge, seed)
        seconds = time.monotonic() - began
        error = criterion.visible_error(
            view_weights, target, knowledge, found.images, found.labels
        )
    except Exception as error_raised:
        failure = f"{type(error_raised).__name__}: {error_raised}"
        return Member(None, math.nan, failure, time.monotonic() - began)
    return Member(found, error, None, seconds)


def _choose(members: Mapping[str, Member]) -> tuple[str | None, str]:
    """The best name, and what decided."""
    defined = [name for name in members if math.isfinite(members[name].criterion)]
    if defined:
        return min(defined, key=lambda name: members[name].criterion), "criterion"
    results = {
        name: member.reconstruction
        for name, member in members.items()
        if member.reconstruction is not None
    }
    for name, found in results.items():
        if found.stop == "prior_only":
            return name, "prior"
    return (next(iter(results)), "order") if results else (None, "none")
