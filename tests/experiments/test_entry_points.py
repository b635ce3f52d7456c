"""Refusals and help of the commands: quick, a sentence, and without the heavy libraries."""

import functools
import json
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
FLAG_OF = {
    "run": "--attackers",
    "report": "--run_name",
    "analyse": "--threshold_tolerance",
    "check_prediction": "--run_name",
    "benchmark": "--torch_python",
    "keys": "--before_round",
    "audit": "--minutes",
    "cells": "--cell_models",
    "pretrain": "--epochs",
}
COMMANDS = tuple(FLAG_OF)
also_slow = functools.partial(pytest.param, marks=pytest.mark.slow)
HEAVY = (
    "tensorflow", "keras", "tensorflow_federated", "tf_shell", "scipy", "matplotlib",
    "rich",
)  # fmt: skip

# Runs a module as `python -m` does, and says at the end what it took.
DRIVER = """
import json, resource, runpy, sys
module, *arguments = json.loads(sys.argv[1])
sys.argv = [module, *arguments]
status = None
try:
    runpy.run_module(module, run_name="__main__", alter_sys=True)
except SystemExit as end:
    status = end.code
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps([status, used.ru_utime + used.ru_stime, sorted(sys.modules)]))
"""


def ended(command, *arguments):
    """Exit status, CPU seconds, loaded modules, output and errors of a command."""
    line = json.dumps([f"experiments.{command}", *arguments])
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, line],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    output, _, report = done.stdout.rstrip().rpartition("\n")
    return *json.loads(report), output, done.stderr


@pytest.mark.parametrize(
    ("command", "argument", "status", "shown"),
    [
        *((command, "--atacks=dlg", 2, "'atacks'") for command in COMMANDS),
        ("run", "--help", 0, FLAG_OF["run"]),
        *(
            also_slow(command, "--help", 0, FLAG_OF[command])
            for command in COMMANDS[1:]
        ),
        also_slow("run", "--helpshort", 0, FLAG_OF["run"]),
        ("run", "--attack_iterations=many", 2, "attack_iterations"),
        ("run", "leftover", 2, "'leftover'"),
    ],
)
def test_nothing_heavy_is_loaded(command, argument, status, shown):
    found, seconds, modules, output, errors = ended(command, argument)
    assert found == status
    assert shown in output + errors
    assert "Traceback" not in errors
    assert not set(HEAVY).intersection(modules)
    # Under one on a quiet machine.
    assert seconds < 5


@pytest.mark.parametrize(
    ("command", "argument", "shown"),
    [
        ("run", "--model=no_such_model", "lenet"),
        also_slow("run", "--mask_policy=heads", "--head_size"),
        ("run", "--attacks=multi_round", "--attack_rounds"),
        ("run", f"--logdir={ROOT / 'README.md'}", "README.md is a file"),
        also_slow("run", "--logdir=/dev/null/below", "is a file"),
        ("run", "--run_name=../elsewhere", "--run_name"),
        also_slow(
            "analyse", f"--logdir={ROOT} --run_name=README.md", "README.md is a file"
        ),
        ("analyse", "--noise=relative", "behind a colon"),
        ("check_prediction", "--run_name=no_such_folder", "Run the analysis first"),
        also_slow("check_prediction", "--attack_restarts=0", "at least 1"),
        ("run", "--data=nothing.csv", "that is there"),
        ("audit", "--minutes=-1 --data=nothing.csv", "`--minutes` must be"),
        also_slow("run", "--rounds=99999999999999999999", "at most 2147483647"),
        also_slow("analyse", "--model=mine.models:", "package.module:function"),
        also_slow("analyse", "--weights=nothing.npz", "that is there"),
        also_slow("benchmark", "--suite=positions --num_images=0", "at least 1"),
        also_slow("benchmark", "--dry_run", "--dry_run"),
        also_slow(
            "benchmark",
            f"--suite=lattice --logdir={ROOT} --run_name=README.md",
            "is a file",
        ),
        also_slow(
            "benchmark", "--suite=attack --torch_python=/nowhere", "--torch_python"
        ),
        ("benchmark", "--suite=all", "lattice"),
        ("report", "", "folders of runs, got none"),
        also_slow("report", "/nowhere/at_all", "no folder"),
        also_slow("report", "~nobody_of_that_name/x", "a user who is not there"),
        ("report", f"{ROOT / 'tests'} --logdir=/dev/null --run_name=x", "is a file"),
        ("keys", "--action=hand_out --keys=cohort.key", "--to"),
        ("keys", "--action=list --keys=/nowhere/cohort.key", "there is no key at"),
        also_slow("keys", "--action=make --keys=/proc/x/y.key", "`--keys`"),
        ("run", "--model=no_such_module:f", "no 'no_such_module'"),
        also_slow("analyse", "--data=no_such_module.part:f", "no 'no_such_module'"),
        also_slow("run", "--logdir=/proc/x --dry_run", "`--logdir`"),
        also_slow("run", "--attack_iterations=many", "it must be a whole number"),
        also_slow("run", "--client_learning_rate=much", "it must be a number"),
        also_slow("run", "--dry_run=maybe", "it must be true or false"),
        ("benchmark", "--suite=lattice --values=0", "at least 1"),
        also_slow("benchmark", "--suite=lattice --attack_cases=lenet", "do nothing"),
        also_slow("cells", "--cell_models=none", "`--cell_models` must be one of"),
        ("analyse", "--output=somewhere", "--run_name` (in it) now"),
        also_slow("check_prediction", "--analysis=somewhere", "of the analysis now"),
        also_slow("benchmark", "--mask_policy=heads", "--head_size"),
    ],
)
def test_what_the_flags_cannot_be_is_found_out_as_quickly(command, argument, shown):
    status, seconds, modules, _, errors = ended(command, *argument.split())
    assert status == 2
    assert shown in errors
    assert "Traceback" not in errors
    assert not set(HEAVY).intersection(modules)
    assert seconds < 5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "arguments", "shown"),
    [
        pytest.param(
            "benchmark",
            "--suite=positions --num_images=9000",
            "--num_images",
            marks=pytest.mark.long,
        ),
        pytest.param(
            "benchmark",
            "--suite=round --client_examples=9000",
            "--client_examples",
            marks=pytest.mark.long,
        ),
        pytest.param(
            "benchmark",
            "--mask_policy=heads --head_size=3",
            "`head_size`",
            marks=pytest.mark.long,
        ),
        ("run", "--model=tests.experiments.own_models:fails", "RuntimeError"),
        pytest.param(
            "analyse",
            "--model=tests.experiments.own_models:binary",
            "cannot be used",
            marks=pytest.mark.long,
        ),
        pytest.param(
            "run",
            "--dry_run --model=no.such:model",
            "there is no 'no'",
            marks=pytest.mark.long,
        ),
    ],
)
def test_what_only_data_and_model_show_is_a_sentence_too(
    command, arguments, shown, tmp_path
):
    place = f"--logdir={tmp_path}"
    line = [place, "--dataset=mnist-5k", *arguments.split()]
    status, _, _, _, errors = ended(command, *line)
    assert status == 2
    assert shown in errors
    assert "Traceback" not in errors
    assert not list(tmp_path.iterdir())
