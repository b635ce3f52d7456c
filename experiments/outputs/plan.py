"""`plan.json`: all the work of a run, so that what is missing can be counted."""

import dataclasses
import json
import pathlib
from collections.abc import Collection
from typing import Any, NamedTuple

from experiments.outputs import files
from experiments.outputs.records import AttackKey, Cell, RoundKey

FILE_NAME = "plan.json"


class Plan(NamedTuple):
    """What a run does if nobody stops it.

    Attributes:
      trainings: The last round of each training.
      attacks: Every attack on every example.
    """

    trainings: tuple[RoundKey, ...]
    attacks: tuple[AttackKey, ...]

    def missing(self, done: Collection[RoundKey | AttackKey]) -> "Plan":
        """The part of it that is not done."""
        return Plan(
            tuple(key for key in self.trainings if key not in done),
            tuple(key for key in self.attacks if key not in done),
        )


def write(run_folder: pathlib.Path, plan: Plan) -> None:
    """Writes the plan of a run into its folder."""
    content = {
        name: [_flat(key) for key in getattr(plan, name)] for name in Plan._fields
    }
    files.write_atomically(run_folder / FILE_NAME, files.to_json(content).encode())


def load(run_folder: pathlib.Path) -> Plan | None:
    """Reads the plan of a run.

    Returns:
      The plan; None if there is none that can be read, as of runs of versions that wrote
      no plan.
    """
    try:
        content = json.loads((run_folder / FILE_NAME).read_bytes())
        return Plan(
            tuple(_key(RoundKey, each) for each in content["trainings"]),
            tuple(_key(AttackKey, each) for each in content["attacks"]),
        )
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _flat(key: RoundKey | AttackKey) -> dict[str, Any]:
    return {**key._asdict(), "cell": dataclasses.asdict(key.cell)}


def _key(kind: Any, values: dict[str, Any]) -> Any:
    return kind(**{**values, "cell": Cell(**values["cell"])})
