"""A round of federated averaging, plain and encrypted."""

import time

from experiments.modalities.pictures.modality import PICTURES
from experiments.outputs.records import Cell
from experiments.study import clients as clients_lib
from experiments.study import encryption, layouts, masking, training
from experiments.study import recorder as recorder_lib
from experiments.study.settings import Settings
from experiments.suites.measurement import Measurement
from federated import runtime
from selenc_tf.models.functional import FunctionalModel


def run(settings: Settings, repetitions: int) -> tuple[Measurement, ...]:
    """Times a plain round and one at every asked-for ratio with a random mask.

    Args:
      settings: Model, data, clients and ratios.
      repetitions: Rounds of each.

    Returns:
      The measurements, plain first.
    """
    dataset, model, _ = PICTURES.load(settings)
    recorder = recorder_lib.Recorder()
    runtime.install(observers=(recorder,))
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
        traffic = [recorder_lib.Traffic(0, 0, 0)] * len(cells)
        for _ in range(repetitions + 1):
            for index, process in enumerate(processes):
                recorder.take()
                began = time.perf_counter()
                states[index] = process.next(states[index], datasets).state
                seconds[index].append(time.perf_counter() - began)
                traffic[index] = recorder_lib.traffic(recorder.take())
    return tuple(
        Measurement(
            f"{cell.metric}, ratio {cell.encryption_ratio:g}",
            tuple(taken[1:]),  # The first round compiles.
            counted.client_to_server_bytes,
            counted.server_to_client_bytes,
        )
        for cell, taken, counted in zip(cells, seconds, traffic, strict=True)
    )


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
