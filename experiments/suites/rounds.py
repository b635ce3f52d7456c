"""A round of federated averaging, plain and encrypted."""

import time

from experiments.data import catalog as data_catalog
from experiments.data import splits
from experiments.outputs.records import Cell
from experiments.study import encryption, masking, training
from experiments.study import recorder as recorder_lib
from experiments.study.settings import Settings
from experiments.suites.measurement import Measurement
from federated import runtime
from selenc_tf import catalog
from selenc_tf.models.functional import FunctionalModel


def run(settings: Settings, repetitions: int) -> tuple[Measurement, ...]:
    """Times a plain round and one at every asked-for ratio with a random mask.

    Args:
      settings: Model, data, clients and ratios.
      repetitions: Rounds of each.

    Returns:
      The measurements, plain first.
    """
    dataset = data_catalog.load(settings.dataset)
    model = catalog.model(
        settings.model, dataset.image_shape, dataset.num_classes, settings.seed
    )
    recorder = recorder_lib.Recorder()
    runtime.install(observers=(recorder,))
    needed = settings.training.num_clients * settings.training.examples
    clients = splits.partition(
        splits.subset(dataset, needed, settings.seed),
        settings.training.num_clients,
        settings.seed,
    )
    datasets = [training.client_dataset(client, settings) for client in clients]
    cells = [
        training.cell_of(settings, dataset.name, training.PLAIN, 0.0),
        *(
            training.cell_of(settings, dataset.name, "random", ratio)
            for ratio in settings.encryption.ratios
        ),
    ]
    with encryption.fresh_keys(settings) as lattices:
        processes = [
            training.build_process(
                model,
                settings,
                _agreed(settings, cell, model),
                lattices.training(),
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
            f"{cell.policy}, ratio {cell.encryption_ratio:g}",
            tuple(taken[1:]),  # The first round compiles.
            counted.client_to_server_bytes,
            counted.server_to_client_bytes,
        )
        for cell, taken, counted in zip(cells, seconds, traffic, strict=True)
    )


def _agreed(
    settings: Settings, cell: Cell, model: FunctionalModel
) -> training.Agreed | None:
    if cell.policy == training.PLAIN:
        return None
    chosen = masking.public_agreement(
        settings, cell.policy, cell.encryption_ratio, model
    )
    return training.Agreed(chosen, 0.0, recorder_lib.traffic([]))
