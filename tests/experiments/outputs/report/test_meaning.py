"""The first paragraph: from which share on nothing leaks, its cost, how sure that is."""

import csv
import dataclasses
import io
import math
import re

import pytest

from experiments.outputs import by_attack, message_bytes, summary, tables
from experiments.outputs.pictures.leaks import PICTURES
from experiments.outputs.records import MemberRecord
from experiments.outputs.report import (
    answer,
    attacked_weights,
    cost_tables,
    costs,
    families,
    grid,
    long_form,
    meaning,
    outcomes,
    page,
    paragraph,
    predicted,
    reading,
    writing,
)
from experiments.outputs.report.predicted import Predicted
from tests.experiments.outputs.example_records import attack, cell, rounds
from tests.experiments.outputs.report import folders


def means(tmp_path, made):
    path = folders.write(tmp_path / "run", made)
    (family,) = families.join([reading.read(path)])
    return {
        context.target: " ".join(sentences)
        for context, sentences in page.meanings(family, PICTURES).items()
    }


def attacks(*levels, metric="random", images=range(3), **changes):
    return [
        attack(image, psnr=psnr, cell=cell(ratio, metric), blind=12.0, **changes)
        for ratio, psnr in levels
        for image in images
    ]


def test_from_which_share_on_nothing_leaks_and_what_that_costs(tmp_path):
    levels = ((0.0, 90.0), (0.1, 30.0), (0.5, 9.0), (1.0, 6.0))
    made = [
        one
        for metric in ("random", "magnitude")
        for one in attacks(*levels, metric=metric)
    ]
    plain = cell(0.0, "plain", agreement="none", release="plain")
    made += rounds(plain, 1.0, 300, 0)
    for metric in ("random", "magnitude"):
        for ratio, up in ((0.1, 450), (0.5, 600)):
            trained = cell(ratio, metric, release="reveal_aggregate")
            made += rounds(trained, 1.5, up, 50)
    assert means(tmp_path, made)["client"] == (
        "Hidden by magnitude or random, at untrained weights: with 10 % hidden attacks "
        "recover more than a blind guess, on 3 of 3 examples (95 % interval 29 to 100 %, "
        "for these weights alone; median PSNR 30.0 dB in hindsight, 12.0 dB blind; best: "
        "lbfgs; recovered "
        "exactly: 0 of 3, "
        "with nothing hidden 3 of 3; share >= 25 dB: 3 of 3, with nothing hidden 3 of 3; "
        "label: lbfgs alone names 3 of 3); there the "
        "uploads of a training round take 1.5 x those of a clear one. From 50 % on no "
        "attack tried gets past a blind guess (measured: 0, 10, 50, 100 %); there a "
        "round's uploads take 2 x. Time of a round with 10 % hidden "
        "1.5 x by magnitude, 1.5 x by random (3 rounds each, too few to exclude chance). "
        "Rounds are under reveal_aggregate, not server_blind. "
        "How sure: 3 examples of 1 seed; "
        "that none of 3 leaks with 50 % hidden leaves it open for up to 71 % of such "
        "examples (95 % interval, for these weights alone). Tried with a result at 10 %: "
        "lbfgs; of the "
        "catalogue's 23 attacks for pictures 23 left out. Other attacks, data or weights "
        "may leak more."
    )


def test_what_is_priced_is_told_from_what_is_attacked(tmp_path):
    """Another release, other masks, and a round at these weights that hides everything."""
    made = attacks((0.0, 90.0), (0.1, 30.0), metric="magnitude")
    made = [
        dataclasses.replace(one, cell=dataclasses.replace(one.cell, agreement="own"))
        for one in made
    ]
    made += rounds(cell(0.0, "plain", agreement="none", release="plain"), 1.0, 300, 0)
    trained = cell(
        0.1, "magnitude", agreement="previous_aggregate", release="reveal_aggregate"
    )
    first, *later = rounds(trained, 1.5, 450, 50)
    made += [
        dataclasses.replace(first, hidden=100, client_to_server_bytes=900),
        *later,
    ]
    text = means(tmp_path, made)["client"]
    assert (
        "By magnitude rounds mask by previous_aggregate, not own: the first, at untrained "
        "weights, encrypted completely, takes 3 x the uploads."
    ) in text
    said = "under reveal_aggregate, not server_blind."
    assert f"Rounds are {said}" in text
    found = summary.summarise(made)
    stream = io.StringIO()
    tables.print_tables(found, stream, 200)
    assert f"Bytes and time: of trainings {said}" in stream.getvalue()
    assert {row.cost.trained_release for row in found if row.metric == "magnitude"} == {
        "",
        "reveal_aggregate",
    }
    (family,) = families.join([reading.read(tmp_path / "run")])
    titles = [table.title for table in cost_tables.of(family)]
    assert "A training round: mnist-5k, lenet, reveal_aggregate, 8 clients" in " ".join(
        titles
    )


def test_how_sure_says_of_which_share_it_speaks(tmp_path):
    """Nothing visible is no example of anything: there the cipher has to hold."""
    levels = ((0.0, 90.0), (0.1, 30.0), (0.5, 9.0), (1.0, 6.0))
    text = means(tmp_path / "half", attacks(*levels))["client"]
    assert "that none of 3 leaks with 50 % hidden leaves it open for up to 71 %" in text
    assert "cipher" not in text
    all_leak = [*levels[:2], (0.5, 20.0), levels[3]]
    made = attacks(*all_leak)
    text = means(tmp_path / "all", made)["client"]
    assert "With 100 % hidden nothing is visible (measured" in text
    assert (
        "How sure: 3 examples of 1 seed; at 100 % it rests on the cipher alone."
    ) in text and "leaves it open" not in text
    # Of several metrics each has its share.
    made += attacks(*levels, metric="magnitude")
    text = means(tmp_path / "two", made)["client"]
    assert "that none of 3 leaks with 50 % hidden leaves it open" in text
    assert "; at 100 % it rests on the cipher" in text
    made = attacks((0.0, 90.0), (0.1, 9.0)) + attacks(*levels, metric="magnitude")
    text = means(tmp_path / "three", made)["client"]
    assert "none of 3 leaks with 10 % hidden by random leaves it open" in text
    assert "none of 3 leaks with 50 % hidden by magnitude leaves it open" in text


def test_what_was_tried_is_told_of_the_share_of_the_first_sentence(tmp_path):
    """A mean picture of an empty message was no try, nor was one at another share."""
    levels = ((0.0, 90.0), (0.1, 30.0))
    made = attacks(*levels) + attacks((0.0, 90.0), attack="r_gap")
    made += attacks((1.0, 9.0), attack="mean_picture")
    text = means(tmp_path / "a", made)["client"]
    assert (
        "Tried with a result at 10 %: lbfgs (only at other shares: r_gap); of the "
        "catalogue's 23 attacks for pictures 2 tried, 21 left out."
    ) in text and "mean_picture" not in text
    text = means(tmp_path / "b", attacks((1.0, 9.0)))["client"]
    assert "Tried: nothing, as nothing was visible of any message." in text
    made = attacks((0.0, 90.0)) + attacks((1.0, 9.0), attack="mean_picture")
    text = means(tmp_path / "c", made)["client"]
    assert "Tried with a result at 0 %: lbfgs; of" in text


@pytest.mark.parametrize(
    ("flags", "after", "said"),
    [
        ({}, 0, "untrained weights"),
        ({}, 3, "weights after 3 rounds of training"),
        ({"weights": "there/mine.npz"}, 0, "the weights of mine.npz"),
        (None, 0, ""),
    ],
)
def test_the_first_sentence_says_which_weights_were_attacked(
    tmp_path, flags, after, said
):
    made = attacks((0.1, 30.0), weights_after_rounds=after)
    path = folders.write(tmp_path / "run", made, **flags or {})
    if flags is None:
        (path / "config.json").unlink()
    runs = [reading.read(path)]
    ((text, *_),) = page.meanings(families.join(runs)[0], PICTURES).values()
    at = f", at {said}" if said else ""
    assert text.startswith(f"Hidden by random{at}: with 10 % hidden attacks recover")
    (group,) = writing.page_of(
        writing.families_of(runs, lambda _: PICTURES), runs
    ).groups
    assert group.attacker.endswith(f"It attacks {said}.") == bool(said)


def test_weights_that_a_model_brings_may_have_learned_something():
    context = outcomes.context_of(attack(cell=cell(model="mine:build")))
    config = {"flags": {"weights": ""}, "facts": {"weights_from": "some/hub, of 2020"}}
    assert attacked_weights.of(context, config) == "weights trained elsewhere"
    config["facts"]["weights_from"] = "random, seed 0"
    assert attacked_weights.of(context, config) == (
        "the weights with which the model comes, not trained here"
    )


def test_bytes_of_masks_that_travel_and_where_hiding_all_takes_less(tmp_path):
    """800 entries: a mask of 100 bytes, and blocks that are not filled at 10 %."""
    sent = {0.0: 0, 0.1: 9000, 0.5: 9000, 1.0: 9500}
    made = [
        dataclasses.replace(
            one,
            hidden=round(800 * one.cell.encryption_ratio),
            parameters=800,
            details={
                **one.details,
                "ciphertext_bytes": sent[one.cell.encryption_ratio],
            },
            cell=dataclasses.replace(one.cell, agreement=agreement),
        )
        for metric, agreement in (("magnitude", "own"), ("random", "public_seed"))
        for one in attacks(
            (0.0, 90.0), (0.1, 30.0), (0.5, 30.0), (1.0, 9.0), metric=metric
        )
    ]
    text = means(tmp_path / "a", made)["client"]
    # 9,000 + 720 * 4 + 100 of 3,200; 9,500 + 100.
    assert (
        "there a client's message takes 3.74 x (magnitude), 3.71 x (random) the bytes of "
        "a clear one (more than with everything hidden: 3 x (magnitude), 2.97 x (random))."
    ) in text
    # It holds at 50 % as well, and is said once.
    assert text.count("more than with everything hidden") == 1
    assert text.startswith("Hidden by magnitude or random, at")
    assert (
        "With 50 % hidden attacks recover more than a blind guess, on 3 of 3 (median PSNR "
        "30.0 dB in hindsight, 12.0 dB blind; best: lbfgs; share >= 25 dB: 3 of 3); there "
        "a message takes 3.34 x (magnitude), 3.31 x (random). "
    ) in text
    (family,) = families.join([reading.read(tmp_path / "a/run")])
    (table,) = cost_tables.of(family)
    rows = [dict(zip(table.headings, row, strict=True)) for row in table.rows]
    masks = {row["Mask"]: row["Its own mask, bytes"] for row in rows}
    assert masks == {"magnitude, own": "100", "random, public_seed": "0"}
    assert rows[1]["All, bytes"] == "11,980"
    found = outcomes.of_records(made, PICTURES)
    said, _ = answer.of(found[0].context, found, costs.messages(made), (), PICTURES)
    assert (
        "takes 11,980 bytes (100 of them its own mask, a bit for each entry), 3.74 x the "
        "3,200 of one in the clear."
    ) in said.bytes
    (row, *_) = long_form.rows([(family, PICTURES)])
    assert (row["mask_bytes"], row["clear_bytes"]) == (100, 3200)
    # What is published is no client's message.
    published = dataclasses.replace(made[0], target="aggregate")
    assert message_bytes.of_mask(published) == 0


def test_what_cannot_be_said_is_not(tmp_path):
    def of(name, made):
        return means(tmp_path / name, made)["client"]

    text = of("none", attacks((0.0, 90.0), (0.1, 30.0)))
    assert "None of the measured shares (0, 10 %) stopped them." in text
    text = of("bare", attacks((0.0, 9.0), (0.1, 9.0)))
    assert (
        "even with nothing hidden the attacks tried are no better than a blind" in text
    )
    assert "leaves it open" not in text
    text = of("unmeasured", attacks((0.1, 9.0), (1.0, 9.0)))
    assert text.startswith(
        "Hidden by random, at untrained weights: this run says nothing of what hiding "
        "does: with nothing hidden nothing was measured, so attacks may fail without a "
        "mask, too. With 10 % hidden attacks are no better than a blind guess on any "
        "of 3 examples"
    )
    # Not a second time, nor how many of no others may leak.
    assert "gets past" not in text and "leaves it open" not in text
    text = of("without", attacks((0.0, 90.0)))
    assert text.startswith(
        "Hidden by random, at untrained weights: with nothing hidden attacks recover"
    )
    assert "stopped" not in text
    assert (
        "label: lbfgs alone names 3 of 3). Nothing was measured with a part hidden: "
        "this says nothing of what hiding does."
    ) in text
    reason = {
        "status": "does_not_apply",
        "reason": "nothing is visible.",
        "measures": {},
    }
    none = attacks((1.0, 0.0), objective=None, **reason)
    text = of("not applicable", [*attacks((0.0, 90.0)), *none])
    assert (
        "With 100 % hidden nothing is visible, so no attack has anything to go by. So this "
        "says nothing of what hiding does."
    ) in text and "stopped" not in text
    text = of("batch", attacks((0.1, 30.0), (0.9, 9.0), batch_size=3))
    assert (
        "How sure: 3 examples of 1 seed; no interval, as examples share a message."
        in text
    )
    assert means(tmp_path / "nothing", [attack(0, psnr=math.nan)]) == {}


def test_a_tenth_comes_first_and_is_called_so_where_it_is_none(tmp_path):
    def of(name, *levels):
        return means(tmp_path / name, attacks(*levels))["client"]

    text = of("more", (0.0, 90.0), (0.1, 9.0), (0.5, 30.0), (1.0, 9.0))
    assert text.startswith(
        "Hidden by random, at untrained weights: with 10 % hidden attacks are no better "
        "than a blind guess on any of 3 examples (with nothing hidden better on 3 of 3, "
        "recovered exactly: 3 of 3; label: lbfgs alone names 3 of 3). With 50 % "
        "hidden attacks recover more than "
        "a blind guess, on 3 of 3 (median PSNR 30.0 dB in hindsight, 12.0 dB "
        "blind; best: lbfgs; share >= 25 dB: 3 of 3). "
        "With 100 % hidden nothing is visible (measured"
    )
    text = of("far", (0.0, 90.0), (0.5, 30.0), (1.0, 9.0))
    assert (
        "with 50 % hidden, the smallest measured share above 0, attacks recover" in text
    )


def test_the_smallest_share_above_nothing_is_called_so(tmp_path):
    """98.9 % is not nearer to 10 % than nothing hidden is."""
    text = means(tmp_path / "a", attacks((0.0, 90.0), (0.9, 30.0)))["client"]
    assert "with 90 % hidden, the smallest measured share above 0, attacks" in text
    found = outcomes.of_records(attacks((0.0, 90.0), (0.9, 30.0)), PICTURES)
    (one,) = answer.of(found[0].context, found, {}, (), PICTURES)
    assert one.about == (
        "Nothing was measured at about 10 % hidden; the smallest measured share above 0 is "
        "90 % hidden by random"
    )
    text = means(tmp_path / "b", attacks((0.9, 30.0)))["client"]
    assert "with 90 % hidden, the measured share nearest to 10 %, attacks" in text


def test_one_share_has_one_number(tmp_path):
    """134 of 13,426 entries are 0.998 %, and 1 % that was asked for."""
    made = [
        dataclasses.replace(
            one,
            hidden=134 if one.cell.encryption_ratio < 0.5 else 13426,
            parameters=13426,
        )
        for one in attacks((0.01, 9.0), (1.0, 6.0))
    ]
    text = means(tmp_path / "a", made)["client"]
    found = outcomes.of_records(made, PICTURES)
    (one,) = answer.of(found[0].context, found, {}, (), PICTURES)
    assert "0.998" not in text + one.leaks
    assert "From the measured share of 1 % on" in one.leaks


def test_without_a_guess_it_says_what_the_answer_says(tmp_path):
    """Records of earlier versions: compared with everything hidden, in both."""

    def of(name, *levels, target="client"):
        made = [
            attack(image, psnr=psnr + image, cell=cell(ratio), target=target)
            for ratio, psnr in levels
            for image in range(3)
        ]
        path = folders.write(tmp_path / name, made)
        (family,) = families.join([reading.read(path)])
        found = outcomes.of_records(made, PICTURES)
        (context,) = page.meanings(family, PICTURES)
        text = " ".join(page.meanings(family, PICTURES)[context])
        (one,) = answer.of(context, found, {}, (), PICTURES)
        return text, one.leaks

    text, answered = of("all", (0.0, 90.0), (0.1, 30.0), (0.5, 6.5), (1.0, 6.0))
    said = (
        "It is down to what everything hidden gives (at most 8.0 dB) from the measured "
        "share of 50 % on."
    )
    assert said in text and said in answered
    assert "the median of the best attack on each example is 31.0 dB" in text
    text, answered = of("part", (0.1, 30.0))
    said = "everything hidden was not measured."
    assert said in text and said in answered
    text, _ = of("published", (1.0, 30.0), target="aggregate")
    assert text.startswith(
        "At untrained weights: from what is published the median of the best attack on "
        "each example is 31.0 dB (best: lbfgs; share >= 25 dB: 3 of 3; label: lbfgs "
        "alone names 3 of 3), and no "
        "blind guess is on record to compare with."
    )


def test_what_is_published(tmp_path):
    made = attacks((1.0, 30.0), target="aggregate", batch_size=3)
    text = means(tmp_path, made)["aggregate"]
    assert text.startswith(
        "At untrained weights: from what is published attacks recover more than a blind "
        "guess, on 3 of 3 examples (median PSNR 30.0 dB in hindsight, 12.0 dB blind; "
        "best: lbfgs; share >= "
        "25 dB: 3 of 3; label: lbfgs alone names 3 of 3"
        "), whatever clients encrypt."
    )


def test_it_is_first_on_the_page_but_for_warnings_and_on_the_terminal(tmp_path):
    path = folders.write(tmp_path / "run", attacks((0.0, 90.0), (1.0, 9.0)))
    runs = [reading.read(path)]
    made = writing.page_of(
        writing.families_of(runs, lambda modality: PICTURES), runs, ["a note"]
    )
    assert paragraph.of(made).startswith(meaning.HEADING)
    html = page.to_html(made)
    # What qualifies it, an unfinished run for example, is read before.
    assert html.index("a note") < html.index(meaning.HEADING) < html.index("The answer")


def test_what_naive_attackers_do_not_get_is_no_protection(tmp_path):
    """Every server knows the mask: it is said that nobody used it, on every screen."""
    levels = ((0.0, 90.0), (0.1, 30.0), (0.75, 9.0), (1.0, 6.0))

    def made(last=3, **changes):
        return attacks(*levels[:last], attacker="naive", **changes)

    text = means(tmp_path / "some", made())["client"]
    assert "no attack tried gets past" not in text and "leaves it open" not in text
    assert "with 10 % hidden naive attackers recover more than" in text
    assert (
        "With 75 % hidden naive attackers, who take hidden entries for zeros, are no "
        "better than a blind guess; no attacker who uses the mask has a result there: no "
        "evidence that 75 % protects."
    ) in text
    assert (
        "Tried with a result at 10 %: lbfgs, by naive attackers, who take hidden "
        "entries for zeros, only; no attacker who uses the mask was run so far, "
        "though every server knows it; of the catalogue's "
    ) in text
    runs = [reading.read(tmp_path / "some/run")]
    shown = writing.page_of(writing.families_of(runs, lambda modality: PICTURES), runs)
    (note,) = (one for one in shown.notes if "earlier versions" not in one)
    assert "no evidence that hiding protects" in note
    (group,) = shown.groups
    assert "no attacker who uses the mask was run" in group.attacker
    assert "Only of naive attackers" in group.answers[0].leaks
    assert "no attack tried is better" not in group.answers[0].leaks
    assert "no evidence that 75 % protects" in group.answers[0].leaks
    # Nothing is visible where everything is hidden, whoever looks.
    text = means(tmp_path / "all", made(4))["client"]
    assert "With 100 % hidden nothing is visible (measured" in text
    without = {"status": "does_not_apply", "reason": "it does not fit.", "measures": {}}
    other = attacks((0.75, 0.0), objective=None, **without)
    text = means(tmp_path / "without", [*made(), *other])["client"]
    assert "no attacker who uses the mask has a result, though every" in text
    aware = attacks((0.1, 30.0), (0.75, 9.0))
    text = means(tmp_path / "aware", [*made(), *aware])["client"]
    assert "With 75 % hidden no attack tried gets past" in text and "naive" not in text


def test_a_gradient_of_zeros_is_no_protection(tmp_path):
    """Example 1 says nothing with nothing hidden: nothing is hidden of it by a mask."""

    def zero(made):
        return [
            dataclasses.replace(one, details={**one.details, "gradient_is_zero": True})
            if one.image_index == 1 and one.hidden == 0
            else one
            for one in made
        ]

    made = zero(attacks((0.0, 90.0), (0.1, 30.0), (0.5, 6.0)))
    text = means(tmp_path / "some", made)["client"]
    assert "on 2 of 2 examples" in text and "of 3" not in text
    assert "that none of 2 leaks" in text
    runs = [reading.read(tmp_path / "some/run")]
    shown = writing.page_of(writing.families_of(runs, lambda modality: PICTURES), runs)
    (note,) = (one for one in shown.notes if "earlier versions" not in one)
    assert note == (
        "1 of 3 attacked examples has a gradient of zeros, with nothing hidden too (loss 0 "
        "in float32; are the columns scaled?), so that they are left out of what follows."
    )
    (group,) = shown.groups
    assert "2 examples" in group.caption
    assert not any("done" in each for row in group.grid.rows for each in row.cells)
    (row, *_) = summary.summarise(made)
    assert row.leakage.best.n == 2
    (line, *_) = by_attack.summarise(made, PICTURES)
    assert line.leak.n == 2
    # Of nothing else there is nothing left out.
    alone = zero(attacks((0.0, 9.0), (1.0, 9.0), images=[1]))
    text = means(tmp_path / "alone", alone)["client"]
    assert "even with nothing hidden the attacks tried are no better" in text


def test_the_time_is_in_the_box_or_that_it_was_not_measured(tmp_path):
    made = attacks((0.0, 90.0), (0.1, 30.0))
    assert (
        "Time: not measured, as nothing was trained."
        in (means(tmp_path / "none", made)["client"])
    )
    plain = cell(0.0, "plain", agreement="none", release="plain")
    ours = cell(0.1, release="reveal_aggregate")
    few = [*rounds(plain, 1.0, 300, 0, 3), *rounds(ours, 2.8, 450, 10, 3)]
    text = means(tmp_path / "few", [*made, *few])["client"]
    # Two of each: whichever are slower, that is one of three outcomes by chance.
    assert "with 10 % hidden 2.8 x by random (2 rounds each, too few to" in text
    many = [*rounds(plain, 1.0, 300, 0, 9), *rounds(ours, 2.8, 450, 10, 9)]
    text = means(tmp_path / "many", [*made, *many])["client"]
    assert "with 10 % hidden 2.8 x by random. Rounds" in text


def test_a_killed_run_says_how_many_examples_are_to_come(tmp_path):
    made = attacks((0.0, 90.0), (0.1, 30.0), (1.0, 6.0))
    path = folders.write(tmp_path / "run", made[:4], planned=made)
    (family,) = families.join([reading.read(path)])
    (said,) = page.meanings(family, PICTURES).values()
    assert "on 1 of 1 example, of 3 planned (95 % interval 3 to 100 %" in said[0]
    assert "Nothing is there yet of random at 100 %." in reading.read(path).notes


def test_the_box_names_the_best_attacks_and_what_is_a_look_up(tmp_path):
    made = [
        *attacks((0.0, 90.0), (0.1, 30.0), attack="idlg", images=[0, 1]),
        *attacks((0.0, 90.0), (0.1, 30.0), attack="retrieval", images=[2]),
    ]
    text = means(tmp_path, made)["client"]
    assert (
        "on 2 of 3 examples (95 % interval 9 to 99 %, for these weights alone; median "
        "PSNR 30.0 dB in "
        "hindsight, 12.0 dB blind; best: idlg; a look-up found a "
        "similar public example for 1 more; recovered exactly: 0 of 3, with nothing "
        "hidden 2 of 3;"
    ) in text
    found = outcomes.of_records(made, PICTURES)
    (one,) = answer.of(found[0].context, found, {}, (), PICTURES)
    assert (
        "A look-up found a similar public example for 1 more; that counts" in one.leaks
    )
    assert "Of what is better it was idlg mask-aware, the best of" in one.leaks
    # Nor does it say that no share stopped attacks, where nothing else is better.
    only = attacks((0.0, 90.0), attack="idlg")
    only += attacks((0.1, 9.0), (0.5, 9.0), attack="idlg")
    only += attacks((0.1, 30.0), (0.5, 30.0), attack="retrieval")
    text = means(tmp_path / "only", only)["client"]
    assert "None of the measured" not in text and "From 10 % on no attack" in text
    assert "a look-up found a similar public example for 3 more" in text


def test_a_look_up_stands_apart_and_says_where_it_is_higher(tmp_path):
    """It is in no share, and a row that is above the best of each must say why."""
    made = [
        *attacks((0.0, 30.0), (0.1, 20.0), attack="idlg"),
        *attacks((0.0, 40.0), (0.1, 40.0), attack="retrieval"),
    ]
    made += [
        dataclasses.replace(one, details={**one.details, "loss_guessed": "squared"})
        for one in attacks((0.1, 9.0), attack="dlg")
    ]
    path = folders.write(tmp_path / "run", made)
    found = outcomes.of_records(made, PICTURES)
    context = found[0].context
    said = (
        "Retrieval, a look-up of public examples, is higher at 0, 10 %: it reconstructs "
        "nothing and counts in no share."
    )
    assert said in " ".join(meaning.of(context, found, made, {}, (), PICTURES))
    table = grid.of(context, found, {}, PICTURES)
    cells = {row.attack: row.cells for row in table.rows}
    best = "best of each example in hindsight (look-ups of public examples apart)"
    assert cells[best][0] == "30.0, 30.0, 30.0"
    # It is neither better nor worse than the guess, as `cells.csv` has it.
    assert cells["retrieval mask-aware"] == ("40.0, 40.0, 40.0",) * 2
    low = outcomes.of_records(attacks((0.1, 9.0), attack="retrieval"), PICTURES)
    assert grid.of(context, low, {}, PICTURES).rows[0].cells == ("9.0, 9.0, 9.0",)
    by_name = {row.attack: row for row in by_attack.summarise(made, PICTURES)}
    assert by_name["retrieval"].past_blind is None
    assert by_name["idlg"].past_blind is not None
    (one,) = answer.of(context, found, {}, (), PICTURES)
    assert "in hindsight (look-ups of public examples apart): " in one.leaks
    runs = [reading.read(path)]
    writing.write(path, runs, lambda _: PICTURES)
    assert said.replace(" %", "\u00a0%") in (path / "report.html").read_text()
    caption = (path / "table.tex").read_text()
    assert said.replace("%", "\\%") in caption
    # What the numbers rest on stands where a paper shows them.
    assert (
        "At untrained weights; the loss is guessed; of the catalogue's 23 attacks for "
        "pictures 3 tried, 20 left out."
    ) in caption


def test_two_prices_have_a_noun_and_a_reason_each(tmp_path):
    made = [
        dataclasses.replace(one, details={**one.details, "ciphertext_bytes": 300})
        for one in attacks((0.0, 90.0), (0.1, 30.0))
    ]
    made += rounds(cell(0.0, "plain", agreement="none", release="plain"), 1.0, 300, 0)
    made += rounds(cell(0.1, release="reveal_aggregate"), 1.5, 450, 50)
    assert (
        "there a client's message takes 1.65 x the bytes of a clear one (its gradient "
        "alone) and the uploads of a training round 1.5 x (with each client's weight and "
        "metrics, in whole blocks)."
    ) in means(tmp_path / "a", made)["client"]


def test_what_is_told_of_one_metric_word_for_word_is_told_once(tmp_path):
    made = [
        one
        for metric in ("random", "magnitude")
        for one in attacks((0.0, 90.0), (0.1, 90.0), metric=metric)
    ]
    found = outcomes.of_records(made, PICTURES)
    first, second = answer.of(found[0].context, found, {}, (), PICTURES)
    assert second.leaks == "The same as with 10 % hidden by magnitude."
    assert first.leaks.startswith("PSNR of the best")
    # A terminal has the first sentences, and the page what is behind them.
    path = folders.write(tmp_path / "run", made)
    runs = [reading.read(path)]
    shown = paragraph.of(
        writing.page_of(writing.families_of(runs, lambda _: PICTURES), runs)
    )
    assert meaning.HEADING in shown and first.leaks not in shown


def test_the_first_screen_says_how_much_and_what_is_hindsight(tmp_path):
    made = [
        attack(image, psnr=psnr, attack=name, blind=10.0, chosen=chosen)
        for image in range(3)
        for name, psnr, chosen in (
            ("strongest", 9.6, "mean_picture"),
            ("dlg", 14.4 + image, None),
        )
    ]
    assert (
        "median PSNR 15.4 dB in hindsight, 9.6 dB for who must choose (strongest), 10.0 dB "
        "blind; best: dlg;"
    ) in means(tmp_path / "a", made)["client"]
    made += [dataclasses.replace(one, attacker="naive") for one in made[::2]]
    assert (
        "9.6 dB for who must choose (strongest mask-aware), 9.6 dB for who must choose "
        "(strongest naive)"
    ) in means(tmp_path / "b", made)["client"]


def test_best_names_who_has_more_than_a_blind_guess(tmp_path):
    """Of eight of ten examples a mean picture is the best, and no better."""
    made = [
        attack(image, psnr=psnr, attack=name, blind=12.0)
        for image in range(10)
        for name, psnr in (("mean_picture", 12.0), ("dlg", 30.0 if image < 2 else 9.0))
    ]
    text = means(tmp_path, made)["client"]
    assert "best: dlg; share" in text
    (row,) = summary.summarise(made)
    assert row.leakage.best_attack == "dlg aware (2), blind (8)"
    found = outcomes.of_records(made, PICTURES)
    (one,) = answer.of(found[0].context, found, {}, (), PICTURES)
    assert "Of what is better it was dlg mask-aware, the best of 2" in one.leaks


def test_more_that_leaks_with_more_hidden_is_no_effect_of_the_mask(tmp_path):
    levels = ((0.0, 90.0), (0.1, 9.0), (0.5, 30.0))
    text = means(tmp_path, attacks(*levels))["client"]
    said = "With 50 % hidden more leaked than with 10 %: "
    # Nothing says that a search was too short.
    assert (
        f"{said}no search ended at its limit, so local minima of the searches, or chance."
    ) in text
    short = [
        dataclasses.replace(one, details={**one.details, "stop": "iterations"})
        for one in attacks(*levels)
    ]
    assert (
        f"{said}with 10 % 3 of 3 searches ended at their limit, and a longer one may find "
        "more."
    ) in means(tmp_path / "short", short)["client"]
    other = [*attacks(*levels[:2]), *attacks(*levels[2:], attack="peeling")]
    assert (
        f"{said}only there peeling had a result."
        in means(tmp_path / "other", other)["client"]
    )
    assert "The largest measured share, 50 %, did not stop them." in text
    assert "None of the measured" not in text
    more = means(tmp_path / "b", attacks((0.0, 90.0), (0.1, 30.0), (0.5, 9.0)))
    assert "more leaked" not in more["client"]


def test_where_nothing_works_without_a_mask_that_comes_first(tmp_path):
    without = {"status": "failed", "reason": "no memory.", "measures": {}}
    bare = attacks((0.0, 0.0), objective=None, **without)
    text = means(tmp_path, [*bare, *attacks((0.1, 9.0), (0.5, 9.0))])["client"]
    assert text.startswith(
        "Hidden by random, at untrained weights: this run says nothing of what hiding "
        "does: with nothing hidden no attack has a result, so attacks may fail without a "
        "mask, too. With 10 % "
    )
    assert text.count("blind guess") == 1


def test_everything_hidden_has_its_bytes_though_no_attack_applies(tmp_path):
    """Attacks on sentences refuse where those on pictures guess."""
    without = {"status": "does_not_apply", "reason": "nothing.", "measures": {}}
    none = [
        dataclasses.replace(one, details={**one.details, "ciphertext_bytes": 800})
        for one in attacks((1.0, 0.0), objective=None, **without)
    ]
    text = means(tmp_path, [*attacks((0.0, 90.0), (0.1, 30.0)), *none])["client"]
    assert (
        "With 100 % hidden nothing is visible, so no attack has anything to go by; there a "
        "client's message takes 2 x the bytes of a clear one."
    ) in text


def test_no_better_than_a_blind_guess_is_defined_beside_each_table(tmp_path):
    path = folders.write(tmp_path / "run", attacks((0.0, 90.0), (0.1, 9.0)))
    writing.write(path, [reading.read(path)], lambda modality: PICTURES)
    said = "No better than a blind guess: on no example more than 1 dB of PSNR above it"
    html = (path / "report.html").read_text()
    assert said in html[html.index("<caption>") : html.index("</caption>")]
    # A paper's caption has the rule short.
    tex = (path / "table.tex").read_text()
    assert said not in tex
    (said,) = re.findall(r"In italics: .*?\.[ }]", tex)
    assert said == (
        "In italics: no better than a blind guess, on no example above it by 1 dB of PSNR, "
        "0.1 of SSIM or by being identified among others, beyond chance.}"
    )


def test_what_was_tried_is_told_of_the_whole_catalogue(tmp_path):
    """Also of what an attack that chooses tried, by the most that came of it."""
    members = tuple(
        MemberRecord(name, status, "so", {}, None, None, 1.0)
        for name, status in (
            ("dlg", "ok"),
            ("idlg", "does_not_apply"),
            ("r_gap", "not_run"),
            ("dense_inversion", "failed"),
            ("dager", "does_not_apply"),
        )
    )
    made = [
        dataclasses.replace(one, attack="strongest", members=members)
        for one in attacks((0.0, 90.0), (0.1, 30.0))
    ]
    assert (
        "of the catalogue's 23 attacks for pictures 1 tried, 1 without a result, 1 not "
        "run, as another was exact, 1 did not apply, 19 left out. Other"
    ) in means(tmp_path / "a", made)["client"]


def test_several_seeds_say_why_there_is_no_interval(tmp_path):
    paths = [
        folders.write(tmp_path / f"s{seed}", folders.found(seed), seed)
        for seed in (0, 1)
    ]
    (family,) = families.join([reading.read(path) for path in paths])
    (sentences, *_) = page.meanings(family, PICTURES).values()
    (sure,) = [one for one in sentences if one.startswith("How sure")]
    assert "of 2 seeds; no interval, as examples of a seed share its weights" in sure


def test_the_box_names_what_notes_say(tmp_path):
    """A terminal and a card show it without them."""
    assumed = {"batch_statistics": True, "loss_guessed": "mse"}
    made = [
        dataclasses.replace(one, details={**one.details, **assumed})
        for one in attacks((0.0, 90.0), (0.1, 30.0))
    ]
    text = means(tmp_path / "a", made)["client"]
    assert text.endswith(
        "Mind the notes: gradients are of training mode; the loss is guessed."
    )
    plain = means(tmp_path / "b", attacks((0.0, 90.0), (0.1, 30.0)))["client"]
    assert "Mind the notes" not in plain
    low = means(tmp_path / "c", attacks((0.0, 30.0), (0.1, 20.0)))["client"]
    assert "fell short" not in low
    predicted.save(tmp_path / "c/run", [Predicted("random", 0.0, 0, math.inf)])
    (family,) = families.join([reading.read(tmp_path / "c/run")])
    (said,) = page.meanings(family, PICTURES).values()
    assert "with nothing hidden attacks fell short of the prediction." in said[-1]


def test_searches_that_their_limit_ended_say_so_and_what_nothing_hidden_gives(tmp_path):
    made = [
        dataclasses.replace(
            one, iterations=100, details={**one.details, "stop": "iterations"}
        )
        for one in attacks((0.0, 30.0), (0.1, 20.0))
    ]
    text = means(tmp_path / "all", made)["client"]
    assert (
        "Every search (of lbfgs) ended at its limit of 100 iterations: this is the least "
        "that leaks, and no comparison of masks."
    ) in text
    assert "share >= 25 dB: 0 of 3, with nothing hidden 3 of 3" in text
    done = {**made[0].details, "stop": "tolerance"}
    made[0] = dataclasses.replace(made[0], details=done)
    assert (
        "5 of 6 searches (of lbfgs) ended at their limit of 100"
        in means(tmp_path / "some", made)["client"]
    )
    # Where another one is exact a longer search finds no more.
    better = [dataclasses.replace(one, attack="exact") for one in attacks((0.0, 90.0))]
    text = means(tmp_path / "exact", [*made, *better])["client"]
    assert "Every search (of" in text and "of 6 searches" not in text
    path = folders.write(tmp_path / "tex", made)
    writing.write(path, [reading.read(path)], lambda _: PICTURES)
    text = (path / "table.tex").read_text()
    assert "5 of 6 searches (of lbfgs) ended at their limit" in text


def test_labels_that_leak_where_examples_do_not(tmp_path):
    known = {"stop": "tolerance", "classes": 3}
    made = [
        dataclasses.replace(
            one,
            label_correct=one.cell.encryption_ratio < 0.5 or one.image_index < 1,
            details={**one.details, **known},
        )
        for one in attacks((0.0, 9.0), (0.1, 9.0), (0.5, 9.0), (1.0, 9.0))
    ]
    made = [
        dataclasses.replace(one, details={**one.details, "shows_something": False})
        if one.cell.encryption_ratio == 1.0
        else one
        for one in made
    ]
    text = means(tmp_path / "leak", made)["client"]
    assert (
        "no better than a blind guess: they get nothing of the examples themselves. "
        "Labels leak: 3 of 3 by lbfgs with 0, 10 %, 1 of 3 by lbfgs (no better than "
        "guessing) with 50 %, not tried with 100 % hidden (a uniform guess is right in "
        "33.3 %)."
    ) in text and "says nothing of what hiding does" not in text
    wrong = [dataclasses.replace(one, label_correct=False) for one in made]
    assert "so this says nothing of what" in means(tmp_path / "no", wrong)["client"]


def test_rows_of_tables_are_told_in_their_own_words(tmp_path):
    made = [
        dataclasses.replace(one, details={**one.details, "feature_errors": [0.0]})
        for one in attacks((0.0, 90.0), (0.1, 30.0))
    ]
    path = folders.write(tmp_path / "rows", made)
    writing.write(path, [reading.read(path)], lambda _: PICTURES)
    html = (path / "report.html").read_text()
    assert "recovered exactly: 0 of 3, with nothing hidden 3 of 3;" in html
    assert "25 dB" not in (path / "table.tex").read_text()
    own = html[html.index("<caption>") : html.index("</caption>")]
    assert "random rows" in own and "pictures of noise" not in own
    assert "25 dB" not in html[: html.index("<caption>")]


@pytest.mark.parametrize("kind, exact", [("feature_errors", 78.9), ("wide_row", 98.9)])
def test_a_row_is_exact_where_every_column_is(tmp_path, kind, exact):
    """One column as far off as rounding to 8 bits, and no other, is not exact."""
    columns = 100 if kind == "feature_errors" else 10_000
    alone = 10 * math.log10(columns * 12 * 255**2)
    assert alone == pytest.approx(exact, abs=0.05)
    made = [
        dataclasses.replace(one, details={**one.details, kind: [0.0]})
        for one in attacks((0.0, alone + 0.1), (0.1, alone - 3.0), (0.5, 9.0))
    ]
    path = folders.write(tmp_path / "rows", made)
    writing.write(path, [reading.read(path)], lambda _: PICTURES)
    rows = list(csv.DictReader(io.StringIO((path / "cells.csv").read_text())))
    assert {one["exact"] for one in rows if one["asked"] == "0.0"} == {"1"}
    assert {one["exact"] for one in rows if one["asked"] != "0.0"} == {"0"}
    tex = (path / "table.tex").read_text()
    assert "every column closer than rounding to 8 bits" in tex
    # Examples of one seed have equal PSNR but for their numbers.
    assert f"{alone - 3.0:.1f}"[:3] in tex


def test_one_that_is_identified_with_more_hidden_may_be_chance(tmp_path):
    made = [
        dataclasses.replace(
            one, measures={**one.measures, "ssim": 0.1, "identified": lucky}
        )
        for one in attacks(
            (0.0, 9.0),
            (0.05, 9.0),
            chance={"identified": False, "ssim": 0.9},
        )
        for lucky in [one.cell.encryption_ratio > 0 and one.image_index == 1]
    ]
    made = [
        dataclasses.replace(
            one,
            details={
                **one.details,
                "blind_guess": {
                    **one.details["blind_guess"],
                    "measures": {"psnr_db": 12.0, "ssim": 0.1, "identified": False},
                },
            },
        )
        for one in made
    ]
    text = means(tmp_path, made)["client"]
    assert "1 of 3 identified at 5 %, not at 0 %: may be chance." in text
    # Rows of tables have no SSIM to be seen by.
    made = [
        dataclasses.replace(one, details={**one.details, "feature_errors": [0.0]})
        for one in made
    ]
    path = folders.write(tmp_path / "rows", made)
    (text,) = writing.in_words([reading.read(path)], lambda _: PICTURES)
    assert "may be chance" in text


def test_labels_that_are_read_stand_beside_no_verdict_that_nothing_is(tmp_path):
    """Examples are protected there, their labels are not; too few tell is said, too."""

    def made(share):
        found = attacks((0.0, 90.0), (0.1, 9.0), (0.5, 9.0), images=range(4))
        return [
            dataclasses.replace(one, details={**one.details, "label_guess": share})
            for one in found
        ]

    text = means(tmp_path / "read", made(0.1))["client"]
    assert (
        "From 10 % on no attack tried gets past a blind guess of the examples themselves, "
        "but labels are read at 10, 50 % (measured"
    ) in text
    text = means(tmp_path / "open", made(0.6))["client"]
    assert "of labels too few tell at 10, 50 %" in text
    # Four of four are so by chance in 13 of 100 cases, six of six in less than 5.
    assert "about 6 would (--num_images=6)" in text
    assert "of the examples" not in means(tmp_path / "none", made(1.0))["client"]


def test_labels_that_are_read_are_in_the_box_at_each_share(tmp_path):
    """Not only at a tenth: hiding more may leave labels readable."""
    details = {"classes": 10, "label_source": "inferred", "label_guess": 0.1}
    made = [
        one
        for ratio, psnr in ((0.0, 90.0), (0.1, 30.0), (0.5, 30.0), (0.9, 20.0))
        for one in attacks((ratio, psnr), images=range(6))
    ]
    made = [
        dataclasses.replace(one, details={**one.details, **details}) for one in made
    ]
    text = means(tmp_path / "a", made)["client"]
    assert "label: lbfgs alone names 6 of 6, the commonest public class" in text
    last = text.partition("With 90 % hidden")[2]
    assert "; label: 6 of 6)" in last.partition("). ")[0] + ")"
    assert "Label: 6 of 6 at 50 %." in text


def test_what_is_exact_each_time_is_said_in_a_word(tmp_path):
    levels = ((0.0, 90.0), (0.1, 90.0), (0.5, 90.0), (1.0, 6.0))
    text = means(tmp_path / "all", attacks(*levels))["client"]
    assert "attacks recover 3 of 3 examples exactly, as at 0 % (95 % interval" in text
    assert "With 50 % hidden attacks recover 3 of 3 exactly (best: lbfgs)" in text
    assert "more than a blind guess" not in text
    made = attacks((0.0, 30.0), (0.1, 90.0))
    text = means(tmp_path / "more", made)["client"]
    assert "3 of 3 examples exactly, with nothing hidden 0 of 3 (" in text
