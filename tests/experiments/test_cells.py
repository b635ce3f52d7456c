"""The grid of runs and its tables; the runs themselves are those of `experiments.run`."""

import csv
import dataclasses
import io
import math
import pathlib

import pytest

from experiments import cells, run
from experiments.outputs import results, run_directory
from experiments.outputs.records import AttackRecord, Cell, MemberRecord
from experiments.study import command
from experiments.suites import cells as suite
from experiments.suites import regret
from tests.experiments.command import read

CELL = Cell("mnist-5k", "lenet", "random", "public_seed", 0.5, "server_blind", 1, 0)
ARGUMENTS = (
    "--cell_models=lenet,mlp",
    "--cell_rounds=0,2",
    "--cell_batch_sizes=1,2",
    "--significance=random",
    "--encryption_ratios=0,0.5",
    "--attacks=completion,r_gap",
    "--attackers=mask_aware",
    "--rounds=0",
    "--aggregate_clients=0",
    "--num_images=1",
)


def asked(folder, *more):
    return read(
        cells.Cells, *ARGUMENTS, f"--logdir={folder}", "--run_name=study", *more
    )


def record(name, ratio, image=0, psnr=None, reason="no chain"):
    status = "does_not_apply" if psnr is None else "ok"
    return AttackRecord(
        cell=dataclasses.replace(CELL, encryption_ratio=ratio),
        image_index=image,
        label=1,
        hidden=5,
        parameters=10,
        attack=name,
        attacker="mask_aware",
        target="client",
        batch_size=1,
        measures={} if psnr is None else {"mse": 0.1, "psnr_db": psnr},
        recovered_label=None,
        label_correct=None,
        objective=None if psnr is None else 0.0,
        iterations=0,
        seconds=0.0,
        status=status,
        reason="" if psnr is not None else reason,
    )


def executed(settings):
    output, errors = io.StringIO(), io.StringIO()
    status = cells.execute(settings, ["cells", *ARGUMENTS], output, errors)
    return status, output.getvalue(), errors.getvalue()


@pytest.fixture
def made(monkeypatch):
    """Runs that leave records of a first run behind; later ones are stopped."""
    seen = []

    def execute(settings, line, errors):
        seen.append((settings, line))
        if len(seen) > 2:
            return command.STOPPED
        folder = run_directory.open_run(
            pathlib.Path(settings.output.logdir),
            settings.output.run_name,
            run_directory.RunConfig(
                {}, (), (), {}, {"attacked_weights_test": {"accuracy": 0.75}}
            ),
            {},
            line,
        ).path
        with results.ResultsWriter(folder) as writer:
            for name, ratio, image, psnr in (
                ("completion", 0.0, 0, 30.0),
                ("completion", 0.0, 1, math.inf),
                ("completion", 0.5, 0, math.nan),
                ("r_gap", 0.0, 0, 50.0),
                ("r_gap", 0.5, 0, None),
            ):
                if name in settings.attack.methods:
                    writer.write(record(name, ratio, image, psnr))
        return 0

    monkeypatch.setattr(run, "execute", execute)
    return seen


def test_every_run_and_the_tables_of_what_is_there(tmp_path, made):
    status, shown, errors = executed(asked(tmp_path))
    assert status == command.STOPPED
    assert "Cell 3 of 8: lenet_after2_batch1" in errors and "Cell 4" not in errors
    first, second, third = (settings for settings, _ in made)
    assert (first.model, first.training.weights_after_rounds) == ("lenet", 0)
    assert first.attack.methods == ("completion", "r_gap")
    # An attack on one picture is none on two.
    assert second.attack.batch_size == 2 and second.attack.methods == ("completion",)
    assert third.training.weights_after_rounds == 2
    assert made[2][1][-1] == "--attack_batch_size=1"

    rows = list(
        csv.DictReader(io.StringIO((tmp_path / "study" / "cells.csv").read_text()))
    )
    # Eight runs, two ratios, two attacks, the best of them and a blind guess.
    assert len(rows) == 8 * 2 * 4
    assert all(row["psnr_median_db"] or row["no_result"] for row in rows)

    def row(ratio, attack, size="1", model="lenet"):
        (found,) = (
            one
            for one in rows
            if (one["model"], one["weights_after_rounds"], one["batch_size"])
            == (model, "0", size)
            and (one["encryption_ratio"], one["attack"]) == (ratio, attack)
        )
        return found

    best = row("0.0", suite.BEST)
    assert (best["psnr_min_db"], best["psnr_max_db"]) == ("50.0", "inf")
    assert (best["pictures"], best["share_40db"]) == ("2", "1.0")
    assert row("0.0", "completion")["share_40db"] == "0.5"
    assert row("0.5", "r_gap")["no_result"] == "does not apply: no chain"
    assert row("0.0", "r_gap", size="2")["no_result"].endswith("a single picture")
    assert row("0.0", "r_gap", model="mlp")["no_result"] == "not run"

    text = (tmp_path / "study" / "cells.md").read_text()
    assert "python -m experiments.cells" in text
    assert "| lenet | 0 | 1 | random | inf (50, inf) | does not apply |" in text
    assert "`r_gap` does not apply: no chain [lenet (b = 1)]" in text
    assert "accuracy 0.75" in text and "diverged" in text
    assert "The best of them" in shown


def chosen(ratio, image, psnr, *members):
    """A record of "strongest" whose members reached these."""
    made = tuple(
        MemberRecord(
            "a", "ok", "", {} if one is None else {"psnr_db": one}, None, None, 0.0
        )
        for one in members
    )
    whole = record("strongest", ratio, image, psnr)
    return dataclasses.replace(whole, members=made)


def test_regret_by_hand():
    one = chosen(0.5, 0, 10.0, 12.0, None, math.nan, 10.0)
    assert regret.of_record(one) == pytest.approx(2.0)
    exact = chosen(0.0, 0, 125.0, math.inf, 125.0)
    assert regret.of_record(exact) == 0.0
    assert regret.of_record(chosen(0.0, 0, 100.0, math.inf)) == pytest.approx(20.0)
    for without in (chosen(0.5, 0, None, None), record("dlg", 0.5, 0, 30.0)):
        assert regret.of_record(without) is None
    # The cell at 0.5 has 2 and 6 dB, the other 0.
    other = chosen(0.5, 1, 10.0, 16.0)
    assert regret.mean([one, other, exact]) == pytest.approx(2.0)
    assert regret.mean([record("dlg", 0.5, 0, 30.0)]) is None


def test_regret_stands_below_the_tables(tmp_path, monkeypatch):
    def execute(settings, line, errors):
        folder = run_directory.open_run(
            pathlib.Path(settings.output.logdir),
            settings.output.run_name,
            run_directory.RunConfig({}, (), (), {}, {}),
            {},
            line,
        ).path
        with results.ResultsWriter(folder) as writer:
            writer.write(chosen(0.5, 0, 10.0, 13.5, 10.0))
        return 0

    monkeypatch.setattr(run, "execute", execute)
    settings = asked(tmp_path, "--attacks=strongest", "--cell_models=lenet")
    status, shown, _ = executed(settings)
    assert status == 0
    said = "`strongest`: its best member in hindsight is 3.5 dB above the chosen one"
    assert said in " ".join(shown.split())
    assert said in (tmp_path / "study" / "cells.md").read_text()


@pytest.mark.parametrize(
    "argument",
    ["--model=mlp", "--attack_batch_size=3", "--weights_after_rounds=1", "--rounds=1"],
)
def test_what_runs_differ_in_is_not_said_twice(tmp_path, argument):
    status, _, errors = executed(asked(tmp_path, argument))
    assert status == 2
    assert argument.partition("=")[0] in errors
    assert not (tmp_path / "study").exists()


def test_the_committed_flagfile_is_valid():
    path = pathlib.Path(cells.__file__).parent / "flagfiles" / "cells.flags"
    found = read(cells.Cells, f"--flagfile={path}")
    points = suite.points(found.models, found.rounds, found.batch_sizes)
    assert len(points) == 5 * 2 * 3
    for point in points:
        settings = suite.settings_of(found, point)
        cells.rules.check(settings)
