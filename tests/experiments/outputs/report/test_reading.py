import json

import pytest

from experiments.outputs import plan, results
from experiments.outputs.report import kept, reading
from tests.experiments.outputs.example_records import attack
from tests.experiments.outputs.report import folders


def test_a_finished_run_has_all_records_and_nothing_to_say(tmp_path):
    made = folders.found()
    run = reading.read(folders.write(tmp_path / "a", made))
    assert run.records == tuple(made)
    assert run.notes == ()
    assert reading.version(run.config) == "selenc-tf 0.1.0, commit 0123456789"


def test_an_unfinished_run_says_how_much_is_there(tmp_path):
    made = folders.found()
    path = folders.write(tmp_path / "a", [*made[:5], *made[18:22]], planned=made)
    assert reading.read(path).notes == (
        "Unfinished: 1 of 2 trainings are there. The same command goes on.",
        "Unfinished: 5 of 18 attacks are there. The same command goes on.",
        "Nothing is there yet of random at 10, 100 %.",
    )


def test_attacks_are_counted_as_the_terminal_counts_them(tmp_path):
    """The examples of a batch are attacked together."""
    made = [attack(image, batch_size=2, target="aggregate") for image in range(4)]
    made += [attack(image) for image in range(3)]
    path = folders.write(tmp_path / "a", [*made[:2], *made[4:]], planned=made)
    (note,) = reading.read(path).notes
    assert note.startswith("Unfinished: 4 of 5 attacks are there.")


@pytest.mark.parametrize("content", [None, "", "[]", '{"trainings": [1]}'])
def test_without_a_plan_it_is_not_known_whether_a_run_is_finished(tmp_path, content):
    path = folders.write(tmp_path / "a", folders.found())
    (path / plan.FILE_NAME).unlink()
    if content is not None:
        (path / plan.FILE_NAME).write_text(content)
    (note,) = reading.read(path).notes
    assert "not known" in note


@pytest.mark.parametrize("place", [3, -1])
def test_a_damaged_line_is_left_out_and_said(tmp_path, place):
    made = folders.found()
    path = folders.write(tmp_path / "a", made)
    lines = folders.lines(path)
    lines[place] = lines[place][: len(lines[place]) // 2]
    (path / results.FILE_NAME).write_text("\n".join(lines))
    run = reading.read(path)
    assert len(run.records) == len(made) - 1
    damage, unfinished = run.notes
    number = len(lines) if place < 0 else place + 1
    assert f"(line {number})" in damage
    assert f"{len(made) - 1} whole lines" in damage
    assert unfinished.startswith("Unfinished")


def test_missing_files_are_said(tmp_path):
    path = folders.write(tmp_path / "a", folders.found())
    (path / "config.json").unlink()
    run = reading.read(path)
    assert "config.json is missing" in run.notes[0]
    assert len(run.records) == 26
    other = folders.write(tmp_path / "b", folders.found())
    (other / results.FILE_NAME).unlink()
    run = reading.read(other)
    assert run.records == ()
    assert "results.jsonl is missing" in run.notes[0]


def test_of_work_done_twice_the_last_record_counts(tmp_path):
    made = folders.found()
    path = folders.write(tmp_path / "a", made)
    again = json.loads(folders.json_of(made[0]))
    folders.append(path, json.dumps({**again, "psnr_db": 1.0}) + "\n")
    run = reading.read(path)
    assert len(run.records) == len(made)
    assert run.records[0].number("psnr_db") == 1.0


@pytest.mark.parametrize(
    "change", [{"new_field": 1}, {"kind": "other"}, {"status": "unheard_of"}]
)
def test_records_of_another_version_are_refused_by_name_and_version(tmp_path, change):
    made = folders.found()
    path = folders.write(tmp_path / "old_run", made)
    strange = {**json.loads(folders.json_of(made[0])), **change}
    folders.append(path, json.dumps(strange) + "\n")
    with pytest.raises(ValueError, match=r"old_run was written by selenc-tf 0\.1\.0"):
        reading.read(path)


def test_a_configuration_of_another_format_is_refused(tmp_path):
    path = folders.write(tmp_path / "a", folders.found())
    (path / "config.json").write_text('{"format": 99}')
    with pytest.raises(ValueError, match="format"):
        reading.read(path)


def test_what_is_no_run_is_refused_with_what_to_give(tmp_path):
    with pytest.raises(ValueError, match="no folder"):
        reading.read(tmp_path / "missing")
    folders.write(tmp_path / "runs" / "a", folders.found())
    named = r"has neither config\.json nor results\.jsonl\. .*runs/\*"
    with pytest.raises(ValueError, match=named):
        reading.read(tmp_path / "runs")


def test_runs_in_folders_of_the_same_name_have_names_of_their_own(tmp_path):
    paths = [
        folders.write(tmp_path / parent / "run", folders.found(seed), seed)
        for seed, parent in enumerate(("a", "b"))
    ]
    other = folders.write(tmp_path / "c", folders.found(2), 2)
    names = [run.name for run in reading.read_all([*paths, other])]
    assert names == [str(paths[0]), str(paths[1]), "c"]


def test_why_there_is_no_prediction_is_a_note(tmp_path):
    path = folders.write(tmp_path / "a", folders.found())
    kept.save_reasons(path, ["The flags\ncannot be used."])
    assert "No prediction: The flags cannot be used." in reading.read(path).notes
    kept.save_reasons(path, [])
    assert reading.read(path).notes == ()
