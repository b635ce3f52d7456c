"""The weights that are attacked: the first ones, or those after rounds of averaging.

A network that has learned gives other gradients than one that starts. With
`--weights_after_rounds=R` the attacked messages are those of round R + 1: before it, the
clients of the training flags averaged R times, with nothing encrypted, which does not
change what they learn.

Whose messages: a client's that takes part for the first time. None of its examples, and
none that the attacker has, was trained on (`clients.untrained`). That is how clients of
a large federation are met, and the harder case for a defence: what a network has learned
by heart gives smaller gradients.
"""

import dataclasses
import hashlib
import importlib.metadata
import json
from typing import Any, Generic, NamedTuple, TextIO

import numpy as np
import tensorflow as tf

from experiments.data import dataset as dataset_lib
from experiments.data.dataset import Dataset
from experiments.outputs import progress
from experiments.study import digests, weights_cache
from experiments.study.clients import TrainingData
from experiments.study.flag_table import SettingsError
from experiments.study.modality import M, Modality
from experiments.study.settings import Federation
from experiments.study.weights_cache import Arrays, Trained
from selenc_tf.models import functional
from selenc_tf.models import task as task_lib
from selenc_tf.models.any_model import AnyModel

_PROBED = 4
"""Examples on which what the model computes is told from what another one does."""


class Learned(NamedTuple, Generic[M]):
    """A model at the weights that are attacked.

    Attributes:
      model: The attacked model.
      facts: For `config.json`: a hash of the weights and what they are worth on the test
        set; empty for the first ones.
      note: Which weights they are, for people; "" for the first ones.
    """

    model: M
    facts: dict[str, Any]
    note: str


def of(
    modality: Modality,
    model: M,
    asked: Federation,
    seed: int,
    data: TrainingData,
    stream: TextIO,
    dry_run: bool = False,
) -> Learned[M]:
    """Takes the weights from the cache, or trains and keeps them.

    An interrupted training leaves nothing behind, and is done again.

    Args:
      modality: What an example is.
      model: At the first weights; it is left as it is.
      asked: The rounds, and how clients work.
      seed: Of the order of examples and of dropout.
      data: Of the clients, and the test set.
      stream: Where progress goes.
      dry_run: Whether to stay at the first weights where there is something to train.

    Returns:
      The model after the rounds.

    Raises:
      SettingsError: If Keras cannot build the model again, or training diverges.
    """
    if not asked.weights_after_rounds:
        return Learned(model, {}, "")
    key = _key(modality, model, asked, seed, data)
    found = weights_cache.load(key, _start(model))
    if found is None and dry_run:
        later = "They are not trained yet; what follows is of the first weights."
        return Learned(model, {}, f"{_described(asked, data)}. {later}")
    if found is None:
        found = _train(modality, model, asked, seed, data, stream)
        weights_cache.save(key, found)
    measured = {name: round(value, 4) for name, value in found.measures.items()}
    return Learned(
        _at(modality, model, found),
        {"attacked_weights_sha256": found.sha256, "attacked_weights_test": measured},
        f"{_described(asked, data)}: {_in_words(measured)} on {len(data.test):,} test "
        "examples.",
    )


def _described(asked: Federation, data: TrainingData) -> str:
    sizes = sorted(len(client) for client in data.clients)
    each = f"{sizes[0]}" if sizes[0] == sizes[-1] else f"{sizes[0]} to {sizes[-1]}"
    return (
        f"Attacked weights: after {asked.weights_after_rounds} rounds of averaging, "
        f"nothing encrypted, {len(sizes)} clients of {each} examples, "
        f"{asked.local_epochs} local epochs of batches of {asked.batch_size}, "
        f"{asked.client_optimizer} {asked.learning_rate:g}, server "
        f"{asked.server_optimizer} {asked.server_learning_rate:g}; no attacked or public "
        "example is among theirs"
    )


def _in_words(measures: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in measures.items())


def _train(
    modality: Modality,
    model: AnyModel,
    asked: Federation,
    seed: int,
    data: TrainingData,
    stream: TextIO,
) -> Trained:
    # They load TensorFlow Federated, which an analysis does without.
    from experiments.study import evaluating, training
    from federated import restoring, runtime

    runtime.install_if_none()
    process = training.build_process(model, asked, seed, None)
    datasets = [
        training.client_dataset(modality, model, client, asked, seed)
        for client in data.clients
    ]
    state = process.initialize()
    with progress.progress(
        "training the attacked weights", asked.weights_after_rounds, stream
    ) as display:
        for number in range(1, asked.weights_after_rounds + 1):
            display.start(f"round {number}")
            output = process.next(state, datasets)
            state = output.state
            loss = float(output.metrics["client_work"]["train"]["loss"])
            display.step(1, f"loss {loss:.3f}")
            display.finish()
    weights = process.get_model_weights(state)
    found = Trained(
        tuple(restoring.listed(weights.trainable)),
        tuple(restoring.listed(weights.non_trainable)),
        evaluating.on(modality, model, data.test)(weights),
    )
    _check(model, asked, found)
    return found


def _check(model: AnyModel, asked: Federation, found: Trained) -> None:
    """Refuses what came of a training that diverged."""
    numbers: list[Any] = [*found.weights, *found.state, *found.measures.values()]
    start = _start(model)[0]
    # A client whose numbers overflow counts for nothing, and so may all of them.
    stayed = all(map(np.array_equal, found.weights, start))
    if stayed or not all(np.all(np.isfinite(one)) for one in numbers):
        raise SettingsError(
            f"The weights after `--weights_after_rounds` = {asked.weights_after_rounds} "
            "must be finite and others than the first ones, but training "
            f"{model.name} diverged. Lower `--client_learning_rate`."
        )


def _at(modality: Modality, model: M, trained: Trained) -> M:
    """The model with other weights and state."""
    try:
        moved: M = modality.at_weights(model, trained.weights, trained.state)
    except ValueError as error:
        raise SettingsError(
            f"`--weights_after_rounds` cannot be used with {model.name}: {error}"
        ) from None
    return moved


def _start(model: AnyModel) -> tuple[Arrays, Arrays]:
    task = model.task
    return (
        tuple(tensor.numpy() for tensor in task.initial_weights),
        tuple(tensor.numpy() for tensor in task.initial_state),
    )


def _key(
    modality: Modality,
    model: AnyModel,
    asked: Federation,
    seed: int,
    data: TrainingData,
) -> str:
    """A hash of everything that determines the weights and their measures."""
    parts = [
        json.dumps(
            {
                "flags": {
                    field.name: getattr(asked, field.name)
                    for field in dataclasses.fields(Federation)
                },
                "seed": seed,
                "model": model.name,
                "loss": model.task.objective.name,
                "training": model.task.training,
                "versions": {
                    name: importlib.metadata.version(name)
                    for name in (
                        "selenc-tf",
                        "tensorflow",
                        "tensorflow-federated",
                        "keras",
                    )
                },
            },
            sort_keys=True,
        ),
        *(_of_examples(part) for part in (*data.clients, data.test)),
        digests.of_arrays(*modality.units(model)),
        digests.of_arrays(*_start(model)[0], *_start(model)[1]),
        _probe(modality, model, data.clients[0]),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _of_examples(part: Dataset) -> str:
    return digests.of_arrays(part.examples, part.labels)


def _probe(modality: Modality, model: AnyModel, client: Dataset) -> str:
    """What a step computes: an own model's code may change and its weights stay."""
    probed = dataset_lib.take(client, range(min(_PROBED, len(client))))
    examples, known = modality.batch(model, probed, range(len(probed)))
    gradient = functional.gradient(
        model,
        model.initial_weights,
        tf.nest.map_structure(tf.constant, examples),
        functional.targets(model, tf.constant(known)),
    )
    inputs, labels = modality.inputs(model, probed)
    after = task_lib.step(
        model.task,
        model.task.initial_weights,
        model.task.initial_state,
        inputs,
        tf.constant(labels),
        seed=(0, 0),
    )
    return digests.of_arrays(
        gradient.numpy(), after.loss.numpy(), *(one.numpy() for one in after.state)
    )
