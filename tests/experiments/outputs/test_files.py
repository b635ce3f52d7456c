import dataclasses
import datetime
import json
import math
import multiprocessing
import os
import pathlib
import tempfile
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.outputs import files, reconstructions, records, results, run_directory
from tests.experiments.outputs.example_records import CELL, attack, training

FLOATS = st.floats(width=64)
TEXT = st.text(max_size=12)


def refuse_constant(name):
    raise AssertionError(f"not strict JSON: {name}")


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | FLOATS | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)
    ),
    max_leaves=10,
)


@given(JSON_VALUES)
@settings(max_examples=25)
def test_json_is_strict_and_on_one_line(value):
    text = files.to_json(value)
    json.loads(text, parse_constant=refuse_constant)
    assert text.isascii() and "\n" not in text


@given(FLOATS)
def test_every_float_comes_back(value):
    back = files.number_from_json(json.loads(files.to_json(value)))
    assert back == value or (math.isnan(back) and math.isnan(value))


def test_numpy_scalars_are_numbers():
    assert json.loads(files.to_json({"a": np.int32(3), "b": np.float32(0.5)})) == {
        "a": 3,
        "b": 0.5,
    }


@pytest.mark.parametrize("value", [{"a": {1: 2}}, [{3}], b"x", np.zeros(2)])
def test_what_json_cannot_hold_is_an_error(value):
    with pytest.raises(TypeError, match="value"):
        files.to_json(value)


@given(
    st.builds(
        attack,
        psnr=FLOATS,
        ssim=st.none() | FLOATS,
        label=st.none(),
        perceptual=st.none() | FLOATS,
        feature_mse=st.none() | FLOATS,
        identified=st.none() | st.booleans(),
    )
)
def test_attack_records_survive_the_file(record):
    back = records.from_dict(json.loads(files.to_json(records.to_dict(record))))
    # `repr` because NaN differs from itself.
    assert repr(back) == repr(record)
    assert back.key == record.key


def test_round_records_survive_the_file():
    record = training(accuracy=None, details={"clients": [1, 2]})
    assert records.from_dict(records.to_dict(record)) == record


def test_a_record_says_its_kind_and_is_flat():
    values = records.to_dict(attack())
    assert values["kind"] == "attack"
    assert values["encryption_ratio"] == 0.1
    assert not any(isinstance(v, dict) for k, v in values.items() if k != "details")


def test_records_of_pictures_are_as_they_always_were():
    member = records.MemberRecord("dlg", "ok", "", {"psnr_db": 9.0}, 0.0, 31.5, 2.0)
    values = records.to_dict(attack(psnr=20.0, members=(member,)))
    assert "modality" not in values and "measures" not in values
    assert (values["psnr_db"], values["ssim"], values["identified"]) == (
        20.0,
        0.5,
        None,
    )
    (one,) = values["members"]
    assert (one["psnr_db"], one["ssim"], one["rehearsal_db"]) == (9.0, None, 31.5)


def test_records_of_another_modality_have_measures_of_their_own():
    member = records.MemberRecord("x", "ok", "", {"pitch": 0.5}, 0.0, math.nan, 2.0)
    measures = {"pitch": math.nan, "exact": False}
    found = dataclasses.replace(
        attack(members=(member,)), modality="sounds", measures=measures
    )
    values = json.loads(files.to_json(records.to_dict(found)))
    assert values["modality"] == "sounds" and "psnr_db" not in values
    assert repr(records.from_dict(values)) == repr(found)


def test_records_of_versions_that_measured_less_can_be_read(tmp_path):
    values = records.to_dict(attack(perceptual=0.5, feature_mse=2.0, identified=True))
    for name in ("perceptual", "feature_mse", "identified"):
        del values[name]
    path = tmp_path / results.FILE_NAME
    path.write_text(f"{files.to_json(values)}\n")
    (old,) = results.load(tmp_path)
    assert set(old.measures) == {"mse", "psnr_db", "ssim"}
    # The run goes on after it, with records that measure more.
    with results.ResultsWriter(tmp_path) as writer:
        writer.write(attack(1, identified=False))
    found = [r.measures.get("identified") for r in results.load(tmp_path)]
    assert found == [None, False]


@pytest.mark.parametrize("change", ["missing", "unknown"])
def test_records_of_another_version_are_refused(change):
    values = records.to_dict(attack())
    if change == "missing":
        del values["psnr_db"]
    else:
        values["colour"] = "red"
    with pytest.raises(ValueError, match=r"psnr_db|Of AttackRecord .*colour"):
        records.from_dict(values)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: attack(attacker="smart"), "`attacker` must be one of"),
        (lambda: attack(target="server"), "`target` must be one of"),
        (lambda: records.Cell("d", "m", "p", "a", 1.5, "r", 1, 0), "encryption_ratio"),
    ],
)
def test_records_check_their_words(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("step", [17, pytest.param(1, marks=pytest.mark.long)])
def test_a_file_cut_at_any_byte_keeps_every_whole_record_and_continues(
    tmp_path, monkeypatch, step
):
    # Thousands of waits for a disk would test the disk.
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    written = [
        attack(image=0, details={"note": 'a "quoted"\nline, ü'}),
        training(),
        attack(image=1, psnr=math.inf),
    ]
    with results.ResultsWriter(tmp_path) as writer:
        for record in written:
            writer.write(record)
    path = tmp_path / results.FILE_NAME
    whole = path.read_bytes()
    ends = [i for i, byte in enumerate(whole) if byte == ord("\n")]
    assert len(ends) == 3
    near_ends = {end + shift for end in ends for shift in (-1, 0, 1)}
    for cut in sorted({*range(0, len(whole), step), *near_ends}):
        path.write_bytes(whole[:cut])
        expected = sum(end <= cut for end in ends)
        damaged = cut not in (0, *ends, *(end + 1 for end in ends))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            assert results.load(tmp_path) == tuple(written[:expected]), cut
        assert len(caught) == damaged, cut
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            done = results.finished_keys(tmp_path)
            with results.ResultsWriter(tmp_path) as writer:
                for record in written:
                    if record.key not in done:
                        writer.write(record)
        assert path.read_bytes() == whole, cut


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.dictionaries(TEXT, JSON_VALUES, max_size=3), min_size=1, max_size=4),
    st.data(),
)
def test_any_cut_of_any_lines_keeps_a_prefix(values, data):
    lines = [files.to_json(value) for value in values]
    whole = "".join(f"{line}\n" for line in lines).encode()
    cut = data.draw(st.integers(0, len(whole)))
    parsed = files.parse_lines(whole[:cut], "test")
    assert list(parsed.records) == [json.loads(t) for t in lines][: len(parsed.records)]
    assert len(parsed.records) >= whole[:cut].count(b"\n")
    assert parsed.whole_bytes + parsed.dropped_bytes == cut


@pytest.mark.parametrize("tail", [b"\0" * 50, b"\0" * 50 + b"\n", b"\xff\xfe", b"17"])
def test_a_garbage_end_is_dropped_with_a_warning(tmp_path, tail):
    with results.ResultsWriter(tmp_path) as writer:
        writer.write(attack())
    path = tmp_path / results.FILE_NAME
    path.write_bytes(path.read_bytes() + tail)
    with pytest.warns(RuntimeWarning, match="not a whole record"):
        assert results.load(tmp_path) == (attack(),)


def test_damage_before_the_last_line_is_an_error(tmp_path):
    with results.ResultsWriter(tmp_path) as writer:
        writer.write(attack(0))
        writer.write(attack(1))
    path = tmp_path / results.FILE_NAME
    path.write_bytes(path.read_bytes().replace(b'"kind"', b"kind", 1))
    with pytest.raises(ValueError, match="Line 1 of"):
        results.load(tmp_path)
    with pytest.raises(ValueError, match="Line 1 of"):
        results.ResultsWriter(tmp_path)


def test_a_record_is_on_the_disk_before_the_next_is_made(tmp_path):
    with results.ResultsWriter(tmp_path) as writer:
        for index in range(3):
            writer.write(attack(index))
            assert len(results.load(tmp_path)) == index + 1


def test_a_full_disk_leaves_the_file_as_before(tmp_path, monkeypatch):
    with results.ResultsWriter(tmp_path) as writer:
        writer.write(attack(0))
        before = (tmp_path / results.FILE_NAME).read_bytes()
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28)))
            with pytest.raises(OSError):
                writer.write(attack(1))
        assert (tmp_path / results.FILE_NAME).read_bytes() == before
        writer.write(attack(2))
    assert [r.image_index for r in results.load(tmp_path)] == [0, 2]


def _open_elsewhere(folder, queue):
    try:
        results.ResultsWriter(pathlib.Path(folder))
        queue.put("opened")
    except RuntimeError as error:
        queue.put(str(error))


def test_two_processes_do_not_mix_their_lines(tmp_path):
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    with results.ResultsWriter(tmp_path):
        process = context.Process(target=_open_elsewhere, args=(str(tmp_path), queue))
        process.start()
        answer = queue.get(timeout=20)
        process.join()
    assert "one process at a time" in answer
    with results.ResultsWriter(tmp_path):
        pass


def test_the_last_record_of_a_piece_of_work_counts(tmp_path):
    with results.ResultsWriter(tmp_path) as writer:
        writer.write(attack(psnr=1.0))
        writer.write(attack(psnr=2.0))
    assert [r.measures["psnr_db"] for r in results.load(tmp_path)] == [2.0]


def test_finished_keys_can_be_made_without_a_record(tmp_path):
    with results.ResultsWriter(tmp_path) as writer:
        writer.write(attack(5))
        writer.write(training(2))
    done = results.finished_keys(tmp_path)
    assert (
        records.AttackKey(CELL, 5, "lbfgs", "mask_aware", "client", 1) in done
        and records.RoundKey(CELL, 2) in done
    )
    assert records.AttackKey(CELL, 5, "lbfgs", "naive", "client", 1) not in done
    assert records.RoundKey(CELL, 1) not in done


def test_an_interrupted_replacement_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "file"
    files.write_atomically(path, b"old")
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", lambda *a: (_ for _ in ()).throw(OSError(5)))
        with pytest.raises(OSError):
            files.write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def config(flags=None, datasets=("mnist-5k",), seeds=None):
    return run_directory.RunConfig(
        flags={
            "ratios": (0.1, 0.5),
            "logdir": "/a",
            "metric": "random",
            **(flags or {}),
        },
        neutral_flags=("logdir",),
        datasets=datasets,
        seeds={"data": 1, **(seeds or {})},
    )


ENVIRONMENT = {
    "versions": {"tensorflow": "2.20.0", "tf-shell": None},
    "devices": ["CPU:0"],
    "cpu": {"model": "x", "cores": 2},
    "git": None,
}
START = datetime.datetime(2030, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)


def open_run(path, conf=None, environment=ENVIRONMENT, name="run"):
    return run_directory.open_run(
        path, name, conf or config(), environment, ["run.py", "--x=1"], START
    )


def test_a_run_is_created_and_continued(tmp_path):
    first = open_run(tmp_path / "logs")
    second = open_run(tmp_path / "logs", config({"logdir": "/elsewhere"}))
    assert (first.session, second.session) == (0, 1)
    assert first.path == second.path
    stored = run_directory.read_config(first.path)
    assert stored["flags"] == {"metric": "random", "ratios": [0.1, 0.5]}
    assert [s["neutral_flags"]["logdir"] for s in stored["sessions"]] == [
        "/a",
        "/elsewhere",
    ]
    session = stored["sessions"][0]
    assert session["started_utc"] == "2030-01-02T03:04:05+00:00"
    assert session["command_line"] == ["run.py", "--x=1"]
    assert session["versions"]["tensorflow"] == "2.20.0"


def test_the_hash_is_only_over_what_determines_results():
    same = run_directory.config_hash(config({"logdir": "/b"}))
    assert same == run_directory.config_hash(config())
    others = [
        config({"metric": "magnitude"}),
        config({"new_flag": 1}),
        config(datasets=("mnist",)),
        config(seeds={"data": 2}),
    ]
    hashes = {run_directory.config_hash(other) for other in others}
    assert len(hashes | {same}) == 5


def test_another_configuration_is_an_error_that_lists_the_differences(tmp_path):
    path = open_run(tmp_path).path
    before = (path / "config.json").read_bytes()
    with pytest.raises(ValueError) as caught:
        open_run(
            tmp_path,
            config({"metric": "magnitude", "extra": 7}, ("mnist",), {"data": 2}),
        )
    message = str(caught.value)
    assert '--metric: expected "random" (in the folder), found "magnitude"' in message
    assert "--extra: expected (not set) (in the folder), found 7" in message
    assert (
        'data sets: expected ["mnist-5k"] (in the folder), found ["mnist"]' in message
    )
    assert "seed 'data': expected 1 (in the folder), found 2" in message
    assert "--ratios" not in message
    assert "--run_name" in message and "--logdir" in message
    assert (path / "config.json").read_bytes() == before


def test_changed_versions_are_noted_but_do_not_stop_a_run(tmp_path):
    open_run(tmp_path)
    newer = {**ENVIRONMENT, "versions": {"tensorflow": "2.21.0", "tf-shell": None}}
    notes = open_run(tmp_path, environment=newer).notes
    assert len(notes) == 1
    assert "tensorflow was 2.20.0" in notes[0] and "now 2.21.0" in notes[0]
    assert open_run(tmp_path, environment=newer).notes == ()


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.tex").write_text("precious")
    with pytest.raises(ValueError, match=r"no config\.json.*--run_name"):
        open_run(tmp_path)


def test_a_start_that_was_killed_before_config_json_can_be_repeated(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".config.json.abc").write_text("{")
    assert open_run(tmp_path).session == 0


def test_a_damaged_config_is_an_error(tmp_path):
    path = open_run(tmp_path).path
    (path / "config.json").write_text("{")
    with pytest.raises(ValueError, match="must be JSON, but is damaged"):
        open_run(tmp_path)


@pytest.mark.parametrize("name", ["", "..", "a/b", "/tmp"])
def test_a_run_name_is_one_folder(tmp_path, name):
    with pytest.raises(ValueError, match="`--run_name` must be the name of one folder"):
        open_run(tmp_path, name=name)


@given(st.dictionaries(st.text(min_size=1), JSON_VALUES, max_size=4))
@settings(max_examples=10, deadline=None)
def test_any_flags_can_be_continued(flags):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder)
        open_run(path, config(flags))
        assert open_run(path, config(flags)).session == 1
        text = (path / "run" / "config.json").read_text()
        json.loads(text, parse_constant=refuse_constant)


def test_a_damaged_reconstruction_is_named(tmp_path):
    key = attack(0).key
    reconstructions.save(tmp_path, key, np.ones([2, 2, 1], np.float32))
    path = reconstructions.path_of(tmp_path, key)
    for kept in (0, 40, 100):
        path.write_bytes(path.read_bytes()[:kept])
        assert reconstructions.load(tmp_path, key) is None
        assert reconstructions.why_none(tmp_path, key) == f"{path.name} is damaged"
        assert reconstructions.damaged(tmp_path) == [path.name]
    original = np.ones([2, 2, 1], np.float32)
    reconstructions.save_original(tmp_path, 3, original)
    (kept,) = (tmp_path / "reconstructions").glob("*original.npy")
    kept.write_bytes(b"")
    # It can be made again.
    reconstructions.save_original(tmp_path, 3, original)
    assert reconstructions.damaged(tmp_path) == [path.name]


def test_reconstructions_come_back(tmp_path):
    image = np.random.default_rng(0).random((4, 5, 3)).astype(np.float32)
    key = attack().key
    assert reconstructions.load(tmp_path, key) is None
    for example in (image, np.array([3, 1, -1], np.int32)):
        reconstructions.save(tmp_path, key, example)
        back = reconstructions.load(tmp_path, key)
        np.testing.assert_array_equal(back, example)
        assert back.dtype == example.dtype
    assert reconstructions.load(tmp_path, attack(attacker="naive").key) is None


def test_names_hold_what_differs_and_nothing_else():
    import dataclasses

    cells = [
        dataclasses.replace(CELL, metric=metric, encryption_ratio=ratio, seed=seed)
        for metric in ("random", "top k")
        for ratio in (0.0, 0.00005, 0.1, 1.0)
        for seed in (0, 1)
    ]
    names = records.cell_names(cells)
    assert len(set(names.values())) == len(cells)
    assert names[cells[3]] == "random_0.00005_seed=1"
    assert names[cells[-2]] == "top-k_1_seed=0"
    assert records.cell_names([CELL]) == {CELL: "random_0.1"}
    assert records.cell_names([]) == {}


def test_a_record_without_a_result_has_a_reason_and_no_number():
    nothing = {"mse": None, "ssim": None, "objective": None}
    found = attack(psnr=None, status="does_not_apply", reason="no head", **nothing)
    back = records.from_dict(json.loads(files.to_json(records.to_dict(found))))
    assert back == found
    for wrong in (
        {"status": "does_not_apply", "reason": "no head"},
        {"status": "failed", "psnr": None, **nothing},
        {"status": "lost"},
    ):
        with pytest.raises(ValueError, match="status"):
            attack(**wrong)


def test_members_survive_the_file():
    measures = {"psnr_db": math.inf, "ssim": math.nan}
    ran = records.MemberRecord("dlg", "ok", "", measures, 0.0, 31.5, 2.0)
    unfit = records.MemberRecord(
        "r_gap", "does_not_apply", "no chain", {}, None, None, 0.0
    )
    found = attack(chosen="dlg", chosen_by="rehearsal", members=(ran, unfit))
    back = records.from_dict(json.loads(files.to_json(records.to_dict(found))))
    assert repr(back) == repr(found)
    values = records.to_dict(found)
    values["members"][0]["colour"] = "red"
    with pytest.raises(ValueError, match=r"MemberRecord .*colour"):
        records.from_dict(values)


def test_a_folder_from_before_a_flag_goes_on_with_its_default(tmp_path):
    def opened(flags):
        made = config(flags)._replace(defaults={"later": 0})
        return run_directory.open_run(tmp_path, "run", made, ENVIRONMENT, [])

    opened({})
    with pytest.raises(ValueError, match=r"--later: expected 0 .*, found 1 "):
        opened({"later": 1})
    assert opened({"later": 0}).session == 1
    with pytest.raises(ValueError, match=r"--later: expected 0 .*, found 1 "):
        opened({"later": 1})
