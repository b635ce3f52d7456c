"""Where the seconds of a round go: by graph, and by step of those that encrypt."""

import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TextIO

from experiments.outputs import text_tables
from experiments.suites.measurement import Measurement

TRAINING = "train"
"""The graph in which clients train."""

OURS = (
    "announce",
    "read_check",
    "contribute",
    "protect",
    "collect",
    "add_up",
    "find_rank",
    "only",
    "open_share",
    "release",
    "collect_share",
    "join",
    "open_released",
    "finish",
)
"""The graphs of an encrypted sum that take time, in the order of a round.

Those of a sum of metrics have the same names: it is encrypted by the same functions.
"""

OTHERS, RUNTIME = "other graphs", "between the graphs"


class Watch:
    """A timer of the runtime that adds up the seconds of each graph."""

    def __init__(self) -> None:
        """Starts with nothing."""
        self._seconds: dict[str, float] = {}

    def __call__(self, name: str, seconds: float) -> None:
        """Adds the seconds of one graph."""
        known = name if name == TRAINING or name in OURS else OTHERS
        self._seconds[known] = self._seconds.get(known, 0.0) + seconds

    def take(self, whole: float) -> dict[str, float]:
        """The seconds of each graph since the last call.

        Args:
          whole: Seconds that passed since then; what is of no graph is `RUNTIME`.
        """
        taken, self._seconds = self._seconds, {}
        return {**taken, RUNTIME: whole - sum(taken.values())}


class Profiled(NamedTuple):
    """A round and where its time went.

    Attributes:
      measurement: The round.
      by_graph: Seconds of each graph in each repetition, all parties together.
    """

    measurement: Measurement
    by_graph: tuple[Mapping[str, float], ...]


def print_by_graph(rounds: Sequence[Profiled], stream: TextIO) -> None:
    """Prints the seconds of each graph, and their share of a round.

    Args:
      rounds: The plain one first.
      stream: Where to.
    """
    everything = [seconds for one in rounds for seconds in one.by_graph]
    names = [
        name
        for name in (TRAINING, *OURS, OTHERS, RUNTIME)
        if any(name in seconds for seconds in everything)
    ]
    rows = [
        (name, *(text for one in rounds for text in _of_graph(one, name)))
        for name in names
    ]
    headings = [
        heading
        for one in rounds
        for heading in (f"{one.measurement.name}: seconds (min, max)", "share")
    ]
    title = "seconds of a round by graph, of all parties together"
    text_tables.show(text_tables.Table(title, ("graph", *headings), rows), stream)


def _of_graph(one: Profiled, name: str) -> tuple[str, str]:
    taken = [seconds.get(name, 0.0) for seconds in one.by_graph]
    if not any(taken):
        return "-", "-"
    shares = [
        part / whole for part, whole in zip(taken, one.measurement.seconds, strict=True)
    ]
    return text_tables.spread(taken, ".3f"), f"{statistics.median(shares):.0%}"
