"""A round of federated averaging, plain and encrypted."""

import time
from typing import NamedTuple

from experiments.modalities.pictures.modality import PICTURES
from experiments.outputs.records import Cell
from experiments.study import clients as clients_lib
from experiments.study import encryption, layouts, masking, training
from experiments.study import recorder as recorder_lib
from experiments.study.settings import Settings
from experiments.suites import round_profile, round_steps
from experiments.suites.measurement import Measurement
from experiments.suites.round_profile import Profiled
from experiments.suites.round_steps import Step
from federated import runtime
from selenc_tf.lattice.key_store import KeySet
from selenc_tf.models.functional import FunctionalModel


class Found(NamedTuple):
    """What was measured.

    Attributes:
      rounds: The plain one first.
      steps: Of the encrypted round of the largest ratio; none without a shared key.
    """

    rounds: tuple[Profiled, ...]
    steps: tuple[Step, ...]


def run(settings: Settings, repetitions: int) -> Found:
    """Times a plain round and one at every asked-for ratio with a random mask.

    Args:
      settings: Model, data, clients and ratios.
      repetitions: Rounds of each.

    Returns:
      The rounds and where their time goes.
    """
    dataset, model, _ = PICTURES.load(settings)
    recorder, watch = recorder_lib.Recorder(), round_profile.Watch()
    runtime.install(observers=(recorder,), timer=watch)
    clients = clients_lib.client_data(dataset, settings.training, settings.seed)
    datasets = [
        training.client_dataset(
            PICTURES, model, client, settings.training, settings.seed
        )
        for client in clients
    ]
    cells = [
        training.cell_of(settings, dataset.name, training.PLAIN, 0.0),
        *(
            training.cell_of(settings, dataset.name, "random", ratio)
            for ratio in settings.masks.ratios
        ),
    ]
    with encryption.fresh_keys(
        settings.encryption,
        settings.training,
        settings.attack,
        training.weight(clients, settings.training),
    ) as lattices:
        processes = [
            training.build_process(
                model,
                settings.training,
                settings.seed,
                _aggregation(settings, cell, model, lattices),
            )
            for cell in cells
        ]
        states = [process.initialize() for process in processes]
        seconds: list[list[float]] = [[] for _ in cells]
        by_graph: list[list[dict[str, float]]] = [[] for _ in cells]
        traffic = [recorder_lib.Traffic(0, 0, 0)] * len(cells)
        for _ in range(repetitions + 1):
            for index, process in enumerate(processes):
                recorder.take()
                watch.take(0.0)
                began = time.perf_counter()
                states[index] = process.next(states[index], datasets).state
                seconds[index].append(time.perf_counter() - began)
                by_graph[index].append(watch.take(seconds[index][-1]))
                traffic[index] = recorder_lib.traffic(recorder.take())
        steps = _steps(settings, model, lattices, repetitions)
    rounds = tuple(
        Profiled(
            Measurement(
                f"{cell.metric}, ratio {cell.encryption_ratio:g}",
                tuple(taken[1:]),  # The first round compiles.
                counted.client_to_server_bytes,
                counted.server_to_client_bytes,
            ),
            tuple(graphs[1:]),
        )
        for cell, taken, counted, graphs in zip(
            cells, seconds, traffic, by_graph, strict=True
        )
    )
    return Found(rounds, steps)


def _steps(
    settings: Settings,
    model: FunctionalModel,
    lattices: encryption.Lattices,
    repetitions: int,
) -> tuple[Step, ...]:
    lattice = lattices.training()
    if not isinstance(lattice.keys, KeySet):
        return ()
    asked = round_steps.Request(
        lattice.engine,
        lattice.keys,
        model.spec.size,
        max(settings.masks.ratios),
        settings.training.num_clients,
        repetitions,
    )
    return round_steps.profile(asked)


def _aggregation(
    settings: Settings,
    cell: Cell,
    model: FunctionalModel,
    lattices: encryption.Lattices,
) -> encryption.Aggregation | None:
    if cell.metric == training.PLAIN:
        return None
    layout = layouts.of_task(model.task)
    return encryption.selective(
        settings.encryption,
        settings.training.min_clients,
        masking.public_agreement(
            masking.of_run(settings), cell.metric, cell.encryption_ratio, model, layout
        ),
        layout.spec.names,
        lattices.training(),
    )
