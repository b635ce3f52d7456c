"""The clients of a training: who has which examples, and who was not among them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from experiments.data import dataset as dataset_lib
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
      another of its group or equal to it.
    """
    rows = np.random.default_rng(seed).permutation(len(dataset))
    if asked.weights_after_rounds:
        seen = np.zeros(len(dataset), np.bool_)
        for client in data.clients:
            seen[client.rows] = True
        if dataset.groups is not None:
            seen = np.isin(dataset.groups, dataset.groups[seen])
        trained = dataset_lib.equal_to(dataset, np.flatnonzero(seen))
        rows = rows[[not (seen[row] or trained(row)) for row in rows]]
    return tuple(rows.tolist())


class Public(NamedTuple):
    """Examples that attackers have.

    Attributes:
      rows: Their indices in the whole.
      note: How many of those beside the attacked were left out; "" if none.
    """

    rows: tuple[int, ...]
    note: str


def public(
    dataset: Dataset, order: Sequence[int], attacked: int, count: int | None = None
) -> Public:
    """Which examples attackers have: none that is equal to an attacked one.

    An attack would otherwise find its victim ready-made, and its success say nothing of
    the message. Sentences are compared as the model takes them, cut to their length.

    Args:
      dataset: The whole.
      order: Its rows, in the order in which they are taken.
      attacked: How many of them are attacked: the first ones.
      count: How many to take at most; None for all.

    Returns:
      The next ones, and what to say of those left out on the way.

    Raises:
      SettingsError: If some are asked for, and all there are were left out.
    """
    is_attacked = dataset_lib.equal_to(dataset, order[:attacked])
    most = len(order) if count is None else count
    rows: list[int] = []
    left_out = 0
    for row in order[attacked:]:
        if len(rows) >= most:
            break
        if is_attacked(row):
            left_out += 1
        else:
            rows.append(row)
    if left_out and not rows:
        raise SettingsError(
            f"Attackers have other examples than those they look for "
            f"(`--attack_public_images`), but the {left_out} of {dataset.name} beside the "
            f"{attacked} attacked are each equal to one of these as the model takes them. "
            "Give other examples (of sentences a larger `--max_tokens` may tell more "
            "apart), or attack fewer with `--num_images`."
        )
    note = f"{left_out:,} public examples left out: equal to an attacked one."
    return Public(tuple(rows), note if left_out else "")


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
