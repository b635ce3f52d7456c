"""Columns of tables: read exactly though whole rows are no better than a blind guess."""

import csv
import dataclasses
import io
import math

import pytest

from attacks.metrics.success import Rate
from experiments.outputs import (
    columns,
    counted,
    measures,
    records,
    summary,
    tables,
    too_few,
)
from experiments.outputs.pictures.leaks import PICTURES
from experiments.outputs.report import long_form, reading, writing
from experiments.outputs.told import of as told_of
from tests.experiments.outputs.example_records import attack, cell
from tests.experiments.outputs.report import folders


def rows(
    read, batch=1, ratios=(0.1,), guess=(0.5, 0.02), shown=(False, False), **changes
):
    """Twelve rows far below the guess, of which `read` say which columns are right."""
    return [
        dataclasses.replace(
            one,
            batch_size=batch,
            details={
                **one.details,
                "feature_errors": [0.0, 1.0],
                **columns.details(read(at), shown(at) if callable(shown) else shown),
                **columns.details_of_guess(guess),
            },
        )
        for ratio in ratios
        for at in range(12)
        for one in [attack(at, psnr=9.0, cell=cell(ratio), blind=12.0, **changes)]
    ]


def leakage(made):
    (row,) = summary.summarise(made, told_of(PICTURES, made))
    return row.leakage


def test_a_column_that_is_read_each_time_is_more_than_a_guess():
    found = leakage(rows(lambda at: (True, False)))
    assert found.columns.text == (
        "single columns exactly: 12 of 24 values (by one value for all 6.24); "
        "column 1: 12 of 12, by one value for all 50 %"
    )
    past = found.best_past_blind
    assert past.better == 0 and past.columns and not past.none
    assert past.text == (
        "better than a blind guess in single columns, as a whole row on none of 12"
    )


@pytest.mark.parametrize(
    "made",
    [
        rows(lambda at: (at % 2 == 0, False)),
        rows(lambda at: (at < 8, False)),
        rows(lambda at: (True, False), batch=8, guess=(0.9, 0.02)),
        rows(lambda at: (True, False), visible=False),
        rows(lambda at: (True, False), guess=(0.99, 0.02)),
    ],
)
def test_what_one_value_for_all_has_as_well_is_no_better(made):
    assert leakage(made).best_past_blind.none


def test_columns_are_not_told_where_all_rows_are_exact():
    found = leakage(rows(lambda at: (True, False)))
    assert [name for name, _ in counted.columns(found)] == [counted.COLUMNS]
    exact = found._replace(shares={"exact": Rate(12, 12, 1.0, 0.7, 1.0)})
    assert not list(counted.columns(exact))


def test_a_column_is_told_where_it_shows_a_legal_value():
    """Elsewhere it shows a mean, and an attacker sees that."""

    def of(count):
        return leakage(
            rows(lambda at: (at < count, False), shown=lambda at: (at < count, False))
        )

    few = of(5)
    assert few.columns.text == (
        "single columns exactly: 5 of 24 values (by one value for all 6.24); "
        "too few rows to tell whether column 1 is read: 5 of 5 where it shows a legal "
        "value (one value for all: 2.5), about 17 rows would (--num_images=17)"
    )
    # Five of five by lot are no evidence, and no verdict either; eight of eight are.
    past = few.best_past_blind
    assert past.open and not past.none and not past.more
    assert of(8).best_past_blind.more and not of(8).columns.undecided
    # As many rows as it says are enough, and one fewer is not.
    count = too_few.Count(5, 5, 0.5, 0.5, 4)
    assert too_few.would_decide(count) == 7
    assert math.ceil(7 * 12 / 5) == 17
    assert 1 - (1 - 0.5**7) ** 4 <= 0.05 < 1 - (1 - 0.5**6) ** 4


def test_rows_of_one_message_take_more_to_tell():
    """Of eight rows of one message some fits each time, so twelve of twelve are few."""
    found = leakage(rows(lambda at: (True, False), batch=8))
    assert found.best_past_blind.open
    needed = found.columns.open_rows
    assert needed > 1000 and found.columns.open_images == needed
    everybody = leakage(rows(lambda at: (True, False), batch=400))
    assert "no number of such messages can tell" in everybody.columns.text


@pytest.mark.parametrize(
    "made",
    [
        rows(lambda at: (at < 2, False), shown=lambda at: (at < 2, False)),
        rows(lambda at: (at < 7, False)),
        rows(lambda at: (True, False), guess=(0.95, 0.02)),
    ],
)
def test_what_looks_like_guesses_is_not_open(made):
    assert leakage(made).best_past_blind.none


def test_screens_say_that_too_few_rows_tell(tmp_path):
    """None of them says "no better" where a column is right each time it shows."""

    def read(ratio):
        return rows(
            lambda at: (at < 5, False),
            shown=lambda at: (at < 5, False),
            ratios=(ratio,),
        )

    made = [*read(0.0), *read(0.1), *read(0.5)]
    path = folders.write(tmp_path / "rows", made)
    writing.write(path, [reading.read(path)], lambda _: PICTURES)
    html = (path / "report.html").read_text()
    (words,) = writing.in_words([reading.read(path)], lambda _: PICTURES)
    assert "with 10 % hidden it is open whether attacks get past a blind guess" in words
    assert "Whether that stops them is open at 0, 10, 50 %" in words
    assert "(--num_images=17)" in words and "no attack tried gets past" not in words
    assert "no attack tried is better" not in html
    assert "it is open whether some attack is better than a blind guess" in html
    cells = html[html.index("</caption>") :].partition("</table>")[0]
    assert "no better" not in cells and "too few rows to tell" in cells
    assert "no better than a blind guess" not in (path / "table.tex").read_text()
    found = summary.summarise(made, leaks := told_of(PICTURES, made))
    stream = io.StringIO()
    tables.print_tables(found, stream, 200, leaks)
    text = " ".join(stream.getvalue().split())
    assert "blind? = as whole rows; too few were attacked to tell" in text
    (first, *_) = csv.DictReader(io.StringIO(tables.to_csv(found, leaks)))
    assert first["columns_open_rows"] == "17" and first["columns_open_column"] == "1"
    assert "17 rows would" in first["best_past_blind_undecided"]


def test_who_only_guesses_reads_no_column():
    made = rows(lambda at: (True, True))
    for one in made:
        one.details["stop"] = "prior_only"
    assert leakage(made).columns is None
    made = rows(lambda at: (True, True))
    for one in made:
        del one.details["columns_by_one_value"]
    found = leakage(made)
    assert "not known: no public rows" in found.columns.text
    assert found.best_past_blind.none


def test_reports_and_tables_say_which_columns_were_read(tmp_path):
    made = rows(lambda at: (True, False), ratios=(0.0, 0.1))
    path = folders.write(tmp_path / "rows", made)
    writing.write(path, [reading.read(path)], lambda _: PICTURES)
    html = (path / "report.html").read_text()
    said = "single columns exactly: 12 of 24 values (by one value for all 6.24)"
    assert said in html and "no whole row more than a blind guess" in html
    assert "no better than a blind guess (9.0 dB); 1 of 2 columns exactly" in html
    cells = html[html.index("</caption>") :].partition("</table>")[0]
    assert "no better than a blind guess" not in cells
    assert "9.0" in cells and "single columns read" in cells
    found = summary.summarise(made, leaks := told_of(PICTURES, made))
    stream = io.StringIO()
    tables.print_tables(found, stream, 200, leaks)
    text = " ".join(stream.getvalue().split())
    assert "Single columns exactly: random: lbfgs 12 of 24 values" in text
    (first, _) = csv.DictReader(io.StringIO(tables.to_csv(found, leaks)))
    assert first["columns_right"] == "12" and first["columns_of"] == "24"
    assert first["best_past_blind_columns"] == "True"


def test_records_of_earlier_versions_do_not_say_what_was_read(tmp_path):
    made = rows(lambda at: (True, False), ratios=(0.0, 0.1))
    for one in made:
        del one.details["columns_read"]
    path = folders.write(tmp_path / "rows", made)
    writing.write(path, [reading.read(path)], lambda _: PICTURES)
    html = (path / "report.html").read_text()
    assert "do not say which columns of rows were read exactly" in html


def test_cells_and_trials_have_the_counts_of_columns(tmp_path):
    """Also of what an attack that chooses tried: a member has a row of its own."""
    member = records.MemberRecord(
        "dlg",
        "ok",
        "",
        {"psnr_db": 9.0},
        None,
        None,
        1.0,
        details=columns.details((True, True), (False, False)),
    )
    made = [
        dataclasses.replace(one, attack="strongest", chosen="lbfgs", members=(member,))
        for one in rows(lambda at: (True, False))
    ]
    path = folders.write(tmp_path / "rows", made)
    runs = [reading.read(path)]
    assert runs[0].records[0].members == (member,)
    found = writing.families_of(runs, lambda _: PICTURES)
    table = list(csv.DictReader(io.StringIO(long_form.to_csv(found))))
    by_attack = {one["attack"]: one for one in table}
    assert by_attack["strongest"]["columns_read"] == "1"
    assert by_attack["dlg"]["columns_read"] == "2"
    assert by_attack["dlg"]["columns_of"] == "2"
    assert by_attack["dlg"]["columns_by_one_value"] == "0.52"
    # What it tried and did not believe leaks as well.
    assert leakage(made).columns.attack == "dlg"
    (row,) = summary.summarise(made, leaks := told_of(PICTURES, made))
    values = {one.metric: one.value(row) for one in measures.of(leaks)}
    assert values["leakage_columns_right"] == 24
    assert values["leakage_columns_of"] == 24
    assert values["leakage_columns_by_one_value"] == pytest.approx(6.24)
    assert not any("columns" in one.metric for one in measures.of(PICTURES))
