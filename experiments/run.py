"""Runs selectively encrypted rounds and attacks what the server saw of them.

    python -m experiments.run --flagfile=experiments/flagfiles/quickstart.flags

Started again with the same flags, it goes on where it stopped.
"""

import itertools
import pathlib
import sys
from collections.abc import Sequence
from typing import NamedTuple, TextIO

import numpy as np
from absl import app, flags

from attacks import catalog as attack_catalog
from experiments.data import catalog as data_catalog
from experiments.data import dataset as dataset_lib
from experiments.data import splits
from experiments.outputs import (
    environment,
    native_output,
    progress,
    reconstructions,
    results,
    run_directory,
)
from experiments.outputs.records import Cell, RoundKey
from experiments.study import (
    attack_views,
    attacking,
    encryption,
    leakage,
    masking,
    publish,
    training,
)
from experiments.study import flags as flags_lib
from experiments.study import recorder as recorder_lib
from experiments.study import settings as settings_lib
from experiments.study import tasks as tasks_lib
from federated import runtime
from selenc_tf import catalog
from selenc_tf.models.functional import FunctionalModel


class Inputs(NamedTuple):
    """What a run works on.

    Attributes:
      dataset: The whole, in which records index pictures.
      training: The clients' data and the test set.
      attacked_rows: Indices of the attacked pictures.
      public_rows: Indices of pictures that attackers have.
    """

    dataset: dataset_lib.Dataset
    training: training.TrainingData
    attacked_rows: tuple[int, ...]
    public_rows: tuple[int, ...]


def main(argv: Sequence[str]) -> int:
    """The entry point of the command.

    Args:
      argv: What absl left over.

    Returns:
      The exit status of `execute`.
    """
    return execute(flags.FLAGS, argv[1:], sys.argv, sys.stderr)


def execute(
    values: flags.FlagValues,
    leftover: Sequence[str],
    command_line: Sequence[str],
    errors: TextIO,
) -> int:
    """Checks the flags, does the work and shows the result.

    Args:
      values: Parsed flags.
      leftover: Arguments that are no flags.
      command_line: Goes to `config.json`.
      errors: Where refusals go.

    Returns:
      The exit status: 0, 2 for flags or data that cannot be used, 130 after Ctrl-C.
    """
    try:
        if leftover:
            raise settings_lib.SettingsError(
                f"The command takes flags only, got {leftover[0]!r}. Flags start with --"
            )
        settings = flags_lib.to_settings(values)
        settings_lib.check(settings, choices())
        encryption.check_fits(settings)
        masking.check(settings)
        attacking.check(settings)
        inputs = load_inputs(settings, values.data_dir, values.allow_download)
        model = build_model(settings, inputs.dataset)
        masking.check_model(settings, model)
        folder = run_directory.open_run(
            pathlib.Path(values.logdir),
            values.run_name,
            run_directory.RunConfig(
                flags=flags_lib.as_dict(values),
                neutral_flags=flags_lib.NEUTRAL,
                datasets=(inputs.dataset.name,),
                seeds={"run": settings.seed},
            ),
            environment.describe(),
            command_line,
        )
    except (ValueError, FileNotFoundError, IndexError) as error:
        print(f"\n{error}\n", file=errors)
        return 2
    masks = masking.describe(settings)
    with native_output.redirected(folder.path) as stream:
        try:
            run(settings, inputs, model, folder, stream)
        except KeyboardInterrupt:
            publish.everything(folder.path, inputs.dataset, masks)
            print(
                f"\nStopped. What was finished is in {folder.path}; the same command "
                "goes on from there.",
                file=stream,
                flush=True,
            )
            return 130
        publish.everything(folder.path, inputs.dataset, masks)
        publish.summary(folder.path, inputs.dataset, masks, stream)
    return 0


def choices() -> settings_lib.Choices:
    """The names that the catalogues offer."""
    return settings_lib.Choices(
        models=tuple(catalog.MODELS),
        datasets=tuple(data_catalog.CATALOG),
        metrics=tuple(catalog.METRICS),
        methods=tuple(attack_catalog.ATTACKS),
        attackers=("naive", "mask_aware"),
        scales=tuple(catalog.SCALES),
        ciphers=tuple(catalog.CIPHERS),
        mask_policies=tuple(catalog.POLICIES),
        mask_agreements=(masking.AUTO, *masking.PROTOCOLS),
        always_hidden=tuple(catalog.SELECTORS),
    )


def load_inputs(
    settings: settings_lib.Settings, data_dir: str, allow_download: bool
) -> Inputs:
    """Loads the pictures and shares them out.

    Args:
      settings: Of the run.
      data_dir: A folder with the original files, or "".
      allow_download: Whether the standard loader may use the internet.

    Returns:
      The inputs.

    Raises:
      DataNotFoundError: If no source has the data set.
      ValueError: If there are too few examples for what the flags ask for.
    """
    dataset = data_catalog.load(settings.dataset, data_dir or None, allow_download)
    wanted = tasks_lib.pictures_needed(settings.attack)
    if wanted > len(dataset):
        raise settings_lib.SettingsError(
            "`--num_images`, `--aggregate_clients`, `--cohort_clients` and "
            f"`--attack_batch_size` ask for {wanted} pictures, but {dataset.name} has "
            f"{len(dataset)}. Lower them."
        )
    order = np.random.default_rng(settings.seed).permutation(len(dataset))
    if settings.training.rounds:
        share = splits.split(dataset, settings.seed)
        needed = settings.training.num_clients * settings.training.examples
        if needed > len(share.train):
            raise settings_lib.SettingsError(
                f"`--num_clients` times `--client_examples` = {needed} examples, but "
                f"{dataset.name} has {len(share.train)} to train on. Lower one of them,"
                " or `--rounds=0` to attack without training."
            )
        data = training.TrainingData(
            clients=splits.partition(
                splits.subset(share.train, needed, settings.seed),
                settings.training.num_clients,
                settings.seed,
            ),
            test=splits.subset(
                share.test,
                min(settings.training.test_examples, len(share.test)),
                settings.seed,
            ),
        )
    else:
        data = training.TrainingData((), dataset)
    public = order[wanted : wanted + settings.attack.public_images]
    return Inputs(
        dataset,
        data,
        tuple(int(row) for row in order[:wanted]),
        tuple(int(row) for row in public),
    )


def build_model(
    settings: settings_lib.Settings, dataset: dataset_lib.Dataset
) -> FunctionalModel:
    """The model of a run.

    Args:
      settings: Its name and seed.
      dataset: For the shapes.

    Returns:
      The model.
    """
    return catalog.model(
        settings.model, dataset.image_shape, dataset.num_classes, settings.seed
    )


def run(
    settings: settings_lib.Settings,
    inputs: Inputs,
    model: FunctionalModel,
    folder: run_directory.RunFolder,
    stream: TextIO,
) -> None:
    """Does what is not done yet, recording every piece as it is finished.

    Args:
      settings: Checked settings.
      inputs: The data.
      model: What is trained and attacked.
      folder: The run's folder.
      stream: Where progress goes.
    """
    dataset = inputs.dataset
    done = results.finished_keys(folder.path)
    cells = training_cells(settings, dataset.name)
    trained = [cell for cell in cells if not _is_trained(cell, settings, done)]
    tasks = tasks_lib.tasks(settings, dataset.name, inputs.attacked_rows)
    attacked = [task for task in tasks if not done.issuperset(task.keys())]
    total, left = len(cells) + len(tasks), len(trained) + len(attacked)

    recorder = recorder_lib.Recorder()
    runtime.install(observers=(recorder,))
    with (
        encryption.fresh_keys(settings) as lattices,
        results.ResultsWriter(folder.path) as writer,
        progress.progress("selenc-tf", total, stream, done=total - left) as display,
    ):
        display.say(
            f"{dataset.note} Model: {model.name}, {model.spec.size:,} parameters. "
            f"Results: {folder.path}"
        )
        for note in folder.notes:
            display.say(note)
        for cell in trained:
            display.start(_training_title(cell), settings.training.rounds)
            agreed = (
                None
                if cell.policy == training.PLAIN
                else training.agree(
                    model, settings, cell, inputs.training, lattices, recorder
                )
            )
            process = training.build_process(
                model, settings, agreed, lattices.training()
            )
            for record in training.train(
                process,
                model,
                settings,
                cell,
                inputs.training,
                agreed,
                recorder,
                folder.session,
            ):
                writer.write(record)
                display.step(record.round, f"loss {record.loss:.3f}")
            display.finish()
        study = leakage.Study(
            attackers=attacking.attackers(
                model, settings.attack, dataset, inputs.public_rows
            ),
            rounds=attack_views.Rounds(
                model=model,
                settings=settings,
                dataset=dataset,
                other_rows=inputs.public_rows,
                lattice=lattices.study,
                scores=lattices.scores,
                recorder=recorder,
            ),
            seed=settings.seed,
            session=folder.session,
            progress=lambda start, iterations, objective: display.step(
                iterations, f"error {objective:.1e}"
            ),
        )
        for _, group in itertools.groupby(
            attacked, key=lambda task: (task.cell, task.target)
        ):
            listed = list(group)
            display.start(_attack_title(listed[0]), settings.attack.max_iterations)
            for number, (_, found) in enumerate(leakage.run(study, listed)):
                for result in found:
                    if result.image is not None:
                        reconstructions.save(
                            folder.path, result.record.key, result.image
                        )
                    writer.write(result.record)
                display.finish()
                if number + 1 < len(listed):
                    display.start(
                        _attack_title(listed[number + 1]),
                        settings.attack.max_iterations,
                    )


def training_cells(
    settings: settings_lib.Settings, dataset_name: str
) -> tuple[Cell, ...]:
    """All trainings of a run: the plain one first, then every metric and ratio."""
    if not settings.training.rounds:
        return ()
    return (
        training.cell_of(settings, dataset_name, training.PLAIN, 0.0),
        *(
            training.cell_of(settings, dataset_name, metric, ratio)
            for ratio in settings.encryption.ratios
            for metric in settings.encryption.metrics
        ),
    )


def _is_trained(
    cell: Cell, settings: settings_lib.Settings, done: frozenset[object]
) -> bool:
    return RoundKey(cell, settings.training.rounds) in done


def _training_title(cell: Cell) -> str:
    return f"training, {cell.policy}, ratio {cell.encryption_ratio:g}"


def _attack_title(task: tasks_lib.Task) -> str:
    return (
        f"{task.method} {task.attacker.replace('_', '-')} on the {task.target}, "
        f"{task.cell.policy}, ratio {task.cell.encryption_ratio:g}"
    )


if __name__ == "__main__":
    flags_lib.define(flags.FLAGS)
    flags.adopt_module_key_flags(flags_lib)
    app.run(main)
