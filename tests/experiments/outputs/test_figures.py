import math

import numpy as np
import pytest

from experiments.outputs import (
    figures,
    over_ratio,
    panels,
    summary,
    tensorboard,
    tradeoff,
)
from experiments.outputs.pictures import decibels
from experiments.outputs.pictures.leaks import PICTURES
from tests.experiments.outputs.example_records import (
    attack,
    cell,
    example_rows,
    rounds,
)


def png_size(png):
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    return int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")


def pixels(figure):
    from matplotlib.backends import backend_agg

    canvas = backend_agg.FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())


def drawn(ratios, channels=1):
    return [
        panels.Panel(
            ratio, "random", attacker, np.full((8, 8, channels), 0.5), math.inf
        )
        for ratio in ratios
        for attacker in ("naive", "mask_aware")
    ]


@pytest.mark.parametrize("channels", [1, 3])
def test_reconstructions_are_drawn_with_captions(channels):
    original = np.zeros((8, 8, channels))
    figure = panels.figure("mine", original, drawn([0.1], channels))
    words = {
        text.get_text()
        for axis in figure.axes
        for text in (axis.title, axis.xaxis.label, axis.yaxis.label)
    }
    assert {"original", "random\nnaive", "random\nmask-aware"} <= words
    assert {"10 %\nencrypted", "exact"} <= words
    # Grey 0.5 is drawn unsmoothed, so exactly this colour covers both panels.
    found = pixels(figure)[..., :3]
    assert (found == 127).all(-1).sum() > 15_000 or (found == 128).all(-1).sum() > 15e3


def test_a_panel_that_is_no_better_than_a_blind_guess_says_so():
    image = np.zeros((8, 8, 1))
    made = [
        tensorboard.panel(attack(0, psnr=6.0, blind=12.0), image),
        tensorboard.panel(attack(0, "naive", 30.0, blind=12.0), image),
    ]
    figure = panels.figure("mine", image, made)
    below = {axis.xaxis.label.get_text() for axis in figure.axes}
    assert {"no better than a\nblind guess (6.0 dB)", "30.0 dB"} <= below


def texts(figure):
    return [text.get_text() for axis in figure.axes for text in axis.texts]


def test_a_place_without_a_reconstruction_says_why():
    reasons = {(0.5, "random", "naive"): "r_gap does not apply: it needs one picture"}
    figure = panels.figure("mine", np.zeros((8, 8, 1)), drawn([0.1]), reasons)
    said = [" ".join(text.split()) for text in texts(figure)]
    assert said == ["r_gap does not apply: it needs one picture", "not attacked"]
    alone = panels.figure("mine", np.zeros((8, 8, 1)), [], reasons)
    assert len(texts(alone)) == 2
    with pytest.raises(ValueError, match="at least one"):
        panels.figure("mine", np.zeros((8, 8, 1)), [])


def test_points_without_a_result_are_named_under_the_trade_off():
    none = {name: None for name in ("mse", "psnr_db", "ssim", "objective")}
    refused = attack(
        0, cell=cell(0.5), status="does_not_apply", reason="no head", **none
    )
    rows = summary.summarise([attack(0, psnr=20.0, cell=cell(0.1)), refused])
    figure = tradeoff.figure(rows[0].context, rows)
    assert "random at 50 %" in figure.axes[0].get_xlabel()


def test_a_reconstruction_figure_grows_with_the_ratios():
    original = np.zeros((8, 8, 1))

    def height(ratios):
        figure = panels.figure("mine", original, drawn(ratios))
        return png_size(figures.to_png(figure))[1]

    assert height([0.1, 0.2, 0.3]) > 1.5 * height([0.1])


def test_a_diverged_reconstruction_can_be_drawn_and_loses_to_any_other():
    bad = panels.Panel(0.1, "p", "naive", np.full((8, 8, 1), np.nan), math.nan)
    good = bad._replace(image=np.zeros((8, 8, 1)), psnr_db=3.0)
    original = np.zeros((8, 8, 1))
    alone = panels.figure("mine", original, [bad])
    both = panels.figure("mine", original, [good, bad])
    assert "diverged" in {axis.xaxis.label.get_text() for axis in alone.axes}
    assert "3.0 dB" in {axis.xaxis.label.get_text() for axis in both.axes}


def test_pictures_of_another_shape_are_refused():
    with pytest.raises(ValueError, match="1 or 3 channels"):
        panels.figure("mine", np.zeros((8, 8)), drawn([0.1]))
    with pytest.raises(ValueError, match="at least one reconstruction"):
        panels.figure("mine", np.zeros((8, 8, 1)), [])


def test_the_tradeoff_has_a_line_for_each_policy_and_labelled_points():
    rows = example_rows()
    figure = tradeoff.figure(rows[0].context, rows)
    (axis,) = figure.axes
    assert axis.get_xscale() == "log"
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert "random, public" in labels and "gradient_magnitude, public" in labels
    annotations = [text.get_text() for text in axis.texts]
    assert sorted(annotations) == sorted(["0 %", "10 %", "50 %"] * 2)
    dashed = [line for line in axis.lines if line.get_linestyle() == "--"]
    assert len(dashed) == 3
    assert len(figures.to_png(figure)) > 10_000


def test_an_exact_reconstruction_does_not_stretch_the_axis_beyond_its_ceiling():
    rows = example_rows()
    (axis,) = tradeoff.figure(rows[0].context, rows).axes
    assert 50 < axis.get_ylim()[1] < 1.2 * decibels.EXACT_DB


def test_a_tradeoff_without_a_plain_round_says_so():
    rows = summary.summarise([attack(0)])
    (axis,) = tradeoff.figure(rows[0].context, rows).axes
    assert "need a round without encryption" in axis.texts[0].get_text()


def test_over_the_ratio_a_panel_for_each_measure_with_the_true_values():
    rows = example_rows()
    figure = over_ratio.figure(rows[0].context, rows)
    panels_ = {axis.get_title(): axis for axis in figure.axes if axis.get_title()}
    (leak,) = [axis for title, axis in panels_.items() if "PSNR" in title]
    assert [one.get_text() for one in leak.get_xticklabels()] == ["0 %", "10 %", "50 %"]
    drawn_ = {line.get_label(): list(line.get_ydata()) for line in leak.lines}
    assert drawn_["random, public: mask_aware"] == [decibels.EXACT_DB, 31, 9]
    assert drawn_["random, public: naive"] == [decibels.EXACT_DB, 16, 5]
    (cost,) = [axis for title, axis in panels_.items() if "bytes up and down" in title]
    assert list(cost.lines[0].get_ydata()) == [1, 2, 6]
    assert len(figures.to_png(figure)) > 10_000
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert "random, public" in legend and "best of each example in hindsight" in legend


def test_over_the_ratio_without_training_there_is_leakage_alone():
    rows = summary.summarise(
        attack(psnr=30.0 - 40 * ratio, cell=cell(ratio), hidden=int(60 * ratio))
        for ratio in (0.0, 0.5)
    )
    figure = over_ratio.figure(rows[0].context, rows)
    titles = [axis.get_title() for axis in figure.axes if axis.get_title()]
    assert len(titles) == 2 and "bytes" not in " ".join(titles)
    # What was really hidden, not what was asked for.
    assert [one.get_text() for one in figure.axes[0].get_xticklabels()] == [
        "0 %",
        "30 %",
    ]


def test_a_figure_that_is_no_longer_drawn_goes(tmp_path):
    for name in ("kept", "gone"):
        figures.save_png(tmp_path, name, b"old")
    (tmp_path / "figures/notes.txt").write_text("mine")
    with figures.made_anew(tmp_path):
        figures.save_png(tmp_path, "kept", b"old")
        figures.save_png(tmp_path, "new", b"new")
    left = sorted(path.name for path in (tmp_path / "figures").iterdir())
    assert left == ["kept.png", "new.png", "notes.txt"]


def test_a_failure_removes_no_figure(tmp_path):
    figures.save_png(tmp_path, "old", b"old")
    with pytest.raises(OSError, match="full"), figures.made_anew(tmp_path):
        raise OSError("full")
    assert (tmp_path / "figures/old.png").exists()


def test_metrics_have_one_colour_in_both_figures():
    rows = summary.summarise(
        [
            *(attack(0, psnr=20.0, cell=cell(0.1, name)) for name in ("a", "b")),
            *(
                record
                for name in ("a", "b")
                for record in rounds(cell(0.1, name), 1.0, 400, 10)
            ),
            *rounds(cell(0.0, "plain", release="plain"), 1.0, 300, 0),
        ]
    )
    context = next(row.context for row in rows if row.leakage.best)
    (legend,) = over_ratio.figure(context, rows).legends
    handles = zip(legend.get_texts(), legend.legend_handles, strict=True)
    one = {
        text.get_text(): handle.get_color()
        for text, handle in handles
        if text.get_text().startswith(("a,", "b,"))
    }
    lines = tradeoff.figure(context, rows).axes[0].containers
    assert len(one) == 2
    assert one == {each.get_label(): each.lines[0].get_color() for each in lines}


@pytest.mark.parametrize("seconds", [1.0, 2.0])
def test_times_within_the_spread_of_the_rounds_are_hollow(seconds):
    rows = summary.summarise(
        [
            *rounds(cell(0.0, "plain", release="plain"), 1.0, 300, 0, count=5),
            *rounds(cell(0.1), seconds, 400, 10, count=5),
        ]
    )
    made = over_ratio.figure(rows[-1].context, rows)
    (panel,) = (axis for axis in made.axes if axis.get_title().startswith("seconds"))
    hollow = [
        line
        for line in panel.lines
        if line.get_markerfacecolor() == "white" and len(line.get_xdata())
    ]
    said = any("hollow" in text.get_text() for text in made.legends[0].get_texts())
    assert bool(hollow) == said == (seconds == 1.0)


def test_the_figure_over_the_ratio_says_of_how_many_examples_and_of_what():
    measured = {"identified": True, "blind": 12.0}
    made = [
        attack(image, psnr=20.0, cell=cell(ratio), **measured)
        for ratio, count in ((0.1, 3), (0.5, 2))
        for image in range(count)
    ]
    rows = summary.summarise(made)
    figure = over_ratio.figure(rows[0].context, rows)
    assert figure.get_suptitle().endswith(", n=2 to 3")
    told_as = PICTURES.told_as["feature_errors"]
    titles = [
        axis.get_title()
        for axis in over_ratio.figure(rows[0].context, rows, told_as).axes
    ]
    assert "share nearer to its original than to any other row (IIP)" in titles
    assert not any("picture" in title for title in titles)
