"""Own inputs and labels as attacks take them: one array each."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.data.own_data import OwnData, leaves
from selenc_tf.models import joining, structures
from selenc_tf.models.value_range import ValueRange, value_range


def inputs(
    own: OwnData, specs: Any
) -> tuple[NDArray[np.float32], ValueRange, tuple[str, ...] | None]:
    """All inputs as one array.

    Args:
      own: The data.
      specs: `tf.TensorSpec`s of a batch, nested as the model takes them.

    Returns:
      One input as it is, several as float32 [N, d] in the order of the model; the
      interval; the names of the columns, None where one input has none.

    Raises:
      ValueError: If an input is of integers, or not what the model takes.
    """
    for name, array in leaves("x", own.inputs):
        if array.dtype != np.float32:
            raise ValueError(
                f"The input `{name}` of {own.name!r} is of integers, between which no "
                "attack can search: only inputs of numbers are attacked. Train on these "
                "data without attacks."
            )
    several = not isinstance(own.inputs, np.ndarray)
    found, wanted = len(list(leaves("x", own.inputs))), len(structures.flat(specs))
    if found != wanted or several != isinstance(specs, Mapping | list | tuple):
        raise ValueError(
            f"{own.name!r} has {found} inputs ({_kind(own.inputs)}), but the model takes "
            f"{wanted} ({_kind(specs)}). Name or join them as the model does."
        )
    try:
        structures.like(specs, own.inputs)
        if several:
            joining.width(specs)
    except ValueError as error:
        raise ValueError(f"{own.name!r} does not fit the model: {error}") from error
    if not several:
        return own.inputs, own.value_range, own.feature_names

    def joined(kind: str) -> NDArray[Any]:
        one = _examples(kind, "", own.inputs, own.value_range)
        return joining.join(specs, one)[0].numpy()

    names = tuple(name.decode() for name in joined("names").tolist())
    values = joining.join(specs, own.inputs).numpy()
    return values, value_range(joined("low"), joined("high")), names


def _examples(kind: str, path: str, inputs: Any, ranges: Any) -> Any:
    """In the nesting of the inputs, the bounds or the names of one example [1, ...]."""
    if isinstance(inputs, Mapping):
        return {
            key: _examples(kind, f"{path}{key}.", part, ranges[key])
            for key, part in inputs.items()
        }
    if isinstance(inputs, list | tuple):
        pairs = enumerate(zip(inputs, ranges, strict=True))
        return [_examples(kind, f"{path}{n}.", *pair) for n, pair in pairs]
    shape = inputs.shape[1:]
    if kind != "names":
        return np.broadcast_to(getattr(ranges, kind), shape)[np.newaxis]
    name = path.rstrip(".")
    places = [f"{name}{list(place)}" if place else name for place in np.ndindex(shape)]
    return np.array(places).reshape(1, *shape)


def labels(own: OwnData) -> tuple[NDArray[Any], int]:
    """One label for each example.

    Args:
      own: The data.

    Returns:
      Classes int32 [N] or numbers float32 [N, k], and how many classes or numbers.

    Raises:
      ValueError: If they are nested, of a higher rank, or several integers.
    """
    found = own.labels
    if own.num_classes is not None:
        return found, own.num_classes
    if isinstance(found, np.ndarray) and found.ndim < 3:
        rows = found.reshape(len(found), -1)
        if rows.dtype == np.float32 or np.all((rows == 0) | (rows == 1)):
            return rows.astype(np.float32), rows.shape[1]
    raise ValueError(
        f"Labels of {own.name!r} must be one class, or a row of numbers or of 0 and 1, "
        "for each example to be attacked, but are nested, of a higher rank or several "
        "integers. Give one of these, or train on these data without attacks."
    )


def _kind(nested: Any) -> str:
    if isinstance(nested, Mapping):
        return f"a dictionary of {', '.join(map(str, nested))}"
    return "a tuple" if isinstance(nested, list | tuple) else "an array"
