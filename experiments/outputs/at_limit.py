"""Searches that their limit ended: a longer one may find more.

What they find is the least that leaks. Two masks under which they were ended so cannot be
compared: under the one a search may only be slower.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from experiments.outputs import blind
from experiments.outputs.records import AttackRecord

_LIMITS = ("iterations", "seconds")
_NO_SEARCH = (
    *("closed_form", "inconsistent", "nothing_visible", "prior_only", "retrieved"),
    *("partly_determined", "rank_deficient", "prior", "trained"),
)
"""Why a reconstruction ended (`attacks.knowledge.Reconstruction.stop`)."""

_ROWS = "rows"
"""In the details of a record: the examples behind its message, where they are several."""

_NAMED = 4
"""Attacks that are named; of more it is said how many."""


class AtLimit(NamedTuple):
    """How many searches their limit ended.

    Attributes:
      ended: Those.
      of: All searches: what is looked up, or computed in closed form, is none.
      iterations: Of the shortest and of the longest of those, all their starts together;
        zeros where no record says.
      seconds: How many of them the time ended.
      attacks: Whose they are.
    """

    ended: int = 0
    of: int = 0
    iterations: tuple[int, int] = (0, 0)
    seconds: int = 0
    attacks: tuple[str, ...] = ()

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
        what = f"limit of {steps} iterations" if most else "limit"
        if self.seconds:
            what = f"limit, after {steps} iterations" if most else "limit"
        every = self.ended == self.of
        who = "every search" if every else f"{self.ended} of {self.of} searches"
        names = ", ".join(self.attacks)
        if len(self.attacks) > _NAMED:
            names = f"{len(self.attacks)} attacks"
        return f"{who} (of {names}) ended at {'its' if every else 'their'} {what}"

    def sentences(self, several_masks: bool) -> Iterator[str]:
        """Says what follows from it, too; nothing where nothing does."""
        if said := self.text:
            masks = ", and no comparison of masks" if several_masks else ""
            yield f"{said[:1].upper()}{said[1:]}: this is the least that leaks{masks}."


def details(rows: Sequence[int]) -> dict[str, Any]:
    """What a record's details have of its message.

    Args:
      rows: The examples behind it.
    """
    return {_ROWS: [int(row) for row in rows]} if len(rows) > 1 else {}


class _Search(NamedTuple):
    attack: str
    stop: str
    iterations: int


def of(records: Iterable[AttackRecord]) -> AtLimit:
    """Counts them; where nothing is visible there is nothing to search for.

    Of an attack that is made of several every one counts, whichever it believed. One for
    a message of several examples is one.
    """
    made = {_search_of(one): one for one in records if one.status == "ok"}
    searched = [
        one
        for record in made.values()
        if not blind.shows_nothing(record)
        for one in _searches(record)
        if one.stop not in _NO_SEARCH
    ]
    ended = [one for one in searched if one.stop in _LIMITS]
    if not ended:
        return AtLimit(of=len(searched))
    steps = [one.iterations for one in ended if one.iterations]
    return AtLimit(
        len(ended),
        len(searched),
        (min(steps, default=0), max(steps, default=0)),
        sum(one.stop == "seconds" for one in ended),
        tuple(sorted({one.attack for one in ended})),
    )


def _search_of(record: AttackRecord) -> tuple[Any, ...]:
    """What records of one search have in common, and of no other."""
    place = (*record.key._replace(image_index=0), record.weights_after_rounds)
    if _ROWS in record.details:
        return (*place, *record.details[_ROWS])
    # Earlier versions did not say which examples share a message; the clock tells.
    shared = record.batch_size > 1
    return (*place, record.seconds if shared else record.image_index)


def _searches(record: AttackRecord) -> Iterator[_Search]:
    members = [one for one in record.members if one.stop]
    for one in members:
        yield _Search(one.name, one.stop, one.iterations)
    if not members and "stop" in record.details:
        # Earlier versions kept the stop of what was believed, and the steps of all.
        steps = 0 if record.members else record.iterations
        name = record.chosen or record.attack
        yield _Search(name, record.details["stop"], steps)
