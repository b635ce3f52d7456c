"""Parameter sets in one line: graphs carry them, digests are of them."""

import dataclasses
import hashlib
import json
from typing import Any, TypeVar

_Set = TypeVar("_Set")


def text(name: str, parameters: Any) -> str:
    """A dataclass of integers, and of tuples of them, in one line.

    Args:
      name: Of the cipher, with which the line begins.
      parameters: The dataclass.
    """
    return f"{name} {json.dumps(dataclasses.asdict(parameters), sort_keys=True)}"


def digest(spelled: str, digits: int) -> str:
    """A fingerprint of a line, of so many hex digits, at most 64."""
    return hashlib.sha256(spelled.encode()).hexdigest()[:digits]


def fields(name: str, spelled: str) -> dict[str, Any]:
    """What a line of `text` says, whatever is written there.

    It may say it in another way than `text` does: compare that with what is made of it.

    Args:
      name: Of the cipher.
      spelled: The line.

    Returns:
      The fields by name: integers, or tuples of integers.

    Raises:
      ValueError: If it is no such line.
    """
    try:
        found = dict(json.loads(spelled.removeprefix(f"{name} ")))
        for key, value in found.items():
            numbers = value if isinstance(value, list) else [value]
            if any(type(number) is not int for number in numbers):
                raise TypeError(f"{key} must be of integers")
            found[key] = tuple(value) if isinstance(value, list) else value
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ValueError(f"No parameters of {name}: {error}.") from None
    return found


def read(name: str, kind: type[_Set], spelled: str) -> _Set:
    """The inverse of `text`, for whatever is written there.

    Args:
      name: Of the cipher.
      kind: The dataclass, whose constructor checks its fields.
      spelled: The line.

    Raises:
      ValueError: If it is no parameter set, or one that is written in another way.
    """
    try:
        found = kind(**fields(name, spelled))
    except TypeError as error:
        raise ValueError(f"No parameters of {name}: {error}.") from None
    if text(name, found) != spelled:
        raise ValueError(f"Parameters of {name} are written in one way only.")
    return found
