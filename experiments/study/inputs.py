"""What a run works on: examples, shared out, and a model."""

from typing import Any, NamedTuple

import numpy as np

from experiments.data import splits
from experiments.data.dataset import Dataset
from experiments.study import encryption, masking, subjects, tasks
from experiments.study.flag_table import SettingsError
from experiments.study.settings import CLIENTS, DIRICHLET, Settings, TrainingSettings
from experiments.study.training import TrainingData
from selenc_tf.models.functional import FunctionalModel


class Inputs(NamedTuple):
    """What a run works on.

    Attributes:
      model: What is trained and attacked.
      dataset: The whole, in which records index pictures.
      training: The clients' data and the test set.
      attacked_rows: Indices of the attacked pictures.
      public_rows: Indices of pictures that attackers have.
      facts: Of `subjects.Studied`.
    """

    model: FunctionalModel
    dataset: Dataset
    training: TrainingData
    attacked_rows: tuple[int, ...]
    public_rows: tuple[int, ...]
    facts: dict[str, Any]


def load(settings: Settings) -> Inputs:
    """Loads the data, shares them out and builds the model.

    Args:
      settings: Whose flags are checked.

    Returns:
      The inputs.

    Raises:
      DataNotFoundError: If no source has the data set.
      ValueError: If data, model and lattice cannot be what the flags ask for.
    """
    encryption.check_fits(
        settings.encryption.codec_bits,
        {
            "num_clients": settings.training.num_clients,
            "aggregate_clients": settings.attack.aggregate_clients,
        },
    )
    dataset, model, facts = subjects.load(settings)
    wanted = tasks.pictures_needed(settings.attack)
    if wanted > len(dataset):
        raise SettingsError(
            "`--num_images`, `--aggregate_clients`, `--cohort_clients` and "
            f"`--attack_batch_size` ask for {wanted} pictures, but {dataset.name} has "
            f"{len(dataset)}. Lower them."
        )
    order = tuple(
        np.random.default_rng(settings.seed).permutation(len(dataset)).tolist()
    )
    masking.check_fits(masking.of_run(settings), model.spec, settings.model)
    return Inputs(
        model,
        dataset,
        _shared_out(dataset, settings.training, settings.seed),
        order[:wanted],
        order[wanted : wanted + settings.attack.public_images],
        facts,
    )


def client_data(
    dataset: Dataset, asked: TrainingSettings, seed: int
) -> tuple[Dataset, ...]:
    """Shares examples out among the clients of a training.

    Args:
      dataset: To take them from.
      asked: How many clients have how many.
      seed: Of the choice.

    Returns:
      Each client's examples.

    Raises:
      SettingsError: If there are too few.
    """
    if asked.split == CLIENTS:
        return _own_clients(dataset, asked, seed)
    needed = asked.num_clients * asked.examples
    if needed > len(dataset):
        raise SettingsError(
            f"`--num_clients` times `--client_examples` = {needed} examples, but "
            f"{dataset.name} has {len(dataset)} to train on. Lower one of them, or "
            "`--rounds=0` to attack without training."
        )
    chosen = splits.subset(dataset, needed, seed)
    alpha = asked.dirichlet_alpha if asked.split == DIRICHLET else None
    return splits.partition(chosen, asked.num_clients, seed, alpha)


def _own_clients(
    dataset: Dataset, asked: TrainingSettings, seed: int
) -> tuple[Dataset, ...]:
    """So many of the data's own clients, each with at most so many examples."""
    if dataset.clients is None:
        raise SettingsError(
            f"`--split=clients` needs data that say whose each example is, but "
            f"{dataset.name} does not. Give `--client_column`, or take `--split=iid`."
        )
    there = len(np.unique(dataset.clients))
    if there < asked.num_clients:
        raise SettingsError(
            f"`--num_clients` = {asked.num_clients}, but {dataset.name} has {there} "
            "clients with examples to train on. Lower it."
        )
    return tuple(
        splits.subset(client, min(asked.examples, len(client)), seed)
        for client in splits.by_client(dataset, asked.num_clients)
    )


def _shared_out(dataset: Dataset, asked: TrainingSettings, seed: int) -> TrainingData:
    if not asked.rounds:
        return TrainingData((), dataset)
    share = splits.split(dataset, seed)
    tested = min(asked.test_examples, len(share.test))
    return TrainingData(
        clients=client_data(share.train, asked, seed),
        test=splits.subset(share.test, tested, seed),
    )
