"""Labels that attacks read from a message: each attack by itself.

That one of several is right says little: they guess independently. Who gives every
label, whatever the message, reads none.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from experiments.outputs import blind, too_few
from experiments.outputs.records import AttackRecord

NONE = "none"
"""Who reads labels where no attack does: all only guess, or look something up."""

NOT_TRIED = "not tried"
"""The same where nothing is visible that a label could be read from."""

CLASSES = "classes"
"""In the details of a record: among how many its label was to be named."""

NUMBERS = "numbers_as_labels"
"""In the details of a record: its label is no class, but numbers."""

_GUESS = "label_guess"
"""In the details of a record: how often a guess is right that uses no message."""

_WITHIN = "label_within"
"""In the details of a record: how far off numbers may be to be right, in words."""

WITHIN_BEFORE = "5 % (0.05 below 1)"
"""The same of earlier versions, whose records do not say it."""

_LUCK = 0.05

_WITHOUT_MESSAGE = frozenset({"prior_only", "nothing_visible", "retrieved"})
_GUESSED = "guessed"


class Reading(NamedTuple):
    """A label that one attack named by the message.

    Attributes:
      attack: Its name.
      attacker: "naive" or "mask_aware".
      record: Of the attack, or of the one that tried it among others.
      right: Whether it is the true one.
      is_member: Whether another attack tried it.
    """

    attack: str
    attacker: str
    record: AttackRecord
    right: bool
    is_member: bool = False


class Reader(NamedTuple):
    """The attack that names most labels.

    Attributes:
      attack: Its name.
      attacker: "naive" or "mask_aware".
      right: For each example of which a label was to be named, whether it is right; what
        it does not read is not.
      unread: How many those are.
      tries: How many attacks read labels: it is the best of so many.
    """

    attack: str
    attacker: str
    right: tuple[bool, ...]
    unread: int
    tries: int


def details(labels: Any) -> dict[str, float]:
    """What a record's details have of a guess: the most frequent label.

    Args:
      labels: [k] or [k, width] of the attacker's public examples, k >= 1.

    Returns:
      The share of the most frequent one.
    """
    _, counts = np.unique(np.asarray(labels), axis=0, return_counts=True)
    return {_GUESS: float(counts.max() / counts.sum())}


def details_of_numbers(within: str, share: float | None) -> dict[str, Any]:
    """The same of targets that are numbers.

    Args:
      within: How far off they may be to be right, in words.
      share: What one guess for all has right; None where nothing is known to guess from.
    """
    return {_WITHIN: within} | ({} if share is None else {_GUESS: share})


def guess(records: Iterable[AttackRecord]) -> float | None:
    """The share of labels that a guess has right; None where it is not on record."""
    shares = [one.details[_GUESS] for one in records if _GUESS in one.details]
    return max(shares, default=None)


def within(records: Iterable[AttackRecord]) -> str:
    """How far off numbers may be to be right, in words."""
    found = (one.details.get(_WITHIN, WITHIN_BEFORE) for one in records)
    return " or ".join(dict.fromkeys(found))


def are_numbers(records: Iterable[AttackRecord]) -> bool:
    """Whether what was to be named is numbers, as of a regression, and no class."""
    return any(
        one.details.get(
            NUMBERS,
            # Earlier versions did not say it.
            one.label_correct is not None
            and one.label is None
            and one.recovered_label is None
            and CLASSES not in one.details,
        )
        for one in records
        if one.status == "ok"
    )


def visible(records: Iterable[AttackRecord]) -> bool:
    """Whether of some example anything was visible that a label could be read from."""
    return any(not blind.shows_nothing(one) for one in asked(records).values())


def asked(records: Iterable[AttackRecord]) -> dict[tuple[int, int], AttackRecord]:
    """A record of each example and seed of which a label was to be named."""
    return {
        (one.cell.seed, one.image_index): one
        for one in records
        if one.status == "ok" and one.label_correct is not None
    }


def read(records: Iterable[AttackRecord]) -> list[Reading]:
    """Those that name a label by the message: not by chance, a prior, or a look-up."""
    return [
        reading
        for one in records
        if one.status == "ok" and not blind.shows_nothing(one)
        for reading in _of_record(one)
    ]


def _of_record(one: AttackRecord) -> Iterator[Reading]:
    source = str(one.details.get("label_source"))
    if one.label_correct is not None and _reads(one.details.get("stop"), source):
        yield Reading(one.attack, one.attacker, one, one.label_correct)
    for each in one.members:
        if each.label_correct is not None and _reads(each.stop, each.label_source):
            yield Reading(each.name, one.attacker, one, each.label_correct, True)


def _reads(stop: str | None, source: str) -> bool:
    return stop not in _WITHOUT_MESSAGE and source != _GUESSED


def best(records: Sequence[AttackRecord]) -> Reader | None:
    """The attack that is right most often; of equal ones the first name."""
    of_attack: dict[tuple[str, str], dict[tuple[int, int], bool]] = {}
    for one in sorted(read(records), key=lambda one: one.is_member):
        place = (one.record.cell.seed, one.record.image_index)
        named = of_attack.setdefault((one.attack, one.attacker), {})
        # Tried by another attack, too, it counts once.
        named.setdefault(place, one.right)
    if not of_attack:
        return None
    name = min(of_attack, key=lambda name: (-sum(of_attack[name].values()), name))
    named, places = of_attack[name], asked(records)
    return Reader(
        *name,
        tuple(named.get(place, False) for place in places),
        sum(place not in named for place in places),
        len(of_attack),
    )


def would_decide(
    reader: Reader, share: float, records: Iterable[AttackRecord]
) -> tuple[int, int] | None:
    """How many examples to attack where those named are too few to be no guesses.

    Args:
      reader: The best attack.
      share: In that a guess is right (`guess`).
      records: Behind it.

    Returns:
      The number, and the same as `--num_images`; None where it is no question.
    """
    right, of = sum(reader.right), len(reader.right)
    count = too_few.Count(right, of, share, share, reader.tries)
    if by_chance(reader, share) <= _LUCK or not too_few.looks_read(count):
        return None
    if (needed := too_few.would_decide(count)) is None:
        return None
    found = asked(records).values()
    behind = max(one.batch_size for one in found)
    seeds = len({one.cell.seed for one in found})
    return needed, math.ceil(needed / (behind * seeds))


def by_chance(reader: Reader, share: float) -> float:
    """How likely the best of so many guesses is right as often, or more often.

    Args:
      reader: The best attack.
      share: In that a guess is right (`guess`).

    Returns:
      A probability (binomial; of examples that share a message an approximation).
    """
    # Here, so that reading results does not wait for SciPy.
    from scipy import stats

    one = float(stats.binom.sf(sum(reader.right) - 1, len(reader.right), share))
    return 1.0 - (1.0 - one) ** reader.tries
