"""A recovery counts where it is better than what needs no gradient."""

import csv
import dataclasses
import io
import math

import numpy as np
import pytest

from experiments.modalities.text.leaks import TEXT
from experiments.outputs import (
    blind,
    by_attack,
    hindsight,
    measures,
    over_ratio,
    summary,
    tables,
    tensorboard,
    tradeoff,
)
from experiments.outputs.pictures.leaks import PICTURES
from experiments.outputs.report import (
    answer,
    curves,
    frontier,
    grid,
    meaning,
    outcomes,
)
from tests.experiments.outputs.example_records import attack, cell, rounds

CHANCE = {"ssim": 0.3, "identified": False}
"""What noise reaches."""


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
    guess = {"psnr_db": 12.0, "ssim": 0.15, "identified": False}
    record = attack(0, blind=guess, chance=CHANCE)

    def better(**measures):
        found = blind.past([(record, {"psnr_db": 8.0, **measures})], PICTURES)
        return found.better

    assert better(ssim=0.2, identified=False) == 0
    assert better(ssim=0.4, identified=False) == 1
    assert better(identified=True) == 1
    # Neither is told by what noise reaches, too, or where that was not measured.
    record = attack(0, blind=guess, chance={"ssim": 0.45, "identified": True})
    assert better(ssim=0.4, identified=True) == 0
    assert better(ssim=0.5) == 1
    record = attack(0, blind=guess)
    assert better(ssim=0.9, identified=True) == 0
    assert better(psnr_db=13.5) == 1
    # Of few pictures the guess may be identified by chance, too.
    record = attack(0, blind={"psnr_db": 12.0, "identified": True}, chance=CHANCE)
    assert better(identified=True) == 0


def controlled(image=0, psnr=20.0, *, public=18.0, own=None, tries=99, **changes):
    """A record with what random public examples reach, and those of its class."""
    control = {"tries": 99, "measures": CHANCE}
    control["public"] = {"tries": tries, "measures": {"psnr_db": public}}
    if own is not None:
        control["public_of_class"] = {"tries": tries, "measures": {"psnr_db": own}}
    details = blind.details("the mean", {"psnr_db": 12.0}, control)
    details |= changes.pop("details", {})
    return attack(image, psnr=psnr, details=details, **changes)


def test_more_than_the_mean_is_no_more_than_a_random_public_example():
    def better(record):
        return blind.better(record, record.measures, PICTURES)

    assert not better(controlled(psnr=18.0)) and better(controlled(psnr=18.1))
    # Who names the class, or is told it, could draw from it.
    named = {"own": 25.0, "psnr": 20.0}
    assert not better(controlled(**named))
    assert better(controlled(**named, label_correct=False))
    told = {"label_correct": None, "details": {"label_source": "known"}}
    assert not better(controlled(**named, **told))
    # Only a look-up is exact by chance, and that is none.
    assert better(controlled(psnr=math.inf, public=math.inf))
    assert not better(controlled(psnr=30.0, public=math.inf))


def test_how_many_chance_alone_gives_is_told_beside_how_many_are_better(tmp_path):
    names = ("dlg", "idlg", "lbfgs", "peeling", "prior", "tv", "quick", "slow")
    made = [
        controlled(image, 30.0 if image < 2 else 9.0, attack=name)
        for image in range(10)
        for name in names
    ]
    found = blind.past_of_any(made, PICTURES)
    # Eight tries at 1 % each: of ten examples 3 or more have a probability of 3.6 %.
    assert (found.better, found.of, found.by_chance, found.tries) == (2, 10, 2, 8)
    assert blind.past_of_any(made[:8], PICTURES).by_chance == 1
    few = [controlled(image, tries=9, attack="dlg") for image in range(10)]
    assert blind.past_of_any(few, PICTURES).by_chance == 3
    said = "by chance up to 2, of 8 attacks"
    (one,) = {one.context for one in outcomes.of_records(made, PICTURES)}
    every = outcomes.of_records(made, PICTURES)
    assert said in " ".join(meaning.of(one, every, made, {}, (), PICTURES))
    assert said in answer.of(one, every, {}, (), PICTURES)[0].leaks
    shown = " ".join(printed(made).split())
    assert f"2 of 10 at random 10 % ({said})" in shown
    assert "earlier versions" not in shown
    rows = csv.DictReader(io.StringIO(tables.to_csv(summary.summarise(made))))
    assert [row["best_past_blind_by_chance"] for row in rows] == ["2"]
    # Chance does not reach what is exact.
    exact = [
        controlled(image, math.inf, attack=name)
        for image in range(10)
        for name in names
    ]
    found = blind.past_of_any(exact, PICTURES)
    assert (found.better, found.by_chance, found.chance_text) == (10, 0, "")
    # One attack on few examples gives none, nor is it said where none is better.
    alone = [one for one in made if one.attack == "dlg"][:3]
    assert blind.past_of_any(alone, PICTURES).chance_text == ""


def test_a_finding_of_one_attack_that_chance_may_give_is_marked():
    made = [controlled(image, 30.0 if image < 1 else 9.0) for image in range(10)]
    found = blind.past_of_any(made, PICTURES)
    assert (found.better, found.by_chance, found.tries) == (1, 1, 1)
    assert found.chance_text == "by chance up to 1"
    assert "1 of 10 at random 10 % (by chance up to 1)" in " ".join(
        printed(made).split()
    )
    more = [controlled(image, 30.0 if image < 4 else 9.0) for image in range(10)]
    assert blind.past_of_any(more, PICTURES).chance_text == ""


def test_what_chance_may_give_is_open_on_every_screen():
    """It is no leak that was found, and no protection that was shown."""
    made = [
        controlled(image, 30.0 if image < better else 9.0, cell=cell(ratio))
        for ratio, better in ((0.0, 10), (0.1, 10), (0.9, 1))
        for image in range(10)
    ]
    under = made[-10:]
    found = blind.past_of_any(under, PICTURES)
    assert found.open and found.by_luck and not found.more and not found.none
    every = outcomes.of_records(made, PICTURES)
    text = " ".join(meaning.of(every[0].context, every, made, {}, (), PICTURES))
    assert (
        "With 90 % hidden it is open whether attacks get past a blind guess, on 1"
        in text
    )
    assert "Whether that stops them is open at 90 % (measured: 0, 10, 90 %)." in text
    assert "stopped them" not in text and "did not stop" not in text
    (one,) = answer.of(every[0].context, every, {}, (), PICTURES)
    assert "At 90 % it is open whether some attack is better than a blind guess" in (
        one.leaks
    )
    shown = " ".join(printed(made).split())
    assert "90 random - blind?" in shown
    assert "blind? = better on no more examples than chance may give." in shown
    assert "1 of 10 at random 90 % (by chance up to 1)" in shown
    table = grid.of(every[0].context, every, {}, PICTURES)
    assert "not told from chance" in table.rows[0].cells[-1]
    # One that is exact is no chance, whatever the others may be by it.
    exact = [controlled(0, math.inf), *under[1:]]
    assert blind.past_of_any(exact, PICTURES).more
    # Nor does what chance gives with nothing hidden say anything of masks.
    bare = [dataclasses.replace(one, cell=cell(0.0), hidden=0) for one in under]
    every = outcomes.of_records([*bare, *under], PICTURES)
    mine = [*bare, *under]
    text = " ".join(meaning.of(every[0].context, every, mine, {}, (), PICTURES))
    assert "with nothing hidden the attacks tried are not told from chance" in text


def test_each_measure_that_it_may_pass_by_is_a_chance():
    """PSNR and SSIM in 1 % of cases each, and being identified in 2 %."""
    chance = {"ssim": 0.3, "identified": False, "psnr_db": 15.0}

    def most(guess, chance=chance):
        made = [attack(image, blind=guess, chance=chance) for image in range(100)]
        return blind.past_of_any(made, PICTURES).by_chance

    guess = {"psnr_db": 12.0}
    assert most(guess) == 3
    assert most({**guess, "ssim": 0.1, "identified": False}) == 7
    # Where noise is identified, or the guess is, nothing passes by that.
    assert most({**guess, "ssim": 0.1, "identified": True}) == 5
    often = {**chance, "identified": True}
    assert most({**guess, "ssim": 0.1, "identified": False}, often) == 5


def test_what_random_public_examples_have_is_told_where_something_is_not_above_it():
    """20 dB against 12 that are guessed look like much, and are what a draw has."""
    made = [controlled(image, 20.0, public=18.0 + 4 * image) for image in range(3)]
    assert blind.of_public(made, "psnr_db", PICTURES.exact) == 22.0
    every = outcomes.of_records(made, PICTURES)
    text = " ".join(meaning.of(every[0].context, every, made, {}, (), PICTURES))
    assert (
        "on 1 of 3 examples (95 % interval 1 to 91 %, for these weights alone; median "
        "PSNR 20.0 dB in hindsight, "
        "12.0 dB blind, 22.0 dB the best random public example; best: lbfgs"
    ) in text
    (one,) = answer.of(every[0].context, every, {}, (), PICTURES)
    assert "99 random public examples has a median of 22.0 dB." in one.leaks
    above = [controlled(image, 30.0) for image in range(3)]
    every = outcomes.of_records(above, PICTURES)
    text = " ".join(meaning.of(every[0].context, every, above, {}, (), PICTURES))
    assert "12.0 dB blind; best" in text
    # Noise is no public example.
    noise = attack(blind=12.0, chance={"psnr_db": 9.0})
    assert math.isnan(blind.of_public([noise], "psnr_db", PICTURES.exact))


def test_records_of_earlier_versions_have_no_control_and_say_so():
    earlier = [attack(image, psnr=14.0, blind=12.0) for image in range(3)]
    assert blind.past_of_any(earlier, PICTURES) == blind.Past(3, 3, False)
    assert blind.uncontrolled(earlier, PICTURES)
    assert not blind.uncontrolled([controlled()], PICTURES)
    assert "Of records of earlier versions it is not known" in " ".join(
        printed(earlier).split()
    )


def test_a_look_up_is_no_example_of_what_is_better():
    looked_up = [controlled(image, attack="retrieval") for image in range(3)]
    others = [controlled(image, 9.0 + 20 * (image < 1)) for image in range(3)]
    found = blind.past_of_any([*looked_up, *others], PICTURES)
    assert (found.better, found.of, found.looked_up, found.tries) == (1, 3, 2, 1)
    (row,) = summary.summarise([*looked_up, *others])
    assert row.leakage.best.median == 9.0
    assert "further examples: 2 at random 10 %" in " ".join(
        printed([*looked_up, *others]).split()
    )
    # Believed by an attack that chooses it is one, too.
    chosen = dataclasses.replace(looked_up[0], attack="strongest", chosen="retrieval")
    assert blind.past_of_any([chosen], PICTURES).none
    assert blind.past([(chosen, chosen.measures)], PICTURES).better == 0


def test_where_nothing_is_visible_no_result_is_better():
    said = attack(0, blind=12.0, visible=False)
    earlier = attack(0, cell=cell(1.0), details=attack(0, blind=12.0).details)
    del earlier.details["shows_something"]
    for record in (said, earlier):
        pairs = [(record, {"psnr_db": 40.0})] * 8
        assert blind.past(pairs, PICTURES).none
        assert blind.past_of_any([record], PICTURES).none
    # What is published is visible, whatever was hidden on the way.
    published = dataclasses.replace(earlier, target="aggregate")
    assert blind.better(published, {"psnr_db": 40.0}, PICTURES)


def test_the_best_is_better_than_the_guess_before_anything_else():
    """Then by the main measure, the others in turn, and the name."""

    def best(*made, leaks=PICTURES):
        (found,) = hindsight.of_examples(made, leaks)
        return found.attack

    guess = {"psnr_db": 12.0, "ssim": 0.0}
    of = {"blind": guess, "chance": CHANCE}
    mean = attack(0, psnr=12.5, ssim=-0.04, attack="mean_picture", **of)
    read = attack(0, psnr=8.0, ssim=0.44, attack="idlg", **of)
    assert best(mean, read) == best(read, mean) == "idlg"
    alike = [
        attack(0, psnr=20.0, ssim=one, attack=f"a{one}", **of) for one in (0.4, 0.6)
    ]
    assert best(*alike) == "a0.6"
    equal = [
        attack(0, psnr=20.0, attack=name, **of) for name in ("dlgs", "dlg", "idlg")
    ]
    assert best(*equal) == best(*reversed(equal)) == "dlg"
    measures = {"rouge1": 0.0, "token_accuracy": 0.0}
    sentences = [
        dataclasses.replace(
            attack(0, attack=name, details=blind.details("words", measures)),
            measures={**measures, "bag_recall": recall},
            modality="text",
        )
        for name, recall in (("dager", 0.0), ("tag", 0.91))
    ]
    assert best(*sentences, leaks=TEXT) == "tag"


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
    guess_of = {"blind": guess, "chance": CHANCE}
    mean = attack(0, psnr=12.4, identified=False, ssim=0.15, **guess_of)
    noisy = attack(0, "naive", 8.0, identified=True, ssim=0.4, **guess_of)
    assert blind.past_of_any([mean], PICTURES).none
    assert blind.past_of_any([mean, noisy], PICTURES) == blind.Past(1, 1, False)
    (row,) = summary.summarise([mean, noisy])
    # And it is the best, on every screen.
    assert row.leakage.best.median == 8.0
    assert row.leakage.best_attack == "lbfgs naive"
    assert (
        row.leakage.best_past_blind.better == row.leakage.naive_past_blind.better == 1
    )
    assert row.leakage.mask_aware_past_blind.none
    assert outcomes.of_records([mean, noisy], PICTURES)[-1].past.better == 1


def test_an_exact_guess_leaves_nothing_to_recover():
    assert past([math.inf], guess=math.inf).none
    record = attack(0, blind=math.inf)
    assert blind.value(record, "psnr_db") == math.inf


def records(whole=6.0, aware=30.0):
    made = [
        attack(image, attacker, psnr, cell(ratio), blind=12.0 + image)
        for ratio, naive, aware in (
            (0.0, 90.0, 90.0),
            (0.1, 9.0, aware),
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
    assert "on no example above it by 1 dB of PSNR, 0.1 of SSIM or by being" in shown
    assert shown.count("Where nothing is visible every result is blind") == 1
    assert "Better than it on a part" not in shown
    assert "on a part of the examples: 1 of 3 at random 10 %" in " ".join(
        printed(records(aware=13.5)).split()
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


def sentence(name, attacker="mask_aware", public=None, **measures):
    guess = {"rouge1": 0.0, "token_accuracy": 0.05, "bag_recall": 0.32}
    reached = {"rouge1": 0.1, "token_accuracy": 0.06, "bag_recall": 0.4}
    reached |= public or {}
    control = {"tries": 0, "measures": {}}
    control["public"] = {"tries": 99, "measures": reached}
    details = blind.details("words", guess, control)
    return dataclasses.replace(
        attack(0, attacker, attack=name, details=details),
        measures={"rouge1": 0.0, **measures},
        modality="text",
    )


SENTENCES = (
    sentence("dager", token_accuracy=0.23, bag_recall=0.5),
    sentence("bag_of_words", token_accuracy=0.09, bag_recall=0.91),
    sentence("lamp_cos", rouge1=0.18, token_accuracy=0.0, bag_recall=0.14),
    sentence("dager", "naive", token_accuracy=0.0, bag_recall=0.2),
)


def test_a_sentence_is_better_only_above_random_public_ones():
    def by(**measures):
        public = measures.pop("public", None)
        one = sentence("dager", public=public, **measures)
        found = blind.decided(one, one.measures, TEXT)
        return found and found.key

    assert by(rouge1=0.09, bag_recall=0.4, token_accuracy=0.06) is None
    assert by(rouge1=0.11) == "rouge1" and by(bag_recall=0.41) == "bag_recall"
    most = {"rouge1": 1.0, "token_accuracy": 1.0, "bag_recall": 1.0}
    assert by(**dict.fromkeys(most, 0.99), public=most) is None
    # What is whole is no chance.
    assert by(**most, exact=True, public=most) == "rouge1"
    assert blind.past_of_any([sentence("dager", rouge1=0.5)], TEXT).tries == 1
    # Of earlier records ROUGE-1 is compared with the guess alone, and that is said.
    earlier = sentence("dager", rouge1=0.06, bag_recall=0.9)
    del earlier.details["blind_guess"]["chance"]
    assert blind.uncontrolled([earlier], TEXT)
    assert blind.decided(earlier, earlier.measures, TEXT).key == "rouge1"


def test_of_measures_of_one_scale_the_farthest_above_the_guess_decides():
    """Nearly all tokens of a sentence are more than half of them in their order."""
    (best,) = hindsight.of_examples(SENTENCES, TEXT)
    assert best.attack == "bag_of_words"
    found = blind.decided(best.record, best.measures, TEXT)
    assert (found.key, found.guess, round(found.above, 2)) == ("bag_recall", 0.32, 0.59)
    # Of pictures PSNR decides before SSIM: decibels and shares are no one scale.
    of = {"blind": {"psnr_db": 12.0, "ssim": 0.0}, "chance": CHANCE}
    dim = attack(0, psnr=14.0, ssim=0.1, attack="dlg", **of)
    clear = attack(0, psnr=12.5, ssim=0.9, attack="idlg", **of)
    (best,) = hindsight.of_examples([clear, dim], PICTURES)
    assert best.attack == "dlg"
    # Of two that only SSIM shows, the one that it shows better.
    faint = attack(0, psnr=12.9, ssim=0.4, attack="tv", **of)
    (best,) = hindsight.of_examples([clear, faint], PICTURES)
    assert best.attack == "idlg"


def test_what_decided_is_shown_with_its_numbers_on_every_screen():
    (row,) = summary.summarise(SENTENCES, TEXT)
    assert row.leakage.better_by == ("tokens found 91 %",)
    assert row.leakage.best_attack == "bag_of_words aware"
    stream = io.StringIO()
    tables.print_tables([row], stream, 80, TEXT)
    text = " ".join(stream.getvalue().split())
    assert "whatever its ROUGE-1: tokens found 91 % at random 10 %." in text
    (table,) = by_attack.to_tables(by_attack.summarise(SENTENCES, TEXT), TEXT)
    cells = {cells[1]: cells[2] for cells in table.rows}
    assert cells["bag_of_words aware"] == "0.00 (tokens found 91 %)"
    assert cells["dager naive"] == "blind"
    assert "tokens found 91 %" in by_attack.to_csv(by_attack.summarise(SENTENCES, TEXT))
    found = outcomes.of_records(SENTENCES, TEXT)
    context = found[0].context
    said = "91 % of its tokens anywhere (blind 32 %), 9 % at their places, ROUGE-1 0.00"
    text = " ".join(meaning.of(context, found, SENTENCES, {}, (), TEXT))
    assert (
        "on 1 of 1 example (by chance up to 1, of 4 attacks; "
        "median ROUGE-1 0.00 in hindsight, 0.00 blind; best: bag_of_words;"
    ) in text
    assert f"; {said}" in text
    (one,) = answer.of(context, found, {}, (), TEXT)
    assert f"on 1 of 1 example (by chance up to 1, of 4 attacks): {said}" in one.leaks
    rows = {line.attack: line.cells for line in grid.of(context, found, {}, TEXT).rows}
    assert rows["bag_of_words mask-aware"] == ("0.00; tokens found 91 %",)


def test_below_the_guess_and_a_leak_says_what_sees_it():
    """A number below that of the guess, called a leak, contradicts itself."""
    of = {
        "blind": {"psnr_db": 12.0, "ssim": 0.15, "identified": False},
        "chance": CHANCE,
    }
    made = [
        attack(0, psnr=8.0, ssim=0.44, identified=False, **of),
        attack(1, psnr=8.0, ssim=0.2, identified=True, **of),
        attack(2, psnr=20.0, **of),
    ]
    found = outcomes.of_records(made, PICTURES)
    context = found[0].context
    text = " ".join(meaning.of(context, found, made, {}, (), PICTURES))
    assert (
        "best: lbfgs; on 1 of 3 examples seen by SSIM, 0.44 against 0.15 of a blind"
    ) in text
    assert (
        "on 1 of 3 examples identified, nearer to its original than to any other"
        in text
    )
    shown = printed(made)
    assert "1 seen by SSIM 0.44, 1 identified at random 10 %" in " ".join(shown.split())
    (line,) = [
        one.cells
        for one in grid.of(context, found, {}, PICTURES).rows
        if one.kind == "attack"
    ]
    assert line == ("8.0, 8.0, 20.0; 1 seen by SSIM 0.44; 1 identified",)
    panel = tensorboard.panel(made[0], np.zeros([2, 2, 1], np.float32))
    assert panel.seen == "seen by SSIM 0.44"
