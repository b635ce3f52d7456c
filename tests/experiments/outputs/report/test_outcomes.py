"""What attacks reached, as rows and as the table of a page."""

import math

from experiments.outputs.pictures.leaks import PICTURES
from experiments.outputs.plan import Plan
from experiments.outputs.records import MemberRecord
from experiments.outputs.report import grid, outcomes
from tests.experiments.outputs.example_records import attack, cell


def member(name, psnr, status="ok", reason=""):
    measures = {} if status != "ok" else {"psnr_db": psnr, "ssim": 0.5}
    return MemberRecord(name, status, reason, measures, 0.1, 20.0, 1.0)


def cells_of(records, work=None):
    found = outcomes.of_records(records, PICTURES)
    made = grid.of(found[0].context, found, work or {}, PICTURES)
    return {row.attack: row.cells for row in made.rows}, made


def test_each_attack_is_named_and_hindsight_is_of_each_example():
    records = [
        attack(0, psnr=10.0, attack="dlg"),
        attack(1, psnr=30.0, attack="dlg"),
        attack(0, psnr=20.0, attack="idlg"),
        attack(1, psnr=5.0, attack="idlg"),
    ]
    cells, made = cells_of(records)
    assert cells == {
        "dlg mask-aware": ("10.0, 30.0",),
        "idlg mask-aware": ("20.0, 5.0",),
        "best of each example in hindsight": ("20.0, 30.0",),
    }
    assert made.rows[-1].kind == "hindsight"


def test_what_an_attacker_chose_is_not_the_best_in_hindsight():
    members = (member("dlg", 40.0), member("r_gap", 12.0))
    chosen = attack(
        psnr=12.0,
        attack="strongest",
        chosen="r_gap",
        chosen_by="order",
        members=members,
    )
    cells, _ = cells_of([chosen])
    assert cells["strongest mask-aware"] == ("12.0; chose r_gap",)
    assert cells["dlg mask-aware, tried by strongest"] == ("40.0",)
    assert cells["best of each example in hindsight"] == ("40.0",)
    hindsight = outcomes.of_records([chosen], PICTURES)[-1]
    assert hindsight.chosen == (("dlg mask-aware", 1),)


def test_no_result_has_its_reason_and_no_number():
    without = attack(
        0,
        attack="r_gap",
        status="does_not_apply",
        reason="no dense layer.",
        objective=None,
        measures={},
    )
    diverged = attack(0, psnr=math.nan, attack="dlg")
    cells, made = cells_of([without, diverged])
    assert cells["r_gap mask-aware"] == ("does not apply [1]",)
    assert cells["dlg mask-aware"] == ("1 diverged",)
    assert cells["best of each example in hindsight"] == ("-",)
    assert made.reasons == ("does not apply: no dense layer.",)


def test_reasons_are_in_words_of_readers():
    said = "`knowledge.model` (lenet) must be another for 1 examples, not 11 examples."
    without = attack(0, status="failed", reason=said, objective=None, measures={})
    _, made = cells_of([without])
    assert made.reasons == (
        "failed: The model (lenet) must be another for 1 example, not 11 examples.",
    )


def test_columns_are_the_shares_really_hidden():
    wide = [
        attack(0, cell=cell(ratio), hidden=44, parameters=100) for ratio in (0.01, 0.1)
    ]
    narrow = [attack(0, cell=cell(0.1, "magnitude"), hidden=10)]
    _, made = cells_of([*wide, *narrow])
    assert made.columns == ("10 %", "44 % (asked: 1 %)", "44 % (asked: 10 %)")
    # Whole entries: of 1,003 a tenth is 100, and nothing else was asked for.
    rounded = attack(0, cell=cell(0.1), hidden=100, parameters=1003)
    assert cells_of([rounded])[1].columns == ("10 %",)


def test_what_is_planned_and_not_done_is_said():
    planned = [attack(image, cell=cell(r)) for r in (0.1, 0.5) for image in (0, 1)]
    planned += [attack(0, cell=cell(0.5), attack="dlg")]
    work = grid.planned([Plan((), tuple(one.key for one in planned))])
    done = [planned[0], planned[1], planned[4]]
    cells, _ = cells_of([done[0], done[2]], work)
    assert cells["lbfgs mask-aware"] == ("20.0; 1 of 2 done", "not done yet")
    assert cells["dlg mask-aware"] == ("-", "20.0")


def test_contexts_are_apart():
    found = outcomes.of_records(
        [attack(0), attack(0, weights_after_rounds=20), attack(0, batch_size=4)],
        PICTURES,
    )
    assert len({one.context for one in found}) == 3
    assert all(len(one.samples) == 1 for one in found)


def test_without_a_plan_an_attack_with_fewer_examples_than_others_is_said():
    records = [attack(0), attack(1), attack(0, attack="dlg")]
    cells, _ = cells_of(records)
    assert cells["lbfgs mask-aware"] == ("20.0, 20.0",)
    assert cells["dlg mask-aware"] == ("20.0; 1 of 2 done",)
