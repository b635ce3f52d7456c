import csv
import dataclasses
import io
import math
import pathlib
import re

import pytest

from experiments.outputs import cost_summary, records, summary, tables, text_tables
from experiments.outputs.report import spread
from tests.experiments.outputs.example_records import (
    attack,
    cell,
    example_rows,
    rounds,
    training,
)


def test_csv_has_the_columns_and_values_of_earlier_versions():
    """Scripts read the columns by name, and old and new runs are compared."""
    diverged = attack(7, psnr=math.nan, cell=cell(0.5), hidden=10)
    measured = [
        attack(
            image,
            psnr=psnr,
            cell=cell(ratio),
            hidden=10,
            perceptual=ratio,
            feature_mse=2 * ratio,
            identified=psnr > 20,
        )
        for ratio, level in ((0.0, 30.0), (0.5, 10.0))
        for image, psnr in enumerate((level, level + 12))
    ]
    rows = [
        *summary.summarise([*measured, diverged]),
        *example_rows()[2:4],
        *summary.summarise(rounds(cell(0.0, "none"), 2.0, 300, 0)),
    ]
    # Written by version 0.1, from the same records; `metric` was called `policy` then.
    expected = pathlib.Path(__file__).with_name("example_summary.csv").read_text()
    before = list(csv.DictReader(io.StringIO(expected)))
    now = list(csv.DictReader(io.StringIO(tables.to_csv(rows))))
    new = (
        "hidden_share", "without_result", "measures", "saturated_share", "refused",
            "weights_after_rounds", "relative_mean_upload_bytes",
            "relative_first_upload_bytes", "trained_agreement",
            "seconds_unsure", "ciphertext_bytes", "clear_bytes", "accuracy_by_guess",
                "trained_release",
        "label_by", "label_classes", "label_guess", "label_numbers",
            "label_within", "label_by_chance", "label_examples_to_decide",
            "label_images_to_decide", "better_by", "searches_at_limit", "cipher",
            "seeds", "relative_message_bytes",
        *(name for name in now[0] if name.startswith(("labels_", "exact_", "columns_"))),
        *(name for name in now[0] if name.startswith("test_loss_") or "blind" in name),
    )  # fmt: skip
    assert [name for name in now[0] if name not in new] == list(before[0])
    # It had intervals of three examples, and exact ones over what is not independent.
    same = [name for name in before[0] if not name.endswith(("_95", "_low", "_high"))]
    assert [[row[name] for name in same] for row in now] == [
        [row[name] for name in same] for row in before
    ]
    assert [float(row["hidden_share"]) for row in now] == [0.1, 0.1, 0.1, 0.1, 0.0]


def test_the_table_shows_the_real_share_and_the_asked_one_where_it_differs():
    rows = summary.summarise(
        [
            attack(0, cell=cell(0.1), hidden=10),
            attack(0, cell=cell(0.5), hidden=63),
            # What rounds to the number of entries does not differ.
            attack(0, cell=cell(0.014), hidden=1),
        ]
    )
    stream = io.StringIO()
    tables.print_tables(rows, stream, 100)
    first = [line.split() for line in stream.getvalue().splitlines()]
    shares = [
        words[0] for words in first if words and re.fullmatch(r"\(?[\d.]+\)?", words[0])
    ]
    assert shares == ["1.4", "10", "63", "(50)"]


def test_what_does_not_apply_is_named_with_its_reason_and_has_no_number():
    reason = "completion needs a dense first layer; lenet has a convolution"
    nothing = dict.fromkeys(("mse", "psnr_db", "ssim", "objective"))
    refused = {**nothing, "status": "does_not_apply", "reason": reason}
    failed = records.MemberRecord("dlg", "failed", "out of memory", {}, None, None, 1.0)
    unfit = dataclasses.replace(
        failed, name="r_gap", status="does_not_apply", reason="no chain"
    )
    rows = summary.summarise(
        [
            attack(0, "naive", cell=cell(0.1), attack="completion", **refused),
            attack(0, "mask_aware", 21.0, cell(0.1), attack="idlg"),
            attack(0, "mask_aware", 25.0, cell(0.1), members=(failed, unfit)),
            attack(1, "naive", cell=cell(0.5), attack="completion", **refused),
        ]
    )
    text = io.StringIO()
    tables.print_tables(rows, text, 120)
    shown = " ".join(text.getvalue().split())
    assert shown.count(f"completion naive does not apply: {reason}") == 1
    assert "No result, random at 10 %: lbfgs aware, dlg failed" in shown
    assert shown.count("lbfgs aware, dlg failed: out of memory") == 1
    assert "no chain" not in shown and "no result" in shown
    first, second = csv.DictReader(io.StringIO(tables.to_csv(rows)))
    assert f"does not apply: {reason}; " in first["without_result"]
    assert second["without_result"] == f"completion naive does not apply: {reason}"
    assert (first["psnr_naive_n"], first["psnr_naive_median"]) == ("0", "")
    assert first["psnr_best_median"] == "25.0"
    assert first["attack_seconds_n"] == "2"
    assert (second["psnr_best_n"], second["psnr_best_median"]) == ("0", "")
    assert (second["success_25db_trials"], second["success_25db_rate"]) == ("0", "")
    assert second["diverged"] == "0"


def test_successes_and_labels_are_in_the_narrowest_table_with_their_intervals():
    made = [
        attack(image, psnr=psnr, cell=cell(ratio, metric), label_correct=psnr > 10)
        for ratio, psnr in ((0.0, 40.0), (0.1, 30.0), (1.0, 6.0))
        for metric in ("random", "magnitude")
        for image in range(3)
    ]
    stream = io.StringIO()
    tables.print_tables(summary.summarise(made), stream, 80)
    shown = " ".join(stream.getvalue().split())
    counts = (
        "magnitude, random: 3 of 3 (95 % interval 29 to 100 %) at 0, 10 %, 0 of 3 (95 % "
        "interval 0 to 71 %) at 100 %."
    )
    assert f"Best of each, share >= 25 dB: {counts}" in shown
    assert "Best of each, recovered exactly: magnitude, random: 0 of 3" in shown
    assert (
        "Label named by one attack alone: magnitude, random: lbfgs 3 of 3 (95 % interval "
        "29 to 100 %) at 0, 10 %, not tried (nothing is visible) at 100 %."
    ) in shown
    # Shares that are the same say so once.
    stream = io.StringIO()
    same = [attack(image, psnr=90.0) for image in range(3)]
    tables.print_tables(summary.summarise(same), stream, 80)
    assert (
        "Best of each, recovered exactly and share >= 25 dB: random: 3 of 3"
    ) in " ".join(stream.getvalue().split())
    # Of one message no interval.
    stream = io.StringIO()
    batch = [dataclasses.replace(one, batch_size=3) for one in made]
    tables.print_tables(summary.summarise(batch), stream, 80)
    assert "random: 3 of 3 at 0, 10 %, 0 of 3" in " ".join(stream.getvalue().split())


def test_csv_can_be_read_back():
    rows = example_rows()
    parsed = list(csv.DictReader(io.StringIO(tables.to_csv(rows))))
    assert len(parsed) == len(rows) == 6
    assert len({len(line) for line in parsed}) == 1
    assert None not in parsed[0]
    first = parsed[0]
    assert first["encryption_ratio"] == "0.0"
    assert float(first["psnr_best_median"]) == math.inf
    assert [float(p["relative_bytes"]) for p in parsed][:2] == [1.0, 1.0]
    assert parsed[2]["psnr_best_n"] == "3"
    assert float(parsed[2]["psnr_mask_aware_median"]) == 31.0


def test_csv_leaves_empty_what_was_not_measured():
    rows = summary.summarise([attack(0)])
    (parsed,) = csv.DictReader(io.StringIO(tables.to_csv(rows)))
    assert parsed["relative_bytes"] == ""
    assert parsed["psnr_best_low_95"] == ""
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
    assert parsed["perceptual_best_median"] == "0.5"
    assert parsed["feature_mse_best_median"] == "2.0"
    assert parsed["psnr_best_low_95"] == ""


def test_a_share_counts_what_reaches_its_threshold_and_no_diverged_attack():
    reached = (19.9, 20.0, 26.0, math.inf, math.nan)
    rows = summary.summarise([attack(n, psnr=one) for n, one in enumerate(reached)])
    (parsed,) = csv.DictReader(io.StringIO(tables.to_csv(rows)))
    found = [parsed[f"success_{level}db_successes"] for level in (20, 25, 30)]
    assert found == ["3", "2", "1"] and parsed["success_20db_trials"] == "5"


def test_examples_of_one_message_and_several_seeds_have_no_interval_of_a_share():
    together = [attack(image, psnr=30.0 + image, batch_size=8) for image in range(7)]
    again = [
        attack(image, psnr=30.0, cell=dataclasses.replace(cell(0.1), seed=seed))
        for image in range(3)
        for seed in range(2)
    ]
    for group in (together, again):
        rows = summary.summarise(group)
        (parsed,) = csv.DictReader(io.StringIO(tables.to_csv(rows)))
        assert parsed["success_25db_rate"] == "1.0"
        assert parsed["success_25db_low"] == parsed["success_25db_high"] == ""
        assert parsed["psnr_best_low_95"] == ""
        stream = io.StringIO()
        tables.print_tables(rows, stream, 140)
        assert (
            "95 % interval" not in stream.getvalue() and "nan" not in stream.getvalue()
        )


def test_seven_examples_have_the_interval_of_the_report():
    values = [13.2, 13.8, 14.0, 14.5, 15.0, 15.7, 16.2]
    rows = summary.summarise([attack(n, psnr=one) for n, one in enumerate(values)])
    (parsed,) = csv.DictReader(io.StringIO(tables.to_csv(rows)))
    samples = [spread.Sample(0, n, one) for n, one in enumerate(values)]
    ends = spread.of(samples).interval
    assert ends == (13.2, 16.2)
    assert (
        tuple(float(parsed[f"psnr_best_{end}_95"]) for end in ("low", "high")) == ends
    )


def test_quartiles_are_named_only_where_some_are_shown():
    def shown(count):
        stream = io.StringIO()
        rows = summary.summarise([attack(n, psnr=20.0 + n) for n in range(count)])
        tables.print_tables(rows, stream, 120)
        return stream.getvalue()

    assert "[quartiles]" in shown(7) and "[quartiles]" not in shown(3)


def test_a_training_has_the_share_of_the_rounds_that_its_costs_are_of():
    trained = cell(0.1, release="reveal_aggregate", agreement="previous_aggregate")
    first, *later = rounds(trained, 1.0, 600, 10)
    whole = dataclasses.replace(first, hidden=100, client_to_server_bytes=1200)
    (row,) = summary.summarise([whole, *later])
    assert (row.hidden, row.hidden_share) == (10, 0.1)
    (only,) = summary.summarise([whole])
    assert only.hidden_share == 1.0


def test_a_time_that_may_differ_by_chance_is_said_to_do_so():
    plain = rounds(cell(0.0, "plain", release="plain"), 1.0, 300, 0, count=5)
    slow = rounds(cell(0.5), 2.0, 300, 50, count=5)
    same = [slow[0], dataclasses.replace(slow[1], round_seconds=0.9), *slow[2:]]
    # Of eight rounds four and four apart are 2 of 70 orders, three and four 2 of 35.
    for group, marked in ((slow, False), (same, True), (slow[:-1], True)):
        row = summary.summarise([*plain, *group])[-1]
        assert row.cost.seconds_unsure == marked and row.cost.relative_seconds == 2.0
    (row,) = summary.summarise(plain)
    assert row.cost.relative_seconds == 1.0 and not row.cost.seconds_unsure


def test_times_are_compared_seed_by_seed():
    """A machine that was slower with one seed does not hide a difference, nor make one."""
    quick, slow = {0: [1.0, 1.1, 1.2], 1: [5.0, 5.1, 5.2]}, {0: [3.0] * 3, 1: [9.0] * 3}
    assert cost_summary.differ(slow, quick) and cost_summary.differ(quick, slow)
    assert not cost_summary.differ({0: slow[0], 1: [1.0] * 3}, quick)
    assert not cost_summary.differ({0: slow[0]}, quick)
    assert not cost_summary.differ({2: slow[0]}, quick)


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
    for word in ("hindsight", "Metric", "naive", "aware", "Bytes", "both"):
        assert word in text
    # Three of three, and none, with exact intervals.
    for word in ("Succ. %", "Succ.: share", "100 [29, 100]", "0 [0, 71]"):
        assert (word in " ".join(text.split())) == (width >= 120)


@pytest.mark.parametrize(
    ("count", "shown_"), [(3, "31.0 0.50"), (5, "32.0 [31, 33] 0.50")]
)
def test_quartiles_are_of_more_than_a_few_examples(count, shown_):
    stream = io.StringIO()
    rows = summary.summarise(attack(one, psnr=30.0 + one) for one in range(count))
    tables.print_tables(rows, stream, 100)
    words = " ".join(stream.getvalue().split())
    assert shown_ in words


def test_the_number_and_the_names_of_the_best_belong_together():
    text = shown(
        attack(0, psnr=30.0, attack="dlg"),
        attack(1, psnr=10.0, attack="dlg"),
        attack(0, psnr=12.0, attack="idlg"),
        attack(1, psnr=20.0, attack="idlg"),
    )
    assert "25.0 0.50 dlg aware (1), idlg aware (1)" in text
    assert (
        "Best: of each example the attack that leaks most of it, look-ups of public "
        "examples apart, in hindsight" in text
    )
    for words in ("Best Best Best of", "PSNR, PSNR, each, in", "naive aware SSIM hind"):
        assert words in text, text


def test_what_is_better_than_pixels_can_be_is_exact():
    assert "exact" in shown(*(attack(one, psnr=100.0 + one) for one in range(3)))
    assert "102" not in shown(*(attack(one, psnr=101.0 + one) for one in range(3)))


def test_the_table_can_be_written_as_ascii():
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    tables.print_tables(example_rows(), stream, 80)
    stream.flush()
    assert b"Metric" in raw.getvalue()


def test_the_table_shows_what_is_missing_as_a_dash():
    stream = io.StringIO()
    tables.print_tables(summary.summarise(rounds(cell(), 1.0, 5, 10)), stream, 80)
    assert " - " in stream.getvalue()


def test_uploads_come_first_and_costs_of_other_masks_are_said_to_be_so():
    """Uploads are what clients pay; both ways together the factor is smaller."""
    trained = cell(0.1, release="reveal_aggregate", agreement="previous_aggregate")
    first, *later = rounds(trained, 1.0, 600, 10)
    text = shown(
        attack(0),
        *rounds(cell(0.0, "plain", release="plain"), 1.0, 300, 0),
        dataclasses.replace(first, hidden=100, client_to_server_bytes=1200),
        *later,
    )
    # Up 600 of 300, and with 100 down 700 of 400; (1200 + 3 * 600) / 4 of 300.
    assert "lbfgs aware 2.00 1.75 ~1.0" in text
    assert (
        "Bytes and time of random, public: of trainings whose clients come to one mask by "
        "previous_aggregate, not public."
    ) in text
    assert (
        "is encrypted completely and is not in the table: 4.00 x the uploads; the mean "
        "upload with it: 2.50 x at 10 %."
    ) in text
    same = shown(attack(0), *rounds(cell(0.1), 1.0, 600, 10))
    assert "come to one mask by" not in same and "completely" not in same


def shown(*found):
    stream = io.StringIO()
    tables.print_tables(summary.summarise(found), stream, 100)
    return " ".join(stream.getvalue().split())


def test_saturated_entries_have_a_column_and_a_warning_where_there_are_some():
    """Two rounds of 8 clients that hide 10 entries each."""
    assert "rated %" not in shown(training(1), training(2, details={"saturated": 0}))
    text = shown(training(1), training(2, details={"saturated": 40, "refused": 1}))
    assert "rated %" in text
    assert "25 % of the encrypted entries of training were beyond the codec's" in text
    assert "refused 1 upload" in text


def test_a_model_without_accuracy_shows_its_loss_and_what_else_it_measures():
    text = shown(
        training(1, accuracy=None, measures={"loss": 9.0, "mean_absolute_error": 8.0}),
        training(2, accuracy=None, measures={"loss": 0.25, "mean_absolute_error": 0.5}),
    )
    assert "loss" in text and "0.25" in text and "racy %" not in text
    assert "mean_absolute_error 0.5" in text


def test_words_behind_numbers_break_before_names_are_left_out():
    beside = "0.00\n(1 tokens at their places 17 %; 1 tokens found 57 %)"
    table = text_tables.Table(
        "",
        ("Metric", "Attack", "10 %", "50 %"),
        [("random", "tag aware", beside, beside)],
    )
    stream = io.StringIO()
    text_tables.show(table, stream, 80)
    shown = stream.getvalue()
    assert all(word in shown for word in ("Metric", "random", "tag aware", "57 %)"))
    assert "…" not in shown


@pytest.mark.parametrize("width", [20, 80, 100])
def test_no_number_is_cut_and_no_column_left_out(width):
    rows = [
        ("50 %", "label_sensitivity", "0.972 (0.97, 0.98)", "3072 of 3072", "a\nb c d"),
        ("0 %", "random", "1.000", "10 of 10", "several words of text that may break"),
    ]
    headings = ("encrypted", "metric", "zero-fill cosine", "degrees of freedom", "note")
    stream = io.StringIO()
    text_tables.show(text_tables.Table("", headings, rows), stream, width)
    shown = stream.getvalue()
    for part in ("label_sensitivity", "(0.97, 0.98)", "3072 of 3072", "10 of 10"):
        assert part in shown
    assert "…" not in shown
    assert all(word in shown for word in " ".join(headings).split())


def test_naive_is_told_as_the_published_attack():
    stream = io.StringIO()
    tables.print_tables(example_rows(), stream, 80)
    said = " ".join(stream.getvalue().split())
    assert (
        "naive = the attack as its authors published it, with zeros for hidden entries"
        in said
    )
