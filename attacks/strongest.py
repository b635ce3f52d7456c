"""The strongest of several attacks, chosen as the attacker would choose."""

import time
from collections.abc import Mapping

from attacks import envelope, rehearsal
from attacks import knowledge as knowledge_lib
from attacks import programs as programs_lib
from attacks import target as target_lib
from federated import views
from selenc_tf import validation
from selenc_tf.types import Seed


def build_strongest(
    members: Mapping[str, knowledge_lib.Attack],
    *,
    source: target_lib.Source = 0,
    programs: programs_lib.Programs | None = None,
    rehearsals: int = 2,
) -> knowledge_lib.Attack:
    """Builds the envelope of attacks on one gradient.

    Members are made on the message, until one is exact (`envelope.is_exact`): that one
    is believed. Else those with a result are rehearsed on public examples
    (`rehearsal.py`), so that each of them costs `rehearsals` times as much again; a
    single one with a result is not. Guesses that use no gradient cost nothing and are
    rehearsed more often.

    Runs on: attacker. Sees: what the members see, and public examples.

    Args:
      members: Attacks by name, built for `source`, in the order in which they run: what
        may be exact and costs little first.
      source: One client's message by its index, or "aggregate".
      programs: What is compiled already, shared with the members; None for its own.
      rehearsals: Public batches that are attacked to choose among the methods. With 0,
        or without public examples for them and for the attacks themselves, the smallest
        visible error decides.

    Returns:
      The attack. Its reconstruction is the chosen member's, with iterations and seconds
      of all, rehearsals included; `choice` has every member's own result. The attack
      raises `DoesNotApply` if no member applies, and a ValueError if view, knowledge and
      `source` do not go together, or all that apply fail.

    Raises:
      ValueError: If there are no members or `rehearsals` is negative.
    """
    validation.check_at_least("rehearsals", rehearsals, 0)
    if not members:
        raise ValueError("`members` must name at least one attack, got none.")
    shared = programs or programs_lib.Programs()

    def attack(
        view: views.ServerView,
        knowledge: knowledge_lib.AnyKnowledge,
        seed: Seed,
    ) -> knowledge_lib.Reconstruction:
        began = time.monotonic()
        precise = knowledge.modality.precise(shared, knowledge.model)
        made, exact = envelope.run(members, precise, view, knowledge, seed, source)
        able = {
            one.name: one.reconstruction
            for one in made
            if one.reconstruction is not None
        }
        scores = rehearsal.rehearse(
            {name: members[name] for name in able},
            view,
            knowledge,
            seed,
            source,
            rehearsals if len(able) > 1 and exact is None else 0,
            [name for name, one in able.items() if one.stop == "prior_only"],
        )
        made = tuple(_with_score(one, scores.get(one.name)) for one in made)
        plays = {name: score.values for name, score in scores.items()}
        chosen = envelope.choose(made, plays, exact)
        if chosen is None:
            raise _nothing(made)
        reconstruction, choice = chosen
        ran = [one.reconstruction for one in made if one.reconstruction is not None]
        return reconstruction._replace(
            iterations=sum(one.iterations for one in ran),
            evaluations=sum(one.evaluations for one in ran),
            seconds=time.monotonic() - began,
            choice=choice,
        )

    return attack


def _with_score(
    member: knowledge_lib.Member, score: rehearsal.Score | None
) -> knowledge_lib.Member:
    if score is None:
        return member
    return member._replace(
        rehearsal=score.mean,
        reason=score.reason,
        seconds=member.seconds + score.seconds,
    )


def _nothing(members: tuple[knowledge_lib.Member, ...]) -> ValueError:
    reasons = "; ".join(f"{one.name}: {one.reason}" for one in members)
    if all(one.status == "does_not_apply" for one in members):
        return knowledge_lib.DoesNotApply(f"No member applies. {reasons}")
    return ValueError(
        "`view` must be one that some member can attack, but none has a result. "
        f"{reasons}"
    )
