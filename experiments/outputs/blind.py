"""The blind guess: what is guessed without a gradient, and what is more than that.

It is made once for each attacked batch from what the attacker declares, measured as
attacks are, and stands in the details of their records. A recovery that is no better
tells nothing of the message.
"""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from experiments.outputs import columns as columns_lib
from experiments.outputs import files, statistic, tries, units
from experiments.outputs.leaks import Leaks
from experiments.outputs.records import AttackRecord

NAME = "blind guess"
"""What it is called, wherever it is shown."""

NO_BETTER = f"no better than a {NAME}"
"""What an attack is called that recovers no more."""

UNCONTROLLED = (
    "of records of earlier versions it is not known what random public examples reach, so "
    "that what is better may be so by chance"
)
"""Of records without a control of the main measure."""

_PUBLIC = "public"
_SURE = 0.95
_DETAIL = "blind_guess"
_VISIBLE = "shows_something"
_ZERO = "gradient_is_zero"


class Past(NamedTuple):
    """How often the recovered is better than the blind guess of the same example.

    Attributes:
      better: Examples of which it is better by a measure of `Leaks.beyond`.
      of: Examples that have both.
      sure: Whether the 95 % interval of the median difference is above zero.
      by_chance: Of how many of them something may be better though no gradient went into
        it, with 95 %: by as many tries as were made of each, of which each is above the
        control in one of all cases; of what is exact none, as chance does not reach that.
        None where a record has no control.
      tries: The most attacks that were made on one example; 0 without a control.
      looked_up: Further examples of which a look-up found a similar public one: nothing
        of those was recovered.
      columns: Of rows of tables: whether some single column is read more often than one
        value for all rows is right (`columns.Columns.more`).
      undecided: The same where too few rows were attacked to tell, in words; "" elsewhere.
      exact: How many of those that are better are exact: chance does not reach that.
    """

    better: int
    of: int
    sure: bool
    by_chance: int | None = None
    tries: int = 0
    looked_up: int = 0
    columns: bool = False
    undecided: str = ""
    exact: int = 0

    @property
    def none(self) -> bool:
        """Whether it is no better at all: no example, not the median, and no column."""
        return not self.more and not self.open

    @property
    def open(self) -> bool:
        """Whether it cannot be told: chance may give as many, or too few were attacked."""
        return not self.more and bool(self.undecided or self.better)

    @property
    def more(self) -> bool:
        """Whether it is better: on more than chance gives, on the median, in a column."""
        return bool(self._more_than_chance or self.sure or self.columns)

    @property
    def by_luck(self) -> bool:
        """Whether it is open because chance may make as many examples better."""
        return self.open and self.better > 0

    @property
    def _more_than_chance(self) -> bool:
        return bool(self.exact or self.better > (self.by_chance or 0))

    @property
    def text(self) -> str:
        """In words that can end a sentence."""
        if self.none:
            return f"{NO_BETTER} on any of {self.of}"
        if self.by_luck:
            count = f"{self.better} of {self.of}"
            return f"not told from chance: better than a {NAME} on {count}"
        if self.open:
            return (
                f"as whole rows {NO_BETTER} on any of {self.of}, in single columns not "
                "decided"
            )
        if not self.better and not self.sure:
            return (
                f"better than a {NAME} in single columns, as a whole row on none of "
                f"{self.of}"
            )
        if not self.better:
            return f"a little better than a {NAME} on the median of {self.of}"
        return f"better than a {NAME} on {self.better} of {self.of}"

    @property
    def chance_text(self) -> str:
        """What chance alone may give; "" where that is nothing, or far less was found.

        Of one attack it is told where no more is better than chance may give.
        """
        if not self.by_chance or not self.better:
            return ""
        if self.tries > 1:
            return f"by chance up to {self.by_chance}, of {self.tries} attacks"
        return "" if self._more_than_chance else f"by chance up to {self.by_chance}"

    @property
    def looked_up_text(self) -> str:
        """What was looked up and not recovered; "" for nothing."""
        if not self.looked_up:
            return ""
        return f"a look-up found a similar public example for {self.looked_up} more"


def open_words(found: Iterable[Past | None]) -> str:
    """Why it is open of some of these whether they are better; "" where of none."""
    by_luck = {one.by_luck for one in found if one is not None and one.open}
    words = {
        True: "better on no more examples than chance may give",
        False: (
            "as whole rows; too few were attacked to tell of a single column that looks "
            "read"
        ),
    }
    return ", or ".join(said for luck, said in words.items() if luck in by_luck)


class Decided(NamedTuple):
    """By what a result is more than the guess, and by how much.

    Attributes:
      key: The measure that decided.
      place: Its place in `Leaks.beyond`.
      above: How far it is above the guess, in its own unit.
      guess: The guess's.
      measures: All measures of the result.
    """

    key: str
    place: int
    above: float
    guess: float
    measures: Mapping[str, Any]


def details(
    made_of: str,
    measures: Mapping[str, Any] | None = None,
    chance: Mapping[str, Any] | None = None,
    visible: bool = True,
    zero: bool = False,
) -> dict[str, Any]:
    """What a record's details have of it.

    Args:
      made_of: What the guess is made of, or why there is none.
      measures: Of the guess, by the names of the modality, NaN left out; None without one.
      chance: What examples that no gradient went into reach on the same example: their
        number as "tries", and "measures" above which no more than chance explains it.
      visible: Whether the message shows any entry.
      zero: Whether it is all zeros, with nothing hidden.
    """
    numbers = {
        name: number for name, number in (measures or {}).items() if number == number
    }
    guess: dict[str, Any] = {"made_of": made_of, "measures": numbers}
    if chance:
        guess["chance"] = dict(chance)
    return {_DETAIL: guess, _VISIBLE: visible} | ({_ZERO: True} if zero else {})


def says_nothing(records: Iterable[AttackRecord]) -> frozenset[tuple[Any, ...]]:
    """The messages that are all zeros with nothing hidden: no mask changes what they say.

    Returns:
      Their places, as `message_of` has them.
    """
    return frozenset(message_of(one) for one in records if one.details.get(_ZERO))


def message_of(record: AttackRecord) -> tuple[Any, ...]:
    """What a record's message is of, whatever hides it."""
    cell = record.cell
    return (
        *(cell.dataset, cell.model, cell.seed, record.image_index),
        *(record.target, record.batch_size, record.weights_after_rounds),
    )


def telling(records: Sequence[AttackRecord]) -> list[AttackRecord]:
    """Leaves out the examples whose message says nothing, if others remain."""
    nothing = says_nothing(records)
    return [one for one in records if message_of(one) not in nothing] or list(records)


def shows_nothing(record: AttackRecord) -> bool:
    """Whether nothing of the message was visible: what comes out of it is a guess."""
    if _VISIBLE in record.details:
        return not record.details[_VISIBLE]
    # Earlier versions did not say it; an aggregate is visible whatever was hidden.
    return record.target == "client" and record.hidden == record.parameters


def made_of(records: Iterable[AttackRecord]) -> str:
    """What the guesses of these records are made of; "" where none was recorded."""
    found = (one.details.get(_DETAIL, {}).get("made_of", "") for one in records)
    return "; ".join(dict.fromkeys(each for each in found if each))


def value(record: AttackRecord, key: str) -> float:
    """A measure of the guess; NaN where there is none."""
    measures = record.details.get(_DETAIL, {}).get("measures", {})
    return float(files.number_from_json(measures.get(key, math.nan)))


def chance(record: AttackRecord, key: str) -> float:
    """What chance reaches of a measure; NaN where no control is on record.

    That is the most of what noise reaches and of what random public examples do: of the
    example's own class where the attacker knows it or names it.
    """
    found = [
        float(files.number_from_json(one["measures"].get(key, math.nan)))
        for one in _controls(record)
    ]
    return max((one for one in found if not math.isnan(one)), default=math.nan)


def of_public(records: Iterable[AttackRecord], key: str, exact: float) -> float:
    """The median over examples, or seeds, of what the best random public example reaches.

    Args:
      records: Of one setting.
      key: Of a measure.
      exact: What is larger is exact (`statistic.summarise`).

    Returns:
      The median; NaN where no control is on record.
    """
    known = [
        one
        for one in of_examples(records, key)
        # Without public examples the control is noise.
        if _PUBLIC in one.details[_DETAIL].get("chance", {})
    ]
    of, independent = units.of_records(known)
    found = statistic.summarise(
        [chance(one, key) for one in known], of, independent, exact
    )
    return math.nan if found is None else found.median


def uncontrolled(records: Iterable[AttackRecord], leaks: Leaks) -> bool:
    """Whether some record has a guess, and no control though its modality makes one."""
    key = leaks.main.key
    return bool(leaks.by_chance) and any(
        not math.isnan(value(one, key)) and math.isnan(chance(one, key))
        for one in records
    )


def _controls(record: AttackRecord) -> list[Mapping[str, Any]]:
    """Of noise, and of random public examples, where they are on record."""
    found = record.details.get(_DETAIL, {}).get("chance", {})
    known = record.details.get("label_source") == "known" or record.label_correct
    names = ("public_of_class", _PUBLIC) if known else (_PUBLIC,)
    public = next((found[name] for name in names if name in found), None)
    return [one for one in (found, public) if one]


def _share_by_chance(record: AttackRecord, attacks: int, leaks: Leaks) -> float:
    """How often the best of so many that no gradient went into is above the control.

    Each has as many chances as there are measures that it may pass by. They go together,
    so that this is the most: what is sure without saying how far.
    """
    if shows_nothing(record):
        return 0.0
    if math.isnan(_above_control(record, leaks.main.key)):
        return math.nan
    keys = dict.fromkeys((leaks.main.key, *(key for key, _ in leaks.beyond)))
    if leaks.beyond and leaks.main.key not in {key for key, _ in leaks.beyond}:
        del keys[leaks.main.key]
    shares = [_above_control(record, key) for key in keys]
    one = min(1.0, sum(share for share in shares if not math.isnan(share)))
    return 1.0 - (1.0 - one) ** attacks


def _above_control(record: AttackRecord, key: str) -> float:
    """How often one that no gradient went into is above the control of a measure.

    NaN where there is none, or nothing passes by that measure.
    """
    guess = value(record, key)
    if math.isnan(guess):
        return math.nan
    tries = [one["tries"] for one in _controls(record) if key in one["measures"]]
    if not tries:
        return math.nan
    if isinstance(_reached(record, key), bool):
        # A yes passes where the guess has a no, and of the control at most one a yes.
        barred = _reached(record, key) or guess > 0
        return math.nan if barred else 2.0 / (1 + min(tries))
    return 1.0 / (1 + min(tries))


def _reached(record: AttackRecord, key: str) -> Any:
    return next(
        (one["measures"][key] for one in _controls(record) if key in one["measures"]),
        None,
    )


def _by_chance(shares: Sequence[float]) -> int | None:
    """The count that is not passed with 95 %, of events with these probabilities."""
    if any(map(math.isnan, shares)):
        return None
    counts = [1.0]
    for share in shares:
        counts = [
            fewer * share + as_many * (1.0 - share)
            for fewer, as_many in zip([0.0, *counts], [*counts, 0.0], strict=True)
        ]
    below = itertools.accumulate(counts)
    return next((n for n, sum_ in enumerate(below) if sum_ >= _SURE), len(shares))


def of_examples(records: Iterable[AttackRecord], key: str) -> list[AttackRecord]:
    """A record of each example and seed that has a guess with this measure."""
    found: dict[tuple[int, int], AttackRecord] = {}
    for one in records:
        if not math.isnan(value(one, key)):
            found.setdefault((one.cell.seed, one.image_index), one)
    return list(found.values())


def alone(record: AttackRecord, leaks: Leaks) -> tuple[Past | None, str]:
    """How one result compares with the guess, and by what it is better, in short.

    Nothing of a look-up: what it found is no more and no less than the guess.
    """
    if (record.chosen or record.attack) in leaks.lookups:
        return None, ""
    by = seen([decided(record, record.measures, leaks)], leaks)
    found = past([(record, record.measures)], leaks)
    return found, ", ".join(short for _, short in by if short)


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
    pairs = list(pairs)
    records: list[AttackRecord] = []
    above: list[float] = []
    exactly: list[bool] = []
    count = exact_ones = 0
    for record, measures in pairs:
        more = _more(record, measures, leaks)
        if not math.isnan(more):
            records.append(record)
            above.append(more)
            exactly.append(_is_exact(measures, leaks))
            # Who chooses a look-up has recovered nothing.
            looked_up = record.chosen in leaks.lookups and measures is record.measures
            is_better = better(record, measures, leaks) and not looked_up
            count += is_better
            exact_ones += is_better and exactly[-1]
    if not records:
        return None
    chances = [
        _share_by_chance(one, 0 if exact else 1, leaks)
        for one, exact in zip(records, exactly, strict=True)
    ]
    own = [one for one, measures in pairs if measures is one.measures]
    made = _past(count, above, records, chances, [1])
    return _with_columns(made._replace(exact=exact_ones), own, leaks)


def _past(
    count: int,
    above: Sequence[float],
    records: Sequence[AttackRecord],
    chances: Sequence[float],
    attacks: Sequence[int],
    looked_up: int = 0,
) -> Past:
    limit = _by_chance(chances)
    most = 0 if limit is None else max(attacks)
    return Past(count, len(above), _sure(records, above), limit, most, looked_up)


def past_of_any(records: Iterable[AttackRecord], leaks: Leaks) -> Past | None:
    """The same of everything that was tried on an example: better is what some of it is.

    What has the most of the main measure need not be what is better by another one. A
    look-up recovers nothing: an example on that only look-ups are better is none.

    Args:
      records: Of one setting.
      leaks: What is measured.

    Returns:
      The comparison; None where no example has both.
    """
    records = list(records)
    places: dict[tuple[int, int], list[tries.Try]] = {}
    for record in records:
        place = (record.cell.seed, record.image_index)
        places.setdefault(place, []).extend(tries.of(record))
    compared, above, chances, attacks = [], [], [], []
    count = looked_up = exact_ones = 0
    for tried in places.values():
        more = [
            (one, found)
            for one in tried
            if not math.isnan(found := _more(one.record, one.measures, leaks))
        ]
        if not more:
            continue
        made = [pair for pair in more if pair[0].attack not in leaks.lookups]
        names = {(one.attack, one.record.attacker) for one, _ in made}
        first = more[0][0].record
        compared.append(first)
        above.append(max((found for _, found in made), default=0.0))
        attacks.append(len(names))
        exact = any(_is_exact(one.measures, leaks) for one, _ in made)
        by_luck = 0 if exact else len(names)
        # An attacker who names the class meets the control of that class.
        chances.append(
            max(_share_by_chance(one.record, by_luck, leaks) for one, _ in more)
        )
        good = [one for one in tried if better(one.record, one.measures, leaks)]
        who = {one.attack in leaks.lookups for one in good}
        count += False in who
        exact_ones += any(
            _is_exact(one.measures, leaks)
            for one in good
            if one.attack not in leaks.lookups
        )
        looked_up += who == {True}
    if not compared:
        return None
    result = _past(count, above, compared, chances, attacks, looked_up)
    return _with_columns(result._replace(exact=exact_ones), records, leaks)


def columns(
    records: Iterable[AttackRecord], leaks: Leaks
) -> columns_lib.Columns | None:
    """What is read of single columns of rows, where anything is visible."""
    visible = [one for one in records if not shows_nothing(one)]
    return columns_lib.best(visible, leaks.lookups)


def _with_columns(past: Past, records: Iterable[AttackRecord], leaks: Leaks) -> Past:
    found = columns(records, leaks)
    if found is None:
        return past
    return past._replace(columns=found.more, undecided=found.undecided)


def better(record: AttackRecord, measures: Mapping[str, Any], leaks: Leaks) -> bool:
    """Whether what was recovered is more than the guess, by some measure (`decided`)."""
    return decided(record, measures, leaks) is not None


def decided(
    record: AttackRecord, measures: Mapping[str, Any], leaks: Leaks
) -> Decided | None:
    """By what a result is more than the guess.

    A measure that only one of the two has says nothing, nor does one that chance reaches
    (`chance`), or can reach (`Leaks.by_chance`) where no control is on record. What is
    exact needs none: only a look-up hits it by chance. Where nothing is visible no result
    is better.

    Args:
      record: Of the example.
      measures: Of what was recovered.
      leaks: What is measured.

    Returns:
      The measure that decides (`Leaks.alike`); None where none is far enough above.
    """
    if shows_nothing(record):
        return None
    main = leaks.main.key
    found = []
    for place, (key, margin) in enumerate(leaks.beyond or ((main, 0.0),)):
        drawn = leaks.drawn if key == main else float
        above = _above(record, measures, key, drawn)
        if above > margin and _is_no_chance(record, measures, key, leaks):
            found.append(Decided(key, place, above, value(record, key), measures))
    if not found:
        return None
    return max(found, key=lambda one: one.above) if leaks.alike else found[0]


def _is_no_chance(
    record: AttackRecord, measures: Mapping[str, Any], key: str, leaks: Leaks
) -> bool:
    reached, limit = float(measures[key]), chance(record, key)
    if _is_exact(measures, leaks):
        return True
    if math.isnan(limit):
        return key not in leaks.by_chance
    return reached > limit


def _is_exact(measures: Mapping[str, Any], leaks: Leaks) -> bool:
    main = float(measures.get(leaks.main.key, math.nan))
    return main > leaks.exact or bool(leaks.is_exact(measures))


def seen(found: Sequence[Decided | None], leaks: Leaks) -> Iterator[tuple[str, str]]:
    """What decided, where that has to be told: the measures of `Leaks.seen`.

    Args:
      found: Of each example what decided, None where nothing did.
      leaks: What is measured.

    Yields:
      Of each measure its sentence and its short form, with the medians over the examples
      that it decided; with how many those are where they are not all.
    """
    for key, words in leaks.seen.items():
        own = [one for one in found if one is not None and one.key == key]
        if not own:
            continue
        numbers = {
            name: statistic.median([float(one.measures[name]) for one in own])
            for name in leaks.order
            if all(name in one.measures for one in own)
        }
        numbers["guess"] = statistic.median([one.guess for one in own])
        sentence, short = (
            text.format_map(numbers).replace("%", " %") for text in words
        )
        part = len(own) < len(found)
        yield (
            f"on {len(own)} of {len(found)} examples {sentence}" if part else sentence,
            f"{len(own)} {short}" if part and short else short,
        )


def _more(record: AttackRecord, measures: Mapping[str, Any], leaks: Leaks) -> float:
    """By how much the main measure is above the guess's; of nothing visible by nothing."""
    above = _above(record, measures, leaks.main.key, leaks.drawn)
    return min(above, 0.0) if shows_nothing(record) else above


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
