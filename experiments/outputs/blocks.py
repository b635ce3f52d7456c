"""Why bytes may fall as more is hidden, said wherever such bytes are shown."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Sent(NamedTuple):
    """What is sent under one mask.

    Attributes:
      metric: What chose the hidden entries.
      share: What was really hidden, in [0, 1].
      hidden: The same in words.
      ciphertext: Encrypted bytes.
      clear: All other bytes.
    """

    metric: str
    share: float
    hidden: str
    ciphertext: float
    clear: float


def falls(sent: Iterable[Sent]) -> Iterator[str]:
    """Says where more is hidden in fewer bytes, and that this is no error.

    Args:
      sent: What masks of one message or round take, in any order.

    Yields:
      A sentence for each stretch of shares with one size of the ciphertext and falling
      bytes, of all metrics that have it.
    """
    found: dict[tuple[str, str, float], list[str]] = {}
    metrics: dict[str, list[Sent]] = {}
    for one in sent:
        metrics.setdefault(one.metric, []).append(one)
    for metric, own in metrics.items():
        ordered = sorted(own, key=lambda one: one.share)
        start = 0
        for place in range(1, len(ordered) + 1):
            if place < len(ordered) and _falls(ordered[place - 1], ordered[place]):
                continue
            first, last = ordered[start], ordered[place - 1]
            if place - start > 1:
                stretch = (first.hidden, last.hidden, first.ciphertext)
                found.setdefault(stretch, []).append(metric)
            start = place
    for (low, high, ciphertext), of in found.items():
        yield (
            f"Bytes fall from {low} to {high} hidden ({', '.join(of)}), which is no error: "
            f"ciphertext is sent in whole blocks, here {ciphertext:,.0f} bytes at each of "
            "these shares, and every entry that moves into a block leaves the clear part."
        )


def _falls(before: Sent, after: Sent) -> bool:
    return after.ciphertext == before.ciphertext and after.clear < before.clear
