"""Several attackers on one gradient, and which of them the attacker believes.

A defence is as good as its strongest attacker makes it look. Which one that is must be
decided without the truth: by how well each did on messages that the attacker made
itself, or else by how well a member's pictures and labels explain what is visible,
measured in the same way for all of them.
"""

import math
import time
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from attacks import criterion
from attacks import knowledge as knowledge_lib
from attacks import target as target_lib
from attacks.knowledge import Attack, Choice, Member, Reconstruction
from attacks.matching import matching
from attacks.words import ChosenBy
from federated import views
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


def run(
    attacks: Mapping[str, Attack],
    compiled: matching.Matching,
    view: views.ServerView,
    knowledge: knowledge_lib.Knowledge,
    seed: Seed,
    source: target_lib.Source,
) -> tuple[Member, ...]:
    """Runs attacks one after another, and measures their visible error.

    Runs on: attacker. Sees: what the attacks see; never the truth.

    Args:
      attacks: By name, in the order in which they are to run.
      compiled: The model's objective, for the visible error.
      view: The server's view of a round.
      knowledge: What the attacker knows beside it, the same for all.
      seed: The same for all.
      source: What the attacks were built to attack: the error is about this message.

    Returns:
      The members, in the order of the attacks. One that does not apply or fails is
      there with its reason.

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
            if not np.all(np.isfinite(found.images)):
                reason = "its pictures are not finite numbers"
                return nothing._replace(reason=reason, seconds=seconds)
            error = criterion.visible_error(
                compiled, weights, target, knowledge, found.images, found.labels
            )
        except knowledge_lib.DoesNotApply as reason:
            return nothing._replace(status="does_not_apply", reason=str(reason))
        except FAILURES as failure:
            return nothing._replace(
                reason=text_of(failure), seconds=time.monotonic() - began
            )
        return Member(name, "ok", "", found, error, math.nan, seconds)

    return tuple(member(name, attack) for name, attack in attacks.items())


def text_of(failure: Exception) -> str:
    """What records say of a failure: its kind and its first line."""
    first = next(iter(str(failure).splitlines()), "")
    return f"{type(failure).__name__}: {first}"


def choose(members: Sequence[Member]) -> tuple[Reconstruction, Choice] | None:
    """The result that the attacker believes, and what decided.

    The best in the rehearsal; without one the smallest visible error; where that is
    undefined for all, the first that uses no gradient; else the first with a result.

    Prior knowledge that a member used does not enter the visible error, so where the
    visible entries do not determine the pictures, it prefers a search that fits them
    exactly to a likelier picture that fits them less well.

    Args:
      members: From `run`, perhaps with what the rehearsal said.

    Returns:
      The chosen member's reconstruction, and the choice; None if no member has a
      result. Of equal members the first wins.
    """
    results = [
        (one, one.reconstruction) for one in members if one.reconstruction is not None
    ]
    rehearsed = [pair for pair in results if math.isfinite(pair[0].rehearsal_db)]
    defined = [pair for pair in results if math.isfinite(pair[0].visible_error)]
    guesses = [pair for pair in results if pair[1].stop == "prior_only"]
    by: ChosenBy
    if rehearsed:
        by, best = "rehearsal", max(rehearsed, key=lambda pair: pair[0].rehearsal_db)
    elif defined:
        by, best = "criterion", min(defined, key=lambda pair: pair[0].visible_error)
    elif results:
        by, best = ("prior", guesses[0]) if guesses else ("order", results[0])
    else:
        return None
    return best[1], Choice(best[0].name, by, tuple(members))
