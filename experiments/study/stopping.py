"""Stops by Ctrl-C and SIGTERM that are not lost.

Both end in a `KeyboardInterrupt`, wherever the program is. Code of others may swallow one
(a callback from C, a destructor), so it is raised again every few seconds until somebody
has heard it.
"""

import signal
from typing import NoReturn

_AGAIN_SECONDS = 5.0


def listen() -> None:
    """Has Ctrl-C and SIGTERM stop this process; of a program's main thread only."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, _stop)


def heard() -> None:
    """Ends the repetition: called where a `KeyboardInterrupt` is dealt with."""
    signal.setitimer(signal.ITIMER_REAL, 0)


def _stop(number: int, frame: object) -> NoReturn:
    del number, frame
    signal.setitimer(signal.ITIMER_REAL, _AGAIN_SECONDS)
    raise KeyboardInterrupt
