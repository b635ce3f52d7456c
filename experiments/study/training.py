"""Federated training under selective encryption: overhead, and what was learned."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import tensorflow as tf
import tensorflow_federated as tff

from experiments.data.dataset import Dataset
from experiments.outputs.records import Cell, RoundRecord
from experiments.outputs.summary import PLAIN_RELEASE
from experiments.study import (
    encryption,
    evaluating,
    layouts,
    optimizers,
    protocols,
)
from experiments.study import masking as masking_lib
from experiments.study import recorder as recorder_lib
from experiments.study.clients import TrainingData
from experiments.study.modality import Modality
from experiments.study.settings import Federation, Settings, TrainingSettings
from experiments.study.stopwatch import Stopwatch
from federated import averaging, mask_rounds, tff_models
from federated.round import local_work
from selenc_tf.lattice.refusal import Refusal
from selenc_tf.masks import agreement
from selenc_tf.models.any_model import AnyModel

PLAIN = PLAIN_RELEASE
"""The metric of the baseline: TFF's own mean instead of an encrypted one."""


def weight(clients: Sequence[Dataset], asked: Federation) -> int:
    """The largest weight of a client: TFF counts examples in every local pass anew."""
    return asked.local_epochs * max((len(client) for client in clients), default=1)


class Agreed(NamedTuple):
    """The masks of a training, and what it took to agree on them.

    Attributes:
      agreement: How the cohort comes to the mask of each round.
      seconds: Of the round before the training in which clients agreed; 0 for none.
      traffic: What crossed in it.
    """

    agreement: agreement.MaskAgreement
    seconds: float
    traffic: recorder_lib.Traffic


def agree(
    modality: Modality,
    model: AnyModel,
    masking: masking_lib.Masking,
    min_clients: int,
    cell: Cell,
    clients: Sequence[Dataset],
    scores: Callable[[], encryption.Lattice],
    recorder: recorder_lib.Recorder,
) -> Agreed:
    """Agrees on the masks of a training, in a round of its own where that takes one.

    Args:
      modality: What an example is.
      model: What is trained.
      masking: Of the run.
      min_clients: The smallest cohort whose sum clients decrypt.
      cell: The point of the grid.
      clients: Each client's examples; it scores all of them.
      scores: Makes what scores are encrypted with.
      recorder: The observer of the installed context.

    Returns:
      The agreement and its cost.
    """
    metric, ratio = cell.metric, cell.encryption_ratio
    layout = layouts.of_task(model.task)
    if not protocols.PROTOCOLS[cell.agreement].is_round:
        chosen = masking_lib.public_agreement(masking, metric, ratio, model, layout)
        return Agreed(chosen, 0.0, recorder_lib.traffic([]))
    lattice = scores()
    round_ = masking_lib.mask_round(
        masking, min_clients, metric, ratio, model, lattice.engine, lattice.keys
    )
    batches = [
        local_work.Batch(*modality.batch(model, client, range(len(client))))
        for client in clients
    ]
    recorder.take()
    began = time.perf_counter()
    agreed = round_.run([weight.numpy() for weight in model.initial_weights], batches)
    seconds = time.perf_counter() - began
    mask = mask_rounds.unpack(agreed, model.spec.size)
    return Agreed(
        masking_lib.fixed(round_, layout.widened(mask)),
        seconds,
        recorder_lib.traffic(recorder.take()),
    )


def cells(settings: Settings, dataset_name: str) -> tuple[Cell, ...]:
    """All trainings of a run: the plain one first, then every metric and ratio.

    Args:
      settings: Of the run.
      dataset_name: What the data really is.

    Returns:
      The points of the grid, none if nothing is trained.
    """
    if not settings.training.rounds:
        return ()
    return (
        cell_of(settings, dataset_name, PLAIN, 0.0),
        *(
            cell_of(settings, dataset_name, metric, ratio)
            for ratio in settings.masks.ratios
            for metric in settings.masks.metrics
        ),
    )


def cell_of(settings: Settings, dataset_name: str, metric: str, ratio: float) -> Cell:
    """The point of the grid that a training belongs to.

    Args:
      settings: Of the run.
      dataset_name: What the data really is.
      metric: A metric's name, or `PLAIN`.
      ratio: The encryption ratio.

    Returns:
      The cell.
    """
    plain, asked = metric == PLAIN, settings.masks.agreement
    return Cell(
        dataset=dataset_name,
        model=settings.model,
        metric=metric,
        agreement="none" if plain else protocols.taken(asked, metric),
        encryption_ratio=ratio,
        release=PLAIN if plain else "reveal_aggregate",
        num_clients=settings.training.num_clients,
        seed=settings.seed,
    )


def build_process(
    model: AnyModel,
    asked: Federation,
    seed: int,
    aggregation: encryption.Aggregation | None,
) -> tff.learning.templates.LearningProcess:
    """Federated averaging, of a model's statistics too if it has some.

    Args:
      model: What is trained.
      asked: The optimisers.
      seed: Of dropout and noise.
      aggregation: Of updates and metrics; None for TFF's mean and sums in the clear.

    Returns:
      The process.
    """
    return averaging.build_weighted_fed_avg(
        tff_models.tff_model(model.task, seed=(seed, 0)),
        optimizers.build(asked.client_optimizer, asked.learning_rate),
        optimizers.build(asked.server_optimizer, asked.server_learning_rate),
        model_aggregator=aggregation.updates if aggregation else None,
        metrics_aggregator=aggregation.metrics if aggregation else None,
    )


def train(
    process: tff.learning.templates.LearningProcess,
    modality: Modality,
    model: AnyModel,
    asked: TrainingSettings,
    cell: Cell,
    data: TrainingData,
    agreed: Agreed | None,
    recorder: recorder_lib.Recorder,
    watch: Stopwatch,
    session: int,
    keep: Callable[[tff.learning.models.ModelWeights], None] = lambda weights: None,
) -> Iterator[RoundRecord]:
    """Trains, yielding what each round cost and gave.

    Args:
      process: From `build_process`.
      modality: What an example is.
      model: What is trained.
      asked: Rounds, and the clients' local work.
      cell: The point of the grid.
      data: Of the clients.
      agreed: The masks; None for a plain mean. What agreeing cost is counted with the
        first round.
      recorder: The observer of the installed context.
      watch: The timer of the installed context.
      session: Of the run.
      keep: Gets what was learned, before the record of the last round: a training that
        is recorded as finished has been kept.

    Yields:
      One record for each round.
    """
    datasets = [
        client_dataset(modality, model, client, asked, cell.seed)
        for client in data.clients
    ]
    evaluate = evaluating.on(modality, model, data.test)
    by_guess = evaluating.by_guess(model, data.test)
    parameters = layouts.of_task(model.task).spec.size
    state = process.initialize()
    recorder.take()
    for number in range(1, asked.rounds + 1):
        watch.take()
        began = time.perf_counter()
        output = process.next(state, datasets)
        seconds, stages = time.perf_counter() - began, watch.take()
        state = output.state
        counted = recorder_lib.traffic(recorder.take())
        measured = _encryption_measurements(output.metrics["aggregator"])
        hidden = int(measured["hidden"]) if measured else 0
        learned = process.get_model_weights(state)
        measures = evaluate(learned)
        if number == asked.rounds:
            keep(learned)
        yield RoundRecord(
            cell=cell,
            round=number,
            hidden=hidden,
            parameters=parameters,
            loss=float(output.metrics["client_work"]["train"]["loss"]),
            accuracy=measures.get("accuracy"),
            round_seconds=seconds,
            client_to_server_bytes=counted.client_to_server_bytes,
            server_to_client_bytes=counted.server_to_client_bytes,
            plaintext_bytes=counted.client_to_server_bytes - counted.ciphertext_bytes,
            ciphertext_bytes=counted.ciphertext_bytes,
            hidden_bytes=4 * hidden * cell.num_clients,
            session=session,
            measures=measures,
            details={
                "stage_seconds": stages,
                **by_guess,
                **_agreement_details(agreed, number),
                **(_counted(measured) if measured else {}),
            },
        )


def _counted(measured: Mapping[str, Any]) -> dict[str, Any]:
    """What the encrypted mean counted, for the record of a round."""
    return {
        "saturated": int(measured["saturated"]),
        "idle": int(measured["idle"]),
        "refused": int(measured["refused"]),
        "refusals": {
            refusal.name: int(measured["refusals"][refusal])
            for refusal in Refusal
            if measured["refusals"][refusal]
        },
    }


def _agreement_details(agreed: Agreed | None, number: int) -> dict[str, float]:
    """What agreeing on the mask cost, in the record of the first round."""
    if agreed is None or number > 1 or not agreed.seconds:
        return {}
    return {
        "agreement_seconds": agreed.seconds,
        "agreement_up_bytes": agreed.traffic.client_to_server_bytes,
        "agreement_down_bytes": agreed.traffic.server_to_client_bytes,
    }


def _encryption_measurements(measured: Any) -> Mapping[str, Any] | None:
    """Finds what the encrypted mean measured, however deep it is in other factories."""
    if not isinstance(measured, Mapping):
        return None
    if "refusals" in measured:
        return measured
    found = (_encryption_measurements(inner) for inner in measured.values())
    return next((inner for inner in found if inner is not None), None)


def client_dataset(
    modality: Modality, model: AnyModel, client: Dataset, asked: Federation, seed: int
) -> tf.data.Dataset:
    """A client's examples as its local training reads them.

    Args:
      modality: What an example is.
      model: In whose units and nesting they are.
      client: The examples.
      asked: Batch size and epochs.
      seed: Of their order.

    Returns:
      Batches `(inputs, labels)`.
    """
    return (
        evaluating.sliced(modality, model, client)
        .shuffle(len(client), seed=seed)
        .repeat(asked.local_epochs)
        .batch(asked.batch_size)
    )
