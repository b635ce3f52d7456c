"""The attacks of a run, listed before any of them is made."""

from collections.abc import Sequence
from typing import NamedTuple

from attacks import catalog, words
from experiments.outputs.records import AttackKey, Cell, Target
from experiments.study import protocols
from experiments.study.settings import AttackSettings, Settings


class Task(NamedTuple):
    """One attack on one gradient.

    Attributes:
      cell: The point of the grid.
      rows: Indices of the pictures behind the attacked gradient, in the data set. For
        the aggregate and the cohort, one client after the other.
      method: A name in `attacks.catalog.ATTACKS`.
      attacker: "naive" or "mask_aware".
      target: "client", "aggregate" or "cohort".
    """

    cell: Cell
    rows: tuple[int, ...]
    method: str
    attacker: words.Mode
    target: Target

    def keys(self) -> tuple[AttackKey, ...]:
        """The keys of the records that the task yields: one for each picture."""
        return tuple(
            AttackKey(
                self.cell, row, self.method, self.attacker, self.target, len(self.rows)
            )
            for row in self.rows
        )


def tasks(
    settings: Settings, dataset_name: str, rows: Sequence[int]
) -> tuple[Task, ...]:
    """Lists all attacks of a run, cell by cell.

    Args:
      settings: Of the run.
      dataset_name: What the data really is.
      rows: Indices of the pictures that are attacked, `num_images * batch_size`.

    Returns:
      The tasks; those of a cell stand together.
    """
    size = settings.attack.batch_size
    batches = [tuple(rows[at : at + size]) for at in range(0, len(rows), size)]
    cells = [
        (metric, ratio)
        for ratio in settings.masks.ratios
        for metric in settings.masks.metrics
    ]
    methods = [(method, catalog.ATTACKS[method]) for method in settings.attack.methods]
    listed = [
        Task(
            _cell(settings, dataset_name, metric, ratio, "server_blind", 1),
            batch,
            method,
            mode,
            "client",
        )
        for metric, ratio in cells
        for batch in batches[: settings.attack.num_images]
        for method, entry in methods
        if entry.sees != "cohort"
        for mode in modes_of(settings.attack, method)
    ]
    together = settings.attack.cohort_clients
    listed += [
        Task(
            _cell(settings, dataset_name, metric, ratio, "reveal_aggregate", together),
            _joined(batches[:together]),
            method,
            mode,
            "cohort",
        )
        for metric, ratio in cells
        for method, entry in methods
        if entry.sees == "cohort"
        for mode in modes_of(settings.attack, method)
    ]
    clients = settings.attack.aggregate_clients
    if clients:
        # Nothing of the aggregate is hidden, whatever was encrypted on the way.
        listed.append(
            Task(
                _cell(
                    settings,
                    dataset_name,
                    settings.masks.metrics[0],
                    max(settings.masks.ratios),
                    "reveal_aggregate",
                    clients,
                ),
                _joined(batches[:clients]),
                "dlg",
                "mask_aware",
                "aggregate",
            )
        )
    return tuple(listed)


def modes_of(asked: AttackSettings, method: str) -> tuple[words.Mode, ...]:
    """Which of the asked attackers a method can be."""
    return tuple(
        mode for mode in catalog.ATTACKS[method].modes if mode in asked.attackers
    )


def pictures_needed(asked: AttackSettings) -> int:
    """How many pictures are attacked."""
    cohort = any(catalog.ATTACKS[method].sees == "cohort" for method in asked.methods)
    return asked.batch_size * max(
        asked.num_images,
        asked.aggregate_clients,
        asked.cohort_clients if cohort else 0,
    )


def _joined(batches: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    return tuple(row for batch in batches for row in batch)


def _cell(
    settings: Settings,
    dataset_name: str,
    metric: str,
    ratio: float,
    release: str,
    clients: int,
) -> Cell:
    agreed = (
        protocols.alone(metric)
        if release == "server_blind"
        else protocols.taken(settings.masks.agreement, metric)
    )
    return Cell(
        dataset=dataset_name,
        model=settings.model,
        policy=metric,
        agreement=agreed,
        encryption_ratio=ratio,
        release=release,
        num_clients=clients,
        seed=settings.seed,
    )
