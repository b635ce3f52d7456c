"""Labels that attacks read from a message: each attack by itself.

That one of several is right says little: they guess independently. Who gives every
label, whatever the message, reads none.
"""

from collections.abc import Iterable
from typing import NamedTuple

from experiments.outputs import blind
from experiments.outputs.records import AttackRecord

NONE = "none"
"""Who reads labels where no attack can: nothing is visible, or all only guess."""

_WITHOUT_MESSAGE = frozenset({"prior_only", "nothing_visible", "retrieved"})
_GUESSED = "guessed"


class Reader(NamedTuple):
    """The attack that names most labels.

    Attributes:
      attack: Its name.
      attacker: "naive" or "mask_aware".
      records: Where it named one, right or wrong.
    """

    attack: str
    attacker: str
    records: tuple[AttackRecord, ...]


def asked(records: Iterable[AttackRecord]) -> bool:
    """Whether a label was to be named, which attackers were not told."""
    return any(one.status == "ok" and one.label_correct is not None for one in records)


def read(records: Iterable[AttackRecord]) -> list[AttackRecord]:
    """Those that name a label by the message: not by chance, a prior, or a look-up."""
    return [
        one
        for one in records
        if one.status == "ok"
        and one.label_correct is not None
        and not blind.shows_nothing(one)
        and one.details.get("stop") not in _WITHOUT_MESSAGE
        and one.details.get("label_source") != _GUESSED
    ]


def best(records: Iterable[AttackRecord]) -> Reader | None:
    """The attack that is right most often; of equal ones the first name."""
    of_attack: dict[tuple[str, str], list[AttackRecord]] = {}
    for one in read(records):
        of_attack.setdefault((one.attack, one.attacker), []).append(one)
    if not of_attack:
        return None
    name = min(of_attack, key=lambda name: (-right(of_attack[name]), name))
    return Reader(*name, tuple(of_attack[name]))


def right(records: Iterable[AttackRecord]) -> int:
    """How many labels are right."""
    return sum(bool(one.label_correct) for one in records)
