"""Single columns of a row of a table: which were read, and what one value for all has."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attacks.knowledge import PublicExamples
from attacks.metrics import tables
from experiments.data.dataset import Dataset
from experiments.modalities.pictures import metrics
from experiments.outputs import columns

MAX_FEATURES = 100
"""Of a table whose columns are recorded one by one."""

MAX_LEVELS = 16
"""Of a column of few values, as a yes or no."""

_STEP = 1 / 510
"""Half a step of 8 bits of a column's range: what is closer is read exactly."""


def read(
    model: Any, dataset: Dataset, row: int, found: NDArray[Any]
) -> tuple[bool, ...]:
    """Which columns of a row are read exactly.

    Runs on: the experiment. Sees: the truth.

    Args:
      model: The attacked model, with its range of values.
      dataset: The rows.
      row: Which of them was attacked.
      found: float [d], its reconstruction.

    Returns:
      For each column of whole numbers whether it comes out when rounded, for each other
      one whether it is closer than rounding to 8 bits of its range.
    """
    truth, one = dataset.examples[row][np.newaxis], np.asarray(found)[np.newaxis]
    right = np.abs(np.clip(one, 0.0, 1.0) - truth) < _STEP
    if whole := _whole(model, dataset):
        right[:, whole] = tables.integers_match(one, truth, model.value_range, whole)
    return tuple(bool(each) for each in right[0])


def at_a_level(dataset: Dataset, found: NDArray[Any]) -> tuple[bool, ...]:
    """In which columns of few values a reconstruction shows one of those.

    Who reads a column nowhere else shows a mean there: an attacker sees which is which.

    Args:
      dataset: The rows.
      found: float [d], a reconstruction.

    Returns:
      For each column whether it is within half a step of 8 bits of a value that it has;
      False for one of more than `MAX_LEVELS` values.
    """
    known = metrics.references(dataset)
    levels = [np.unique(known[:, at]) for at in range(known.shape[1])]
    return tuple(
        len(each) <= MAX_LEVELS and bool(np.min(np.abs(each - value)) < _STEP)
        for each, value in zip(levels, np.clip(found, 0.0, 1.0), strict=True)
    )


def one_for_all(
    model: Any, dataset: Dataset, public: PublicExamples | None
) -> dict[str, Any]:
    """How often the best single value for all rows is right, column by column.

    Args:
      model: The attacked model.
      dataset: Its data.
      public: The attacker's rows; without them nothing is known to name.

    Returns:
      For the details of records; nothing of pictures, or of more than `MAX_FEATURES`.
    """
    if public is None or dataset.examples.ndim != 2:
        return {}
    if dataset.examples.shape[1] > MAX_FEATURES:
        return {}
    known = public.examples.astype(np.float64)
    own, whole = model.value_range.from_unit(known), set(_whole(model, dataset))
    shares = []
    for at in range(known.shape[1]):
        if at in whole:
            _, counts = np.unique(np.round(own[:, at]), return_counts=True)
        else:
            values = np.sort(known[:, at])
            ends = np.searchsorted(values, values + 2 * _STEP)
            counts = ends - np.arange(len(values))
        shares.append(float(counts.max() / len(known)))
    return columns.details_of_guess(shares)


def _whole(model: Any, dataset: Dataset) -> Sequence[int]:
    """The columns that hold whole numbers only, in their own units."""
    own = model.value_range.from_unit(metrics.references(dataset).astype(np.float64))
    near = np.isclose(own, np.round(own), rtol=1e-5, atol=1e-3)
    return [int(at) for at in np.flatnonzero(np.all(near, axis=0))]
