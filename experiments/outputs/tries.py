"""Everything that was tried on an example: attacks, and those that they are made of."""

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from experiments.outputs.records import AttackRecord


class Try(NamedTuple):
    """What one attack made of one example under one seed.

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


def of(record: AttackRecord) -> Iterator[Try]:
    """An attack, and those that it is made of: they were made, whatever it believed."""
    if record.status == "ok":
        # Of equal ones the one that can be named: who chooses only repeats it.
        yield Try(record, record.chosen or record.attack, record.measures, False)
    for one in record.members:
        if one.status == "ok":
            yield Try(record, one.name, one.measures, True)
