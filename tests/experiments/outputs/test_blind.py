"""A recovery counts where it is better than what needs no gradient."""

import csv
import io
import math

import pytest

from experiments.outputs import (
    blind,
    by_attack,
    measures,
    over_ratio,
    summary,
    tables,
    tradeoff,
)
from experiments.outputs.pictures.leaks import PICTURES
from experiments.outputs.report import curves, frontier, grid, outcomes
from tests.experiments.outputs.example_records import attack, cell, rounds


def past(recovered, guess=12.0, **changes):
    pairs = [
        (attack(image, blind=guess, **changes), {"psnr_db": value})
        for image, value in enumerate(recovered)
    ]
    return blind.past(pairs, PICTURES)


def test_within_a_margin_is_no_better():
    assert past([6.2, 12.9]).none and past([6.2, 12.9]).of == 2
    assert past([6.2, 13.1]) == blind.Past(1, 2, False)
    assert past([6.2, 13.1]).text == "better than a blind guess on 1 of 2"
    # One picture that is exact counts, however many are not.
    assert past([5.0] * 20 + [math.inf]).better == 1
    assert past([math.nan]) is None
    assert blind.past([(attack(0), {"psnr_db": 30.0})], PICTURES) is None


def test_a_picture_that_can_be_read_is_better_whatever_its_psnr():
    """Noise on a digit costs more decibels than no digit, and hides less."""
    record = attack(0, blind={"psnr_db": 12.0, "ssim": 0.15, "identified": False})

    def better(**measures):
        found = blind.past([(record, {"psnr_db": 8.0, **measures})], PICTURES)
        return found.better

    assert better(ssim=0.2, identified=False) == 0
    assert better(ssim=0.4, identified=False) == 1
    assert better(identified=True) == 1
    # Of few pictures the guess may be identified by chance, too.
    record = attack(0, blind={"psnr_db": 12.0, "identified": True})
    assert better(identified=True) == 0


def test_a_little_better_on_all_of_many_is_better():
    assert not past([12.5] * 10).none
    assert (
        past([12.5] * 10).text
        == "a little better than a blind guess on the median of 10"
    )
    assert past([12.5] * 3).none
    # Examples of one message are no independent ones.
    assert past([12.5] * 10, batch_size=10).none
    assert past([11.5] * 10).none


def test_of_all_that_was_tried_one_that_is_better_counts_though_another_has_more():
    """A chosen mean picture has more decibels than a digit behind noise."""
    guess = {"psnr_db": 12.0, "ssim": 0.15, "identified": False}
    mean = attack(0, psnr=12.4, identified=False, ssim=0.15, blind=guess)
    noisy = attack(0, "naive", 8.0, identified=True, ssim=0.4, blind=guess)
    assert blind.past_of_any([mean], PICTURES).none
    assert blind.past_of_any([mean, noisy], PICTURES) == blind.Past(1, 1, False)
    (row,) = summary.summarise([mean, noisy])
    assert row.leakage.best.median == 12.4
    assert (
        row.leakage.best_past_blind.better == row.leakage.naive_past_blind.better == 1
    )
    assert row.leakage.mask_aware_past_blind.none
    assert outcomes.of_records([mean, noisy], PICTURES)[-1].past.better == 1


def test_an_exact_guess_leaves_nothing_to_recover():
    assert past([math.inf], guess=math.inf).none
    record = attack(0, blind=math.inf)
    assert blind.value(record, "psnr_db") == math.inf


def records(whole=6.0):
    made = [
        attack(image, attacker, psnr, cell(ratio), blind=12.0 + image)
        for ratio, naive, aware in (
            (0.0, 90.0, 90.0),
            (0.1, 9.0, 30.0),
            (1.0, 5.0, whole),
        )
        for attacker, psnr in (("naive", naive), ("mask_aware", aware))
        for image in range(3)
    ]
    made += rounds(cell(0.0, "plain", agreement="none", release="plain"), 1.0, 300, 0)
    for ratio, up in ((0.0, 310), (0.1, 400), (1.0, 900)):
        made += rounds(cell(ratio, release="reveal_aggregate"), 1.5, up, 10)
    return made


def printed(made, width=80):
    stream = io.StringIO()
    tables.print_tables(summary.summarise(made), stream, width)
    return stream.getvalue()


def test_the_terminal_has_a_row_without_the_gradient_and_no_number_below_it():
    text = printed(records())
    rows = text[: text.index("Blind guess:")].splitlines()
    lines = {words[0]: words for line in rows if (words := line.split())}
    assert lines["10"][3:5] == ["blind", "30.0"]
    assert lines["100"][3:5] == ["blind", "blind"]
    assert lines["any"][1:6] == ["blind", "guess", "13.0", "13.0", "-"]
    shown = " ".join(text.split())
    assert "Blind guess: the mean of 500 pictures. It needs no gradient" in shown
    assert "on no example more than 1 dB of PSNR or 0.1 of SSIM above it" in shown
    assert "Better than it on a part" not in shown
    assert "on a part of the examples: 1 of 3 at random 100 %" in " ".join(
        printed(records(13.5)).split()
    )
    older = [attack(0, psnr=6.0)]
    assert "Blind guess" not in printed(older) and "6.0" in printed(older)


def test_without_a_guess_it_is_said():
    made = attack(0, details=blind.details("none, as nothing is public"))
    assert "Blind guess: none, as nothing is public." in printed([made])


def test_the_csv_files_have_it():
    rows = summary.summarise(records())
    found = {
        row["encryption_ratio"]: row
        for row in csv.DictReader(io.StringIO(tables.to_csv(rows)))
        if row["target"]
    }
    assert found["0.1"]["psnr_blind_median"] == "13.0"
    assert found["0.1"]["naive_past_blind_better"] == "0"
    assert found["0.1"]["mask_aware_past_blind_better"] == "3"
    attacked = [one for one in records() if hasattr(one, "attack")]
    lines = by_attack.to_csv(by_attack.summarise(attacked, PICTURES))
    better = [row["past_blind_better"] for row in csv.DictReader(io.StringIO(lines))]
    assert better == ["3", "3", "0", "3", "0", "0"]


def lines_of(figure):
    return {
        line.get_label(): line.get_ydata()
        for axis in figure.axes
        for line in axis.get_lines()
    }


@pytest.mark.parametrize("module", [over_ratio, tradeoff])
def test_figures_have_a_line_at_it(module):
    rows = summary.summarise(records())
    drawn = module.figure(rows[0].context, rows)
    axis = drawn.axes[0]
    levels = [list(line.get_ydata()) for line in axis.get_lines()]
    assert [13.0, 13.0] in levels
    labels = [
        text.get_text() for legend in drawn.legends for text in legend.get_texts()
    ]
    assert measures.BLIND in labels


def test_the_report_has_a_row_and_a_line_without_the_gradient():
    attacked = [one for one in records() if hasattr(one, "attack")]
    found = outcomes.of_records(attacked, PICTURES)
    made = grid.of(found[0].context, found, {}, PICTURES)
    by_name = {row.attack: row.cells for row in made.rows}
    assert by_name[outcomes.BLIND] == ("12.0, 13.0, 14.0",) * 3
    naive = by_name["lbfgs naive"]
    assert naive[1:] == (
        "no better than a blind guess (9.0, 9.0, 9.0)",
        "no better than a blind guess (5.0, 5.0, 5.0)",
    )
    assert by_name["lbfgs mask-aware"][1] == "30.0, 30.0, 30.0"
    drawn = curves.of(found[0].context, found, {}, PICTURES)
    (guess,) = [curve for curve in drawn if curve.is_guess]
    assert guess.shown and [point.height for point in guess.points] == [13.0] * 3
    figure = frontier.figure(drawn, PICTURES, (0.0, 60.0))
    assert outcomes.BLIND in [trace.name for trace in figure.data]
