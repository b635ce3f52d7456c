"""What is predicted of one example is no bound, and the report says where it was passed."""

import math

from experiments.outputs.pictures.leaks import PICTURES
from experiments.outputs.report import page as page_lib
from experiments.outputs.report import paragraph, predicted, reading, writing
from experiments.outputs.report.predicted import Predicted
from experiments.outputs.table import Table
from tests.experiments.outputs.example_records import attack, cell
from tests.experiments.outputs.report import folders


def test_an_attack_past_its_prediction_is_said_on_the_page_and_the_terminal(tmp_path):
    made = [
        attack(0, psnr=34.6, attack="completion", cell=cell(0.1)),
        attack(0, psnr=90.0, cell=cell(0.0)),
        attack(1, psnr=20.9, cell=cell(0.1)),
    ]
    path = folders.write(tmp_path / "run", made)
    predicted.save(
        path,
        [
            Predicted("random", 0.1, 0, 22.0),
            # Both are exact, and less than a tolerance is nothing.
            Predicted("random", 0.0, 0, 70.0),
            Predicted("random", 0.1, 1, 20.0),
        ],
    )
    runs = [reading.read(path)]
    writing.write(path, runs, lambda modality: PICTURES)
    expected = (
        "Past the prediction: 1 of 3 attacked examples and masks were recovered better "
        "than predicted, at most by 12.6 dB (example 0, random at 10 %: 34.6 dB by "
        "completion, 22.0 dB predicted)."
    )
    page = writing.page_of(writing.families_of(runs, lambda modality: PICTURES), runs)
    assert expected in paragraph.of(page)
    table = Table("predicted", ("metric",), [("random",)])
    assert expected in page_lib.to_html(page._replace(prediction=(table,)))


def test_predictions_are_read_as_they_were_kept(tmp_path):
    kept = [Predicted("random", 0.1, 7, math.inf), Predicted("random", 1.0, 7, 9.5)]
    predicted.save(tmp_path, kept)
    assert predicted.load(tmp_path) == kept
    assert predicted.load(tmp_path / "other") == []
    assert list(predicted.passed(kept, [attack(7, psnr=9.0, cell=cell(1.0))])) == []
    # What is looked up is not recovered better than predicted.
    looked_up = attack(7, psnr=30.0, attack="retrieval", cell=cell(1.0))
    assert list(predicted.passed(kept, [looked_up])) == []
    # Of a batch the prediction is another one.
    batch = attack(7, psnr=30.0, cell=cell(1.0), batch_size=2)
    assert list(predicted.passed(kept, [batch])) == []


def test_attacks_below_the_prediction_with_nothing_hidden_are_said_first(tmp_path):
    made = [
        attack(0, psnr=23.6, attack="mean_picture", cell=cell(0.0)),
        attack(0, psnr=18.3, attack="dlg", cell=cell(0.0, metric="magnitude")),
        # Within the scatter of one example, and both exact.
        attack(1, psnr=24.5, cell=cell(0.0)),
        attack(2, psnr=90.0, cell=cell(0.0)),
        # Under a mask a prediction too high is the mask's, or the attack's.
        attack(3, psnr=10.0, cell=cell(0.1)),
    ]
    levels = [
        Predicted("random", 0.0, 0, 26.1),
        Predicted("magnitude", 0.0, 0, 26.1),
        Predicted("random", 0.0, 1, 26.1),
        Predicted("random", 0.0, 2, math.inf),
        Predicted("random", 0.1, 3, 30.0),
    ]
    path = folders.write(tmp_path / "run", made)
    predicted.save(path, levels)
    expected = (
        "With nothing hidden the attacks fell short of the prediction on 1 of 3 attacked "
        "examples, at most by 2.5 dB (example 0: 23.6 dB by mean_picture, 26.1 dB "
        "predicted)."
    )
    runs = [reading.read(path)]
    page = writing.page_of(writing.families_of(runs, lambda modality: PICTURES), runs)
    assert any(expected in note for note in page.notes)
    shown = paragraph.of(page)
    assert shown.index(expected) < shown.index("Who attacks")
    enough = [attack(0, psnr=25.0, attack="completion", cell=cell(0.0)), *made]
    assert not list(predicted.fell_short(levels, enough))
    diverged = [attack(0, psnr=math.nan, cell=cell(0.0))]
    assert not list(predicted.fell_short(levels, diverged))


def test_predicted_stands_beside_measured(tmp_path):
    made = [
        attack(0, psnr=12.4, cell=cell(1.0), blind=12.4),
        attack(0, psnr=math.nan, cell=cell(0.1)),
    ]
    path = folders.write(tmp_path / "run", made)
    levels = [Predicted("random", 1.0, 0, 21.0), Predicted("random", 0.1, 0, math.inf)]
    predicted.save(path, levels)
    (table,) = predicted.beside(levels, made)
    assert table.rows == [
        ("random", "10 %", "0", "exact", "diverged", "not on record"),
        ("random", "100 %", "0", "21.0 dB", "12.4 dB", "12.4 dB"),
    ]
    assert predicted.beside(levels, [attack(7)]) == []
    writing.write(path, [reading.read(path)], lambda modality: PICTURES)
    page = (path / "report.html").read_text()
    assert "Predicted and measured." in page and "none of their numbers was" in page
