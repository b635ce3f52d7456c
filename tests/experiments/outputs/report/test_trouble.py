"""What went wrong is told with what to change, and bytes are told as counted."""

import io
import math

from experiments.outputs import summary, tables
from experiments.outputs.pictures.leaks import PICTURES
from experiments.outputs.report import costs, outcomes, trouble
from tests.experiments.outputs.example_records import attack, cell, training


def told(records):
    attacked = [one for one in records if hasattr(one, "attack")]
    found = outcomes.of_records(attacked, PICTURES)
    return list(trouble.of(found, costs.rounds(records)))


def test_nothing_wrong_is_nothing_told():
    assert told([attack(0), training(1)]) == []


def test_everything_wrong_is_told_once_with_what_to_change():
    details = {"saturated": 20, "refused": 1, "refusals": {"WRONG_KEY": 1}}
    lines = told(
        [
            training(1, details=details, loss=math.nan),
            attack(0, psnr=math.nan),
            attack(
                1,
                attack="dlg",
                status="failed",
                reason="x.",
                objective=None,
                measures={},
            ),
        ]
    )
    saturated, refused, loss, diverged, failed = lines
    assert "20 encrypted entries (25 %)" in saturated
    assert "--codec_bound" in saturated
    assert "refused 1 upload (WRONG_KEY)" in refused
    assert "no finite number: 1. Lower" in loss
    assert "no finite numbers: 1." in diverged
    assert "failed (1 x): x. That" in failed


def test_an_accuracy_of_a_guess_shows_no_cost():
    """Of 100 examples a guess of a class that half of them have may be right in 58."""
    details = {"accuracy_by_guess": 0.5, "test_examples": 100}
    for accuracy, counts in ((0.58, True), (0.59, False)):
        made = [training(1, accuracy=accuracy, details=details)]
        lines = told(made)
        assert bool(lines) == counts
        assert not counts or "shows no cost of hiding" in lines[0]
        (row,) = summary.summarise(made)
        assert row.cost.accuracy_by_guess == (0.5 if counts else None)
        stream = io.StringIO()
        tables.print_tables([row], stream, 80)
        text = " ".join(stream.getvalue().split())
        assert ("Accuracy of random 10 %: no better than always" in text) == counts
    assert told([training(1, accuracy=0.1)]) == []


def test_an_attack_that_does_not_apply_is_no_trouble():
    records = [
        attack(0, status="does_not_apply", reason="x.", objective=None, measures={})
    ]
    assert told(records) == []


def test_a_reason_ends_once():
    nothing = {"status": "failed", "objective": None, "measures": {}}
    (line,) = told([attack(0, reason="its examples are not finite", **nothing)])
    assert "(1 x): its examples are not finite. That says nothing" in line


def test_what_was_learned_is_of_the_last_round_and_of_each_seed():
    (found,) = costs.rounds(
        [
            training(1, cell(seed=0), accuracy=0.1),
            training(2, cell(seed=0), accuracy=0.5),
            training(2, cell(seed=1), accuracy=None, measures={"accuracy": 0.75}),
        ]
    )
    assert found.learned == {"accuracy": costs.Range(0.5, 0.625, 0.75, 2)}


def test_bytes_that_differ_are_told_from_least_to_most():
    of_cell = cell(0.1, release="reveal_aggregate")
    (found,) = costs.rounds(
        [
            training(1, of_cell, client_to_server_bytes=900, round_seconds=9.0),
            training(2, of_cell, client_to_server_bytes=500, round_seconds=2.0),
        ]
    )
    assert found.up.bytes == "500 to 900"
    # The first round compiles.
    assert found.seconds.seconds == "2 s (one round)"
    assert costs.plain_of(found, [found]) is None
