import base64
import io

import matplotlib.image
import numpy as np
import pytest

from experiments.outputs.pictures.leaks import PICTURES
from experiments.outputs.report import (
    examples,
    families,
    long_form,
    outcomes,
    reading,
)
from tests.experiments.outputs.example_records import attack
from tests.experiments.outputs.report import folders


def pixels_of(source):
    start = "data:image/png;base64,"
    assert source.startswith(start)
    data = io.BytesIO(base64.b64decode(source.removeprefix(start)))
    return matplotlib.image.imread(data)[..., :3]


def shown(path, made, drawn=False):
    folders.write(path, made)
    if drawn:
        folders.draw(path, made)
    (family,) = families.join([reading.read(path)])
    return examples.of(outcomes.context_of(made[0]), family, PICTURES)


@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_are_those_of_the_picture(channels):
    picture = np.random.default_rng(0).uniform(size=(5, 7, channels))
    found = pixels_of(examples.png(picture))
    expected = np.broadcast_to(picture, (5, 7, 3))
    np.testing.assert_allclose(found, expected, atol=0.5 / 255 + 1e-6)


def test_a_large_picture_is_shown_by_means_of_squares():
    picture = np.zeros((300, 200, 1))
    picture[:150] = 1.0
    found = pixels_of(examples.png(picture))
    assert found.shape == (60, 40, 3)
    assert np.all(found[:30] == 1.0)
    assert np.all(found[30:] == 0.0)


def test_what_an_attacker_chose_is_shown_before_the_best_in_hindsight(tmp_path):
    made = [
        attack(0, psnr=40.0, attack="dlg"),
        attack(0, psnr=10.0, attack="strongest", chosen="r_gap", chosen_by="order"),
    ]
    (strip,), said = shown(tmp_path / "run", made, drawn=True)
    original, tile = strip.tiles
    assert said == ""
    assert original.heading == "original"
    assert tile.lines == ("10.0 dB", "strongest mask-aware (chosen: r_gap)")
    (strip,), _ = shown(tmp_path / "other", made[:1])
    assert strip.tiles[1].lines[1] == "dlg mask-aware (best in hindsight)"


def test_what_is_missing_is_said_in_its_place(tmp_path):
    made = [
        attack(0, status="failed", reason="no memory", objective=None, measures={}),
        attack(1),
    ]
    (failed, missing), _ = shown(tmp_path / "run", made)
    lines = ("not kept by this run, or damaged; the same command adds it",)
    assert failed.tiles[0].lines == lines
    assert failed.tiles[1].lines == ("lbfgs failed: no memory",)
    assert missing.tiles[1].lines[-1].endswith(".npy is missing")
    assert all(tile.source == "" for tile in (*failed.tiles, *missing.tiles))


def test_few_of_many_examples_are_shown_and_it_is_said(tmp_path):
    made = [attack(image) for image in range(examples.MOST + 2)]
    strips, said = shown(tmp_path / "run", made)
    assert len(strips) == examples.MOST
    assert said == "3 of 5 examples are shown."


def test_examples_come_in_the_order_of_the_values_in_tables(tmp_path):
    made = [attack(image, psnr=10.0 + image) for image in (7, 2, 4)]
    strips, _ = shown(tmp_path, made, drawn=True)
    assert [int(strip.title.split()[1].strip(",")) for strip in strips] == [2, 4, 7]
    (family,) = families.join([reading.read(tmp_path)])
    rows = long_form.rows([(family, PICTURES)])
    assert [row["example"] for row in rows] == [2, 4, 7]


def test_a_picture_that_is_no_better_than_a_blind_guess_is_called_so(tmp_path):
    (strip,), _ = shown(tmp_path / "run", [attack(0, psnr=6.0, blind=12.0)], drawn=True)
    assert strip.tiles[1].lines[0] == "no better than a blind guess (6.0 dB)"
    (strip,), _ = shown(tmp_path / "other", [attack(0, psnr=30.0, blind=12.0)])
    assert strip.tiles[1].lines[0] == "30.0 dB"
