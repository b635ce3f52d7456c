import dataclasses
import math

import pytest
from scipy import stats

from experiments.outputs import at_limit, by_attack, counted, summary
from experiments.outputs import records as records_lib
from experiments.outputs.pictures.leaks import PICTURES
from experiments.outputs.report import answer, outcomes, recovered
from tests.experiments.outputs.example_records import attack, cell, rounds, training


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
    assert row.leakage.naive.median == 7.0
    assert row.leakage.mask_aware[:2] == (2, 25.0)
    assert row.leakage.best[:2] == (3, 20.0)
    assert row.leakage.numbers["ssim"].median == 0.7
    assert row.leakage.diverged == 1
    # Whichever attack names it.
    assert row.leakage.label_accuracy == 1.0
    # Medians: a aware 21, b aware 15, a naive 7; but of the best is one of each.
    assert row.leakage.best_attack == "a aware (1), b aware (1), a naive (1)"


def test_what_an_attacker_tried_and_did_not_believe_counts_in_hindsight():
    """As in the report: the number and the names are of the same reconstructions."""
    member = records_lib.MemberRecord(
        "dlg", "ok", "", {"psnr_db": 40.0, "ssim": 0.9}, 0.1, 20.0, 1.0
    )
    chose = {"attack": "strongest", "chosen": "r_gap", "chosen_by": "order"}
    records = [
        attack(0, psnr=12.0, perceptual=0.5, members=(member,), **chose),
        attack(1, psnr=14.0, perceptual=0.3, **chose),
    ]
    (row,) = summary.summarise(records)
    assert row.leakage.best_attack == "dlg aware (1), r_gap aware (1)"
    assert row.leakage.best[:2] == row.leakage.mask_aware[:2] == (2, 27.0)
    assert row.leakage.numbers["ssim"].median == 0.7
    # Not measured of the member: nothing else stands in for it.
    assert row.leakage.numbers["perceptual"][:2] == (1, 0.3)
    reported = outcomes.of_records(records, PICTURES)[-1]
    assert reported.spread.median == row.leakage.best.median
    assert reported.chosen == (("dlg mask-aware", 1), ("r_gap mask-aware", 1))


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
    shares = (
        row.leakage.shares["success_20db"],
        row.leakage.shares["success_25db"],
        row.leakage.shares["success_30db"],
        row.leakage.shares["identified"],
    )
    assert [share[:3] for share in shares] == [
        (3, 4, 0.75),
        (2, 4, 0.5),
        (2, 4, 0.5),
        (3, 4, 0.75),
    ]
    # Two or more of four have 2.5 % at the lower end; the upper end is its mirror.
    share = row.leakage.shares["success_25db"]
    p, q = share.low, 1 - share.low
    assert 6 * p**2 * q**2 + 4 * p**3 * q + p**4 == pytest.approx(0.025)
    assert share.high == pytest.approx(q)
    assert row.leakage.best.n == 3
    assert row.leakage.diverged == 3


def test_a_setting_where_every_attack_diverged_has_shares_of_zero():
    (row,) = summary.summarise([attack(0, psnr=math.nan, identified=False)])
    assert row.leakage.best is None and row.leakage.best_attack == ""
    assert (
        row.leakage.shares["success_20db"][:3]
        == row.leakage.shares["identified"][:3]
        == (0, 1, 0.0)
    )


def test_further_distances_are_those_of_the_picture_with_the_highest_psnr():
    records = [
        attack(0, "naive", 5.0, perceptual=0.1, feature_mse=1.0),
        attack(0, "mask_aware", 20.0, perceptual=0.3, feature_mse=4.0),
        attack(1, "mask_aware", 12.0, perceptual=0.5, feature_mse=2.0),
        attack(2, "mask_aware", 12.0, perceptual=0.9, feature_mse=None),
        attack(3, "mask_aware", math.nan, perceptual=None, feature_mse=None),
    ]
    (row,) = summary.summarise(records)
    assert row.leakage.numbers["perceptual"][:2] == (3, 0.5)
    assert row.leakage.numbers["feature_mse"][:2] == (2, 3.0)


def test_records_of_versions_that_measured_less_leave_gaps():
    (row,) = summary.summarise([attack(0), attack(1)])
    assert row.leakage.shares.get("identified") is None
    assert (
        row.leakage.numbers.get("perceptual") is None
        and row.leakage.numbers.get("feature_mse") is None
    )
    assert row.leakage.shares["success_25db"][:2] == (0, 2)
    (mixed,) = summary.summarise([attack(0), attack(1, identified=True)])
    assert mixed.leakage.shares["identified"][:2] == (1, 1)


def test_seeds_are_samples_and_ratios_metrics_and_targets_are_rows():
    records = [
        attack(0, cell=cell(ratio, metric, seed), target=target)
        for ratio in (0.5, 0.1)
        for metric in ("top", "random")
        for seed in (0, 1, 2)
        for target in ("client", "aggregate")
    ]
    rows = summary.summarise(records)
    assert [(r.context.target, r.encryption_ratio, r.metric) for r in rows] == [
        (target, ratio, metric)
        for target in ("client", "aggregate")
        for ratio in (0.1, 0.5)
        for metric in ("random", "top")
    ]
    assert {row.leakage.best.n for row in rows} == {3}


def test_costs_are_relative_to_the_plain_rounds_without_the_first():
    records = [
        *rounds(cell(0.0, "none"), 2.0, 300, 0, accuracy=0.8),
        *rounds(cell(0.1), 3.0, 700, 10),
        attack(0, cell=cell(0.1)),
    ]
    plain, ours = summary.summarise(records)
    if plain.metric != "none":
        plain, ours = ours, plain
    assert ours.cost.relative_bytes == 800 / 400
    assert ours.cost.relative_upload_bytes == 700 / 300
    assert ours.cost.relative_seconds == 1.5
    assert ours.cost.round_seconds[:2] == (3, 3.0)
    assert ours.cost.accuracy.median == 0.9
    assert ours.leakage.best.n == 1
    assert (plain.cost.relative_bytes, plain.cost.relative_seconds) == (1.0, 1.0)
    assert plain.leakage.best is None


def test_each_session_compiles_again():
    records = [
        training(number, round_seconds=seconds, session=session)
        for number, seconds, session in [(1, 90, 0), (2, 3, 0), (3, 80, 1), (4, 3, 1)]
    ]
    (row,) = summary.summarise(records)
    assert row.cost.round_seconds[:2] == (2, 3.0)


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
        (ours,) = [row for row in rows if row.metric == "random"]
        assert ours.cost.relative_bytes is None


def test_labels_are_those_of_one_attack_alone():
    """Of several that guess one is right by chance; the best by decibels may err."""
    known = {"details": {"classes": 4}}
    records = [
        attack(0, psnr=30.0, label_correct=False, **known),
        attack(0, "naive", 5.0, **known),
        attack(1, label_correct=True, **known),
        attack(1, "naive", 5.0, label_correct=False, **known),
        attack(2, label_correct=None, **known),
    ]
    (row,) = summary.summarise(records)
    assert row.leakage.labels[:2] == (1, 2) and row.leakage.label_by == "lbfgs aware"
    ((name, count),) = counted.labels(row.leakage)
    assert name == "label named by one attack alone (a uniform guess is right in 25 %)"
    assert count.startswith("lbfgs 1 of 2 (95 % interval")
    (row,) = summary.summarise(records[-1:])
    assert row.leakage.label_by == "" and not list(counted.labels(row.leakage))


def test_who_does_not_go_by_the_message_reads_no_label():
    for changes in (
        {"stop": "prior_only"},
        {"stop": "nothing_visible"},
        {"stop": "retrieved"},
        {"label_source": "guessed"},
        {"shows_something": False},
    ):
        (row,) = summary.summarise([attack(details={"classes": 2, **changes})])
        assert row.leakage.labels is None and row.leakage.label_accuracy is None
        untried = "shows_something" in changes
        said = "not tried (nothing is visible)" if untried else "none"
        assert [count for _, count in counted.labels(row.leakage)] == [said]
        named = f"label: {said}" if untried else "no attack reads a label"
        assert counted.named(row.leakage) == named


def test_a_look_up_counts_in_no_share():
    made = [
        attack(0, psnr=70.0, attack="retrieval"),
        attack(0, psnr=30.0),
        attack(1, psnr=70.0, attack="retrieval"),
        attack(2, psnr=60.0),
    ]
    (row,) = summary.summarise(made)
    shares = row.leakage.shares
    assert shares["success_25db"][:2] == (2, 3) and shares["exact"][:2] == (1, 3)
    assert row.leakage.best_attack == "lbfgs aware (2), retrieval aware (1)"


def test_the_share_of_searches_that_their_limit_ended():
    ended = ("iterations", "seconds", "tolerance", "line_search")
    none = ("retrieved", "prior_only", "nothing_visible", "closed_form", "inconsistent")
    made = [
        attack(image, details={"stop": stop})
        for image, stop in enumerate((*ended, *none))
    ]
    (row,) = summary.summarise(made)
    assert row.leakage.searches_at_limit == 0.5
    assert at_limit.of(made).text == (
        "2 of 4 searches (of lbfgs) ended at their limit, after 300 iterations"
    )
    blind_search = attack(0, details={"stop": "iterations", "shows_something": False})
    (row,) = summary.summarise([blind_search, attack(1)])
    assert row.leakage.searches_at_limit is None


def test_a_search_for_a_batch_is_one():
    """Four examples of two messages, and as many of earlier versions."""
    for details in ({"rows": True}, {}):
        made = [
            attack(
                image,
                batch_size=2,
                seconds=float(image // 2),
                details={"stop": "iterations" if image < 2 else "tolerance"}
                | (
                    at_limit.details([image // 2 * 2, image // 2 * 2 + 1])
                    if details
                    else {}
                ),
            )
            for image in range(4)
        ]
        found = at_limit.of(made)
        assert (found.ended, found.of) == (1, 2)
    assert at_limit.details([3]) == {}


def member(name, stop, iterations=60, status="ok"):
    reason = "" if status == "ok" else "for a reason"
    return records_lib.MemberRecord(
        name, status, reason, {}, None, None, 1.0, stop, iterations
    )


def test_every_search_behind_strongest_counts_whatever_it_believed():
    """It believed what no search gave, after two that their limit ended."""
    members = (
        member("mean_picture", "prior_only", 0),
        member("dlg", "iterations"),
        member("idlg", "iterations"),
        member("quick_inversion", "tolerance", 48),
        member("peeling", "", 0, "does_not_apply"),
        member("features", "partly_determined", 5),
    )
    one = attack(
        0,
        attack="strongest",
        chosen="mean_picture",
        members=members,
        iterations=235,
        details={"stop": "prior_only"},
    )
    (row,) = summary.summarise([one])
    assert row.leakage.searches_at_limit == pytest.approx(2 / 3)
    assert at_limit.of([one]).text == (
        "2 of 3 searches (of dlg, idlg) ended at their limit of 60 iterations"
    )
    # Records of earlier versions say how the believed one ended, and all steps together.
    members = tuple(
        dataclasses.replace(each, stop="", iterations=0) for each in members
    )
    details = {"stop": "iterations"}
    earlier = dataclasses.replace(one, chosen="dlg", members=members, details=details)
    assert at_limit.of([earlier]).text == "every search (of dlg) ended at its limit"


def test_labels_are_counted_of_all_examples_and_a_guess_is_that_of_the_public_ones():
    """Of two of ten it believed a mean picture, which reads none."""
    made = [
        attack(
            image,
            attack="strongest",
            details={
                "stop": "prior_only" if image > 7 else "tolerance",
                "classes": 2,
                "label_guess": 0.75,
            },
        )
        for image in range(10)
    ]
    (row,) = summary.summarise(made)
    assert row.leakage.labels[:3] == (8, 10, 0.8) and row.leakage.labels_unread == 2
    assert row.leakage.label_accuracy == 0.8 and row.leakage.label_guess == 0.75
    # 8 or more of 10 guesses are right in 53 of 100 cases.
    said = "label: strongest alone names 8 of 10, 2 not read, "
    said += "the commonest public class is right in 75 %"
    unsure = "not shown to be better than guessing"
    assert counted.named(row.leakage) == f"{said}: {unsure}"
    assert row.leakage.label_by_chance == pytest.approx(0.526, abs=0.001)
    ((name, count),) = counted.labels(row.leakage)
    assert "the commonest public class is right in 75 %" in name
    assert (
        count == f"strongest 8 of 10 (95 % interval 44 to 97 %), 2 not read, {unsure}"
    )

    def guessed(share, *more):
        changed = [
            dataclasses.replace(one, details={**one.details, "label_guess": share})
            for one in (*made, *more)
        ]
        outcome = outcomes.of_records(changed, PICTURES)[-1]
        return recovered.reads_labels(outcome), counted.verdict(outcome.summary)

    assert guessed(0.8) == (False, "no better than guessing")
    assert guessed(0.4) == (True, "")
    # The best of nine that guess has more chances.
    others = [
        dataclasses.replace(one, attack=f"a{number}", label_correct=False)
        for number in range(8)
        for one in made
    ]
    few = "too few examples to tell it from guessing; about 14 would (--num_images=14)"
    assert guessed(0.4, *others) == (False, few)
    # Of fourteen with the same share right the best of nine guesses has as many rarely.
    assert 1 - (1 - stats.binom.sf(11 - 1, 14, 0.4)) ** 9 <= 0.05
    # Earlier versions: as if all classes were as frequent.
    for one in made:
        del one.details["label_guess"]
    (row,) = summary.summarise(made)
    assert counted.guess_is_right(row.leakage) == "a uniform guess is right in 50 %"
    (line,) = by_attack.summarise(made, PICTURES)
    assert (line.labels_right, line.labels_read, line.labels_asked) == (8, 8, 10)


def test_labels_of_what_was_tried_and_not_believed_count():
    idlg = dataclasses.replace(
        member("idlg", "iterations"), label_correct=True, label_source="inferred"
    )
    guessed = dataclasses.replace(idlg, name="dlg", label_source="guessed")
    one = attack(
        0,
        attack="strongest",
        members=(idlg, guessed),
        details={"stop": "prior_only", "classes": 2},
    )
    (row,) = summary.summarise([one])
    assert row.leakage.label_by == "idlg aware" and row.leakage.labels[:2] == (1, 1)
    # With one that was made by itself, too, it counts once.
    alone = attack(0, attack="idlg", label_correct=False, details={"stop": "tolerance"})
    (row,) = summary.summarise([one, alone])
    assert row.leakage.labels[:2] == (0, 1)
    (line, _) = by_attack.summarise([one, alone], PICTURES)
    assert line.labels_read == 0


def test_numbers_as_labels_are_called_so():
    of = {"label": None, "recovered_label": None}
    spread = "5 % of the standard deviation of the public targets"
    for details, within, rate in (
        ({}, "5 % (0.05 below 1)", "how often a guess is right is not on record"),
        (
            {"label_within": spread},
            spread,
            "how often a guess is right is not known: no public targets",
        ),
        (
            {"label_within": spread, "label_guess": 0.05},
            spread,
            "one number for all is right in 5 %",
        ),
    ):
        made = [
            attack(
                image,
                label_correct=image < 2,
                details={"stop": "tolerance", "numbers_as_labels": True, **details},
                **of,
            )
            for image in range(3)
        ]
        (row,) = summary.summarise(made)
        said = f"target number: lbfgs alone has 2 of 3 to within {within}, {rate}"
        assert counted.named(row.leakage) == said
        ((name, count),) = counted.labels(row.leakage)
        assert name == (
            f"target number to within {within} by one attack alone ({rate})"
        )
        assert count.startswith("lbfgs 2 of 3")
    often = [
        dataclasses.replace(one, details={**one.details, "label_guess": 0.98})
        for one in made
    ]
    (row,) = summary.summarise(often)
    assert counted.named(row.leakage).endswith("in 98 %: no better than guessing")
    (row,) = summary.summarise([attack(details={"stop": "prior_only"}, **of)])
    assert counted.named(row.leakage) == "target number: not read"


def test_what_is_exact_is_equal_whatever_rounding_gives():
    """115 dB are no more than 112, and none of the two is the best."""
    names = ("feature_inversion", "dense_inversion", "r_gap")
    made = [
        attack(image, psnr=psnr, attack=name, blind=12.0, ssim=ssim)
        for image in range(3)
        for name, psnr, ssim in zip(names, (115, 112, 40), (1, 0.999, 1), strict=True)
    ]
    made.append(attack(0, "naive", 130.0, attack="dense_inversion", blind=12.0))
    (row,) = summary.summarise(made)
    assert row.leakage.best_attack == (
        "all exact: dense_inversion aware (3), feature_inversion aware (3)"
    )
    (one,) = [each for each in outcomes.of_records(made, PICTURES) if each.summary]
    assert "all exact: dense_inversion (3), feature_inversion (3); label" in (
        recovered.in_words(one, PICTURES)
    )
    every = outcomes.of_records(made, PICTURES)
    (said,) = answer.of(one.context, every, {}, (), PICTURES)
    assert (
        "All exact were dense_inversion mask-aware (3), feature_inversion mask-aware (3), "
        "of 3 attacks that have a result"
    ) in said.leaks
    # One that is not exact tells them apart, and an only one is named alone.
    made.append(attack(3, psnr=30.0, attack="r_gap", blind=12.0))
    (row,) = summary.summarise(made)
    assert row.leakage.best_attack == "dense_inversion aware (3), r_gap aware (1)"
    (row,) = summary.summarise(made[1:-2:3])
    assert row.leakage.best_attack == "dense_inversion aware"
