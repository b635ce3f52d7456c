"""Folders of runs as tests need them: a configuration, a plan and records."""

import datetime

import numpy as np

from experiments.outputs import (
    files,
    plan,
    reconstructions,
    records,
    results,
    run_directory,
)
from experiments.outputs.plan import Plan
from tests.experiments.outputs.example_records import attack, cell, rounds

ENVIRONMENT = {
    "versions": {"python": "3.11.7", "selenc-tf": "0.1.0", "numpy": "2.0"},
    "devices": ["CPU:0"],
    "cpu": {"model": "a processor", "cores": 2},
    "git": {"commit": "0123456789abcdef", "dirty": False},
    "data": "300 of 5,000 digits, from a package.",
}


def found(seed=0, images=range(3), values=None):
    """Attacks and trainings of one run: nothing, a tenth and everything hidden."""
    made = []
    for ratio, psnr in ((0.0, 70.0), (0.1, 30.0), (1.0, 6.0)):
        of_cell = cell(ratio, seed=seed)
        for image in images:
            psnr_here = psnr + image if values is None else values[image]
            for attacker, value in (
                ("naive", psnr_here / 2),
                ("mask_aware", psnr_here),
            ):
                made.append(
                    attack(
                        image,
                        attacker,
                        value,
                        of_cell,
                        details={"ciphertext_bytes": 100 + round(600 * ratio)},
                    )
                )
    plain = cell(0.0, "plain", seed, agreement="none", release="plain")
    made += rounds(plain, 1.0, 300, 0)
    made += rounds(cell(0.1, seed=seed, release="reveal_aggregate"), 1.5, 400, 10)
    return made


def write(path, made, seed=0, planned=None, **flags):
    """A run's folder with these records; the plan is that they are all."""
    config = run_directory.RunConfig(
        flags={"seed": seed, "weights": "", "attack_iterations": 20, **flags},
        neutral_flags=(),
        datasets=("mnist-5k",),
        seeds={"run": seed},
        facts={"loss": "x", "attacked_weights_sha256": f"of seed {seed}"},
    )
    run_directory.open_run(
        path.parent,
        path.name,
        config,
        ENVIRONMENT,
        ["/somewhere/experiments/run.py", "--flagfile=a b.flags"],
        datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC),
    )
    with results.ResultsWriter(path) as writer:
        for record in made:
            writer.write(record)
    attacks = [one for one in planned or made if isinstance(one, records.AttackRecord)]
    trained = [one for one in planned or made if isinstance(one, records.RoundRecord)]
    last = {one.cell: one.key for one in trained}
    plan.write(path, Plan(tuple(last.values()), tuple(one.key for one in attacks)))
    return path


def draw(path, made):
    """Reconstructions and originals of two by two pixels."""
    for one in made:
        if isinstance(one, records.AttackRecord) and one.status == "ok":
            picture = np.full((2, 2, 1), one.image_index / 10, np.float32)
            reconstructions.save(path, one.key, picture)
            reconstructions.save_original(path, one.image_index, picture)


def append(path, text):
    with (path / results.FILE_NAME).open("a") as file:
        file.write(text)


def lines(path):
    return (path / results.FILE_NAME).read_text().splitlines()


def json_of(record):
    return files.to_json(records.to_dict(record))
