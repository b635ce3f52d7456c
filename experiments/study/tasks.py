"""The attacks of a run, listed before any of them is made."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from attacks import words
from attacks.catalog import Entry
from experiments.outputs.records import AttackKey, Cell, Target
from experiments.study import protocols
from experiments.study.modality import Modality
from experiments.study.settings import AttackSettings, MaskSettings, Subject


class Task(NamedTuple):
    """One attack on one gradient.

    Attributes:
      cell: The point of the grid.
      rows: Indices of the examples behind the attacked gradient, in the data set. For
        the aggregate and the cohort, one client after the other.
      method: A name in the modality's catalogue.
      attacker: "naive" or "mask_aware".
      target: "client", "aggregate" or "cohort".
    """

    cell: Cell
    rows: tuple[int, ...]
    method: str
    attacker: words.Mode
    target: Target

    def keys(self) -> tuple[AttackKey, ...]:
        """The keys of the records that the task yields: one for each example."""
        return tuple(
            AttackKey(
                self.cell, row, self.method, self.attacker, self.target, len(self.rows)
            )
            for row in self.rows
        )


def tasks(
    asked: AttackSettings,
    masks: MaskSettings,
    subject: Subject,
    dataset_name: str,
    rows: Sequence[int],
    modality: Modality,
) -> tuple[Task, ...]:
    """Lists all attacks of a run, cell by cell.

    Args:
      asked: The attacks.
      masks: The metrics and ratios, and how a cohort agrees.
      subject: The model and the seed.
      dataset_name: What the data really is.
      rows: Indices of the examples that are attacked, `examples_needed` of them.
      modality: Which attacks there are.

    Returns:
      The tasks; those of a cell stand together.
    """
    size, together = asked.batch_size, asked.cohort_clients
    batches = [tuple(rows[at : at + size]) for at in range(0, len(rows), size)]

    def cell(metric: str, ratio: float, release: str, clients: int) -> Cell:
        agreed = (
            protocols.alone(metric)
            if release == "server_blind"
            else protocols.taken(masks.agreement, metric)
        )
        return Cell(
            dataset=dataset_name,
            model=subject.model,
            metric=metric,
            agreement=agreed,
            encryption_ratio=ratio,
            release=release,
            num_clients=clients,
            seed=subject.seed,
        )

    grid = [(metric, ratio) for ratio in masks.ratios for metric in masks.metrics]
    attacks = [
        (method, mode, modality.attacks[method].sees == "cohort")
        for method in asked.methods
        for mode in modes_of(asked, modality.attacks[method])
    ]
    listed = [
        Task(cell(*point, "server_blind", 1), batch, method, mode, "client")
        for point in grid
        for batch in batches[: asked.num_images]
        for method, mode, on_cohort in attacks
        if not on_cohort
    ]
    listed += [
        Task(
            cell(*point, "reveal_aggregate", together),
            _joined(batches[:together]),
            method,
            mode,
            "cohort",
        )
        for point in grid
        for method, mode, on_cohort in attacks
        if on_cohort
    ]
    clients = asked.aggregate_clients
    if clients:
        # Nothing of the aggregate is hidden, whatever was encrypted on the way.
        everything = cell(
            masks.metrics[0], max(masks.ratios), "reveal_aggregate", clients
        )
        examples = _joined(batches[:clients])
        method = modality.on_aggregate
        listed.append(Task(everything, examples, method, "mask_aware", "aggregate"))
    return tuple(listed)


def modes_of(asked: AttackSettings, entry: Entry) -> tuple[words.Mode, ...]:
    """Which of the asked attackers a method can be."""
    return tuple(mode for mode in entry.modes if mode in asked.attackers)


def examples_needed(asked: AttackSettings, attacks: Mapping[str, Entry]) -> int:
    """How many examples are attacked."""
    cohort = any(attacks[method].sees == "cohort" for method in asked.methods)
    return asked.batch_size * max(
        asked.num_images,
        asked.aggregate_clients,
        asked.cohort_clients if cohort else 0,
    )


def _joined(batches: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    return tuple(row for batch in batches for row in batch)
