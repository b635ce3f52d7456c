"""The clients of a training: who has which examples, and who was not among them."""

from typing import NamedTuple

import numpy as np

from experiments.data import splits
from experiments.data.dataset import Dataset
from experiments.study.flag_table import SettingsError
from experiments.study.settings import CLIENTS, DIRICHLET, Federation


class TrainingData(NamedTuple):
    """What is trained and tested on.

    Attributes:
      clients: Each client's examples.
      test: Examples to evaluate on.
    """

    clients: tuple[Dataset, ...]
    test: Dataset


def shared_out(dataset: Dataset, asked: Federation, seed: int) -> TrainingData:
    """Splits off a test set and shares the rest out.

    Args:
      dataset: The whole.
      asked: How many clients have how many, and how many are tested on.
      seed: Of the split and the choice.

    Returns:
      Both.

    Raises:
      SettingsError: If there are too few examples.
    """
    share = splits.split(dataset, seed)
    tested = min(asked.test_examples, len(share.test))
    return TrainingData(
        clients=client_data(share.train, asked, seed),
        test=splits.subset(share.test, tested, seed),
    )


def order(
    dataset: Dataset, asked: Federation, seed: int, data: TrainingData
) -> tuple[int, ...]:
    """The order in which pictures are attacked, analysed and given to attackers.

    Args:
      dataset: The whole.
      asked: Whether the weights come from a training.
      seed: Of the order.
      data: What is trained on.

    Returns:
      Rows of the whole; with `--weights_after_rounds` none that was trained on, nor
      another of its group.
    """
    rows = np.random.default_rng(seed).permutation(len(dataset))
    if asked.weights_after_rounds:
        seen = np.zeros(len(dataset), np.bool_)
        for client in data.clients:
            seen[client.rows] = True
        if dataset.groups is not None:
            seen = np.isin(dataset.groups, dataset.groups[seen])
        rows = rows[~seen[rows]]
    return tuple(rows.tolist())


def left_over(asked: Federation) -> str:
    """What to say of the number of rows in `order`."""
    return " that were not trained on" if asked.weights_after_rounds else ""


def client_data(dataset: Dataset, asked: Federation, seed: int) -> tuple[Dataset, ...]:
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
            f"{dataset.name} has {len(dataset)} to train on. Lower one of them, or take "
            "`--rounds=0` and `--weights_after_rounds=0` to attack without training."
        )
    chosen = splits.subset(dataset, needed, seed)
    alpha = asked.dirichlet_alpha if asked.split == DIRICHLET else None
    return splits.partition(chosen, asked.num_clients, seed, alpha)


def _own_clients(dataset: Dataset, asked: Federation, seed: int) -> tuple[Dataset, ...]:
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
