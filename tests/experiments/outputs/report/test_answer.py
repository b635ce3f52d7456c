"""What the first screen says, which is never more than was measured."""

import dataclasses
import math

import pytest

from experiments.outputs import records
from experiments.outputs.pictures.leaks import PICTURES
from experiments.outputs.report import answer, costs, outcomes
from tests.experiments.outputs.example_records import attack, cell, rounds
from tests.experiments.outputs.report import folders


def answers(made):
    made = list(made)
    attacked = [one for one in made if hasattr(one, "attack")]
    found = outcomes.of_records(attacked, PICTURES)
    return answer.of(
        found[0].context,
        found,
        costs.messages(attacked),
        costs.rounds(made),
        PICTURES,
    )


def test_leakage_bytes_and_time_at_a_tenth():
    (found,) = answers(folders.found())
    assert found.about == "10 % hidden by random"
    assert "30.0 dB, 31.0 dB, 32.0 dB (3 examples of one seed)" in found.leaks
    assert "nothing hidden exact, everything hidden 7.0 dB" in found.leaks
    assert "too few for an interval of the median PSNR, 3 examples" in found.leaks
    # 160 bytes of ciphertext and 90 visible entries; 100 entries in the clear.
    assert "520 bytes, 1.3 x the 400" in found.bytes
    said = "its gradient alone (a training round adds its weight and its metrics)"
    assert said in found.bytes
    assert (
        "400 bytes up and 100 down (4 rounds; medians: up 1.33 x plain, up and down "
        "1.25 x plain)"
    ) in found.bytes
    assert "completely" not in found.bytes and "whose mask" not in found.bytes
    assert "1.5 s (1.5 to 1.5, 3 rounds), against 1 s" in found.time
    assert "a factor of 1.5 x (3 rounds each, too few to exclude chance)." in found.time
    assert "not shown to differ" not in found.time


def test_successes_and_right_labels_are_counted_with_their_intervals():
    made = [attack(image, psnr=20.0 + 4 * image) for image in range(3)]
    made[0] = dataclasses.replace(made[0], label_correct=False)
    (found,) = answers(made)
    assert (
        "Recovered exactly: 0 of 3 (95 % interval 0 to 71 %); share >= 25 dB: 1 of 3 (95 % "
        "interval 1 to 91 %); label named by one attack alone: lbfgs 2 "
        "of 3 (95 % interval 9 to 99 %)."
    ) in found.leaks


def test_from_which_share_on_it_is_down_to_what_everything_hidden_gives():
    (found,) = answers(folders.found())
    assert (
        "At no measured share below 100 % is it down to what everything hidden gives (at "
        "most 8.0 dB)."
    ) in found.leaks

    def levels(*pairs):
        made = [
            attack(image, psnr=psnr + image, cell=cell(ratio))
            for ratio, psnr in pairs
            for image in range(3)
        ]
        return answers(made)[0].leaks

    # Up once more at 70 %: only from 90 % on it stays down; 7 is in 6 to 8.
    text = levels((0.1, 30.0), (0.5, 6.0), (0.7, 20.0), (0.9, 6.5), (1.0, 6.0))
    assert (
        "It is down to what everything hidden gives (at most 8.0 dB) from the measured "
        "share of 90 % on."
    ) in text
    assert "everything hidden was not measured" in levels((0.1, 30.0))
    # Nobody knows what they would have recovered without a mask.
    text = levels((0.1, 7.0), (1.0, 6.0))
    assert "share of 10 % on, the least that has a result: with nothing hidden" in text


def test_what_is_no_better_than_a_blind_guess_is_said_by_what_is_measured():
    def of(*levels):
        (found,) = answers(
            attack(image, psnr=psnr + image / 10, cell=cell(ratio), blind=12.0)
            for ratio, psnr in levels
            for image in range(3)
        )
        return found.leaks

    text = of((0.0, 90.0), (0.1, 9.0), (0.5, 8.0), (1.0, 6.0))
    assert text.startswith(
        "No better than a blind guess by what is measured (PSNR, SSIM, share identified)."
    )
    assert "is leakage" not in text
    assert (
        "A blind guess, without the gradient (the mean of 500 pictures), has 12.0 dB each "
        "time (3 examples of one seed)."
    ) in text
    assert "From the measured share of 10 % on no attack tried is better" in text
    # More than with everything hidden, and still a guess; and one more that is none.
    text = of((0.0, 90.0), (0.1, 30.0), (0.5, 12.0), (1.0, 6.0))
    assert "recovered is better than a blind guess on 3 of 3 examples." in text
    assert "From the measured share of 50 % on no attack tried is better" in text
    text = of((0.0, 90.0), (0.1, 9.0), (0.5, 12.95), (1.0, 6.0))
    assert (
        "Only with 100 % hidden, where nothing is visible, is no attack tried better"
    ) in text
    assert "At every measured share some attack is better" in of(
        (0.0, 90.0), (0.1, 30.0)
    )
    text = of((0.0, 9.0), (0.1, 9.0), (1.0, 6.0))
    assert "Even with no mask at all these attacks are no better than a blind" in text


@pytest.mark.parametrize(("bare", "whole"), [(7.0, 6.0), (6.04, 6.0), (8.0, 8.0)])
def test_attacks_that_fail_without_a_mask_give_no_share(bare, whole):
    """One example for one value, three where the median lies in the spread."""
    images = range(3 if bare == 7.0 else 1)
    found = answers(
        attack(image, psnr=psnr + image, cell=cell(ratio))
        for ratio, psnr in ((0.0, bare), (0.1, 40.0), (0.5, 5.0), (1.0, whole))
        for image in images
    )
    assert (
        "Even with no mask at all these attacks get nothing from the message"
        in found[0].leaks
    )
    assert "So this run shows nothing about the mask." in found[0].leaks
    assert "measured share" not in found[0].leaks


def test_an_attack_without_a_result_is_no_try():
    def member(name, status="does_not_apply", measures=None):
        reason = "" if status == "ok" else "for other models."
        return records.MemberRecord(name, status, reason, measures or {}, None, None, 1)

    measured = {"psnr_db": 20.0}
    members = (
        member("dlg", "ok", measured),
        member("mean_picture", "ok", measured),
        member("idlg"),
        member("retrieval"),
        member("quick_inversion", "failed"),
        member("modern", "ok", {"psnr_db": math.nan}),
        member("r_gap", "not_run"),
    )
    made = [attack(0, attack="strongest", chosen="mean_picture", members=members)]
    # Here it has a result, although there it does not fit.
    made.append(attack(0, "naive", 10.0, attack="retrieval"))
    (found,) = answers(made)
    assert (
        "It was mean_picture mask-aware, the best of 3 attacks that have a result (dlg, "
        "mean_picture, retrieval); 1 diverged, 1 failed, 1 not run, as another was exact, "
        "1 not applicable: the report's table of attacks says why."
    ) in found.leaks
    (found,) = answers([attack(0)])
    assert "the best of 1 attack that has a result (lbfgs)." in found.leaks
    assert "is not known: no strongest" not in found.leaks


def test_an_interval_only_from_enough_values():
    (found,) = answers(folders.found(images=range(10)))
    assert "median 34.5 dB (95 % interval 31.0 dB to 38.0 dB; 10 examples of one" in (
        found.leaks
    )
    assert "too few" not in found.leaks


def test_what_is_far_from_a_tenth_is_not_called_so():
    records = [attack(0, cell=cell(ratio)) for ratio in (0.0, 0.5)]
    (found,) = answers(records)
    assert found.about == (
        "Nothing was measured at about 10 % hidden; the smallest measured share above 0 is "
        "50 % hidden by random"
    )
    # Hidden is what counts, not what was asked for.
    wide = [attack(0, cell=cell(0.1), hidden=44)]
    (found,) = answers(wide)
    assert "the nearest is 44 % (asked: 10 %)" in found.about


def test_without_training_time_is_not_measured():
    (found,) = answers([attack(0)])
    assert found.time.startswith("Not measured")
    assert found.bytes == "Not measured."


def test_no_result_is_no_protection():
    without = attack(
        0, status="failed", reason="out of memory", objective=None, measures={}
    )
    (found,) = answers([without])
    assert "no protection shown: lbfgs mask-aware failed: out of memory" in found.leaks
    (found,) = answers([attack(0, psnr=math.nan)])
    assert "all reconstructions diverged" in found.leaks


def test_attempts_without_a_number_are_counted():
    (found,) = answers([attack(0), attack(1, psnr=math.nan)])
    assert "Attempts without a number: 1" in found.leaks


def test_ranges_that_overlap_show_no_difference():
    records = folders.found()
    plain = [one for one in records if one.cell.release == "plain"]
    slow = [
        one.__class__(**{**vars(one), "round_seconds": 1.0 + one.round / 4})
        for one in plain
    ]
    (found,) = answers([one for one in records if one not in plain] + slow)
    assert ("a factor of 0.86 x (ranges overlap: not shown to differ).") in found.time


def test_costs_of_other_masks_than_the_attacked_ones_are_said_to_be_so():
    trained = cell(0.1, release="reveal_aggregate", agreement="previous_aggregate")
    first, *later = rounds(trained, 1.0, 300, 10)
    (found,) = answers([attack(0), dataclasses.replace(first, hidden=100), *later])
    assert "of 8 clients, whose mask is by previous_aggregate and not public," in (
        found.bytes
    )
    assert "the first, which has no mask to go by and was encrypted completely," in (
        found.bytes
    )


def test_the_aggregate_is_said_to_be_published_whatever_is_hidden():
    records = [attack(0, cell=cell(1.0), target="aggregate", batch_size=2)]
    (found,) = answers(records)
    assert found.about == "What is published, whatever was encrypted on the way"
    assert found.bytes == found.time == ""


def test_what_diverged_has_no_reason_that_a_table_could_say():
    (found,) = answers([attack(0), attack(1, psnr=math.nan)])
    assert "Attempts without a number: 1." in found.leaks
    assert "says why" not in found.leaks


def test_an_attack_that_another_made_needless_is_not_called_not_applicable():
    """Also where it does not apply to another example."""

    def made(image, status):
        reason = "another one was exact." if status == "not_run" else "for others."
        member = records.MemberRecord("dlg", status, reason, {}, None, None, 1)
        return attack(image, attack="strongest", chosen="idlg", members=(member,))

    (found,) = answers([made(0, "not_run"), made(1, "does_not_apply")])
    assert "1 not run, as another was exact" in found.leaks
    assert "not applicable" not in found.leaks


def test_factors_of_a_message_and_of_a_round_that_differ_say_why():
    (found,) = answers(folders.found())
    # 140 bytes of ciphertext of 8 clients, and 160 of the message.
    assert (
        "The factors differ because ciphertext does: in a round 18 bytes a client, in "
        "whole blocks that hold its weight and its metrics too, in the message 160."
    ) in found.bytes
