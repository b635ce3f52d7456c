"""Prediction against attack: the statistics by hand, the command on a tiny analysis."""

import io
import math

import pytest

from experiments import check_prediction
from experiments.analysis import agreement, attacked, comparison
from experiments.analysis.agreement import Case
from experiments.outputs import files
from experiments.outputs.pictures import decibels
from experiments.study.settings import Place


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch):
    monkeypatch.setattr(agreement, "_RESAMPLES", 100)


def case(picture, predicted, attack, guess=5.0, ratio=0.1):
    return Case(picture, "magnitude", ratio, predicted, attack, guess)


def test_the_same_order_is_a_correlation_of_one():
    cases = [
        case(p, 10.0 * p + q, 8.0 * p + q, guess=-99)
        for p in range(3)
        for q in range(1, 4)
    ]
    found = agreement.correlation(cases, seed=0)
    assert found.coefficient == pytest.approx(1)
    assert (found.cases, found.pictures) == (9, 3)


def test_ranks_by_hand():
    # Ranks 1, 2, 3 against 2, 1, 3: 1 - 6 * 2 / (3 * 8) = 0.5.
    cases = [case(0, 10, 20), case(0, 20, 10), case(0, 30, 30)]
    found = agreement.correlation(cases, seed=0)
    assert found.coefficient == pytest.approx(0.5)
    # One picture can only be drawn again and again.
    assert found.low == found.high == pytest.approx(0.5)


def test_the_opposite_order():
    cases = [case(p, q, -q, guess=-99) for p in range(2) for q in range(3)]
    found = agreement.correlation(cases, seed=0)
    assert found.coefficient == pytest.approx(-1)
    assert found.high == pytest.approx(-1)


def test_what_is_exact_in_8_bits_counts_as_equal():
    """Above the ceiling the order is noise: without it the ranks would disagree."""
    pairs = ((10.0, 5.0), (20.0, 15.0), (80.0, 110.0), (120.0, 70.0))
    cases = [Case(0, "random", i / 10, *pair, -99) for i, pair in enumerate(pairs)]
    assert agreement.correlation(cases, seed=0).coefficient < 0.9
    capped = agreement.correlation(cases, 0, decibels.EXACT_DB)
    assert capped.coefficient == pytest.approx(1)


def test_what_does_not_vary_has_no_correlation():
    found = agreement.correlation([case(p, 90.0, 99.0) for p in range(3)], 0, 58.9)
    assert all(math.isnan(value) for value in found[:3])


def test_a_guess_counts_where_the_attack_fails():
    assert case(0, 90, math.nan, guess=8.0).measured_db == 8.0
    assert case(0, 90, 3.0, guess=8.0).measured_db == 8.0
    assert case(0, 90, 30.0, guess=8.0).measured_db == 30.0


def test_broken_bounds_are_the_worst_first():
    cases = [case(0, 20, 20.5), case(1, 20, 22), case(2, 20, 29), case(3, 20, math.nan)]
    assert [found.picture for found in agreement.broken(cases, 1.0)] == [2, 1]


def test_files_of_a_comparison(tmp_path):
    with files.LineAppender(tmp_path / attacked.FILE_NAME) as lines:
        for picture in range(2):
            for ratio, predicted, attack in ((0.0, 90.0, 80.0), (0.5, 20.0, 25.0)):
                lines.append(
                    {
                        "picture": picture,
                        "metric": "magnitude",
                        "ratio": ratio,
                        "predicted_db": predicted + picture,
                        "without_box_db": predicted - 10,
                        "attack_db": attack,
                        "guess_db": 9.0,
                    }
                )
    cases = attacked.cases_of(tmp_path)
    assert len(cases) == 4
    stream = io.StringIO()
    comparison.publish(tmp_path, cases, ["Who knows more"], "the command", stream)
    shown = stream.getvalue()
    assert "not beaten in 2 of 4 masks" in shown and "at most by 5.0 dB" in shown
    # 80 dB and 10 dB are the bounds of who does not know the box.
    said = " ".join(shown.split())
    assert "The number without the box, for who knows the prior alone, was not" in said
    assert "at most by 15.0 dB" in said
    assert "Who knows more" in shown
    assert "the command" in (tmp_path / "check.md").read_text()
    assert len((tmp_path / "check.csv").read_text().splitlines()) == 5
    assert (tmp_path / "check.png").read_bytes().startswith(b"\x89PNG")


def test_the_best_attack_counts_and_reasons_are_kept(tmp_path):
    place = {
        "picture": 3,
        "metric": "random",
        "ratio": 0.5,
        "iterations": 1,
        "restarts": 1,
    }
    both = {"predicted_db": 40.0, "guess_db": 9.0}
    rows = (
        ("dlg", 12.0, ""),
        ("r_gap", "NaN", ""),
        ("completion", 31.0, ""),
        ("layer_peeling", None, "does not apply: no pooling"),
    )
    with files.LineAppender(tmp_path / attacked.FILE_NAME) as lines:
        for name, reached, reason in rows:
            lines.append(
                {
                    **place,
                    **both,
                    "attack": name,
                    "attack_db": reached,
                    "reason": reason,
                }
            )
        lines.append(
            {**place, **both, "picture": 4, "attack": "r_gap", "attack_db": None,
             "reason": "does not apply: no pooling"}
        )  # fmt: skip
    best, none = attacked.cases_of(tmp_path)
    assert (best.attack, best.attack_db, best.measured_db) == ("completion", 31.0, 31.0)
    assert none.attack == "" and math.isnan(none.attack_db) and none.measured_db == 9.0
    assert attacked.reasons_of(tmp_path) == (
        "layer_peeling does not apply: no pooling (1 masks)",
        "r_gap does not apply: no pooling (1 masks)",
    )


def test_without_an_analysis(tmp_path):
    errors = io.StringIO()
    asked = check_prediction.Check(Place(str(tmp_path.parent), tmp_path.name))
    assert check_prediction.execute(asked, [], io.StringIO(), errors) == 2
    assert "Run the analysis first" in errors.getvalue()
