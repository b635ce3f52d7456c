"""Training and test parts, subsets and federated clients, all by an explicit seed."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.data import dataset as dataset_lib
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
                f"examples of {len(np.unique(dataset.labels))} classes are too few to "
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
    classes, counts = np.unique(dataset.labels, return_counts=True)
    quotas = _round_to_sum(counts * (size / len(dataset)), size)
    rows = [
        rng.permutation(np.flatnonzero(dataset.labels == label))[:quota]
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
      dirichlet_alpha: None shuffles and deals (IID; sizes differ by at most one). A
        positive number draws each class's shares among the clients from a symmetric
        Dirichlet distribution: 0.1 is very uneven, 100 nearly even (Hsu, Qi, Brown,
        'Measuring the effects of non-identical data distribution', arXiv:1909.06335).

    Returns:
      One data set for each client.

    Raises:
      ValueError: If an argument is out of range or a client would have no example.
    """
    parts = partition_rows(dataset.labels, num_clients, seed, dirichlet_alpha)
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
      ValueError: If an argument is out of range or a client would have no example.
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
    parts: list[list[NDArray[np.int64]]] = [[] for _ in range(num_clients)]
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        shares = rng.dirichlet(np.full(num_clients, dirichlet_alpha))
        cuts = np.cumsum(_round_to_sum(shares * len(rows), len(rows)))[:-1]
        for part, piece in zip(parts, np.split(rows, cuts), strict=True):
            part.append(piece)
    joined = tuple(rng.permutation(np.concatenate(part)) for part in parts)
    empty = [index for index, rows in enumerate(joined) if not rows.size]
    if empty:
        raise ValueError(
            f"Every client must have an example, but {len(empty)} of {num_clients} have"
            f" none (client {empty[0]} is the first) with dirichlet_alpha="
            f"{dirichlet_alpha:g} and {len(labels)} examples. Raise `dirichlet_alpha`, "
            "use fewer clients or more data, or try another seed."
        )
    return joined


def _stratified_test_rows(
    dataset: dataset_lib.Dataset, fraction: float, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Chooses whole groups of each class, as many as come nearest to the share."""
    size = len(dataset)
    groups = np.arange(size) if dataset.groups is None else dataset.groups
    is_test = np.zeros(size, np.bool_)
    for label in np.unique(dataset.labels):
        rows = np.flatnonzero(dataset.labels == label)
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
