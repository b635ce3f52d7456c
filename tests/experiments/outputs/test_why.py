import csv
import io

from experiments.outputs import by_attack, leakage_summary, why
from experiments.outputs.pictures.leaks import PICTURES
from tests.experiments.outputs.example_records import attack

REASON = "`knowledge.model` must have a dense layer, has 1 pictures"
IN_WORDS = "The model must have a dense layer, has 1 picture"


def test_reasons_have_no_names_of_code():
    assert why.in_words(REASON) == IN_WORDS
    assert why.no_result("does_not_apply", REASON) == f"does not apply: {IN_WORDS}"
    task = "`knowledge.model` must learn classes for this attack, got next_token"
    assert why.in_words(task).endswith("got next_token (`--text_task`)")
    assert why.in_words("out of memory") == "out of memory"


def test_tables_say_them_so():
    nothing = dict.fromkeys(("mse", "psnr_db", "ssim", "objective"))
    group = [attack(0, **nothing, status="does_not_apply", reason=REASON)]
    (line,) = leakage_summary.summarise(group, PICTURES).without_result
    assert line.endswith(f"does not apply: {IN_WORDS}")
    text = by_attack.to_csv(by_attack.summarise(group, PICTURES))
    (row,) = csv.DictReader(io.StringIO(text))
    assert row["without_result"] == f"does not apply: {IN_WORDS} (1)"
