"""Ratios to TenSEAL, and the bars that they are held against."""

import statistics
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

from experiments.suites.lattice.memory import Memory
from experiments.suites.lattice.side import (
    ADDED,
    BEST,
    OURS_8,
    OURS_16,
    OURS_DEVICE,
    OURS_PAD,
    OURS_PER_CLIENT,
    PEERS,
)
from experiments.suites.lattice.timing import Stage, Times

MEMORY_BAR = 3.0
"""Encrypting needs at most so many times the message's size beyond its input."""


class Bar(NamedTuple):
    """How many times less ours must be.

    Attributes:
      what: Is compared.
      ours: The name of our side.
      theirs: The name of the other.
      least: The smallest ratio that will do.
      quantity: A stage, or the bytes of a message.
    """

    what: str
    ours: str
    theirs: str
    least: float
    quantity: Callable[[Times], Stage | int]


class Limit(NamedTuple):
    """What a side of ours may take at most.

    Attributes:
      what: Is limited.
      ours: The name of our side.
      most: The largest that will do.
      quantity: Of each turn, or once.
      unit: Of the quantity.
    """

    what: str
    ours: str
    most: float
    quantity: Callable[[Times], Sequence[float]]
    unit: str = "x"


_CLIENT = "quantise, encrypt, serialise"
_SERVER = f"adding {ADDED} at the server"
_BYTES = "bytes a value, whatever the message has"
# The cohort shares an opening out: this is all clients' work together.
_OPENING = f"opening a sum of {ADDED}, in encryptions"

BARS = (
    Bar(_CLIENT, OURS_16, PEERS, 12, lambda t: t.client),
    Bar("bytes", OURS_16, PEERS, 11.5, lambda t: t.message_bytes),
    Bar(_SERVER, OURS_16, PEERS, 8, lambda t: t.server),
    Bar("decryption", OURS_16, PEERS, 8, lambda t: t.opening),
    Bar("bytes", OURS_8, PEERS, 17, lambda t: t.message_bytes),
    Bar(_CLIENT, OURS_16, BEST, 5, lambda t: t.client),
    Bar("bytes", OURS_16, BEST, 4, lambda t: t.message_bytes),
    Bar(_CLIENT, OURS_DEVICE, PEERS, 40, lambda t: t.client),
    Bar(_CLIENT, OURS_DEVICE, BEST, 14, lambda t: t.client),
    Bar(_CLIENT, OURS_DEVICE, OURS_16, 3, lambda t: t.client),
    Bar(_SERVER, OURS_DEVICE, PEERS, 20, lambda t: t.server),
    Bar(_CLIENT, OURS_PAD, PEERS, 120, lambda t: t.client),
    Bar(_CLIENT, OURS_PAD, BEST, 40, lambda t: t.client),
    Bar(_CLIENT, OURS_PAD, OURS_16, 9, lambda t: t.client),
    Bar(_SERVER, OURS_PAD, PEERS, 60, lambda t: t.server),
    Bar(_CLIENT, OURS_PER_CLIENT, PEERS, 40, lambda t: t.client),
    Bar(_CLIENT, OURS_PER_CLIENT, BEST, 14, lambda t: t.client),
    Bar(_CLIENT, OURS_PER_CLIENT, OURS_16, 3, lambda t: t.client),
    Bar(_SERVER, OURS_PER_CLIENT, PEERS, 40, lambda t: t.server),
)
"""The bars, for messages of which `SUMMANDS` can be added."""

LIMITS = (
    Limit(_BYTES, OURS_DEVICE, 3.4, lambda t: _bytes_per_value(t), " B"),
    Limit(_BYTES, OURS_PER_CLIENT, 3.4, lambda t: _bytes_per_value(t), " B"),
    Limit(_BYTES, OURS_PAD, 2.75, lambda t: _bytes_per_value(t), " B"),
    Limit(_OPENING, OURS_DEVICE, 1, lambda t: _encryptions(t)),
    Limit(_OPENING, OURS_PER_CLIENT, 1, lambda t: _encryptions(t)),
    Limit(_OPENING, OURS_PAD, 10, lambda t: _encryptions(t)),
)
"""What has no other side to be compared with."""


class Verdict(NamedTuple):
    """A bar and what was reached.

    Attributes:
      num_values: n.
      what: Is compared, with whom.
      kind: Whether seconds, bytes of messages or memory are.
      ratio: Theirs over ours, of the medians.
      low: The smallest ratio of a turn.
      high: The largest.
      bar: What it is held against.
      met: Whether that is reached.
      unit: Of ratio, low and high.
    """

    num_values: int
    what: str
    kind: Literal["time", "bytes", "memory"]
    ratio: float
    low: float
    high: float
    bar: str
    met: bool
    unit: str = "x"


def judge(times: Sequence[Times], memories: Sequence[Memory | None]) -> list[Verdict]:
    """Holds the times of vectors of one length against the bars.

    Args:
      times: Of the sides that were there.
      memories: Of the same sides.

    Returns:
      A verdict for every bar whose sides were there.
    """
    by_name = {item.side.name: item for item in times}
    verdicts = [
        _judge(bar, by_name[bar.ours], by_name[bar.theirs])
        for bar in BARS
        if bar.ours in by_name and bar.theirs in by_name
    ]
    verdicts += [
        _within(limit, by_name[limit.ours]) for limit in LIMITS if limit.ours in by_name
    ]
    for item, memory in zip(times, memories, strict=True):
        if item.side.setting is None and memory is not None:
            ratio = memory.peak_bytes / memory.message_bytes
            verdicts.append(
                Verdict(
                    num_values=memory.num_values,
                    what=f"{item.side.name}: peak memory beyond the input, in messages, "
                    "once programs are compiled",
                    kind="memory",
                    ratio=ratio,
                    low=ratio,
                    high=ratio,
                    bar=f"at most {MEMORY_BAR:g}x",
                    met=ratio <= MEMORY_BAR,
                )
            )
    return verdicts


def _judge(bar: Bar, ours: Times, theirs: Times) -> Verdict:
    our, their = _turns(bar.quantity(ours)), _turns(bar.quantity(theirs))
    pairs = [other / own for other, own in zip(their, our, strict=True)]
    ratio = statistics.median(their) / statistics.median(our)
    return Verdict(
        num_values=ours.num_values,
        what=f"{bar.what}: {bar.ours} against {bar.theirs}",
        kind="time" if isinstance(bar.quantity(ours), Stage) else "bytes",
        ratio=ratio,
        low=min(pairs),
        high=max(pairs),
        bar=f"at least {bar.least:g}x",
        met=ratio >= bar.least,
    )


def _within(limit: Limit, ours: Times) -> Verdict:
    found = limit.quantity(ours)
    middle = statistics.median(found)
    return Verdict(
        num_values=ours.num_values,
        what=f"{limit.what}: {limit.ours}",
        kind="time" if limit.what == _OPENING else "bytes",
        ratio=middle,
        low=min(found),
        high=max(found),
        bar=f"at most {limit.most:g}{limit.unit}",
        met=middle <= limit.most,
        unit=limit.unit,
    )


def _bytes_per_value(times: Times) -> Sequence[float]:
    return (times.message_bytes / times.num_values,)


def _encryptions(times: Times) -> Sequence[float]:
    """Of each turn; both stages for as many values."""
    client, opening = (
        [seconds / stage.num_values for seconds in stage.seconds]
        for stage in (times.client, times.opening)
    )
    return [one / other for one, other in zip(opening, client, strict=True)]


def _turns(quantity: Any) -> Sequence[float]:
    return quantity.seconds if isinstance(quantity, Stage) else (float(quantity),)
