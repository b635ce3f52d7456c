"""With which cipher a run was made: one that encrypts nothing has no cost of encryption."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from experiments.outputs.records import AttackRecord, RoundRecord

_DETAIL = "cipher"
_INSECURE = "INSECURE"

NOT_MEASURED = "Bytes and time: not measured (nothing was encrypted"
"""What is said of their costs, without the cipher and the end."""

_Record = TypeVar("_Record", AttackRecord, RoundRecord, AttackRecord | RoundRecord)


def named(records: Iterable[_Record], config: Mapping[str, Any]) -> list[_Record]:
    """Records whose details have the cipher of their run, as far as it is known.

    Args:
      records: Of one run.
      config: Its `config.json`.
    """
    cipher = config.get("flags", {}).get("cipher", "")
    if not cipher:
        return list(records)
    return [
        dataclasses.replace(one, details={**one.details, _DETAIL: cipher})
        for one in records
    ]


def of(records: Iterable[AttackRecord | RoundRecord]) -> str:
    """The ciphers of these records; "" where that is not known."""
    found = (one.details.get(_DETAIL, "") for one in records)
    return ", ".join(dict.fromkeys(each for each in found if each))


def encrypts(cipher: str) -> bool:
    """Whether bytes and seconds are those of encryption."""
    return _INSECURE not in cipher


def said(cipher: str) -> str:
    """That costs were not measured; "" where they were."""
    return "" if encrypts(cipher) else f"{NOT_MEASURED}: --cipher={cipher})."
