"""The run itself: what is not done yet, recorded piece by piece as it is finished."""

import contextlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import TextIO

import tensorflow as tf
import tensorflow_federated as tff

from experiments.outputs import files, plan, reconstructions, results, searches
from experiments.outputs import progress as progress_lib
from experiments.outputs.progress import Progress
from experiments.outputs.records import Cell, RoundRecord
from experiments.outputs.report.outcomes import CHOOSING
from experiments.outputs.results import ResultsWriter
from experiments.outputs.run_directory import RunFolder
from experiments.study import (
    attacking,
    encryption,
    layouts,
    leakage,
    masking,
    trained_models,
    training,
    views,
    work,
)
from experiments.study.encryption import Lattices
from experiments.study.inputs import Inputs
from experiments.study.recorder import Recorder
from experiments.study.settings import Settings
from experiments.study.stopwatch import Stopwatch
from experiments.study.tasks import Task
from federated import runtime


def run(
    settings: Settings,
    inputs: Inputs,
    folder: RunFolder,
    stream: TextIO,
    finished: Callable[[], None] = lambda: None,
) -> None:
    """Does what is not done yet, recording every piece as it is finished.

    Args:
      settings: Checked settings.
      inputs: The data and the model.
      folder: The run's folder.
      stream: Where progress goes.
      finished: Called when a training or an attack is on record.

    Raises:
      ValueError: If no client had an update that can be sent.
    """
    whole = work.listed(settings, inputs)
    plan.write(folder.path, whole.plan)
    left = whole.left(results.finished_keys(folder.path))
    recorder, watch = Recorder(), Stopwatch()
    runtime.install(observers=(recorder,), timer=watch)
    with (
        _in_a_sentence(),
        encryption.fresh_keys(
            settings.encryption,
            settings.training,
            settings.attack,
            training.weight(inputs.training.clients, settings.training),
        ) as lattices,
        results.ResultsWriter(folder.path) as writer,
        files.LineAppender(folder.path / searches.FILE_NAME) as lines,
    ):
        for line in _first_lines(inputs, folder):
            print(line, file=stream, flush=True)
        # Each has its own speed, from which the time that is left is told.
        with progress_lib.of_part(
            "trainings", len(whole.trainings), len(left.trainings), stream
        ) as display:
            for cell in left.trainings:
                display.start(_training_title(cell), settings.training.rounds)
                for record in _train(
                    settings, inputs, cell, lattices, recorder, watch, folder, display
                ):
                    writer.write(record)
                    display.step(record.round, f"loss {record.loss:.3f}")
                    if warning := _saturation(record):
                        display.say(warning)
                display.finish()
                finished()
        with progress_lib.of_part(
            "attacks", len(whole.attacks), len(left.attacks), stream
        ) as display:
            watched = searches.Observer()
            study = _study(
                settings, inputs, folder, lattices, recorder, display, watched
            )
            for task in _attack(study, left.attacks, folder, writer, display):
                points = watched.take()
                # What attacks that choose minimise changes on the way.
                if points and task.method != CHOOSING:
                    lines.append(searches.line_of(task.keys()[0], points))
                finished()


@contextlib.contextmanager
def _in_a_sentence() -> Iterator[None]:
    """Nothing that could be sent is no mistake of ours, and needs no traceback."""
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        if not error.message.startswith("The cohort is empty"):
            raise
        raise ValueError(
            f"{error.message.rstrip('.')}. An update is not finite where the loss or its "
            "gradient is not: look at the weights and the units of the examples, or lower "
            "--client_learning_rate."
        ) from error


def _first_lines(inputs: Inputs, folder: RunFolder) -> Iterator[str]:
    yield (
        f"{inputs.dataset.note} Model: {inputs.model.name}, "
        f"{inputs.model.spec.size:,} parameters. Results: {folder.path}"
    )
    yield from [inputs.weights_note] if inputs.weights_note else []
    yield from folder.notes


def _study(
    settings: Settings,
    inputs: Inputs,
    folder: RunFolder,
    lattices: Lattices,
    recorder: Recorder,
    display: Progress,
    watched: searches.Observer,
) -> leakage.Study:
    def progress(start: int, iterations: int, objective: float) -> None:
        watched(start, iterations, objective)
        display.step(iterations, f"error {objective:.1e}")

    return leakage.Study(
        attackers=attacking.attackers(
            inputs.modality,
            inputs.attacked,
            settings.attack,
            inputs.dataset,
            inputs.public_rows,
        ),
        rounds=views.Rounds(
            modality=inputs.modality,
            model=inputs.attacked,
            asked=settings.attack,
            masking=masking.of_run(settings),
            encryption=settings.encryption,
            min_clients=settings.training.min_clients,
            dataset=inputs.dataset,
            other_rows=inputs.public_rows,
            lattice=lattices.study,
            cohorts=lattices.cohorts,
            scores=lattices.scores,
            recorder=recorder,
        ),
        seed=settings.seed,
        session=folder.session,
        weights_after_rounds=settings.training.weights_after_rounds,
        progress=progress,
        controls={},
    )


def _train(
    settings: Settings,
    inputs: Inputs,
    cell: Cell,
    lattices: Lattices,
    recorder: Recorder,
    watch: Stopwatch,
    folder: RunFolder,
    display: Progress,
) -> Iterator[RoundRecord]:
    """One training, with what comes before it, agreeing on masks, and its model's file."""
    model, asked = inputs.model, settings.training
    agreed = aggregation = None
    if cell.metric != training.PLAIN:
        agreed = training.agree(
            inputs.modality,
            model,
            masking.of_run(settings),
            asked.min_clients,
            cell,
            inputs.training.clients,
            lattices.scores,
            recorder,
        )
        aggregation = encryption.selective(
            settings.encryption,
            asked.min_clients,
            agreed.agreement,
            layouts.of_task(model.task).spec.names,
            lattices.training(),
        )
    process = training.build_process(model, asked, settings.seed, aggregation)

    def keep(weights: tff.learning.models.ModelWeights) -> None:
        if problem := trained_models.save(folder.path, cell, model, weights):
            display.say(problem)

    yield from training.train(
        process,
        inputs.modality,
        model,
        asked,
        cell,
        inputs.training,
        agreed,
        recorder,
        watch,
        folder.session,
        keep,
    )


def _attack(
    study: leakage.Study,
    tasks: Sequence[Task],
    folder: RunFolder,
    writer: ResultsWriter,
    display: Progress,
) -> Iterator[Task]:
    """Makes all attacks, one group of the same rounds after the other; yields each."""
    steps = study.attackers.asked.max_iterations
    for _, group in itertools.groupby(tasks, key=lambda task: (task.cell, task.target)):
        listed = list(group)
        display.start(_attack_title(listed[0]), steps)
        for number, (task, found) in enumerate(leakage.run(study, listed)):
            for result in found:
                if result.example is not None:
                    key = result.record.key
                    reconstructions.save(folder.path, key, result.example)
                writer.write(result.record)
            display.finish()
            yield task
            if number + 1 < len(listed):
                display.start(_attack_title(listed[number + 1]), steps)


def _saturation(record: RoundRecord) -> str | None:
    """What a user has to know of entries that the codec cut off."""
    saturated = int(record.details.get("saturated", 0))
    if not saturated:
        return None
    share = saturated / (record.hidden * record.cell.num_clients)
    return (
        f"Warning: in round {record.round} ({record.cell.metric}, ratio "
        f"{record.cell.encryption_ratio:g}) {saturated:,} encrypted entries "
        f"({share:.1%}) were beyond the codec's bound and cut off. Raise "
        "`--codec_bound`, or take `--scales=previous_aggregate`."
    )


def _training_title(cell: Cell) -> str:
    return f"training, {cell.metric}, ratio {cell.encryption_ratio:g}"


def _attack_title(task: Task) -> str:
    return (
        f"{task.method} {task.attacker.replace('_', '-')} on the {task.target}, "
        f"{task.cell.metric}, ratio {task.cell.encryption_ratio:g}"
    )
