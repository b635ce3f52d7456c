"""What a run is made of, and how much of it is done."""

from collections.abc import Collection
from typing import NamedTuple

from experiments.outputs.plan import Plan
from experiments.outputs.records import Cell, Key, RoundKey
from experiments.study import tasks, training
from experiments.study.inputs import Inputs
from experiments.study.settings import Settings
from experiments.study.tasks import Task


class Work(NamedTuple):
    """The pieces of a run, in the order in which they are done.

    Attributes:
      trainings: Points of the grid, each trained for `rounds` rounds.
      attacks: Afterwards.
      rounds: Of a training.
    """

    trainings: tuple[Cell, ...]
    attacks: tuple[Task, ...]
    rounds: int

    @property
    def plan(self) -> Plan:
        """The same as keys of records."""
        return Plan(
            tuple(RoundKey(cell, self.rounds) for cell in self.trainings),
            tuple(key for task in self.attacks for key in task.keys()),
        )

    def left(self, done: Collection[Key]) -> "Work":
        """Of these pieces, those that are not done.

        Args:
          done: What is on record: `results.finished_keys`.
        """
        finished = frozenset(done)
        return Work(
            tuple(
                cell
                for cell in self.trainings
                if RoundKey(cell, self.rounds) not in finished
            ),
            tuple(
                task for task in self.attacks if not finished.issuperset(task.keys())
            ),
            self.rounds,
        )

    def unfinished(self, done: Collection[Key]) -> str:
        """Says how much is done, in a sentence; "" if all is."""
        left = self.left(done)
        counts = (
            (len(self.trainings), len(left.trainings), "trainings"),
            (len(self.attacks), len(left.attacks), "attacks"),
        )
        if not any(open_ for _, open_, _ in counts):
            return ""
        parts = [
            f"{total - open_} of {total} {name}"
            for total, open_, name in counts
            if total
        ]
        return f"Unfinished: {' and '.join(parts)} are done."


def listed(settings: Settings, inputs: Inputs) -> Work:
    """Lists the work of a run.

    Args:
      settings: Checked.
      inputs: The data and the model.
    """
    name = inputs.dataset.name
    return Work(
        tuple(training.cells(settings, name)),
        tuple(
            tasks.tasks(
                settings.attack,
                settings.masks,
                settings,
                name,
                inputs.attacked_rows,
                inputs.modality,
            )
        ),
        settings.training.rounds,
    )
