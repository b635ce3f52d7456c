"""Columns of tables that attacks read exactly, where whole rows may tell nothing.

A row is compared with the blind guess by all of its columns together. One that is read
each time, as a yes or no, changes that little: it is counted by itself, as labels are.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from experiments.outputs.records import AttackRecord

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

    @property
    def more(self) -> bool:
        """Whether some column is read more often than one value for all has it right."""
        return self.by_chance is not None and self.by_chance <= _LUCK

    @property
    def text(self) -> str:
        """As a part of a sentence."""
        guess = "how often one value for all is right is not known: no public rows"
        if self.by_one_value is not None:
            guess = f"naming one value for all gets {self.by_one_value:.3g}"
        said = f"single columns exactly: {self.right} of {self.of} values ({guess})"
        told = {}
        if self.more and self.column_by_one_value is not None:
            told[self.column, self.column_right, self.rows] = self.column_by_one_value
        if self.level_shown and self.level_by_one_value is not None:
            place = (self.level_column, self.level_right, self.level_shown)
            told[place] = self.level_by_one_value
        for (column, right, of), share in told.items():
            where = "" if of == self.rows else ", where it shows a legal value,"
            said += f", column {column}{where} {right} of {of} ({100 * share:.3g} %)"
        return said


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
    read = record.details.get(_READ)
    return f"{sum(read)} of {len(read)} columns exactly" if read else ""


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
    of_attack: dict[tuple[str, str], list[AttackRecord]] = {}
    for one in records:
        known = one.status == "ok" and _READ in one.details
        looked_up = (one.chosen or one.attack) in lookups
        if known and not looked_up and one.details.get("stop") not in _WITHOUT_MESSAGE:
            of_attack.setdefault((one.attack, one.attacker), []).append(one)
    found = [_of(*name, own, len(of_attack)) for name, own in of_attack.items()]
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


def _of(
    attack: str, attacker: str, own: Sequence[AttackRecord], attacks: int
) -> Columns:
    read = np.array([one.details[_READ] for one in own], np.bool_)
    right, of = int(read.sum()), read.size
    if not all(_GUESS in one.details for one in own):
        return Columns(attack, attacker, right, of, rows=len(read))
    # Here, so that reading results does not wait for SciPy.
    from scipy import stats

    shares = np.array([one.details[_GUESS] for one in own])
    # Rows of one message are matched to the true ones, so that each has several tries.
    tries = np.array([[_behind(one)] for one in own])
    lucky = 1.0 - (1.0 - shares) ** tries
    likely = stats.binom.sf(read.sum(0) - 1, len(read), lucky.max(0))
    column = int(np.argmin(likely))
    shown = np.array([one.details[_SHOWN] for one in own], np.bool_)
    there, counts = (read & shown).sum(0), shown.sum(0)
    at_level = stats.binom.sf(there - 1, counts, lucky.max(0))
    level = int(np.argmin(at_level))
    share = float(shares[:, level].max())
    # What is right no more often than one value for all is not worth telling.
    tells = there[level] > counts[level] * share
    least = float(min(likely.min(), at_level.min()))
    return Columns(
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


def _behind(record: AttackRecord) -> int:
    """How many examples are behind its message."""
    return max(len(record.details.get(_ROWS, ())), record.batch_size)
