"""What a round takes, in tables."""

from typing import NamedTuple

from experiments.outputs.records import Record
from experiments.outputs.report import cost_tables
from experiments.outputs.report.families import Family
from experiments.outputs.stages import TITLES, Stage
from tests.experiments.outputs.example_records import cell, rounds, training


class OfRecords(NamedTuple):
    """A run of which nothing but the records is asked for."""

    records: tuple[Record, ...]


def tables(*records):
    return cost_tables.of(Family("", "", (OfRecords(records),), ()))


def test_seconds_by_stage_are_of_rounds_that_do_not_compile():
    def timed(number, seconds):
        return training(number, details={"stage_seconds": {"encrypt": seconds}})

    _, seconds = tables(timed(1, 90.0), timed(2, 3.0), timed(3, 1.0), timed(4, 2.0))
    place = seconds.headings.index(TITLES[Stage.ENCRYPT])
    (row,) = seconds.rows
    assert row[place] == "2 s (1 to 3, 3 rounds)"
    assert row[seconds.headings.index(TITLES[Stage.DECRYPT])].startswith("0 s")


def test_uploads_have_a_column_of_their_own():
    plain = cell(0.0, "plain", release="plain", agreement="none")
    made, *_ = tables(
        *rounds(plain, 1.0, 300, 0),
        *rounds(cell(0.1, release="reveal_aggregate"), 1.0, 600, 10),
    )
    found = {row[0]: dict(zip(made.headings, row, strict=True)) for row in made.rows}
    ours = found["random, public"]
    assert (ours["Up, x plain"], ours["Up and down, x plain"]) == ("2", "1.75")


def test_records_without_stages_have_no_such_table():
    (only,) = tables(training(1), training(2))
    assert TITLES[Stage.ENCRYPT] not in only.headings


def test_what_is_the_same_in_all_rows_is_said_once():
    """Twelve columns leave each a word's width."""
    first, second = (
        rounds(cell(ratio, release="reveal_aggregate"), 1.0, 600, 10, accuracy=learned)
        for ratio, learned in ((0.1, 0.9), (0.5, 0.8))
    )
    made, *_ = tables(*first, *second)
    assert (
        "agreeing on a mask: no round of its own; beyond the bound: 0 %; refused: 0"
        in (made.title)
    )
    assert "Refused" not in made.headings and "Learned" in made.headings
    assert all(len(row) == len(made.headings) for row in made.rows)
    # One row has nothing to be the same as.
    (only,) = tables(*first)
    assert "Refused" in only.headings
