"""Several attackers on one gradient, and which of them the attacker believes.

A defence is as good as its strongest attacker makes it look. Which one that is must be
decided without the truth: by how well each did on messages that the attacker made
itself, or else by how well a member's examples and labels explain what is visible,
measured in the same way for all of them.
"""

import math
import time
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from attacks import criterion
from attacks import knowledge as knowledge_lib
from attacks import target as target_lib
from attacks.knowledge import Attack, Choice, Member, Reconstruction
from attacks.words import ChosenBy
from federated import views
from selenc_tf.models.any_model import AnyModel
from selenc_tf.types import Seed

FAILURES: tuple[type[Exception], ...] = (
    # What our attacks, NumPy (LinAlgError) and SciPy raise for data they cannot take.
    ValueError,
    # Overflow, division by zero, NumPy's FloatingPointError where it is asked for.
    ArithmeticError,
    # A member too large for this machine leaves room for the smaller ones.
    MemoryError,
    tf.errors.ResourceExhaustedError,
    # TensorFlow's word for data that a kernel cannot take, as a singular matrix.
    tf.errors.InvalidArgumentError,
)
"""What an attack may raise because of the data or the machine, so that the others go
on. A `TypeError`, an `AttributeError` and the like are mistakes in the code: they end
the study, as an interruption by the user does."""

ROUNDING = 1e-8
"""Visible error up to which what is left is the rounding of messages and examples."""


class Ran(NamedTuple):
    """What became of the attacks.

    Attributes:
      members: In the order of the attacks. One that does not apply, fails or was not
        needed any more is there with its reason.
      exact: The one whose result is exact, after which no other ran; None if there is
        none.
    """

    members: tuple[Member, ...]
    exact: str | None


def run(
    attacks: Mapping[str, Attack],
    precise: AnyModel,
    view: views.ServerView,
    knowledge: knowledge_lib.AnyKnowledge,
    seed: Seed,
    source: target_lib.Source,
) -> Ran:
    """Runs attacks one after another until one is exact, and measures their error.

    Runs on: attacker. Sees: what the attacks see; never the truth.

    Args:
      attacks: By name, in the order in which they are to run.
      precise: The model that the visible error is computed with.
      view: The server's view of a round.
      knowledge: What the attacker knows beside it, the same for all.
      seed: The same for all.
      source: What the attacks were built to attack: the error is about this message.

    Returns:
      The members, and which of them is exact (`is_exact`).

    Raises:
      ValueError: If view, knowledge and `source` do not go together.
    """
    target = target_lib.build_target(view, knowledge, source, "mask_aware")
    weights = tuple(np.asarray(tensor) for tensor in view.weights)

    def member(name: str, attack: Attack) -> Member:
        began = time.monotonic()
        nothing = Member(name, "failed", "", None, math.nan, math.nan, 0.0)
        try:
            found = attack(view, knowledge, seed)
            seconds = time.monotonic() - began
            if not np.all(np.isfinite(found.examples)):
                reason = "its examples are not finite numbers"
                return nothing._replace(reason=reason, seconds=seconds)
            error = criterion.visible_error(
                precise, weights, target, knowledge, found.examples, found.labels
            )
        except knowledge_lib.DoesNotApply as reason:
            return nothing._replace(status="does_not_apply", reason=str(reason))
        except FAILURES as failure:
            return nothing._replace(
                reason=text_of(failure), seconds=time.monotonic() - began
            )
        return Member(name, "ok", "", found, error, math.nan, seconds)

    entries = int(np.count_nonzero(target.visible))
    members: list[Member] = []
    exact: str | None = None
    for name, attack in attacks.items():
        if exact is not None:
            reason = f"The result of {exact} is exact."
            skipped = Member(name, "not_run", reason, None, math.nan, math.nan, 0.0)
            members.append(skipped)
            continue
        members.append(member(name, attack))
        if is_exact(members[-1], entries):
            exact = name
    return Ran(tuple(members), exact)


def is_exact(member: Member, entries: int) -> bool:
    """Whether nobody can do better: a result that is the only one, as far as is known.

    It comes from algebra that left nothing open, not from a search, which may end at a
    wrong picture that fits as well; it explains all that is visible up to rounding; and
    no fewer entries are visible than numbers were found.

    Args:
      member: From `run`.
      entries: How many entries are visible.

    Returns:
      Whether it is.
    """
    found = member.reconstruction
    return (
        found is not None
        and found.converged
        and found.stop == "closed_form"
        and found.label_source != "guessed"
        and entries >= found.examples.size
        # Not its own word: measured alike for all. NaN is no number below the bound.
        and member.visible_error < ROUNDING
    )


def text_of(failure: Exception) -> str:
    """What records say of a failure: its kind and its first line."""
    first = next(iter(str(failure).splitlines()), "")
    return f"{type(failure).__name__}: {first}"


def choose(
    members: Sequence[Member],
    plays: Mapping[str, Sequence[float]] = MappingProxyType({}),
    exact: str | None = None,
) -> tuple[Reconstruction, Choice] | None:
    """The result that the attacker believes, and what decided.

    The exact one, if there is one; else the best in the rehearsal; without one the
    smallest visible error; where that is undefined for all, the first that uses no
    gradient; else the first with a result.

    A guess that uses no gradient is the rehearsal's choice unless another member is
    better than it by more than the uncertainty: a few plays, on which a search happened
    to do well, are no reason to leave it.

    Prior knowledge that a member used does not enter the visible error, so where the
    visible entries do not determine the examples, it prefers a search that fits them
    exactly to a likelier guess that fits them less well.

    Args:
      members: From `run`, perhaps with what the rehearsal said.
      plays: How each did in the rehearsal, by name; the first plays of all are the
        same.
      exact: From `run`.

    Returns:
      The chosen member's reconstruction, and the choice; None if no member has a
      result. Of equal members the first wins.
    """
    results = [
        (one, one.reconstruction) for one in members if one.reconstruction is not None
    ]
    rehearsed = [pair for pair in results if plays.get(pair[0].name)]
    certain = [pair for pair in results if pair[0].name == exact]
    defined = [pair for pair in results if math.isfinite(pair[0].visible_error)]
    guesses = [pair for pair in results if pair[1].stop == "prior_only"]
    by: ChosenBy
    if certain:
        by, best = "criterion", certain[0]
    elif rehearsed:
        by, best = "rehearsal", _best_rehearsed(rehearsed, plays)
    elif defined:
        by, best = "criterion", min(defined, key=lambda pair: pair[0].visible_error)
    elif results:
        by, best = ("prior", guesses[0]) if guesses else ("order", results[0])
    else:
        return None
    return best[1], Choice(best[0].name, by, tuple(members))


def _best_rehearsed(
    results: Sequence[tuple[Member, Reconstruction]],
    plays: Mapping[str, Sequence[float]],
) -> tuple[Member, Reconstruction]:
    """The guess without a gradient, or the best of those that clearly beat it."""

    def mean(pair: tuple[Member, Reconstruction]) -> float:
        return float(np.mean(plays[pair[0].name]))

    guesses = [pair for pair in results if pair[1].stop == "prior_only"]
    others = [pair for pair in results if pair[1].stop != "prior_only"]
    if not guesses:
        return max(others, key=mean)
    guess = max(guesses, key=mean)
    usual = plays[guess[0].name]
    better = [pair for pair in others if clearly_better(plays[pair[0].name], usual)]
    return max(better, key=mean, default=guess)


def clearly_better(values: Sequence[float], usual: Sequence[float]) -> bool:
    """Whether values exceed others of the same plays by more than the uncertainty.

    That is the standard error of the mean difference. A single difference has none; how
    far the others vary from play to play stands in for it.

    Args:
      values: Scores on the first plays; at least one.
      usual: On the same, and perhaps on more.

    Returns:
      Whether they do.
    """
    count = min(len(values), len(usual))
    differences = np.subtract(values[:count], usual[:count])
    varying = differences if count > 1 else np.array(usual)
    error = np.std(varying, ddof=1) / np.sqrt(count) if len(varying) > 1 else 0.0
    return bool(np.mean(differences) > error)
