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


BARS = (
    Bar("quantise, encrypt, serialise", OURS_16, PEERS, 12, lambda t: t.client),
    Bar("bytes", OURS_16, PEERS, 11.5, lambda t: t.message_bytes),
    Bar(f"adding {ADDED} at the server", OURS_16, PEERS, 8, lambda t: t.server),
    Bar("decryption", OURS_16, PEERS, 8, lambda t: t.opening),
    Bar("bytes", OURS_8, PEERS, 17, lambda t: t.message_bytes),
    Bar("quantise, encrypt, serialise", OURS_16, BEST, 5, lambda t: t.client),
    Bar("bytes", OURS_16, BEST, 4, lambda t: t.message_bytes),
    Bar("quantise, encrypt, serialise", OURS_DEVICE, PEERS, 40, lambda t: t.client),
    Bar("quantise, encrypt, serialise", OURS_DEVICE, BEST, 14, lambda t: t.client),
    Bar("quantise, encrypt, serialise", OURS_DEVICE, OURS_16, 3, lambda t: t.client),
    Bar(f"adding {ADDED} at the server", OURS_DEVICE, PEERS, 20, lambda t: t.server),
)
"""The bars, for messages of which `SUMMANDS` can be added."""


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
    """

    num_values: int
    what: str
    kind: Literal["time", "bytes", "memory"]
    ratio: float
    low: float
    high: float
    bar: str
    met: bool


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
    for item, memory in zip(times, memories, strict=True):
        if item.side.setting is None and memory is not None:
            ratio = memory.peak_bytes / memory.message_bytes
            verdicts.append(
                Verdict(
                    num_values=memory.num_values,
                    what=f"{item.side.name}: peak memory beyond the input, in messages",
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


def _turns(quantity: Any) -> Sequence[float]:
    return quantity.seconds if isinstance(quantity, Stage) else (float(quantity),)
