"""Every attack by its name, and why it has no number."""

import csv
import io
import math

from experiments.outputs import by_attack, text_tables
from experiments.outputs.pictures.leaks import PICTURES
from tests.experiments.outputs.example_records import attack, cell

NONE = {name: None for name in ("mse", "psnr_db", "ssim", "objective")}


def found():
    for ratio, psnr in ((0.0, 80.0), (0.5, 12.0)):
        for image in range(3):
            of_cell = cell(ratio)
            yield attack(image, psnr=psnr + image, cell=of_cell, attack="idlg")
            yield attack(
                image,
                psnr=psnr - 5 + image,
                cell=of_cell,
                attack="strongest",
                chosen="idlg" if image else "dlg",
                chosen_by="rehearsal",
            )
    for image in range(2):
        yield attack(
            image,
            cell=cell(0.5),
            attack="r_gap",
            status="does_not_apply",
            reason="'pool' is no convolution",
            **NONE,
        )
    yield attack(0, cell=cell(0.5), attack="dlg", psnr=math.nan)


def test_no_attack_hides_behind_a_better_one():
    (table,) = by_attack.to_tables(by_attack.summarise(found(), PICTURES), PICTURES)
    assert table.headings == ("Metric", "Attack", "0 %", "50 %")
    assert table.rows == [
        ("random", "idlg aware", "exact", "13.0"),
        ("random", "strongest aware", "exact", "8.0"),
        ("random", "r_gap aware", "-", "n/a"),
        ("random", "dlg aware", "-", "diverged"),
    ]
    stream = io.StringIO()
    text_tables.show(table, stream, 80)
    assert max(map(len, stream.getvalue().splitlines())) <= 90
    assert "strongest aware" in stream.getvalue()


def test_lines_for_programs_have_numbers_reasons_and_choices():
    text = by_attack.to_csv(by_attack.summarise(found(), PICTURES))
    lines = list(csv.DictReader(io.StringIO(text)))
    assert len(lines) == 6 and all(None not in line for line in lines)
    of = {(line["attack"], line["encryption_ratio"]): line for line in lines}
    assert float(of["idlg", "0.0"]["leak_median"]) == 81.0
    assert of["strongest", "0.5"]["chosen"] == "dlg (1); idlg (2)"
    refused = of["r_gap", "0.5"]
    assert refused["leak_n"] == "0" and refused["leak_median"] == ""
    assert refused["without_result"] == "does not apply: 'pool' is no convolution (2)"
    assert refused["attack_seconds_median"] == ""
    assert (of["dlg", "0.5"]["diverged"], of["dlg", "0.5"]["leak_n"]) == ("1", "0")


def test_one_attack_needs_no_table_of_its_own():
    rows = by_attack.summarise([attack(0), attack(0, "naive")], PICTURES)
    assert len(rows) == 2 and by_attack.to_tables(rows, PICTURES) == []
