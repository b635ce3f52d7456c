"""The attack study: real rounds, the tap's view of them, and what attackers make of it.

One client's message is attacked in a `server_blind` round, where nothing but that
message speaks of the client. The aggregate is attacked in a `reveal_aggregate` round
with everything encrypted: what every server learns there, whatever was hidden. A cohort
is attacked in a `reveal_aggregate` round with a part encrypted: all its messages and the
aggregate together.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from attacks import catalog as attack_catalog
from attacks import effort
from attacks import knowledge as knowledge_lib
from attacks.metrics import evaluation
from experiments.data.dataset import Dataset
from experiments.outputs.records import (
    Attacker,
    AttackKey,
    AttackRecord,
    Cell,
    Target,
)
from experiments.study import (
    attack_views,
    attacking,
    encryption,
    masking,
    picture_metrics,
)
from experiments.study import recorder as recorder_lib
from experiments.study.settings import Settings
from federated import views


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
    attacker: Attacker
    target: Target

    def keys(self) -> tuple[AttackKey, ...]:
        """The keys of the records that the task yields: one for each picture."""
        return tuple(
            AttackKey(
                self.cell, row, self.method, self.attacker, self.target, len(self.rows)
            )
            for row in self.rows
        )


class Result(NamedTuple):
    """A record and the picture that belongs to it, float32 [h, w, c]."""

    record: AttackRecord
    image: np.ndarray


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
        for ratio in settings.encryption.ratios
        for metric in settings.encryption.metrics
    ]
    methods = [
        (method, attack_catalog.ATTACKS[method]) for method in settings.attack.methods
    ]
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
        for mode in attacking.modes_of(settings, method)
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
        for mode in attacking.modes_of(settings, method)
    ]
    clients = settings.attack.aggregate_clients
    if clients:
        # Nothing of the aggregate is hidden, whatever was encrypted on the way.
        listed.append(
            Task(
                _cell(
                    settings,
                    dataset_name,
                    settings.encryption.metrics[0],
                    max(settings.encryption.ratios),
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


def pictures_needed(settings: Settings) -> int:
    """How many pictures are attacked."""
    asked = settings.attack
    cohort = any(
        attack_catalog.ATTACKS[method].sees == "cohort" for method in asked.methods
    )
    return asked.batch_size * max(
        asked.num_images,
        asked.aggregate_clients,
        asked.cohort_clients if cohort else 0,
    )


def _joined(batches: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    return tuple(row for batch in batches for row in batch)


class Study(NamedTuple):
    """What all attacks of a run share.

    Attributes:
      attackers: With the model and the settings.
      dataset: The pictures.
      public_rows: Pictures that are not attacked and that attackers have.
      lattices: What gradients and scores are encrypted with.
      recorder: The observer of the installed context.
      session: Of the run.
      progress: Called now and then with (start, iterations, objective).
    """

    attackers: attacking.Attackers
    dataset: Dataset
    public_rows: tuple[int, ...]
    lattices: encryption.Lattices
    recorder: recorder_lib.Recorder
    session: int
    progress: effort.Progress

    @property
    def settings(self) -> Settings:
        """Of the run."""
        return self.attackers.settings


def run(
    study: Study, cell_tasks: Sequence[Task]
) -> Iterator[tuple[Task, list[Result]]]:
    """Runs the tasks of one cell.

    Every gradient is sent once, in rounds of its own; all attackers get those rounds'
    views.

    Args:
      study: What all attacks share.
      cell_tasks: Tasks of one cell and one target.

    Yields:
      Each task with its results, one for each picture.
    """
    observe = _observer(study, cell_tasks[0].cell, cell_tasks[0].target)
    seen: dict[tuple[int, ...], tuple[views.ServerView, ...]] = {}
    for task in cell_tasks:
        if task.rows not in seen:
            seen[task.rows] = observe(task.rows)
        yield task, _attack(study, task, seen[task.rows])


def _observer(study: Study, cell: Cell, target: Target) -> attack_views.Observe:
    rounds = attack_views.Rounds(
        model=study.attackers.model,
        settings=study.settings,
        dataset=study.dataset,
        other_rows=study.public_rows,
        lattice=study.lattices.study,
        scores=study.lattices.scores,
        recorder=study.recorder,
    )
    if target == "client":
        return attack_views.of_messages(rounds, cell.policy, cell.encryption_ratio)
    if target == "cohort":
        return attack_views.of_a_cohort(rounds, cell.policy, cell.encryption_ratio)
    return attack_views.of_an_aggregate(rounds, cell.agreement)


def _attack(
    study: Study, task: Task, seen: tuple[views.ServerView, ...]
) -> list[Result]:
    rows = list(task.rows)
    images, labels = study.dataset.images[rows], study.dataset.labels[rows]
    entry = attack_catalog.ATTACKS[task.method]
    # An attack on one round gets the first; one on several the last, and those before.
    view, earlier = (seen[-1], seen[:-1]) if entry.sees == "rounds" else (seen[0], ())
    attack = attacking.build(
        study.attackers,
        task.method,
        task.attacker,
        "aggregate" if task.target == "aggregate" else 0,
        study.progress,
    )
    found = attack(
        view,
        attacking.knowledge(study.attackers, entry, labels, earlier),
        (study.settings.seed, task.rows[0]),
    )
    measured = evaluation.evaluate(found, evaluation.Truth(images, labels))
    matched = found.images[[leak.reconstruction_index for leak in measured]]
    further = picture_metrics.measure(
        study.attackers.model,
        view.weights,
        matched,
        images,
        labels,
        picture_metrics.references(study.dataset),
    )
    return [
        Result(_record(study, task, view, found, leak, more, int(label)), image)
        for leak, more, label, image in zip(
            measured, further, labels, matched, strict=True
        )
    ]


def _record(
    study: Study,
    task: Task,
    view: views.ServerView,
    reconstruction: knowledge_lib.Reconstruction,
    leak: evaluation.PictureLeakage,
    more: picture_metrics.PictureMetrics,
    label: int,
) -> AttackRecord:
    told = reconstruction.label_source == "known"
    return AttackRecord(
        cell=task.cell,
        image_index=task.rows[leak.true_index],
        label=label,
        hidden=int(view.mask.sum()),
        parameters=study.attackers.model.spec.size,
        attack=task.method,
        attacker=task.attacker,
        target=task.target,
        batch_size=len(task.rows),
        mse=leak.mse,
        psnr_db=leak.psnr,
        ssim=leak.ssim,
        recovered_label=None
        if told
        else int(reconstruction.labels[leak.reconstruction_index]),
        label_correct=None if told else leak.label_correct,
        objective=reconstruction.objective,
        iterations=reconstruction.iterations,
        seconds=reconstruction.seconds,
        session=study.session,
        perceptual=more.perceptual,
        feature_mse=more.feature_mse,
        identified=more.identified,
        details={
            "label_source": reconstruction.label_source,
            "stop": reconstruction.stop,
            "matched_entries": reconstruction.matched_entries,
            "ciphertext_bytes": len(view.messages[0].ciphertext),
            "references": min(len(study.dataset), picture_metrics.MAX_REFERENCES),
        },
    )


def _cell(
    settings: Settings,
    dataset_name: str,
    metric: str,
    ratio: float,
    release: str,
    clients: int,
) -> Cell:
    agreed = (
        masking.agreement_name(masking.lone_mask(settings, metric, ratio))
        if release == "server_blind"
        else masking.protocol_name(settings, metric)
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
