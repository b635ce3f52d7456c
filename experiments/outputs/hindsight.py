"""The best that was made of each example, picked with the original.

No attacker can pick so. It is what a defence is judged by: it gets no credit for an
attack that failed while another one did not.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from experiments.outputs import blind, tries
from experiments.outputs.leaks import Leaks
from experiments.outputs.records import AttackRecord
from experiments.outputs.tries import Try

NAME = "best of each example in hindsight"
"""What it is called, wherever it is shown."""

BLIND = "blind"
"""In place of an attack: the best is no better than a blind guess."""


def of_examples(records: Iterable[AttackRecord], leaks: Leaks) -> list[Try]:
    """The best of each example and seed, of everything that was tried on it.

    Args:
      records: Of one setting.
      leaks: What is measured; `order` is by it. A look-up is the best only where nothing
        else was tried: it recovers nothing.

    Returns:
      One for each example and seed that has a reconstruction, diverged or not.
    """
    return _best(records, lambda one: order(one, leaks))


def by_measure(records: Iterable[AttackRecord], leaks: Leaks) -> list[Try]:
    """The same by the main measure alone; NaN loses, and a look-up is not among them."""
    best = _best(
        records,
        lambda one: (one.attack not in leaks.lookups, _number(one, leaks.main.key)),
    )
    return [one for one in best if one.attack not in leaks.lookups]


def order(one: Try, leaks: Leaks) -> tuple[Any, ...]:
    """By what tries of one example are compared; the largest leaks most.

    A look-up comes last. What is better than the blind guess comes before what is not: a
    mean picture can have more decibels than a digit that can be read. Then how far it is
    better, by the measure that decided (`blind.decided`; of measures of several scales
    what an earlier one decided comes first). Then the main measure, then the others in
    their order, then the first name. What is exact is equal: by how much is rounding.
    """
    found = blind.decided(one.record, one.measures, leaks)
    exact = leaks.is_exact(one.measures)
    measures = (math.inf if exact else _number(one, key) for key in leaks.order)
    name = (one.attack, one.record.attacker)
    return (
        one.attack not in leaks.lookups,
        found is not None,
        -found.place if found and not leaks.alike else 0,
        _above(found, bool(exact)),
        *measures,
        tuple(-ord(letter) for part in name for letter in f"{part}\0"),
        # An attack itself before a repetition of it.
        not one.is_member,
    )


def _above(found: blind.Decided | None, exact: bool) -> float:
    if found is None:
        return 0.0
    return math.inf if exact else found.above


def exact_by(
    records: Iterable[AttackRecord], best: Iterable[Try], leaks: Leaks
) -> tuple[tuple[tuple[str, str], int], ...]:
    """Who recovers exactly, where all that is better than the blind guess is exact.

    Nothing tells those apart, and none of them is the best.

    Args:
      records: Of one setting.
      best: Of its examples (`of_examples`).
      leaks: What is measured.

    Returns:
      Attacks, each with the attacker who has most, and of how many examples; empty where
      only one attack is exact, or something better than the guess is not.
    """
    named = [one for one in best if _is_named(one, leaks)]
    if not named or not all(leaks.is_exact(one.measures) for one in named):
        return ()
    places: dict[tuple[str, str], set[tuple[int, int]]] = {}
    for record in records:
        for one in tries.of(record):
            if leaks.is_exact(one.measures) and one.attack not in leaks.lookups:
                place = (record.cell.seed, record.image_index)
                places.setdefault((one.attack, record.attacker), set()).add(place)
    of_attack: dict[str, tuple[int, str]] = {}
    for (attack, attacker), found in sorted(places.items()):
        if len(found) > of_attack.get(attack, (0, ""))[0]:
            of_attack[attack] = (len(found), attacker)
    if len(of_attack) < 2:
        return ()
    return tuple(
        sorted(
            (((attack, who), count) for attack, (count, who) in of_attack.items()),
            key=lambda pair: (-pair[1], pair[0]),
        )
    )


def counted(found: Sequence[tuple[str, int]]) -> str:
    """Names with how often each: "idlg (2), dlg (1)"; an only one without a number."""
    if len(found) == 1:
        return found[0][0]
    return ", ".join(f"{name} ({count})" for name, count in found)


def names(best: Iterable[Try], leaks: Leaks) -> tuple[tuple[tuple[str, str], int], ...]:
    """Which attack and attacker were the best of how many examples, most often first.

    Where a blind guess is on record an attack is named of what it has beyond that: of the
    other examples none is, and they stand last, under `BLIND` and no attacker.
    """
    key = leaks.main.key
    finished = [one for one in best if not math.isnan(one.number(key))]
    counts: Counter[tuple[str, str]] = Counter(
        (one.attack, one.record.attacker) for one in finished if _is_named(one, leaks)
    )
    found = counts.most_common()
    if blind_ := len(finished) - sum(counts.values()):
        found.append(((BLIND, ""), blind_))
    return tuple(found)


def decided(one: Try, leaks: Leaks) -> blind.Decided | None:
    """By what it is more than the blind guess; a look-up never is."""
    if one.attack in leaks.lookups:
        return None
    return blind.decided(one.record, one.measures, leaks)


def _is_named(one: Try, leaks: Leaks) -> bool:
    guessed = not math.isnan(blind.value(one.record, leaks.main.key))
    return not guessed or decided(one, leaks) is not None


def _best(
    records: Iterable[AttackRecord], by: Callable[[Try], tuple[Any, ...]]
) -> list[Try]:
    best: dict[tuple[int, int], tuple[tuple[Any, ...], Try]] = {}
    for record in records:
        place = (record.cell.seed, record.image_index)
        for one in tries.of(record):
            rank = by(one)
            if place not in best or rank > best[place][0]:
                best[place] = (rank, one)
    return [one for _, one in best.values()]


def _number(one: Try, key: str) -> float:
    value = one.number(key)
    return -math.inf if math.isnan(value) else value
