"""The best that was made of each example, picked with the original.

No attacker can pick so. It is what a defence is judged by: it gets no credit for an
attack that failed while another one did not.
"""

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from experiments.outputs import blind, tries
from experiments.outputs.leaks import Leaks
from experiments.outputs.records import AttackRecord
from experiments.outputs.tries import Try

NAME = "best of each example in hindsight"
"""What it is called, wherever it is shown."""


def of_examples(
    records: Iterable[AttackRecord], leaks: Leaks, last: Collection[str] = ()
) -> list[Try]:
    """The best of each example and seed, of everything that was tried on it.

    Args:
      records: Of one setting.
      leaks: What is measured; `order` is by it.
      last: Attacks that are the best only where nothing else was tried.

    Returns:
      One for each example and seed that has a reconstruction, diverged or not.
    """
    return _best(records, lambda one: (one.attack not in last, *order(one, leaks)))


def by_measure(records: Iterable[AttackRecord], key: str) -> list[Try]:
    """The same by one measure alone, of which more is more leakage; NaN loses."""
    return _best(records, lambda one: (_number(one, key),))


def order(one: Try, leaks: Leaks) -> tuple[Any, ...]:
    """By what tries of one example are compared; the largest leaks most.

    What is better than the blind guess comes before what is not: a mean picture can have
    more decibels than a digit that can be read. Then how far it is better, by the measure
    that decided (`blind.decided`; of measures of several scales what an earlier one
    decided comes first). Then the main measure, then the others in their order, then the
    first name.
    """
    found = blind.decided(one.record, one.measures, leaks)
    measures = (_number(one, key) for key in leaks.order)
    name = (one.attack, one.record.attacker)
    return (
        found is not None,
        -found.place if found and not leaks.alike else 0,
        found.above if found else 0.0,
        *measures,
        tuple(-ord(letter) for part in name for letter in f"{part}\0"),
        # An attack itself before a repetition of it.
        not one.is_member,
    )


def counted(found: Sequence[tuple[str, int]]) -> str:
    """Names with how often each: "idlg (2), dlg (1)"; an only one without a number."""
    if len(found) == 1:
        return found[0][0]
    return ", ".join(f"{name} ({count})" for name, count in found)


def names(best: Iterable[Try], key: str) -> tuple[tuple[tuple[str, str], int], ...]:
    """Which attack and attacker were the best of how many examples, most often first."""
    finished = (one for one in best if not math.isnan(one.number(key)))
    return tuple(
        Counter((one.attack, one.record.attacker) for one in finished).most_common()
    )


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
