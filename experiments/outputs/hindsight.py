"""The best that was made of each example, picked with the original.

No attacker can pick so. It is what a defence is judged by: it gets no credit for an
attack that failed while another one did not.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from experiments.outputs.records import AttackRecord

NAME = "best of each example in hindsight"
"""What it is called, wherever it is shown."""


class Best(NamedTuple):
    """What leaked most of one example under one seed.

    Attributes:
      record: Of the attack, or of the one that tried it among others.
      attack: Its name.
      measures: Of its reconstruction.
      is_member: Whether another attack tried it and did not believe it.
    """

    record: AttackRecord
    attack: str
    measures: Mapping[str, Any]
    is_member: bool

    def number(self, key: str) -> float:
        """A measure; NaN where there is none, as if the attack had diverged."""
        return float(self.measures.get(key, math.nan))


def of_examples(records: Iterable[AttackRecord], key: str) -> list[Best]:
    """The best of each example and seed, of everything that was tried on it.

    Args:
      records: Of one setting.
      key: The measure; larger means that more leaked, and NaN loses.

    Returns:
      One for each example and seed that has a reconstruction, diverged or not.
    """
    best: dict[tuple[int, int], Best] = {}
    for record in records:
        place = (record.cell.seed, record.image_index)
        for one in tried(record):
            if place not in best or _order(one, key) > _order(best[place], key):
                best[place] = one
    return list(best.values())


def counted(found: Sequence[tuple[str, int]]) -> str:
    """Names with how often each: "idlg (2), dlg (1)"; an only one without a number."""
    if len(found) == 1:
        return found[0][0]
    return ", ".join(f"{name} ({count})" for name, count in found)


def names(best: Iterable[Best], key: str) -> tuple[tuple[tuple[str, str], int], ...]:
    """Which attack and attacker were the best of how many examples, most often first."""
    finished = (one for one in best if not math.isnan(one.number(key)))
    return tuple(
        Counter((one.attack, one.record.attacker) for one in finished).most_common()
    )


def tried(record: AttackRecord) -> Iterator[Best]:
    """An attack, and those that it is made of: they were made, whatever it believed."""
    if record.status == "ok":
        # Of equal ones the one that can be named: who chooses only repeats it.
        yield Best(record, record.chosen or record.attack, record.measures, False)
    for one in record.members:
        if one.status == "ok":
            yield Best(record, one.name, one.measures, True)


def _order(one: Best, key: str) -> float:
    value = one.number(key)
    return -math.inf if math.isnan(value) else value
