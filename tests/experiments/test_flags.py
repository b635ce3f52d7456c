"""The table of flags, command by command: every flag arrives at its own place."""

import dataclasses
import json
import re

import pytest
from absl import flags as absl_flags

from experiments import audit, benchmark, cells, check_prediction, keys, pretrain, run
from experiments.analysis import options
from experiments.outputs import run_directory
from experiments.study import flag_table, settings
from tests.experiments.command import read

TABLES = {
    "run": run.Runs,
    "report": settings.Place,
    "analyse": options.Options,
    "check_prediction": check_prediction.Check,
    "benchmark": benchmark.Benchmark,
    "keys": keys.Keys,
    "audit": audit.Audit,
    "cells": cells.Cells,
    "pretrain": pretrain.Pretraining,
}

# Where a flag is whose place is not called as it is.
PLACES = {
    "significance": "metrics",
    "encryption_ratios": "ratios",
    "mask_policy": "policy",
    "mask_agreement": "agreement",
    "mask_layers": "layers",
    "mask_history": "history",
    "damaged_messages": "damaged",
    "client_examples": "training.examples",
    "client_batch_size": "training.batch_size",
    "client_learning_rate": "training.learning_rate",
    "attacks": "methods",
    "attack_batch_size": "batch_size",
    "attack_restarts": "restarts",
    "attack_iterations": "iterations",
    "attack_seconds": "max_seconds",
    "attack_public_images": "public_images",
    "attack_rounds": "attack.rounds",
    "attack_local_epochs": "attack.local_epochs",
    "attack_local_batch_size": "attack.local_batch_size",
    "attack_local_learning_rate": "attack.local_learning_rate",
    "rounds": "training.rounds",
    "local_epochs": "training.local_epochs",
}
# What the numbers of a list are whose default has none.
EMPTY = {"seeds": int, "data_range": float}
ONLY_IN = {
    ("keys", "rounds"): "rounds",
    ("keys", "keys"): "path",
    ("check_prediction", "attacks"): "attacks",
    ("run", "attack_batch_size"): "attack.batch_size",
    ("benchmark", "attack_batch_size"): "attack.batch_size",
    ("cells", "attack_batch_size"): "attack.batch_size",
    ("cells", "attack_iterations"): "attack.max_iterations",
    ("cells", "cell_models"): "models",
    ("cells", "cell_rounds"): "rounds",
    ("cells", "cell_batch_sizes"): "batch_sizes",
    ("audit", "attack_batch_size"): "attack.batch_size",
    ("audit", "attack_iterations"): "attack.max_iterations",
    ("run", "attack_iterations"): "attack.max_iterations",
    ("benchmark", "attack_iterations"): "attack.max_iterations",
}


def own_values(table):
    """A value for every flag that no other flag has, by default or otherwise."""
    for number, (about, default) in enumerate(flag_table.flags_of(table())):
        made = {
            bool: not default,
            int: 7000 + number,
            float: 0.5 + number,
            str: f"own-{number}",
        }
        if isinstance(default, tuple):
            kind = type(default[0]) if default else EMPTY.get(about.name, str)
            yield about.name, (made[kind], made[kind] * 2)
        else:
            yield about.name, made[type(default)]


def as_argument(name, value):
    if isinstance(value, bool):
        return f"--{name}" if value else f"--no{name}"
    several = value if isinstance(value, tuple) else (value,)
    return f"--{name}={','.join(map(str, several))}"


def places(found, path=()):
    """All leaves of a settings object by their paths."""
    for field in dataclasses.fields(found):
        value = getattr(found, field.name)
        if dataclasses.is_dataclass(value):
            yield from places(value, (*path, field.name))
        else:
            yield ".".join((*path, field.name)), value


@pytest.mark.parametrize("command", TABLES)
def test_every_flag_arrives_at_its_place(command, tmp_path):
    table = TABLES[command]
    own = dict(own_values(table))
    found = read(table, *(as_argument(*item) for item in own.items()))
    at = dict(places(found))
    assert len(at) == len(own)
    for name, value in own.items():
        place = ONLY_IN.get((command, name), PLACES.get(name, name))
        inside = [path for path in at if path.endswith(f".{place}")]
        (path,) = [place] if place in at else inside
        actual = at[path]
        assert actual == value and type(actual) is type(value), name

    config = run_directory.RunConfig(
        flag_table.as_dict(found), flag_table.neutral(found), (), {}
    )
    folder = run_directory.open_run(tmp_path, "run", config, {}, []).path
    stored = json.loads((folder / "config.json").read_text())
    kept = stored["flags"] | stored["sessions"][0]["neutral_flags"]
    assert kept == json.loads(json.dumps(own))
    assert flag_table.from_dict(kept, table) == found


@pytest.mark.parametrize("command", TABLES)
def test_switches_are_not_mixed_up(command):
    """Booleans have two values only, so each is set alone."""
    table = TABLES[command]
    for name, value in own_values(table):
        if isinstance(value, bool):
            found = flag_table.as_dict(read(table, as_argument(name, value)))
            assert found == flag_table.as_dict(table()) | {name: value}


@pytest.mark.parametrize("command", TABLES)
def test_help_shows_every_choice(command):
    table = TABLES[command]
    values = absl_flags.FlagValues()
    flag_table.define(values, table)
    shown = re.sub(r"\s+", " ", values.get_help())
    for about, _ in flag_table.flags_of(table()):
        assert f"--{about.name}" in shown.replace("--[no]", "--")
        assert about.help.split(".")[0] in shown
        if about.choices:
            assert f"of: {', '.join(about.choices)}." in shown


def test_where_to_read_and_write_does_not_change_results():
    assert set(flag_table.neutral(settings.Settings())) == {
        "logdir", "run_name", "data_dir", "allow_download", "dry_run"
    }  # fmt: skip
    assert set(flag_table.neutral(options.Options())) == {
        "logdir", "run_name", "data_dir", "allow_download", "max_memory_gb", "dry_run"
    }  # fmt: skip


def test_the_defaults_are_those_of_the_flags():
    for table in TABLES.values():
        assert read(table) == table()
