"""Searches that their limit ended: a longer one may find more.

What they find is the least that leaks. Two masks under which they were ended so cannot be
compared: under the one a search may only be slower.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from experiments.outputs import blind
from experiments.outputs.records import AttackRecord

_LIMITS = ("iterations", "seconds")
_NO_SEARCH = (
    *("closed_form", "inconsistent", "nothing_visible", "prior_only", "retrieved"),
    "trained",
)
"""Why a reconstruction ended (`attacks.knowledge.Reconstruction.stop`)."""


class AtLimit(NamedTuple):
    """How many searches their limit ended.

    Attributes:
      ended: Those.
      of: All searches: what is looked up, or computed in closed form, is none.
      iterations: Of the shortest and of the longest of those, all their starts together.
      seconds: How many of them the time ended.
    """

    ended: int = 0
    of: int = 0
    iterations: tuple[int, int] = (0, 0)
    seconds: int = 0

    @property
    def share(self) -> float | None:
        """How many of all; None where nothing was searched, or no record says."""
        return self.ended / self.of if self.of else None

    @property
    def text(self) -> str:
        """A sentence without its end; "" where every search ended by itself."""
        if not self.ended:
            return ""
        least, most = self.iterations
        steps = f"{least:,}" if least == most else f"{least:,} to {most:,}"
        what = f"limit of {steps} iterations"
        if self.seconds:
            what = f"limit, after {steps} iterations"
        every = self.ended == self.of
        who = "every search" if every else f"{self.ended} of {self.of} searches"
        return f"{who} ended at {'its' if every else 'their'} {what}"

    def sentences(self, several_masks: bool) -> Iterator[str]:
        """Says what follows from it, too; nothing where nothing does."""
        if said := self.text:
            masks = ", and no comparison of masks" if several_masks else ""
            yield f"{said[:1].upper()}{said[1:]}: this is the least that leaks{masks}."


def of(records: Iterable[AttackRecord]) -> AtLimit:
    """Counts them; where nothing is visible there is nothing to search for."""
    stops = [
        (one, one.details["stop"])
        for one in records
        if one.status == "ok" and "stop" in one.details and not blind.shows_nothing(one)
    ]
    searched = [(one, stop) for one, stop in stops if stop not in _NO_SEARCH]
    ended = [(one, stop) for one, stop in searched if stop in _LIMITS]
    if not ended:
        return AtLimit(of=len(searched))
    steps = [one.iterations for one, _ in ended]
    return AtLimit(
        len(ended),
        len(searched),
        (min(steps), max(steps)),
        sum(stop == "seconds" for _, stop in ended),
    )
