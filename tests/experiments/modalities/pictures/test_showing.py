"""What the terminal and the report show of recovered rows of a table."""

import dataclasses

import numpy as np

from experiments.modalities.pictures import showing
from experiments.outputs import reconstructions
from experiments.outputs.pictures.leaks import PICTURES
from experiments.outputs.report import kept, reading, writing
from selenc_tf.models.value_range import value_range
from tests.experiments import made_up
from tests.experiments.outputs.example_records import attack, cell
from tests.experiments.outputs.report import folders

NAMES = ("age", "weight", "smokes")


def table():
    ranges = value_range(np.float32([0, 40, 0]), np.float32([80, 140, 1]))
    return dataclasses.replace(
        made_up.pictures((3,)), value_range=ranges, feature_names=NAMES
    )


def attacked(folder, dataset):
    """At 0 % all is found, at 10 % the age alone; naive attackers find nothing."""
    folder.mkdir()
    details = {"feature_errors": [0.0] * 3}
    found = []
    for ratio, psnr in ((0.0, 90.0), (0.1, 12.0)):
        for attacker, lost in (("naive", 9.0), ("mask_aware", 0.0)):
            of_cell = cell(ratio)
            one = attack(1, attacker, psnr - lost, of_cell, details=details)
            values = dataset.examples[1].copy()
            values[1:] = 0.25 if ratio else values[1:]
            values = np.zeros_like(values) if lost else values
            reconstructions.save(folder, one.key, values)
            found.append(one)
    return found


def test_a_row_is_shown_beside_its_original_by_the_names_of_columns(tmp_path):
    dataset = table()
    folder = tmp_path / "run"
    found = attacked(folder, dataset)
    (made,) = showing.tables(folder, dataset, found)
    assert made.headings[:2] == ("Column", "True")
    assert (
        made.headings[2].startswith("0 % hidden") and "mask_aware" in made.headings[3]
    )
    true = dataset.value_range.from_unit(dataset.examples[1])
    assert [row[0] for row in made.rows] == list(NAMES)
    assert [row[1] for row in made.rows] == [f"{one:.4g}" for one in true]
    assert [row[2] for row in made.rows] == [row[1] for row in made.rows]
    assert [row[3] for row in made.rows] == [made.rows[0][1], "65", "0.25"]
    folders.write(tmp_path / "kept", found)
    folder = tmp_path / "kept"
    kept.save(folder / kept.SENTENCES, [made])
    writing.write(folder, [reading.read(folder)], lambda _: PICTURES)
    page = (folder / "report.html").read_text()
    assert '<td class="text" data-label="Column">weight</td>' in page


def test_nothing_is_shown_of_pictures_or_without_a_reconstruction(tmp_path):
    pictures = made_up.pictures()
    one = attack(1)
    reconstructions.save(tmp_path, one.key, pictures.examples[1])
    assert showing.tables(tmp_path, pictures, [one]) == []
    assert showing.tables(tmp_path / "other", table(), [one]) == []


def test_a_wide_row_is_cut_and_says_so(tmp_path):
    dataset = made_up.pictures((30,))
    one = attack(1)
    reconstructions.save(tmp_path, one.key, dataset.examples[1])
    (made,) = showing.tables(tmp_path, dataset, [one])
    assert len(made.rows) == 20 and "10 more columns" in made.title
    assert made.rows[0][0] == "column 1"
