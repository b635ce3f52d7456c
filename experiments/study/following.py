"""Shows results while a run goes on, for a small share of its time."""

import time
from collections.abc import Callable

_SHARE = 0.05
_LEAST_SECONDS = 20.0


def following(
    publish: Callable[[], None],
    share: float = _SHARE,
    least_seconds: float = _LEAST_SECONDS,
    clock: Callable[[], float] = time.monotonic,
) -> Callable[[], None]:
    """Makes what a run calls whenever a piece of its work is finished.

    Args:
      publish: Writes anew what people look at.
      share: Of the time, that publishing may take: it waits until the last time is that
        small a part of what has passed since.
      least_seconds: From one time to the next, and before the first.
      clock: Seconds from any fixed moment.

    Returns:
      A function that publishes if it is time to.
    """
    due = clock() + least_seconds

    def finished() -> None:
        nonlocal due
        began = clock()
        if began < due:
            return
        publish()
        ended = clock()
        due = ended + max(least_seconds, (ended - began) / share)

    return finished
