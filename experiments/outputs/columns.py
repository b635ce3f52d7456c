"""Columns of tables that attacks read exactly, where whole rows may tell nothing.

A row is compared with the blind guess by all of its columns together. One that is read
each time, as a yes or no, changes that little: it is counted by itself, as labels are.
"""

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from experiments.outputs import too_few
from experiments.outputs.records import AttackRecord, MemberRecord

_READ = "columns_read"
"""In the details of a record: for each column of its row whether it is read exactly."""

_SHOWN = "columns_at_a_level"
"""In the same: for each column of few values whether one of those shows."""

_GUESS = "columns_by_one_value"
"""In the same: how often the best single value for all rows is right, of each column."""

_ERRORS = "feature_errors"
_ROWS = "rows"
_WITHOUT_MESSAGE = frozenset({"prior_only", "nothing_visible", "retrieved"})
_LUCK = 0.05
_FEWEST = 3
"""Of fewer rows nothing looks read: each of many columns may be right once or twice."""


class _Reading(NamedTuple):
    """What one attack has of a row's columns: `details` as in a record."""

    attack: str
    record: AttackRecord
    details: Mapping[str, Any]
    stop: str | None
    chosen: str | None = None


class Columns(NamedTuple):
    """What the attack that reads most columns has.

    Attributes:
      attack: Its name.
      attacker: "naive" or "mask_aware".
      right: Values that it has exactly.
      of: All values: rows times columns.
      by_one_value: How many of them one value for all rows is expected to have; None
        without public rows.
      column: The column that is read by most more than that, from 1.
      column_right: How often it is right.
      rows: Of how many rows.
      column_by_one_value: The share in that one value for all is right there; None
        without public rows.
      by_chance: How likely such values have some column right as often, with all columns
        and attacks tried; None without public rows.
      level_column: The column of few values, from 1, that is read by most more than that
        where one of its values shows; 0 without one.
      level_right: How often it is right there.
      level_shown: In how many rows that is.
      level_by_one_value: As `column_by_one_value`, of that column.
      open_column: A column, from 1, that looks read and that chance may give (`too_few`);
        0 where some column is read, or none looks so.
      open_right: How often it is right.
      open_of: Of how many rows: of all, or of those in which one of its values shows.
      open_by_one_value: As `column_by_one_value`, of that column.
      open_rows: How many rows to attack for it to be told; None where no number helps.
      open_images: The same as `--num_images`.
    """

    attack: str
    attacker: str
    right: int
    of: int
    by_one_value: float | None = None
    column: int = 0
    column_right: int = 0
    rows: int = 0
    column_by_one_value: float | None = None
    by_chance: float | None = None
    level_column: int = 0
    level_right: int = 0
    level_shown: int = 0
    level_by_one_value: float | None = None
    open_column: int = 0
    open_right: int = 0
    open_of: int = 0
    open_by_one_value: float | None = None
    open_rows: int | None = None
    open_images: int | None = None

    @property
    def more(self) -> bool:
        """Whether some column is read more often than one value for all has it right."""
        return self.by_chance is not None and self.by_chance <= _LUCK

    @property
    def text(self) -> str:
        """As a part of a sentence."""
        guess = "how often one value for all is right is not known: no public rows"
        if self.by_one_value is not None:
            guess = f"by one value for all {self.by_one_value:.3g}"
        said = f"single columns exactly: {self.right} of {self.of} values ({guess})"
        told: dict[tuple[int, int, int], float] = {}
        if self.more and self.column_by_one_value is not None:
            told[self.column, self.column_right, self.rows] = self.column_by_one_value
        if self.level_shown and self.level_by_one_value is not None:
            place = (self.level_column, self.level_right, self.level_shown)
            told[place] = self.level_by_one_value
        # It is told with what would decide.
        told.pop((self.open_column, self.open_right, self.open_of), None)
        for (column, right, of), share in told.items():
            where = "" if of == self.rows else " where it shows a legal value"
            said += (
                f"; column {column}{where}: {right} of {of}, by one value for all "
                f"{100 * share:.2g} %"
            )
        return f"{said}; {self.undecided}" if self.undecided else said

    @property
    def undecided(self) -> str:
        """Which column looks read by too few rows to tell; "" for none."""
        if not self.open_column or self.open_by_one_value is None:
            return ""
        where = "" if self.open_of == self.rows else " where it shows a legal value"
        more = "which no number of such messages can tell"
        if self.open_rows is not None:
            more = (
                f"about {self.open_rows:,} rows would (--num_images={self.open_images})"
            )
        return (
            f"too few rows to tell whether column {self.open_column} is read: "
            f"{self.open_right} of {self.open_of}{where} (one value for all: "
            f"{self.open_of * self.open_by_one_value:.2g}), {more}"
        )


def details_of_guess(shares: Sequence[float]) -> dict[str, Any]:
    """What a record's details have of one value for all rows."""
    return {_GUESS: [float(one) for one in shares]}


def details(right: Sequence[bool], shown: Sequence[bool]) -> dict[str, Any]:
    """What a record's details have of its columns: right ones, and those at a level."""
    return {
        _READ: [bool(one) for one in right],
        _SHOWN: [bool(one) for one in shown],
    }


def of_row(record: AttackRecord) -> str:
    """How many columns of one row are read, in words; "" where that is not known."""
    found = count(record)
    return f"{found[0]} of {found[1]} columns exactly" if found else ""


def by_one_value(record: AttackRecord) -> float | None:
    """How many columns one value for all rows is expected to have; None if not known."""
    shares = record.details.get(_GUESS)
    return float(sum(shares)) if shares else None


def count(one: AttackRecord | MemberRecord) -> tuple[int, int] | None:
    """How many columns of one row are read, and of how many; None where not known."""
    read = one.details.get(_READ)
    return (sum(read), len(read)) if read else None


def unknown(records: Iterable[AttackRecord]) -> bool:
    """Whether of some row it is not known which columns were read: of earlier versions."""
    return any(
        _ERRORS in one.details and _READ not in one.details
        for one in records
        if one.status == "ok"
    )


def best(records: Iterable[AttackRecord], lookups: Collection[str]) -> Columns | None:
    """The attack that reads columns best: of which chance explains least.

    Args:
      records: Of one setting, of which something is visible.
      lookups: Attacks that reconstruct nothing.

    Returns:
      What it reads; None where nothing was read from a message of rows.
    """
    of_attack: dict[tuple[str, str], dict[tuple[int, int], _Reading]] = {}
    for one in records:
        for each in _readings(one):
            looked_up = (each.chosen or each.attack) in lookups
            if not looked_up and each.stop not in _WITHOUT_MESSAGE:
                place = (one.cell.seed, one.image_index)
                own = of_attack.setdefault((each.attack, one.attacker), {})
                # Tried by another attack, too, it counts once.
                own.setdefault(place, each)
    found = [
        _of(*name, list(own.values()), len(of_attack))
        for name, own in of_attack.items()
    ]
    return min(
        found,
        key=lambda one: (
            1.0 if one.by_chance is None else one.by_chance,
            -one.right,
            one.attack,
            one.attacker,
        ),
        default=None,
    )


def _readings(record: AttackRecord) -> Iterator[_Reading]:
    """Of an attack, and of those that it is made of."""
    if record.status == "ok" and _READ in record.details:
        stop = record.details.get("stop")
        yield _Reading(record.attack, record, record.details, stop, record.chosen)
    for one in record.members:
        if one.status == "ok" and _READ in one.details:
            yield _Reading(one.name, record, one.details, one.stop)


def _of(attack: str, attacker: str, own: Sequence[_Reading], attacks: int) -> Columns:
    read = np.array([one.details[_READ] for one in own], np.bool_)
    right, of = int(read.sum()), read.size
    if not all(_GUESS in one.record.details for one in own):
        return Columns(attack, attacker, right, of, rows=len(read))
    # Here, so that reading results does not wait for SciPy.
    from scipy import stats

    shares = np.array([one.record.details[_GUESS] for one in own])
    # Rows of one message are matched to the true ones, so that each has several tries.
    tries = np.array([[_behind(one.record)] for one in own])
    lucky = (1.0 - (1.0 - shares) ** tries).max(0)
    likely = stats.binom.sf(read.sum(0) - 1, len(read), lucky)
    column = int(np.argmin(likely))
    shown = np.array([one.details[_SHOWN] for one in own], np.bool_)
    there, counts = (read & shown).sum(0), shown.sum(0)
    at_level = stats.binom.sf(there - 1, counts, lucky)
    level = int(np.argmin(at_level))
    share = float(shares[:, level].max())
    # What is right no more often than one value for all is not worth telling.
    tells = there[level] > counts[level] * share
    least = float(min(likely.min(), at_level.min()))
    found = Columns(
        attack,
        attacker,
        right,
        of,
        float(shares.sum()),
        column + 1,
        int(read[:, column].sum()),
        len(read),
        float(shares[:, column].max()),
        float(1.0 - (1.0 - least) ** (2 * read.shape[1] * attacks)),
        *((level + 1, int(there[level]), int(counts[level]), share) if tells else ()),
    )
    if found.more:
        return found
    looks = 2 * read.shape[1] * attacks
    counted = [
        (at, too_few.Count(int(hits[at]), int(all_[at]), chance, luck, looks))
        for hits, all_ in (
            (there, counts),
            (read.sum(0), np.full_like(counts, len(read))),
        )
        for at, (chance, luck) in enumerate(zip(shares.max(0), lucky, strict=True))
    ]
    messages = {
        (
            one.record.cell.seed,
            *one.record.details.get(_ROWS, (one.record.image_index,)),
        )
        for one in own
    }
    seeds = len({one.record.cell.seed for one in own})
    return _open(found, counted, len(messages) / seeds)


def _open(
    found: Columns, counted: Sequence[tuple[int, too_few.Count]], messages: float
) -> Columns:
    """Adds the column that looks read, of which the fewest rows would decide."""
    few = [
        (at, one, too_few.would_decide(one) if one.lucky < 1.0 else None)
        for at, one in counted
        if one.of >= _FEWEST and too_few.looks_read(one)
    ]
    if not few:
        return found
    at, one, needed = min(few, key=lambda each: (each[2] or math.inf, each[0]))
    rows = None if needed is None else math.ceil(needed * found.rows / one.of)
    return found._replace(
        open_column=at + 1,
        open_right=one.right,
        open_of=one.of,
        open_by_one_value=float(one.share),
        open_rows=rows,
        open_images=None if rows is None else math.ceil(rows * messages / found.rows),
    )


def _behind(record: AttackRecord) -> int:
    """How many examples are behind its message."""
    return max(len(record.details.get(_ROWS, ())), record.batch_size)
