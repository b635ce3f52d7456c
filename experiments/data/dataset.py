"""Labelled pictures that know what they are and where they came from."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selenc_tf import validation


class DataNotFoundError(FileNotFoundError):
    """No source delivers the data set; the message says what to install or pass."""


@dataclasses.dataclass(frozen=True, eq=False)
class Dataset:
    """Labelled pictures. The arrays are read-only.

    Attributes:
      name: What the data really is ("mnist-5k" for 5,000 pictures of MNIST).
      images: float32 [N, h, w, c] in [0, 1].
      labels: int32 [N] in [0, num_classes).
      num_classes: The number of classes of the task, which may be more than occur.
      source: What delivered it, with its version.
      licence: The licence or the terms, as far as the source states them.
      citation: Whom to cite.
      note: One sentence for reports: how much of what, from where.
      test_rows: bool [N], True for the publisher's own test set; None without one.
      groups: int32 [N]. Examples of one group resemble each other (neighbours in one
        photograph) and have one label, and a split keeps them on one side. None: every
        example is its own group.
    """

    name: str
    images: NDArray[np.float32]
    labels: NDArray[np.int32]
    num_classes: int
    source: str
    licence: str
    citation: str
    note: str
    test_rows: NDArray[np.bool_] | None = None
    groups: NDArray[np.int32] | None = None

    def __post_init__(self) -> None:
        """Checks shapes, dtypes and ranges, and makes the arrays read-only.

        Raises:
          ValueError: If an array is not as the attributes say.
        """
        if self.images.ndim != 4 or self.images.dtype != np.float32:
            raise ValueError(
                "`images` must be float32 [N, h, w, c], got "
                f"{self.images.dtype} {list(self.images.shape)}."
            )
        size = len(self.images)
        for name, array, dtype in (
            ("labels", self.labels, np.int32),
            ("test_rows", self.test_rows, np.bool_),
            ("groups", self.groups, np.int32),
        ):
            if array is not None and (array.shape != (size,) or array.dtype != dtype):
                raise ValueError(
                    f"`{name}` must be {np.dtype(dtype)} [{size}], one entry for each "
                    f"image, got {array.dtype} {list(array.shape)}."
                )
        _check_range("images", self.images, 0.0, 1.0, "divide 8-bit pixels by 255")
        _check_range(
            "labels", self.labels, 0, self.num_classes - 1, "see `num_classes`"
        )
        if self.groups is not None:
            pairs = np.unique(np.stack([self.groups, self.labels]), axis=1)
            if pairs.shape[1] != len(np.unique(self.groups)):
                raise ValueError(
                    "Each of the `groups` must lie in one class, so that a split can go"
                    " class by class, but one has several labels. Number them anew for "
                    "each class."
                )
        arrays: tuple[NDArray[Any] | None, ...] = (
            self.images,
            self.labels,
            self.test_rows,
            self.groups,
        )
        for values in arrays:
            if values is not None:
                values.setflags(write=False)

    def __len__(self) -> int:
        """The number of examples, N."""
        return len(self.labels)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of a picture."""
        height, width, channels = self.images.shape[1:]
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
            f"Image indices must be in [0, {len(dataset) - 1}], as {dataset.name!r} has"
            f" {len(dataset)} examples here; got {int(outside[0])}. Choose a smaller "
            "index or another data set."
        )
    return dataclasses.replace(
        dataset,
        images=dataset.images[indices],
        labels=dataset.labels[indices],
        note=f"{dataset.note} {note}".strip(),
        test_rows=None if dataset.test_rows is None else dataset.test_rows[indices],
        groups=None if dataset.groups is None else dataset.groups[indices],
    )


def from_bytes(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """8-bit pixels as float32 in [0, 1]: 0 becomes 0 and 255 becomes 1.

    Args:
      pixels: uint8 of any shape.

    Returns:
      float32 of that shape.
    """
    return pixels.astype(np.float32) / np.float32(255.0)


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
