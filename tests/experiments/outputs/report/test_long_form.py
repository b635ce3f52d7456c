"""What stands in `cells.csv` of examples of each kind."""

import dataclasses

import pytest

from experiments.modalities.text.leaks import TEXT
from experiments.outputs.pictures.leaks import PICTURES
from experiments.outputs.report import families, long_form, reading
from tests.experiments.outputs.example_records import attack
from tests.experiments.outputs.report import folders


@pytest.mark.parametrize(
    "leaks, measures, exact",
    [
        (TEXT, {"rouge1": 1.0, "exact": True}, 1),
        (TEXT, {"rouge1": 1.0, "exact": False}, 0),
        (TEXT, {"rouge1": 1.0}, None),
        (PICTURES, {"psnr_db": 70.0}, 1),
        (PICTURES, {"psnr_db": 50.0}, 0),
        (PICTURES.told_as["feature_errors"], {"psnr_db": 70.0}, 0),
        (PICTURES.told_as["feature_errors"], {"psnr_db": 80.0}, 1),
        (TEXT._replace(shares=()), {"rouge1": 1.0}, None),
    ],
)
def test_what_is_exact_is_so_in_the_terms_of_its_kind(tmp_path, leaks, measures, exact):
    made = dataclasses.replace(attack(0), measures=measures, modality=leaks.modality)
    (family,) = families.join([reading.read(folders.write(tmp_path / "run", [made]))])
    (row,) = long_form.rows([(family, leaks)])
    assert row["exact"] == exact and row["leak"] == next(iter(measures.values()))


def test_what_chance_reaches_stands_beside_the_guess(tmp_path):
    """Who compares `leak` with `blind` alone counts what a random draw has, too."""
    made = attack(0, blind=12.0, chance={"psnr_db": 17.0, "ssim": 0.2})
    (family,) = families.join([reading.read(folders.write(tmp_path / "run", [made]))])
    (row,) = long_form.rows([(family, PICTURES)])
    assert (row["blind"], row["chance"]) == (12.0, 17.0)
