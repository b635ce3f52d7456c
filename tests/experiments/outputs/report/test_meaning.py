"""The first paragraph: from which share on nothing leaks, its cost, how sure that is."""

import math

from experiments.outputs.pictures.leaks import PICTURES
from experiments.outputs.report import (
    families,
    meaning,
    page,
    paragraph,
    reading,
    writing,
)
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
        trained = cell(0.5, metric, release="reveal_aggregate")
        made += rounds(trained, 1.5, 600, 50)
    assert means(tmp_path, made)["client"] == (
        "Hidden by magnitude or random: with 10 % hidden attacks still recover more than a "
        "blind guess has, on 3 of 3 examples (share >= 25 dB: 3 of 3). From 50 % on no "
        "attack tried gets past a blind guess (measured: 0, 10, 50, 100 %); there a "
        "training round 2 x the uploads of a clear one. How sure: 3 examples of 1 seed; "
        "that none of 3 leaks leaves it open for up to 71 % of such examples (95 % "
        "interval). Tried with a result: lbfgs. Not tried: any other attack, other data, "
        "other weights; each may recover more."
    )


def test_what_cannot_be_said_is_not(tmp_path):
    def of(name, made):
        return means(tmp_path / name, made)["client"]

    text = of("none", attacks((0.0, 90.0), (0.1, 30.0)))
    assert "None of the measured shares (0, 10 %) stopped them." in text
    text = of("bare", attacks((0.0, 9.0), (0.1, 9.0)))
    assert (
        "even with nothing hidden the attacks tried are no better than a blind" in text
    )
    text = of("unmeasured", attacks((0.1, 9.0), (1.0, 9.0)))
    assert "they may fail without a mask, too" in text
    text = of("older", [attack(0)])
    assert "there is no blind guess to compare with" in text
    text = of("batch", attacks((0.1, 30.0), (1.0, 9.0), batch_size=3))
    assert "examples that share a message or weights have no interval" in text
    assert means(tmp_path / "nothing", [attack(0, psnr=math.nan)]) == {}


def test_what_is_published(tmp_path):
    made = attacks((1.0, 30.0), target="aggregate", batch_size=3)
    text = means(tmp_path, made)["aggregate"]
    assert text.startswith(
        "From what is published attacks recover more than a blind guess has, on 3 of 3 "
        "examples, whatever clients encrypt."
    )


def test_it_is_first_on_the_page_and_on_the_terminal(tmp_path):
    path = folders.write(tmp_path / "run", attacks((0.0, 90.0), (1.0, 9.0)))
    runs = [reading.read(path)]
    made = writing.page_of(
        writing.families_of(runs, lambda modality: PICTURES), runs, ["a note"]
    )
    assert paragraph.of(made).startswith(meaning.HEADING)
    html = page.to_html(made)
    assert html.index(meaning.HEADING) < html.index("a note") < html.index("The answer")
