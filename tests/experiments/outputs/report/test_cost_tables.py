"""What a round takes, in tables."""

import dataclasses
from typing import NamedTuple

from experiments.outputs import summary
from experiments.outputs.pictures.leaks import PICTURES
from experiments.outputs.records import Record
from experiments.outputs.report import answer, cost_tables, costs, meaning, outcomes
from experiments.outputs.report.families import Family
from experiments.outputs.stages import TITLES, Stage
from tests.experiments.outputs.example_records import attack, cell, rounds, training


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
        "agreeing on a mask (shared out): no round of its own; beyond the bound: 0 %; "
        "refused: 0"
    ) in made.title
    assert "Refused" not in made.headings and "Learned" in made.headings
    assert all(len(row) == len(made.headings) for row in made.rows)
    # One row has nothing to be the same as.
    (only,) = tables(*first)
    assert "Refused" in only.headings


def test_a_round_costs_the_same_on_all_screens():
    """The first, encrypted completely, is told apart everywhere, also of two rounds."""
    plain = cell(0.0, "plain", release="plain", agreement="none")
    ours = cell(0.1, release="reveal_aggregate", agreement="previous_aggregate")
    first, later = rounds(ours, 1.0, 495, 10, count=2)
    agreed = {"agreement_up_bytes": 10, "agreement_seconds": 2.0}
    first = dataclasses.replace(
        first, hidden=100, client_to_server_bytes=981, details=agreed
    )
    made = (*rounds(plain, 1.0, 300, 0, count=2), first, later)
    table, *_ = tables(*made)
    (values,) = [row for row in table.rows if row[0] == "random, previous_aggregate"]
    row = dict(zip(table.headings, values, strict=True))
    assert row["Up, x plain"] == "1.67 (first: 3.29)"
    assert row["Up and down, x plain"] == "1.5 (first: 2.71)"
    victims = [attack(image, cell=cell(0.1), blind=12.0) for image in range(3)]
    rows = summary.summarise([*victims, *made])
    (cost,) = [one.cost for one in rows if one.metric == "random"]
    assert f"{cost.relative_upload_bytes:.3g}" == "1.67"
    assert f"{cost.relative_first_upload_bytes:.3g}" == "3.29"
    assert f"{cost.relative_bytes:.3g}" == "1.5"
    trained = costs.rounds(made)
    outcome = outcomes.of_records(victims, PICTURES)
    context = outcome[0].context
    (said,) = answer.of(context, outcome, {}, trained, PICTURES)
    assert (
        "A later training round of 8 clients, whose mask is by previous_aggregate and "
        "not public, takes 500 bytes up and 100 down (1 round; medians: up 1.67 x plain, "
        "up and down 1.5 x plain); the first, which has no mask to go by and was "
        "encrypted completely, 986 up and 100 down (up 3.29 x plain, up and down 2.71 x "
        "plain)."
    ) in said.bytes
    text = " ".join(meaning.of(context, outcome, victims, {}, trained, PICTURES))
    assert (
        "the uploads of a training round take 1.67 x those of a clear one. By random "
        "rounds mask by "
        "previous_aggregate, not public: the first, encrypted completely, takes 3.29 x "
        "the uploads."
    ) in text.replace(" None of the measured shares (10 %) stopped them.", "")
