"""Examples that a user brings, as a model takes them."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selenc_tf.models.value_range import ValueRange


@dataclasses.dataclass(frozen=True, eq=False)
class OwnData:
    """Examples in a model's own units and nesting. The arrays are read-only.

    Attributes:
      name: What results call the data: the stem of a file.
      inputs: float32 or int32 [N, ...]; a tuple or a dictionary for several inputs.
      labels: int32 [N], classes from 0 without a gap (with `class_names`, any of them);
        or int32 or float32 of any rank, or a nesting of those, as the loss takes them.
      clients: int32 [N], whose each example is, or None. Everyone has an example.
      client_names: The clients' names, in the order of their numbers.
      feature_names: A name for each column of one input [N, d], or None.
      class_names: The names of the classes, in the order of their numbers, or None.
      value_range: The interval of each input of numbers, nested as `inputs`; None in
        the place of integers.
      source: What delivered the examples.
      note: One sentence for reports.
    """

    name: str
    inputs: Any
    labels: Any
    clients: NDArray[np.int32] | None = None
    client_names: tuple[str, ...] | None = None
    feature_names: tuple[str, ...] | None = None
    class_names: tuple[str, ...] | None = None
    value_range: Any = None
    source: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        """Checks everything, and makes the arrays read-only.

        Raises:
          ValueError: If something is not as the attributes say.
        """
        inputs, labels = dict(leaves("x", self.inputs)), dict(leaves("y", self.labels))
        arrays = {**inputs, **labels}
        if self.clients is not None:
            arrays["client"] = self.clients
        for name, array in arrays.items():
            _check_array(name, array)
        sizes = {name: len(array) for name, array in arrays.items()}
        if not (inputs and labels and len(set(sizes.values())) == 1) or len(self) < 2:
            listed = ", ".join(f"{size} in `{name}`" for name, size in sizes.items())
            raise ValueError(
                "Inputs and labels must have one entry for each of at least 2 examples, "
                f"got {listed}."
            )
        _check_ranges(inputs, dict(leaves("x", self.value_range)))
        _check_classes(self.labels, self.class_names)
        _check_clients(self.clients, self.client_names)
        _check_names("feature", self.feature_names)
        if self.feature_names is not None and (
            not isinstance(self.inputs, np.ndarray)
            or self.inputs.shape[1:] != (len(self.feature_names),)
        ):
            raise ValueError(
                "Feature names must be one for each column of one input [N, d], got "
                f"{len(self.feature_names)} names for "
                f"{', '.join(str(list(array.shape)) for array in inputs.values())}."
            )
        for array in arrays.values():
            array.setflags(write=False)

    def __len__(self) -> int:
        """The number of examples, N."""
        return len(next(leaves("y", self.labels))[1])

    @property
    def num_classes(self) -> int | None:
        """How many classes there are; None where labels are not one class each."""
        if not is_classes(self.labels):
            return None
        if self.class_names is not None:
            return len(self.class_names)
        return int(self.labels.max()) + 1


def leaves(name: str, nested: Any) -> Iterator[tuple[str, Any]]:
    """The arrays of a nesting in its own order.

    Args:
      name: Of the whole.
      nested: Arrays in dictionaries and tuples.

    Yields:
      Name and array: ("x_a", ...) for {"a": ...} under the name "x".
    """
    if isinstance(nested, Mapping):
        for key, part in nested.items():
            yield from leaves(f"{name}_{key}", part)
    elif isinstance(nested, list | tuple) and not isinstance(nested, ValueRange):
        for place, part in enumerate(nested):
            yield from leaves(f"{name}_{place}", part)
    else:
        yield name, nested


def is_classes(labels: Any) -> bool:
    """Whether labels are one class for each example."""
    return (
        isinstance(labels, np.ndarray) and labels.dtype == np.int32 and labels.ndim == 1
    )


def _check_array(name: str, array: Any) -> None:
    known = isinstance(array, np.ndarray) and array.dtype in (np.float32, np.int32)
    if not known or not array.ndim or 0 in array.shape:
        found = (
            f"{array.dtype} {list(array.shape)}"
            if isinstance(array, np.ndarray)
            else type(array).__name__
        )
        raise ValueError(
            f"`{name}` must be an array of float32 or int32 [N, ...] that is not empty, "
            f"got {found}."
        )
    if not np.all(np.isfinite(array)):
        raise ValueError(
            f"`{name}` must hold finite float32 numbers, but at least one is not a "
            "number or too large. Leave such examples out."
        )


def _check_ranges(inputs: Mapping[str, Any], ranges: Mapping[str, Any]) -> None:
    numbers = [name for name, array in inputs.items() if array.dtype == np.float32]
    found = [name for name, one in ranges.items() if one is not None]
    if numbers != found:
        raise ValueError(
            "The value range must be nested as the inputs, with an interval for each of "
            f"numbers ({', '.join(numbers) or 'none'}) and None for integers, got "
            f"intervals for {', '.join(found) or 'none'}."
        )
    for name in numbers:
        one = ranges[name]
        if not isinstance(one, ValueRange):
            raise ValueError(
                f"The interval of `{name}` must be made by `value_range`, got "
                f"{type(one).__name__}."
            )
        shape = inputs[name].shape[1:]
        if any(bound.shape not in ((), shape) for bound in one):
            raise ValueError(
                f"The interval of `{name}` must be of one number, or of examples "
                f"{list(shape)}, got {', '.join(str(list(bound.shape)) for bound in one)}."
            )
        with np.errstate(over="ignore"):
            wide = not np.all(np.isfinite(one.high - one.low))
        if wide or np.any(inputs[name] < one.low) or np.any(inputs[name] > one.high):
            raise ValueError(
                "The value range (`--data_range`) must be finite and cover all of "
                f"`{name}`, but at least one number is outside. Widen it, or leave it out "
                "to have it read from the data."
            )


def _check_classes(labels: Any, names: tuple[str, ...] | None) -> None:
    _check_names("class", names)
    if not is_classes(labels):
        if names is not None:
            raise ValueError("Class names need labels that are one class each.")
        return
    found = np.unique(labels)
    known = len(found) if names is None else len(names)
    if found[0] < 0 or found[-1] >= known:
        advice = (
            "number them anew, name the classes (text labels, or `class_names`), or "
            "store values that are to be predicted as float32"
            if names is None
            else "a name is missing or a label is wrong"
        )
        raise ValueError(
            f"Labels must be classes from 0 to {known - 1}, as there are {known} "
            f"{'different ones' if names is None else 'names'}, but at least one is "
            f"outside: {advice}."
        )


def _check_clients(
    clients: NDArray[np.int32] | None, names: tuple[str, ...] | None
) -> None:
    _check_names("client", names)
    if (clients is None) != (names is None):
        raise ValueError("Clients need both numbers and names.")
    if clients is None or names is None:
        return
    if (
        clients.ndim != 1
        or clients.dtype != np.int32
        or np.unique(clients).tolist() != list(range(len(names)))
    ):
        raise ValueError(
            f"Clients must be int32 [N] from 0 to {len(names) - 1}, as there are "
            f"{len(names)} names, with an example of each; they are not."
        )


def _check_names(kind: str, names: tuple[str, ...] | None) -> None:
    if names is None:
        return
    clean = all(
        isinstance(name, str) and name.strip() and name.isprintable() for name in names
    )
    if not clean or len(set(names)) != len(names):
        raise ValueError(
            f"The {len(names)} {kind} names must be text that can be printed, none empty "
            "and no two the same; they are not."
        )
