"""The bytes of one attacked message, as records count them."""

import statistics
from collections.abc import Iterable

from experiments.outputs import ciphers
from experiments.outputs.records import OWN_MASK, AttackRecord

ENTRY_BYTES = 4
"""A visible entry is a float32."""


def of_mask(record: AttackRecord) -> int:
    """What a client sends of its mask: one bit for each entry where it chose it itself.

    Every other mask comes from the server, in what it announces of a round.
    """
    own = record.target == "client" and record.cell.agreement == OWN_MASK
    return -(-record.parameters // 8) if own else 0


def are_counted(record: AttackRecord) -> bool:
    """Whether its ciphertext was counted; where nothing is encrypted there is no cost."""
    return "ciphertext_bytes" in record.details and ciphers.encrypts(
        ciphers.of([record])
    )


def relative(records: Iterable[AttackRecord]) -> float | None:
    """The median bytes of a client's message by those of a clear one; None without any."""
    found = [
        (
            one.details["ciphertext_bytes"]
            + ENTRY_BYTES * (one.parameters - one.hidden)
            + of_mask(one)
        )
        / (ENTRY_BYTES * one.parameters)
        for one in records
        if one.target == "client" and are_counted(one)
    ]
    return statistics.median(found) if found else None
