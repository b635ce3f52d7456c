"""TensorBoard's first screen can be read: a card is 330 pixels wide and 215 high."""

import io

import matplotlib.image
import pytest

from experiments.outputs import cards, figures
from experiments.outputs.pictures.leaks import PICTURES
from tests.experiments.outputs.example_records import MEANING, example_rows

LEAST_PIXELS = 9


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


def test_a_long_result_is_set_smaller_and_whole():
    figure = cards.in_words("a title", MEANING * 2)
    shown = " ".join(text.get_text() for text in figure.texts)
    assert shown == " ".join(["a title", *MEANING, *MEANING])
    assert 5 < min(letters(figure)) < LEAST_PIXELS


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
