"""Training and test parts, subsets and federated clients, all by an explicit seed.

Labels that are numbers and no classes count as one class here.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.data import dataset as dataset_lib
from experiments.data import dirichlet
from selenc_tf import validation

_DEFAULT_TEST_FRACTION = 0.2


class Split(NamedTuple):
    """Two parts of one data set without a common example or group.

    Attributes:
      train: To train on, shuffled.
      test: To measure on, shuffled.
    """

    train: dataset_lib.Dataset
    test: dataset_lib.Dataset


def split(
    dataset: dataset_lib.Dataset, seed: int, test_fraction: float | None = None
) -> Split:
    """Splits class by class, keeping groups together, and shuffles both parts.

    Args:
      dataset: The whole.
      seed: Not negative. The same seed gives the same split.
      test_fraction: The share of each class that is tested on, strictly between 0 and
        1, rounded to whole groups, at least one on each side; a class with one group
        stays in training. None: the publisher's own test set where there is one, else
        0.2.

    Returns:
      The two parts.

    Raises:
      ValueError: If an argument is out of range or a part would be empty.
    """
    rng = _rng(seed)
    if test_fraction is None and dataset.test_rows is not None:
        is_test = dataset.test_rows
        how = "the publisher's own split"
    else:
        fraction = _DEFAULT_TEST_FRACTION if test_fraction is None else test_fraction
        if not 0.0 < fraction < 1.0:
            raise ValueError(
                f"`test_fraction` must be strictly between 0 and 1, got {fraction!r}: "
                "0.2 tests on a fifth of each class."
            )
        is_test = _stratified_test_rows(dataset, fraction, rng)
        how = f"split with seed {seed}, test fraction {fraction:g}"
    parts = []
    for part, rows in (
        ("training", np.flatnonzero(~is_test)),
        ("test", np.flatnonzero(is_test)),
    ):
        if not rows.size:
            raise ValueError(
                f"The {part} part of {dataset.name!r} would be empty: {len(dataset)} "
                f"examples of {len(np.unique(_classes(dataset)))} classes are too few to "
                "split. Use a larger data set, or attack it without training."
            )
        note = f"The {len(rows):,} examples of the {part} part ({how})."
        parts.append(dataset_lib.take(dataset, rng.permutation(rows), note))
    return Split(*parts)


def subset(dataset: dataset_lib.Dataset, size: int, seed: int) -> dataset_lib.Dataset:
    """A random part with the classes in the proportions of the whole, shuffled.

    Args:
      dataset: The whole.
      size: Number of examples, in [1, N].
      seed: Not negative. The same seed gives the same part.

    Returns:
      The part; its note says that it is one.

    Raises:
      ValueError: If `size` or `seed` is out of range.
    """
    if not 1 <= size <= len(dataset):
        raise ValueError(
            f"`size` must be in [1, {len(dataset)}], the number of examples of "
            f"{dataset.name!r} here, got {size}."
        )
    rng = _rng(seed)
    labels = _classes(dataset)
    classes, counts = np.unique(labels, return_counts=True)
    quotas = _round_to_sum(counts * (size / len(dataset)), size)
    rows = [
        rng.permutation(np.flatnonzero(labels == label))[:quota]
        for label, quota in zip(classes, quotas, strict=True)
    ]
    return dataset_lib.take(
        dataset,
        rng.permutation(np.concatenate(rows)),
        f"{size:,} of these {len(dataset):,}, drawn class by class with seed {seed}.",
    )


def partition(
    dataset: dataset_lib.Dataset,
    num_clients: int,
    seed: int,
    dirichlet_alpha: float | None = None,
) -> tuple[dataset_lib.Dataset, ...]:
    """Shares the examples out among clients; everyone's data is in exactly one place.

    Args:
      dataset: The whole.
      num_clients: k, at least 1 and at most N.
      seed: Not negative. The same seed gives the same clients.
      dirichlet_alpha: None shuffles and deals (IID). A positive number draws each
        client's shares of the classes from a Dirichlet distribution around those of the
        whole: below 0.1 nearly one class each, above 100 nearly as the whole (Hsu, Qi,
        Brown, 'Measuring the effects of non-identical data distribution for federated
        visual classification', arXiv:1909.06335). Sizes differ by at most one in both.

    Returns:
      One data set for each client.

    Raises:
      ValueError: If an argument is out of range, or `dirichlet_alpha` is given and
        labels are not classes.
    """
    if dirichlet_alpha is not None and not dataset.has_classes:
        raise ValueError(
            f"`dirichlet_alpha` mixes classes, but labels of {dataset.name!r} are numbers."
            " Leave it out: IID."
        )
    parts = partition_rows(_classes(dataset), num_clients, seed, dirichlet_alpha)
    kind = "IID" if dirichlet_alpha is None else f"Dirichlet({dirichlet_alpha:g})"
    return tuple(
        dataset_lib.take(
            dataset, rows, f"Client {index} of {num_clients}, {kind}, seed {seed}."
        )
        for index, rows in enumerate(parts)
    )


def partition_rows(
    labels: NDArray[np.int32],
    num_clients: int,
    seed: int,
    dirichlet_alpha: float | None = None,
) -> tuple[NDArray[np.int64], ...]:
    """Which rows each client gets; see `partition`.

    Args:
      labels: int32 [N].
      num_clients: k.
      seed: Not negative.
      dirichlet_alpha: None for IID, else positive.

    Returns:
      k arrays of row numbers, none empty, together a permutation of 0..N-1.

    Raises:
      ValueError: If an argument is out of range.
    """
    if not 1 <= num_clients <= len(labels):
        raise ValueError(
            f"`num_clients` must be in [1, {len(labels)}], as there are {len(labels)} "
            f"examples to share out, got {num_clients}. Use fewer clients or more data."
        )
    rng = _rng(seed)
    if dirichlet_alpha is None:
        return tuple(np.array_split(rng.permutation(len(labels)), num_clients))
    validation.check_positive("dirichlet_alpha", dirichlet_alpha)
    return dirichlet.deal(labels, num_clients, dirichlet_alpha, rng)


def by_client(
    dataset: dataset_lib.Dataset, num_clients: int
) -> tuple[dataset_lib.Dataset, ...]:
    """Gives the data's own clients what is theirs.

    Args:
      dataset: With `Dataset.clients`.
      num_clients: k, at least 1: the k clients of the lowest numbers are taken.

    Returns:
      One data set for each of them, in the order of the whole.

    Raises:
      ValueError: If the data have no clients, or fewer.
    """
    if dataset.clients is None:
        raise ValueError(
            f"{dataset.name!r} does not say whose an example is. Share it out (IID or "
            "Dirichlet), or say it: a client column, or one folder a client."
        )
    found = np.unique(dataset.clients)
    if not 1 <= num_clients <= len(found):
        raise ValueError(
            f"`num_clients` must be in [1, {len(found)}], the number of clients with "
            f"examples of {dataset.name!r} here, got {num_clients}."
        )
    return tuple(
        dataset_lib.take(
            dataset,
            np.flatnonzero(dataset.clients == client),
            f"Client {index} of the first {num_clients} of {len(found)}.",
        )
        for index, client in enumerate(found[:num_clients])
    )


def _classes(dataset: dataset_lib.Dataset) -> NDArray[np.int32]:
    return dataset.labels if dataset.has_classes else np.zeros(len(dataset), np.int32)


def _stratified_test_rows(
    dataset: dataset_lib.Dataset, fraction: float, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Chooses whole groups of each class, as many as come nearest to the share."""
    size = len(dataset)
    groups = np.arange(size) if dataset.groups is None else dataset.groups
    is_test = np.zeros(size, np.bool_)
    labels = _classes(dataset)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        names, counts = np.unique(groups[rows], return_counts=True)
        order = rng.permutation(len(names))
        reached = np.cumsum(counts[order])
        nearest = int(np.argmin(np.abs(reached - fraction * len(rows)))) + 1
        chosen = order[: min(nearest, len(names) - 1)]
        is_test[rows] = np.isin(groups[rows], names[chosen])
    return is_test


def _round_to_sum(shares: NDArray[np.floating], total: int) -> NDArray[np.int64]:
    """Whole numbers near `shares` with the sum `total`, by the largest remainders."""
    whole = np.floor(shares).astype(np.int64)
    missing = total - int(whole.sum())
    whole[np.argsort(whole - shares, kind="stable")[:missing]] += 1
    return whole


def _rng(seed: int) -> np.random.Generator:
    validation.check_at_least("seed", seed, 0)
    return np.random.default_rng(seed)
