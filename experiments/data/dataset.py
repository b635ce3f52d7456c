"""Labelled examples that know what they are and where they came from."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.data.own_data import OwnData
from selenc_tf import validation
from selenc_tf.models.value_range import UNIT, ValueRange


class DataNotFoundError(FileNotFoundError):
    """No source delivers the data set; the message says what to install or pass."""


@dataclasses.dataclass(frozen=True, eq=False)
class Dataset:
    """Labelled examples: pictures, rows, symbols. The arrays are read-only.

    Attributes:
      name: What the data really is ("mnist-5k" for 5,000 pictures of MNIST).
      examples: float32 [N, ...] in [0, 1]: pictures [N, h, w, c], rows of a table [N, d];
        or int32 [N, length]: tokens and other symbols, -1 where an example has ended.
      labels: int32 [N] in [0, num_classes), or float32 [N, num_classes].
      num_classes: The number of classes of the task, which may be more than occur; of
        labels that are numbers, how many an example has.
      source: What delivered it, with its version.
      licence: The licence or the terms, as far as the source states them.
      citation: Whom to cite.
      note: One sentence for reports: how much of what, from where.
      test_rows: bool [N], True for the publisher's own test set; None without one.
      groups: int32 [N]. Examples of one group resemble each other (neighbours in one
        photograph) and have one label, and a split keeps them on one side. None: every
        example is its own group.
      rows: int64 [N], where the examples of a part stand in the whole. None of the whole.
    """

    name: str
    examples: NDArray[Any]
    labels: NDArray[np.int32]
    num_classes: int
    source: str
    licence: str
    citation: str
    note: str
    test_rows: NDArray[np.bool_] | None = None
    groups: NDArray[np.int32] | None = None
    value_range: ValueRange = UNIT
    feature_names: tuple[str, ...] | None = None
    clients: NDArray[np.int32] | None = None
    rows: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        """Checks shapes, dtypes and ranges, and makes the arrays read-only.

        Raises:
          ValueError: If an array is not as the attributes say.
        """
        symbols = self.examples.dtype == np.int32
        if self.examples.ndim < 2 or not (symbols or self.examples.dtype == np.float32):
            raise ValueError(
                "`examples` must be float32 [N, ...], or int32 for symbols, got "
                f"{self.examples.dtype} {list(self.examples.shape)}."
            )
        size = len(self.examples)
        values = [size, self.num_classes] if self.labels.ndim == 2 else [size]
        for name, array, dtype, shape in (
            ("labels", self.labels, np.float32 if values[1:] else np.int32, values),
            ("test_rows", self.test_rows, np.bool_, [size]),
            ("groups", self.groups, np.int32, [size]),
            ("clients", self.clients, np.int32, [size]),
            ("rows", self.rows, np.int64, [size]),
        ):
            if array is not None and (
                list(array.shape) != shape or array.dtype != dtype
            ):
                raise ValueError(
                    f"`{name}` must be {np.dtype(dtype)} {shape}, one entry for each "
                    f"example, got {array.dtype} {list(array.shape)}."
                )
        if symbols:
            _check_range("examples", self.examples, -1, np.inf, "-1 stands for none")
        else:
            advice = "divide 8-bit pixels by 255"
            _check_range("examples", self.examples, 0.0, 1.0, advice)
        if self.has_classes:
            last = self.num_classes - 1
            _check_range("labels", self.labels, 0, last, "see `num_classes`")
        elif not np.all(np.isfinite(self.labels)):
            raise ValueError(
                "`labels` must be finite numbers, but at least one is not."
            )
        _check_extent(self)
        if self.groups is not None:
            if not self.has_classes:
                raise ValueError(
                    "`groups` need labels that are classes, as they lie in one."
                )
            pairs = np.unique(np.stack([self.groups, self.labels]), axis=1)
            if pairs.shape[1] != len(np.unique(self.groups)):
                raise ValueError(
                    "Each of the `groups` must lie in one class, so that a split can go"
                    " class by class, but one has several labels. Number them anew for "
                    "each class."
                )
        arrays: tuple[NDArray[Any] | None, ...] = (
            self.examples,
            self.labels,
            self.test_rows,
            self.groups,
            self.clients,
            self.rows,
        )
        for one in arrays:
            if one is not None:
                one.setflags(write=False)

    def __len__(self) -> int:
        """The number of examples, N."""
        return len(self.labels)

    @property
    def has_classes(self) -> bool:
        """Whether labels are one class each."""
        return self.labels.ndim == 1

    @property
    def example_shape(self) -> tuple[int, ...]:
        """The shape of one example."""
        return self.examples.shape[1:]

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of a picture.

        Raises:
          ValueError: If the examples are no pictures.
        """
        if len(self.example_shape) != 3:
            raise ValueError(
                f"The examples of {self.name!r} must be pictures [h, w, c] here, but are "
                f"{list(self.example_shape)}. Take what is made for any numbers."
            )
        height, width, channels = self.example_shape
        return height, width, channels


def take(
    dataset: Dataset, rows: Sequence[int] | NDArray[np.integer], note: str = ""
) -> Dataset:
    """The examples with the given indices, in that order.

    Args:
      dataset: The whole.
      rows: Indices in [0, N).
      note: Appended to the note of the whole; says how the rows were chosen.

    Returns:
      A copy of those examples under the same name.

    Raises:
      IndexError: If an index is outside [0, N).
    """
    indices = np.asarray(rows, dtype=np.int64).reshape(-1)
    outside = indices[(indices < 0) | (indices >= len(dataset))]
    if outside.size:
        raise IndexError(
            f"Indices must be in [0, {len(dataset) - 1}], as {dataset.name!r} has"
            f" {len(dataset)} examples here; got {int(outside[0])}. Choose a smaller "
            "index or another data set."
        )
    return dataclasses.replace(
        dataset,
        examples=dataset.examples[indices],
        labels=dataset.labels[indices],
        note=f"{dataset.note} {note}".strip(),
        test_rows=None if dataset.test_rows is None else dataset.test_rows[indices],
        groups=None if dataset.groups is None else dataset.groups[indices],
        clients=None if dataset.clients is None else dataset.clients[indices],
        rows=indices if dataset.rows is None else dataset.rows[indices],
    )


def equal_to(
    dataset: Dataset, rows: Iterable[int] | NDArray[np.integer]
) -> Callable[[int], bool]:
    """Tells which examples are equal to some of the data, number by number.

    Args:
      dataset: The whole.
      rows: Indices of those that are compared with.

    Returns:
      `(index) -> bool`, whatever the label; true of the rows themselves.
    """

    def written(row: int) -> bytes:
        # Adding 0 makes one zero of -0 and 0.
        return np.ascontiguousarray(dataset.examples[row] + 0).tobytes()

    found = {written(int(row)) for row in rows}
    return lambda row: written(row) in found


def of_own(own: OwnData, inputs_specs: Any) -> Dataset:
    """A user's data as attacks search it: one array of numbers in [0, 1].

    Args:
      own: The data.
      inputs_specs: `tf.TensorSpec`s of a batch, nested as the model takes them.

    Returns:
      One input in its own shape; several as one vector, in the order of the model, with
      names for all of its numbers. Labels of one number each are [N, 1].

    Raises:
      ValueError: If an input is of integers or not what the model takes, or labels are
        not one row for each example.
    """
    from experiments.data import joined  # It loads TensorFlow.

    values, interval, names = joined.inputs(own, inputs_specs)
    labels, outputs = joined.labels(own)
    return Dataset(
        name=own.name,
        examples=np.asarray(interval.to_unit(values), np.float32),
        labels=labels,
        num_classes=outputs,
        source=own.source,
        licence="the user's own",
        citation="",
        note=own.note,
        value_range=interval,
        feature_names=names,
        clients=own.clients,
    )


def from_bytes(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """8-bit pixels as float32 in [0, 1]: 0 becomes 0 and 255 becomes 1.

    Args:
      pixels: uint8 of any shape.

    Returns:
      float32 of that shape.
    """
    return pixels.astype(np.float32) / np.float32(255.0)


def _check_extent(dataset: Dataset) -> None:
    """Checks what is said of each number of an example."""
    shape, names = dataset.example_shape, dataset.feature_names
    if names is not None and shape != (len(names),):
        raise ValueError(
            f"`feature_names` must be one for each column of `examples` [N, d], got "
            f"{len(names)} for examples {list(shape)}."
        )
    for bound in dataset.value_range:
        if bound.shape and bound.shape != shape:
            raise ValueError(
                f"`value_range` must be of one number, or of examples {list(shape)}, got "
                f"{list(bound.shape)}."
            )


def _check_range(
    name: str, array: NDArray[np.generic], low: float, high: float, advice: str
) -> None:
    validation.check_at_least(f"number of {name}", len(array), 1)
    least, most = array.min(), array.max()
    if not (least >= low and most <= high):
        raise ValueError(
            f"`{name}` must be in [{low}, {high}], got values in [{least}, {most}]: "
            f"{advice}."
        )
