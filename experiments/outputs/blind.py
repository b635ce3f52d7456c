"""The blind guess: what is guessed without a gradient, and what is more than that.

It is made once for each attacked batch from what the attacker declares, measured as
attacks are, and stands in the details of their records. A recovery that is no better
tells nothing of the message.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from experiments.outputs import files, hindsight, statistic, units
from experiments.outputs.leaks import Leaks
from experiments.outputs.records import AttackRecord

NAME = "blind guess"
"""What it is called, wherever it is shown."""

NO_BETTER = f"no better than a {NAME}"
"""What an attack is called that recovers no more."""

_DETAIL = "blind_guess"


class Past(NamedTuple):
    """How often the recovered is better than the blind guess of the same example.

    Attributes:
      better: Examples of which it is better by a measure of `Leaks.beyond`.
      of: Examples that have both.
      sure: Whether the 95 % interval of the median difference is above zero.
    """

    better: int
    of: int
    sure: bool

    @property
    def none(self) -> bool:
        """Whether it is no better at all: on no example, and not on the median."""
        return not self.better and not self.sure

    @property
    def text(self) -> str:
        """In words that can end a sentence."""
        if self.none:
            return f"{NO_BETTER} on any of {self.of}"
        if not self.better:
            return f"a little better than a {NAME} on the median of {self.of}"
        return f"better than a {NAME} on {self.better} of {self.of}"


def details(
    made_of: str, measures: Mapping[str, Any] | None = None
) -> dict[str, dict[str, Any]]:
    """What a record's details have of it.

    Args:
      made_of: What the guess is made of, or why there is none.
      measures: Of the guess, by the names of the modality, NaN left out; None without one.
    """
    numbers = {
        name: number for name, number in (measures or {}).items() if number == number
    }
    return {_DETAIL: {"made_of": made_of, "measures": numbers}}


def made_of(records: Iterable[AttackRecord]) -> str:
    """What the guesses of these records are made of; "" where none was recorded."""
    found = (one.details.get(_DETAIL, {}).get("made_of", "") for one in records)
    return "; ".join(dict.fromkeys(each for each in found if each))


def value(record: AttackRecord, key: str) -> float:
    """A measure of the guess; NaN where there is none."""
    measures = record.details.get(_DETAIL, {}).get("measures", {})
    return float(files.number_from_json(measures.get(key, math.nan)))


def of_examples(records: Iterable[AttackRecord], key: str) -> list[AttackRecord]:
    """A record of each example and seed that has a guess with this measure."""
    found: dict[tuple[int, int], AttackRecord] = {}
    for one in records:
        if not math.isnan(value(one, key)):
            found.setdefault((one.cell.seed, one.image_index), one)
    return list(found.values())


def past(
    pairs: Iterable[tuple[AttackRecord, Mapping[str, Any]]], leaks: Leaks
) -> Past | None:
    """Compares what was recovered with the guess, example by example.

    Args:
      pairs: A record of each example, and the measures of what was recovered of it; one
        without the main measure is left out.
      leaks: What is measured.

    Returns:
      The comparison; None where no example has both.
    """
    records: list[AttackRecord] = []
    above: list[float] = []
    better = 0
    for record, measures in pairs:
        more = _above(record, measures, leaks.main.key, leaks.drawn)
        if not math.isnan(more):
            records.append(record)
            above.append(more)
            better += _better(record, measures, leaks)
    if not records:
        return None
    return Past(better, len(above), _sure(records, above))


def past_of_any(records: Iterable[AttackRecord], leaks: Leaks) -> Past | None:
    """The same of everything that was tried on an example: better is what some of it is.

    What has the most of the main measure need not be what is better by another one.

    Args:
      records: Of one setting.
      leaks: What is measured.

    Returns:
      The comparison; None where no example has both.
    """
    places: dict[tuple[int, int], list[hindsight.Best]] = {}
    for record in records:
        place = (record.cell.seed, record.image_index)
        places.setdefault(place, []).extend(hindsight.tried(record))
    better, compared, above = 0, [], []
    for tried in places.values():
        pairs = [(one.record, one.measures) for one in tried]
        more = [
            found
            for record, measures in pairs
            if not math.isnan(
                found := _above(record, measures, leaks.main.key, leaks.drawn)
            )
        ]
        if more:
            compared.append(pairs[0][0])
            above.append(max(more))
            better += any(_better(record, found, leaks) for record, found in pairs)
    return Past(better, len(above), _sure(compared, above)) if compared else None


def _better(record: AttackRecord, measures: Mapping[str, Any], leaks: Leaks) -> bool:
    """By some measure; one that only one of the two has says nothing."""
    main = leaks.main.key
    return any(
        _above(record, measures, key, leaks.drawn if key == main else float) > margin
        for key, margin in leaks.beyond or ((main, 0.0),)
    )


def _above(
    record: AttackRecord,
    measures: Mapping[str, Any],
    key: str,
    drawn: Callable[[float], float],
) -> float:
    recovered = measures.get(key)
    if recovered is None:
        return math.nan
    return drawn(float(recovered)) - drawn(value(record, key))


def _sure(records: Sequence[AttackRecord], above: Sequence[float]) -> bool:
    of, independent = units.of_records(records)
    found = statistic.summarise(above, of, independent)
    # Without an interval it is NaN, which is above nothing.
    return found is not None and found.low_95 > 0
