"""The attack study: real rounds, the tap's view of them, and what attackers make of it.

One client's message is attacked in a `server_blind` round, where nothing but that
message speaks of the client. The aggregate is attacked in a `reveal_aggregate` round
with everything encrypted: what every server learns there, whatever was hidden.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from attacks import catalog as attack_catalog
from attacks import knowledge as knowledge_lib
from attacks import lbfgs, matching
from attacks.metrics import evaluation
from experiments import encryption, masking
from experiments import recorder as recorder_lib
from experiments.data.dataset import Dataset
from experiments.outputs.records import (
    ATTACKERS,
    Attacker,
    AttackKey,
    AttackRecord,
    Cell,
    Target,
)
from experiments.settings import Settings
from federated import local_work, observed, processes, views
from selenc_tf.masks import agreement
from selenc_tf.models.functional import FunctionalModel


class Task(NamedTuple):
    """One attack on one gradient.

    Attributes:
      cell: The point of the grid.
      rows: Indices of the pictures behind the attacked gradient, in the data set. For
        the aggregate, one client after the other.
      method: "dlg" or "idlg".
      attacker: "naive" or "mask_aware".
      target: "client" or "aggregate".
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
    listed = [
        Task(
            _cell(settings, dataset_name, metric, ratio, "server_blind", 1),
            batch,
            method,
            attacker,
            "client",
        )
        for ratio in settings.encryption.ratios
        for metric in settings.encryption.metrics
        for batch in batches[: settings.attack.num_images]
        for method in settings.attack.methods
        for attacker in ATTACKERS
        if attacker in settings.attack.attackers
    ]
    clients = settings.attack.aggregate_clients
    if clients:
        cohort = tuple(row for batch in batches[:clients] for row in batch)
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
                cohort,
                "dlg",
                "mask_aware",
                "aggregate",
            )
        )
    return tuple(listed)


class Study(NamedTuple):
    """What all attacks of a run share.

    Attributes:
      model: The attacked model.
      matching: Its compiled objective.
      settings: Of the run.
      dataset: The pictures.
      lattice: What gradients are encrypted with.
      recorder: The observer of the installed context.
      session: Of the run.
      progress: Called after every iteration with (start, iterations, objective).
    """

    model: FunctionalModel
    matching: matching.Matching
    settings: Settings
    dataset: Dataset
    lattice: encryption.Lattice
    recorder: recorder_lib.Recorder
    session: int
    progress: lbfgs.Progress


def run(
    study: Study, cell_tasks: Sequence[Task]
) -> Iterator[tuple[Task, list[Result]]]:
    """Runs the tasks of one cell.

    Every gradient is sent once, in a round of its own; all attackers get that round's
    view.

    Args:
      study: What all attacks share.
      cell_tasks: Tasks of one cell and one target.

    Yields:
      Each task with its results, one for each picture.
    """
    cell, target = cell_tasks[0].cell, cell_tasks[0].target
    observe = (
        _blind_views(study, cell)
        if target == "client"
        else _aggregate_views(study, cell)
    )
    seen: dict[tuple[int, ...], views.ServerView] = {}
    for task in cell_tasks:
        if task.rows not in seen:
            seen[task.rows] = observe(task.rows)
        yield task, _attack(study, task, seen[task.rows])


def _blind_views(
    study: Study, cell: Cell
) -> Callable[[tuple[int, ...]], views.ServerView]:
    round_ = processes.build_server_blind_round(
        study.model,
        masking.lone_mask(study.settings, cell.policy, cell.encryption_ratio),
        study.lattice.engine,
        study.lattice.bound,
        study.lattice.keys,
    )

    def observe(rows: tuple[int, ...]) -> views.ServerView:
        state = round_.initialize()
        study.recorder.take()
        round_.next(state, _weights(study.model), [_batch(study.dataset, rows)])
        return observed.server_view(study.recorder.take(), study.model.spec.size)

    return observe


def _aggregate_views(
    study: Study, cell: Cell
) -> Callable[[tuple[int, ...]], views.ServerView]:
    round_ = processes.build_reveal_round(
        study.model,
        encryption.selective(
            study.settings,
            # Every mask would do: of the published sum nothing is hidden.
            agreement.fixed(
                cell.agreement,
                "nothing: everything is hidden",
                _everything(study.model),
            ),
            study.model.spec.names,
            study.lattice,
        ),
    )

    def observe(rows: tuple[int, ...]) -> views.ServerView:
        size = study.settings.attack.batch_size
        batches = [
            _batch(study.dataset, rows[at : at + size])
            for at in range(0, len(rows), size)
        ]
        state = round_.initialize()
        study.recorder.take()
        output = round_.next(state, _weights(study.model), batches)
        return observed.server_view(
            study.recorder.take(), study.model.spec.size, output.result
        )

    return observe


def _attack(study: Study, task: Task, view: views.ServerView) -> list[Result]:
    attack = study.settings.attack
    images, labels = (
        study.dataset.images[list(task.rows)],
        study.dataset.labels[list(task.rows)],
    )
    build = attack_catalog.ATTACKS[f"{task.method}_{task.attacker}"]
    reconstruction = build(
        source=0 if task.target == "client" else "aggregate",
        budget=lbfgs.Budget(
            restarts=attack.restarts,
            max_iterations=attack.max_iterations,
            max_seconds=attack.max_seconds or None,
        ),
        progress=study.progress,
    )(
        view,
        knowledge_lib.Knowledge(
            model=study.model,
            batch_size=len(task.rows),
            labels=tuple(int(label) for label in labels)
            if attack.labels_known
            else None,
            matching=study.matching,
        ),
        (study.settings.seed, task.rows[0]),
    )
    measured = evaluation.evaluate(reconstruction, evaluation.Truth(images, labels))
    return [
        Result(
            _record(
                study, task, view, reconstruction, leak, int(labels[leak.true_index])
            ),
            reconstruction.images[leak.reconstruction_index],
        )
        for leak in measured
    ]


def _record(
    study: Study,
    task: Task,
    view: views.ServerView,
    reconstruction: knowledge_lib.Reconstruction,
    leak: evaluation.PictureLeakage,
    label: int,
) -> AttackRecord:
    told = reconstruction.label_source == "known"
    return AttackRecord(
        cell=task.cell,
        image_index=task.rows[leak.true_index],
        label=label,
        hidden=int(view.mask.sum()),
        parameters=study.model.spec.size,
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
        details={
            "label_source": reconstruction.label_source,
            "stop": reconstruction.stop,
            "matched_entries": reconstruction.matched_entries,
            "ciphertext_bytes": len(view.messages[0].ciphertext),
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


def _everything(model: FunctionalModel) -> np.ndarray:
    return np.ones([model.spec.size], bool)


def _weights(model: FunctionalModel) -> list[np.ndarray]:
    return [weight.numpy() for weight in model.initial_weights]


def _batch(dataset: Dataset, rows: tuple[int, ...]) -> local_work.Batch:
    return local_work.Batch(
        images=dataset.images[list(rows)],
        labels=dataset.labels[list(rows)].astype(np.int32),
    )
