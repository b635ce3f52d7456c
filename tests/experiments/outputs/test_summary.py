import csv
import dataclasses
import io
import math
import os
import pty
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.outputs import figures, progress, statistic, summary, tables
from tests.experiments.outputs.example_records import (
    attack,
    cell,
    example_rows,
    rounds,
    training,
)


def test_a_statistic_of_known_numbers():
    found = statistic.summarise([4.0, 1.0, 2.0, 3.0, 5.0])
    assert found[:4] == (5, 3.0, 2.0, 4.0)
    assert 1.0 <= found.low_95 <= 3.0 <= found.high_95 <= 5.0


def test_small_and_empty_samples():
    assert statistic.summarise([]) is None
    assert statistic.summarise([math.nan]) is None
    two = statistic.summarise([1.0, 3.0])
    assert two[:2] == (2, 2.0)
    assert math.isnan(two.low_95) and math.isnan(two.high_95)


def test_exact_reconstructions_count_as_infinite():
    assert statistic.summarise([math.inf] * 4)[1:] == (math.inf,) * 5
    mixed = statistic.summarise([10.0, 20.0, math.inf])
    assert (mixed.median, mixed.high_quartile) == (20.0, math.inf)
    assert mixed.high_95 == math.inf
    assert mixed.low_quartile == 15.0


def test_large_finite_numbers_stay_finite():
    assert statistic.summarise([5e12, 6e12, 7e12]).median == 6e12


def test_seeds_of_one_picture_are_one_observation():
    means = [10.0, 20.0, 40.0, 50.0, 60.0]
    values = [mean + shift for mean in means for shift in (-1.0, 0.0, 1.0)]
    found = statistic.summarise(values, of=[n // 3 for n in range(15)])
    assert found[:2] == (15, 40.0)
    # The interval is that of five observations, not of fifteen.
    assert found[4:] == statistic.summarise(means)[4:]
    as_if_independent = statistic.summarise(values)
    assert found.high_95 - found.low_95 > (
        as_if_independent.high_95 - as_if_independent.low_95
    )
    one = statistic.summarise([1.0, 2.0, 3.0], of=["a", "a", "a"])
    assert one.median == 2.0 and math.isnan(one.low_95)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(-50, 200) | st.just(math.inf), min_size=1, max_size=12))
def test_a_statistic_is_ordered_and_the_same_twice(values):
    found = statistic.summarise(values)
    assert min(values) <= found.low_quartile <= found.median <= found.high_quartile
    assert found.n == len(values)
    if found.n >= 3:
        assert found.low_95 <= found.high_95
    assert repr(found) == repr(statistic.summarise(values))


def test_the_best_attack_on_each_example_counts():
    records = [
        attack(0, "naive", 5.0, attack="a"),
        attack(0, "mask_aware", 30.0, attack="a", ssim=0.9),
        attack(0, "mask_aware", 10.0, attack="b", ssim=0.1),
        attack(1, "naive", 7.0, attack="a"),
        attack(1, "mask_aware", 12.0, attack="a", ssim=0.2),
        attack(1, "mask_aware", 20.0, attack="b", ssim=0.7),
        attack(2, "naive", 9.0, attack="a", ssim=0.3, label_correct=False),
        attack(2, "mask_aware", math.nan, attack="a"),
    ]
    (row,) = summary.summarise(records)
    assert row.psnr_naive.median == 7.0
    assert row.psnr_mask_aware[:2] == (2, 25.0)
    assert row.psnr_strongest[:2] == (3, 20.0)
    assert row.ssim_strongest.median == 0.7
    assert row.diverged == 1
    assert row.label_accuracy == pytest.approx(2 / 3)
    # Medians: a aware 21, b aware 15, a naive 7.
    assert row.strongest == "a aware"


def test_shares_count_samples_without_a_result_as_failures():
    records = [
        attack(0, "naive", 5.0, identified=False),
        attack(0, "mask_aware", 20.0, identified=True),
        attack(1, "naive", 31.0, identified=True),
        attack(1, "mask_aware", 26.0, identified=False),
        attack(2, "naive", math.nan, identified=False),
        attack(2, "mask_aware", math.nan, identified=False),
        attack(3, "mask_aware", math.nan, identified=False),
        attack(3, "naive", math.inf, identified=True),
    ]
    (row,) = summary.summarise(records)
    shares = (row.success_20db, row.success_25db, row.success_30db, row.identified)
    assert [share[:3] for share in shares] == [
        (3, 4, 0.75),
        (2, 4, 0.5),
        (2, 4, 0.5),
        (3, 4, 0.75),
    ]
    # Wilson's interval of 2 in 4, by its formula.
    z2 = 1.959964**2
    half = math.sqrt(z2 * (4 * 0.25 + z2 / 4)) / (4 + z2)
    assert row.success_25db.low == pytest.approx(0.5 - half, abs=1e-6)
    assert row.success_25db.high == pytest.approx(0.5 + half, abs=1e-6)
    assert row.psnr_strongest.n == 3
    assert row.diverged == 3


def test_a_setting_where_every_attack_diverged_has_shares_of_zero():
    (row,) = summary.summarise([attack(0, psnr=math.nan, identified=False)])
    assert row.psnr_strongest is None and row.strongest == ""
    assert row.success_20db[:3] == row.identified[:3] == (0, 1, 0.0)


def test_further_distances_are_those_of_the_picture_with_the_highest_psnr():
    records = [
        attack(0, "naive", 5.0, perceptual=0.1, feature_mse=1.0),
        attack(0, "mask_aware", 20.0, perceptual=0.3, feature_mse=4.0),
        attack(1, "mask_aware", 12.0, perceptual=0.5, feature_mse=2.0),
        attack(2, "mask_aware", 12.0, perceptual=0.9, feature_mse=None),
        attack(3, "mask_aware", math.nan, perceptual=None, feature_mse=None),
    ]
    (row,) = summary.summarise(records)
    assert row.perceptual_strongest[:2] == (3, 0.5)
    assert row.feature_mse_strongest[:2] == (2, 3.0)


def test_records_of_versions_that_measured_less_leave_gaps():
    (row,) = summary.summarise([attack(0), attack(1)])
    assert row.identified is None
    assert row.perceptual_strongest is None and row.feature_mse_strongest is None
    assert row.success_25db[:2] == (0, 2)
    (mixed,) = summary.summarise([attack(0), attack(1, identified=True)])
    assert mixed.identified[:2] == (1, 1)


def test_seeds_are_samples_and_ratios_policies_and_targets_are_rows():
    records = [
        attack(0, cell=cell(ratio, policy, seed), target=target)
        for ratio in (0.5, 0.1)
        for policy in ("top", "random")
        for seed in (0, 1, 2)
        for target in ("client", "aggregate")
    ]
    rows = summary.summarise(records)
    assert [(r.context.target, r.encryption_ratio, r.policy) for r in rows] == [
        (target, ratio, policy)
        for target in ("client", "aggregate")
        for ratio in (0.1, 0.5)
        for policy in ("random", "top")
    ]
    assert {row.psnr_strongest.n for row in rows} == {3}


def test_costs_are_relative_to_the_plain_rounds_without_the_first():
    records = [
        *rounds(cell(0.0, "none"), 2.0, 300, 0, accuracy=0.8),
        *rounds(cell(0.1), 3.0, 700, 10),
        attack(0, cell=cell(0.1)),
    ]
    plain, ours = summary.summarise(records)
    if plain.policy != "none":
        plain, ours = ours, plain
    assert ours.relative_bytes == 800 / 400
    assert ours.relative_upload_bytes == 700 / 300
    assert ours.relative_seconds == 1.5
    assert ours.round_seconds[:2] == (3, 3.0)
    assert ours.accuracy.median == 0.9
    assert ours.psnr_strongest.n == 1
    assert (plain.relative_bytes, plain.relative_seconds) == (1.0, 1.0)
    assert plain.psnr_strongest is None


def test_each_session_compiles_again():
    records = [
        training(number, round_seconds=seconds, session=session)
        for number, seconds, session in [(1, 90, 0), (2, 3, 0), (3, 80, 1), (4, 3, 1)]
    ]
    (row,) = summary.summarise(records)
    assert row.round_seconds[:2] == (2, 3.0)


def test_other_models_and_client_numbers_are_no_baseline():
    plain = cell(0.0, "none")
    for other in (
        dataclasses.replace(plain, model="resnet"),
        dataclasses.replace(plain, num_clients=2),
        dataclasses.replace(plain, dataset="mnist"),
    ):
        rows = summary.summarise(
            [*rounds(other, 1.0, 1, 0), *rounds(cell(0.1), 3.0, 700, 10)]
        )
        (ours,) = [row for row in rows if row.policy == "random"]
        assert ours.relative_bytes is None


def test_csv_can_be_read_back():
    rows = example_rows()
    parsed = list(csv.DictReader(io.StringIO(tables.to_csv(rows))))
    assert len(parsed) == len(rows) == 6
    assert len({len(line) for line in parsed}) == 1
    assert None not in parsed[0]
    first = parsed[0]
    assert first["encryption_ratio"] == "0.0"
    assert float(first["psnr_strongest_median"]) == math.inf
    assert [float(p["relative_bytes"]) for p in parsed][:2] == [1.0, 1.0]
    assert parsed[2]["psnr_strongest_n"] == "3"
    assert float(parsed[2]["psnr_mask_aware_median"]) == 31.0


def test_csv_leaves_empty_what_was_not_measured(tmp_path):
    rows = summary.summarise([attack(0)])
    path = tables.write_csv(tmp_path, rows)
    (parsed,) = csv.DictReader(io.StringIO(path.read_text()))
    assert parsed["relative_bytes"] == ""
    assert parsed["psnr_strongest_low_95"] == ""
    assert parsed["accuracy_n"] == "0" and parsed["accuracy_median"] == ""
    assert parsed["identified_trials"] == "0" and parsed["identified_rate"] == ""


def test_csv_has_shares_with_their_intervals():
    rows = summary.summarise(
        [
            attack(image, psnr=psnr, identified=True, perceptual=0.5, feature_mse=2.0)
            for image, psnr in enumerate((10.0, 22.0, 40.0))
        ]
    )
    (parsed,) = csv.DictReader(io.StringIO(tables.to_csv(rows)))
    names = ("successes", "trials", "rate", "low", "high")
    shares = {
        name: [float(parsed[f"{name}_{part}"]) for part in names]
        for name in ("success_20db", "success_25db", "success_30db", "identified")
    }
    assert shares["success_20db"][:3] == pytest.approx([2, 3, 2 / 3])
    assert shares["success_30db"][:3] == pytest.approx([1, 3, 1 / 3])
    assert shares["identified"][:3] == [3, 3, 1]
    for _, _, rate, low, high in shares.values():
        assert 0 <= low <= rate <= high <= 1 and low < high
    assert parsed["perceptual_strongest_median"] == "0.5"
    assert parsed["feature_mse_strongest_median"] == "2.0"
    assert float(parsed["psnr_strongest_low_95"]) == 10.0


@pytest.mark.parametrize("width", [80, 100, 120, 140])
def test_the_table_fits_and_is_plain_text_when_not_a_terminal(width):
    stream = io.StringIO()
    tables.print_tables(example_rows(), stream, width)
    text = stream.getvalue()
    assert "\x1b" not in text
    assert max(len(line) for line in text.splitlines()) <= width
    for word in ("random", "gradient_magnitude", "lbfgs", "31.0", "n=3", "mnist-5k"):
        assert word in text
    # No word of a heading is broken.
    for word in ("Strongest", "Policy", "naive", "aware", "plain"):
        assert word in text
    assert ("[30, 32]" in text or "[30, 31]" in text) == (width >= 100)
    # Three of three, and none, with Wilson's intervals.
    for word in ("Succ. %", "Succ.: share", "100 [44, 100]", "0 [0, 56]"):
        assert (word in " ".join(text.split())) == (width >= 120)


def test_the_table_can_be_written_as_ascii():
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    tables.print_tables(example_rows(), stream, 80)
    stream.flush()
    assert b"Policy" in raw.getvalue()


def test_the_table_shows_what_is_missing_as_a_dash():
    stream = io.StringIO()
    tables.print_tables(summary.summarise(rounds(cell(), 1.0, 5, 10)), stream, 80)
    assert " - " in stream.getvalue()


def png_size(png):
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    return int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")


def pixels(figure):
    from matplotlib.backends import backend_agg

    canvas = backend_agg.FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())


def panels(ratios, channels=1):
    return [
        figures.Panel(
            ratio, "random", attacker, np.full((8, 8, channels), 0.5), math.inf
        )
        for ratio in ratios
        for attacker in ("naive", "mask_aware")
    ]


@pytest.mark.parametrize("channels", [1, 3])
def test_reconstructions_are_drawn_with_captions(channels):
    original = np.zeros((8, 8, channels))
    figure = figures.reconstruction_figure("mine", original, panels([0.1], channels))
    words = {
        text.get_text()
        for axis in figure.axes
        for text in (axis.title, axis.xaxis.label, axis.yaxis.label)
    }
    assert {"original", "random\nnaive", "random\nmask-aware"} <= words
    assert {"10 %\nencrypted", "exact"} <= words
    # Grey 0.5 is drawn unsmoothed, so exactly this colour covers both panels.
    drawn = pixels(figure)[..., :3]
    assert (drawn == 127).all(-1).sum() > 15_000 or (drawn == 128).all(-1).sum() > 15e3


def test_a_reconstruction_figure_grows_with_the_ratios():
    original = np.zeros((8, 8, 1))

    def height(ratios):
        figure = figures.reconstruction_figure("mine", original, panels(ratios))
        return png_size(figures.to_png(figure))[1]

    assert height([0.1, 0.2, 0.3]) > 1.5 * height([0.1])


def test_a_diverged_reconstruction_can_be_drawn_and_loses_to_any_other():
    bad = figures.Panel(0.1, "p", "naive", np.full((8, 8, 1), np.nan), math.nan)
    good = bad._replace(image=np.zeros((8, 8, 1)), psnr_db=3.0)
    original = np.zeros((8, 8, 1))
    alone = figures.reconstruction_figure("mine", original, [bad])
    both = figures.reconstruction_figure("mine", original, [good, bad])
    assert "diverged" in {axis.xaxis.label.get_text() for axis in alone.axes}
    assert "3.0 dB" in {axis.xaxis.label.get_text() for axis in both.axes}


def test_pictures_of_another_shape_are_refused():
    with pytest.raises(ValueError, match="1 or 3 channels"):
        figures.reconstruction_figure("mine", np.zeros((8, 8)), panels([0.1]))
    with pytest.raises(ValueError, match="at least one reconstruction"):
        figures.reconstruction_figure("mine", np.zeros((8, 8, 1)), [])


def test_the_tradeoff_has_a_line_for_each_policy_and_labelled_points():
    rows = example_rows()
    figure = figures.tradeoff_figure(rows[0].context, rows)
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
    (axis,) = figures.tradeoff_figure(rows[0].context, rows).axes
    assert 100 < axis.get_ylim()[1] < 1.2 * figures.PSNR_CEILING_DB


def test_a_tradeoff_without_a_plain_round_says_so():
    rows = summary.summarise([attack(0)])
    (axis,) = figures.tradeoff_figure(rows[0].context, rows).axes
    assert "need a round without encryption" in axis.texts[0].get_text()


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def test_progress_without_a_terminal_prints_a_line_now_and_then():
    stream, clock = io.StringIO(), Clock()
    with progress.progress("cells", 10, stream, 4, 30.0, clock) as shown:
        for item in range(6):
            shown.start(f"item {item}", 5)
            for step in range(1, 6):
                clock.now += 4.0
                shown.step(step, "loss [1]")
            shown.finish()
    lines = stream.getvalue().splitlines()
    assert 4 <= len(lines) <= 7
    assert lines[0] == "cells: 4/10: item 0"
    assert "item 1, step 3/5, loss [1]" in lines[1]
    # 20 seconds an item, of which earlier sessions' four do not count.
    assert lines[1].startswith("cells: 5/10, about 0:02:40 left")
    assert lines[-1] == "cells: 10/10 done in 0:02:00"
    assert "\x1b" not in stream.getvalue()


def test_ctrl_c_goes_through_and_leaves_a_last_line():
    stream = io.StringIO()
    with (
        pytest.raises(KeyboardInterrupt),
        progress.progress("cells", 3, stream) as shown,
    ):
        shown.start("first")
        shown.finish()
        raise KeyboardInterrupt
    assert stream.getvalue().splitlines()[-1].startswith("cells: 1/3 done in")


def test_on_a_terminal_there_are_bars_and_the_cursor_comes_back(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    main, other = pty.openpty()
    output = b""

    def read():
        nonlocal output
        while True:
            try:
                chunk = os.read(main, 4096)
            except OSError:
                return
            if not chunk:
                return
            output += chunk

    reader = threading.Thread(target=read)
    reader.start()
    with os.fdopen(other, "w") as terminal, pytest.raises(KeyboardInterrupt):
        with progress.progress("cells", 4, terminal, done=1) as shown:
            shown.start("lenet [x]", 10)
            shown.step(7, "loss 0.5")
            shown.say("a [bold] note")
            shown.finish()
            raise KeyboardInterrupt
    reader.join(timeout=5)
    os.close(main)
    assert b"2/4" in output
    assert b"a [bold] note" in output
    assert output.rfind(b"\x1b[?25h") > output.rfind(b"\x1b[?25l")
