import dataclasses
import math
import subprocess

import numpy as np
import pytest
import tensorflow as tf

from experiments.outputs import environment, records, summary, tensorboard
from experiments.outputs.pictures import decibels
from tests.experiments.outputs.event_files import accumulator, tags
from tests.experiments.outputs.example_records import (
    CELL,
    attack,
    cell,
    example_rows,
    rounds,
    training,
)


def scalars(folder, tag):
    read = accumulator(folder)
    read.Reload()
    return points(read, tag)


def points(read, tag):
    if tag not in read.Tags()["tensors"]:
        return []
    return [(e.step, float(tf.make_ndarray(e.tensor_proto))) for e in read.Tensors(tag)]


def write_rounds(run_folder, past, new):
    with tensorboard.RoundWriter(run_folder, "mine", past[0].cell, past) as writer:
        for record in new:
            writer.write(record)


def test_rounds_have_all_curves_and_skip_what_was_not_measured(tmp_path):
    records_ = [training(1, loss=2.0, accuracy=None), training(2, loss=1.0)]
    write_rounds(tmp_path, records_, [])
    folder = tmp_path / "tb" / "cells" / "mine"
    assert scalars(folder, "round/loss") == [(1, 2.0), (2, 1.0)]
    assert scalars(folder, "round/accuracy") == [(2, pytest.approx(0.9))]
    assert scalars(folder, "round/client_to_server_bytes") == [(1, 500.0), (2, 500.0)]
    assert scalars(folder, "round/seconds") == [(1, 2.0), (2, 2.0)]


def test_a_resumed_run_shows_every_round_once(tmp_path):
    first = [training(number) for number in (1, 2, 3)]
    write_rounds(tmp_path, first[:1], first[1:])
    folder = tmp_path / "tb" / "cells" / "mine"
    opened_before = accumulator(folder)
    opened_before.Reload()
    assert len(points(opened_before, "round/loss")) == 3
    other_cell = training(9, cell(0.7))
    # File names hold the second; a resumed run starts in a later one.
    for path in folder.iterdir():
        old = path.name.split(".")
        old[3] = f"{int(old[3]) - 5:010d}"
        path.rename(folder / ".".join(old))
    write_rounds(tmp_path, [*first[:2], other_cell, attack()], [training(3, loss=0.5)])
    steps = [1, 2, 3]
    assert [step for step, _ in scalars(folder, "round/loss")] == steps
    assert scalars(folder, "round/loss")[-1] == (3, 0.5)


def test_a_tensorboard_that_is_open_forgets_the_points_of_the_last_session(tmp_path):
    first = [training(number) for number in (1, 2, 3)]
    write_rounds(tmp_path, first, [])
    folder = tmp_path / "tb" / "cells" / "mine"
    for path in folder.iterdir():
        old = path.name.split(".")
        old[3] = f"{int(old[3]) - 5:010d}"
        path.rename(folder / ".".join(old))
    watching = accumulator(folder)
    watching.Reload()
    assert [step for step, _ in points(watching, "round/loss")] == [1, 2, 3]
    write_rounds(tmp_path, first[:2], [training(3, loss=0.5)])
    watching.Reload()
    assert [step for step, _ in points(watching, "round/loss")] == [1, 2, 3]
    assert points(watching, "round/loss")[-1] == (3, 0.5)


def test_nothing_over_the_ratio_is_a_scalar_that_smoothing_falsifies(tmp_path):
    tensorboard.write_figures(tmp_path, example_rows())
    tensorboard.write_hparams(tmp_path, example_rows())
    for path in (tmp_path / "tb").rglob("events*"):
        read = accumulator(path.parent)
        read.Reload()
        for tag in read.Tags()["tensors"]:
            plugin = read.SummaryMetadata(tag).plugin_data.plugin_name
            assert plugin != "scalars" or len(read.Tensors(tag)) == 1


def measured_rows():
    return summary.summarise(
        attack(
            image,
            psnr=psnr,
            cell=cell(ratio),
            perceptual=ratio,
            identified=psnr > 20,
        )
        for ratio, level in ((0.0, 30.0), (0.5, 10.0))
        for image, psnr in enumerate((level, level + 12))
    )


def test_further_measures_are_metrics_of_trials(tmp_path):
    tensorboard.write_hparams(tmp_path, measured_rows())
    folder = tmp_path / "tb" / "cells" / "random_0.5"
    assert scalars(folder, "metrics/leakage_success_25db") == [(0, 0.0)]
    assert scalars(folder, "metrics/leakage_identified") == [(0, 0.5)]
    assert scalars(folder, "metrics/leakage_perceptual") == [(0, 0.5)]


def test_tags_are_those_of_earlier_versions(tmp_path):
    (row,) = summary.summarise(
        [attack(perceptual=0.5, identified=True), *rounds(CELL, 1.0, 5, 0)]
    )
    tensorboard.write_hparams(tmp_path, [row])
    root = tmp_path / "tb"
    trial = tags(root / "cells" / "random_0.1")
    assert [tag for tag in trial if tag.startswith("metrics/")] == [
        "metrics/leakage_psnr_best_db",
        "metrics/leakage_psnr_mask_aware_db",
        "metrics/leakage_ssim",
        "metrics/leakage_exact",
        "metrics/leakage_success_25db",
        "metrics/leakage_identified",
        "metrics/leakage_perceptual",
        "metrics/relative_upload_bytes",
        "metrics/relative_bytes",
        "metrics/relative_seconds",
        "metrics/accuracy",
    ]


def test_trials_of_an_earlier_session_disappear(tmp_path):
    rows = example_rows()
    root = tmp_path / "tb"
    with tensorboard.RoundWriter(tmp_path, "random_0.1", cell()) as writer:
        writer.write(training(1, cell()))
    tensorboard.write_hparams(tmp_path, rows)
    tensorboard.write_hparams(tmp_path, [rows[0]])
    # The trial is gone and the rounds of that cell are not.
    assert scalars(root / "cells" / "random_0.1", "round/loss") == [(1, 1.0)]
    assert scalars(root / "cells" / "random_0.1", "metrics/relative_bytes") == []


def test_a_trial_and_the_rounds_of_its_cell_share_a_folder(tmp_path):
    rows = example_rows()
    tensorboard.write_hparams(tmp_path, rows)
    cells = [cell(row.encryption_ratio, row.metric) for row in rows]
    names = records.cell_names(cells)
    folders = {path.name for path in (tmp_path / "tb" / "cells").iterdir()}
    assert folders == set(names.values())
    folder = tmp_path / "tb" / "cells" / names[cell(0.1)]
    assert scalars(folder, "metrics/leakage_psnr_best_db") == [(0, 31.0)]
    assert "_hparams_/session_start_info" in tags(folder)
    assert "_hparams_/experiment" in tags(tmp_path / "tb" / "report")


def test_trials_of_two_runs_are_not_taken_for_one(tmp_path):
    from tensorboard.plugins.hparams import plugin_data_pb2

    groups = set()
    for name in ("one", "two"):
        tensorboard.write_hparams(tmp_path / name, example_rows()[:1])
        (folder,) = (tmp_path / name / "tb" / "cells").iterdir()
        read = accumulator(folder)
        read.Reload()
        content = read.SummaryMetadata("_hparams_/session_start_info").plugin_data
        data = plugin_data_pb2.HParamsPluginData.FromString(content.content)
        groups.add(data.session_start_info.group_name)
        assert data.session_start_info.hparams["metric"].string_value
    assert len(groups) == 2


def test_a_trial_without_numbers_says_why(tmp_path):
    from tensorboard.plugins.hparams import plugin_data_pb2

    none = {name: None for name in ("mse", "psnr_db", "ssim", "objective")}
    refused = attack(0, status="does_not_apply", reason="no head", **none)
    tensorboard.write_hparams(tmp_path, summary.summarise([refused]))
    (folder,) = (tmp_path / "tb" / "cells").iterdir()
    assert not [tag for tag in tags(folder) if tag.startswith("metrics/")]
    read = accumulator(folder)
    read.Reload()
    content = read.SummaryMetadata("_hparams_/session_start_info").plugin_data
    data = plugin_data_pb2.HParamsPluginData.FromString(content.content)
    found = data.session_start_info.hparams["without_result"].string_value
    assert found == "lbfgs aware does not apply: no head"


def test_pictures_are_written_for_tensorboard_and_as_png(tmp_path):
    image = np.zeros((8, 8, 3), np.float32)
    example = tensorboard.Example(
        "cifar100-20 image 7, label 14",
        image,
        [tensorboard.panel(attack(7, psnr=12.0), image)],
    )
    rows = example_rows()
    for _ in range(2):
        tensorboard.write_reconstructions(tmp_path, [example])
        tensorboard.write_figures(tmp_path, rows)
        tensorboard.write_texts(tmp_path, {"data": "**mnist-5k**"})
    report = tmp_path / "tb" / "report"
    assert len(list(report.glob("events*"))) == 3
    found = tags(report)
    assert "reconstructions/cifar100-20 image 7, label 14" in found
    assert sum(tag.startswith("leakage_vs_overhead/") for tag in found) == 1
    assert sum(tag.startswith("leakage_and_costs_over_ratio/") for tag in found) == 1
    assert "data" in found
    names = {path.name for path in (tmp_path / "figures").iterdir()}
    assert "reconstruction_cifar100-20-image-7-label-14.png" in names
    assert len(names) == 3


def test_nothing_to_show_is_no_error(tmp_path):
    tensorboard.write_hparams(tmp_path, [])
    tensorboard.write_figures(tmp_path, [])
    tensorboard.write_reconstructions(tmp_path, [])


def test_infinite_and_missing_metrics_are_drawable(tmp_path):
    rows = summary.summarise([attack(0, psnr=math.inf, ssim=None)])
    tensorboard.write_hparams(tmp_path, rows)
    (folder,) = (tmp_path / "tb" / "cells").iterdir()
    assert scalars(folder, "metrics/leakage_psnr_best_db") == [
        (0, pytest.approx(decibels.EXACT_DB))
    ]
    assert scalars(folder, "metrics/leakage_ssim") == []


def test_the_environment_has_versions_devices_and_processor():
    found = environment.describe()
    assert found["versions"]["tensorflow"] == tf.__version__
    assert found["versions"]["keras"] and found["versions"]["tensorflow-federated"]
    assert environment.describe(["no-such-package"])["versions"]["no-such-package"] is (
        None
    )
    assert any(device.startswith("CPU:0") for device in found["devices"])
    assert found["cpu"]["cores"] >= 1 and found["cpu"]["model"]


def git(folder, *arguments):
    subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@t", *arguments],
        cwd=folder,
        check=True,
        capture_output=True,
    )


def test_the_commit_is_noted_only_for_the_checkout_itself(tmp_path):
    assert environment.git_state(tmp_path) is None
    git(tmp_path, "init")
    assert environment.git_state(tmp_path) is None
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "file").write_text("1")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "first")
    state = environment.git_state(tmp_path)
    assert len(state["commit"]) == 40 and state["dirty"] is False
    (tmp_path / "inner" / "file").write_text("2")
    assert environment.git_state(tmp_path)["dirty"] is True
    # A package that lies inside somebody else's checkout.
    assert environment.git_state(tmp_path / "inner") is None


def test_cells_of_several_seeds_have_curves_of_their_own():
    cells = [cell(seed=0), dataclasses.replace(cell(), seed=1)]
    assert set(records.cell_names(cells).values()) == {
        "random_0.1_seed=0",
        "random_0.1_seed=1",
    }
