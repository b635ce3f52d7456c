"""TensorBoard's first screen can be read: a card is 330 pixels wide and 215 high."""

import io

import matplotlib.image
import pytest

from experiments.outputs import cards, figures, measures, summary, tradeoff
from experiments.outputs.pictures.leaks import PICTURES
from experiments.outputs.tensorboard import report
from tests.experiments.outputs.example_records import (
    MEANING,
    attack,
    cell,
    example_rows,
)

LEAST_PIXELS = 9
SHOWN = 93
"""Pixels of an inch of a card, in a window of 1280 x 800."""


def letters(figure):
    """Heights of all letters in pixels of a card."""
    figure.draw_without_rendering()
    found = [*figure.texts]
    for axis in figure.axes:
        found += [axis.title, axis.xaxis.label, *axis.get_xticklabels()]
        found += axis.get_yticklabels()
    for legend in figure.legends:
        found += legend.get_texts()
    return [one.get_fontsize() * 100 / 72 for one in found if one.get_text()]


def drawn():
    rows = example_rows()
    context = rows[0].context
    return {
        "in words": cards.in_words(context.title, MEANING),
        "leakage": cards.leakage(context, rows, PICTURES),
        "uploads": cards.uploads(context, rows),
    }


@pytest.mark.parametrize("name", drawn())
def test_letters_are_large_enough_and_nothing_is_cut_off(name):
    figure = drawn()[name]
    assert min(letters(figure)) >= LEAST_PIXELS
    png = figures.to_png(figure, cards.DPI)
    pixels = matplotlib.image.imread(io.BytesIO(png))[..., :3]
    assert pixels.shape[:2] == (
        round(cards.HEIGHT * cards.DPI),
        round(cards.WIDTH * cards.DPI),
    )
    for edge in (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]):
        assert edge.min() == 1.0


def test_a_long_result_is_shortened_and_can_be_read():
    """Of details in brackets, then of its last sentences; letters stay 12 pixels high."""
    title = (
        "a-data-set, some_model, server_blind, 1 client, attack on the client, batch 1"
    )
    figure = cards.in_words(title, MEANING * 2)
    shown = " ".join(text.get_text() for text in figure.texts)
    assert shown.startswith(f"{title} ") and shown.endswith("More: report.html.")
    assert "(" not in shown
    pixels = min(text.get_fontsize() for text in figure.texts) * SHOWN / 72
    assert pixels >= 12
    short = cards.in_words("a title", ["With 10 % hidden nothing leaks (of 3)."])
    shown = " ".join(text.get_text() for text in short.texts)
    assert shown == "a title With 10 % hidden nothing leaks (of 3)."
    priced = [
        "A message takes 1.2 x (magnitude), 1.3 x (random) the bytes (its gradient) and "
        "uploads 1.7 x (with each client's weight, whole). " + "Word. " * 100
    ]
    figure = cards.in_words("a title", priced)
    shown = " ".join(text.get_text() for text in figure.texts)
    whose = "1.2 x by magnitude, 1.3 x by random the bytes and uploads 1.7 x."
    assert whose in shown
    # One sentence that is too long is cut where a line ends.
    figure = cards.in_words("a title", ["word " * 400 + "end."])
    assert figure.texts[-1].get_text() == "More: report.html."
    assert figure.texts[-2].get_text().endswith(" ..")


def test_a_legend_names_no_curve_that_is_not_there():
    rows = example_rows()
    alone = [
        row._replace(leakage=row.leakage._replace(naive=None), cost=row.cost)
        for row in rows
    ]

    def named(figure):
        return [one.get_text() for one in figure.legends[0].get_texts()]

    context = rows[0].context
    assert "naive" in named(cards.leakage(context, rows, PICTURES))
    assert "naive" not in named(cards.leakage(context, alone, PICTURES))
    both = measures.ATTACKERS["naive"]
    assert both in named(tradeoff.figure(context, rows, PICTURES))
    assert both not in named(tradeoff.figure(context, alone, PICTURES))


def test_an_audit_has_the_price_of_its_messages():
    """It trains nothing, so that there are no uploads of rounds."""
    made = [
        attack(0, cell=cell(ratio), details={"ciphertext_bytes": size})
        for ratio, size in ((0.0, 0), (0.1, 240), (0.5, 300))
    ]
    rows = summary.summarise(made)
    assert [row.relative_message_bytes for row in rows] == [1.0, 1.5, 1.25]
    tags = report.card_tags(rows, {rows[0].context: MEANING})
    assert tags == [
        "1_in_words/client, batch 1",
        "2_what_leaks/client, batch 1",
        "3_what_it_costs/client, batch 1",
    ]
    (axis,) = cards.message(rows[0].context, rows).axes
    assert "client's" in axis.get_title(loc="left")
    assert list(axis.get_lines()[0].get_ydata()) == [1.0, 1.5, 1.25]
    # Two that differ have two names.
    other = [row._replace(context=row.context._replace(dataset="b")) for row in rows]
    tags = report.card_tags([*rows, *other], {})
    assert len(set(tags)) == len(tags) == 4


def test_lines_are_the_medians_of_the_rows():
    rows = example_rows()
    axis = cards.leakage(rows[0].context, rows, PICTURES).axes[0]
    heights = [[round(y, 1) for y in line.get_ydata()] for line in axis.get_lines()]
    # Best of each and naive, of two metrics; an exact picture is drawn at 58.9 dB.
    assert heights == [[58.9, 31.0, 9.0]] * 2 + [[58.9, 16.0, 5.0]] * 2


def test_the_last_card_of_a_screen_has_its_legend_inside():
    """A window of 800 pixels ends a few below its axis."""
    figure = drawn()["uploads"]
    assert not figure.legends
    (axis,) = figure.axes
    figure.draw_without_rendering()
    assert axis.xaxis.label.get_window_extent().y0 > 0.06 * figure.bbox.height
    labels = [text.get_text() for text in axis.get_legend().get_texts()]
    assert labels == ["gradient_magnitude", "random"]
