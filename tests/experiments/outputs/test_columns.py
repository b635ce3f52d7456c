"""Columns of tables: read exactly though whole rows are no better than a blind guess."""

import csv
import dataclasses
import io

import pytest

from experiments.outputs import columns, summary, tables
from experiments.outputs.pictures.leaks import PICTURES
from experiments.outputs.report import reading, writing
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
        "single columns exactly: 12 of 24 values (naming one value for all gets 6.24), "
        "column 1 12 of 12 (50 %)"
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
        # Of eight rows of one message some fits each time.
        rows(lambda at: (True, False), batch=8),
        rows(lambda at: (True, False), visible=False),
        rows(lambda at: (True, False), guess=(0.99, 0.02)),
    ],
)
def test_what_one_value_for_all_has_as_well_is_no_better(made):
    assert leakage(made).best_past_blind.none


def test_a_column_is_told_where_it_shows_a_legal_value():
    """Elsewhere it shows a mean, and an attacker sees that."""

    def of(count):
        return leakage(
            rows(lambda at: (at < count, False), shown=lambda at: (at < count, False))
        )

    few = of(5)
    assert few.columns.text == (
        "single columns exactly: 5 of 24 values (naming one value for all gets 6.24), "
        "column 1, where it shows a legal value, 5 of 5 (50 %)"
    )
    # Five of five by lot are no evidence; eight of eight of two columns are.
    assert few.best_past_blind.none
    assert not of(8).best_past_blind.none


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
    said = (
        "single columns exactly: 12 of 24 values (naming one value for all gets 6.24)"
    )
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
