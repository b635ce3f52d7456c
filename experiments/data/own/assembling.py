"""From arrays as a source has them to checked `OwnData`."""

import dataclasses
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.data.own import intervals
from experiments.data.own_data import OwnData, is_classes, leaves

_INT32 = np.iinfo(np.int32)


class Raw(NamedTuple):
    """What a source holds.

    Attributes:
      inputs: Arrays [N, ...] in tuples and dictionaries; uint8 pixels of pictures,
        numbers or integers.
      labels: Arrays [N, ...] nested alike; text, or objects that are, for classes by name.
      clients: [N], a name or a whole number for each example, or None.
      feature_names: Of the columns of one input [N, d], or None.
      class_names: In the order of integer labels, or None.
    """

    inputs: Any
    labels: Any
    clients: NDArray[Any] | None = None
    feature_names: tuple[str, ...] | None = None
    class_names: tuple[str, ...] | None = None


def assemble(
    raw: Raw, *, name: str, source: str, value_range: tuple[float, float] | None
) -> OwnData:
    """Converts types and units, numbers classes and clients, and checks.

    Args:
      raw: From a source.
      name: What results call the data.
      source: Where they came from, for reports.
      value_range: Of the user, or None to read it from the data.

    Returns:
      The data.

    Raises:
      ValueError: If something is not as `OwnData` says; without the source's name.
    """
    features = raw.feature_names
    made = {
        path: intervals.in_units(path, _numbers(path, array), value_range, features)
        for path, array in leaves("x", raw.inputs)
    }
    if value_range is not None and all(one.interval is None for one in made.values()):
        raise ValueError(
            "A value range (`--data_range`) is of numbers, but all inputs are integers. "
            "Leave it out."
        )
    labels, class_names = _labels(raw)
    clients, client_names = (
        (None, None) if raw.clients is None else _numbered("client", raw.clients)
    )
    own = OwnData(
        name=name,
        inputs=_nested(raw.inputs, iter([one.values for one in made.values()])),
        labels=labels,
        clients=clients,
        client_names=client_names,
        feature_names=features,
        class_names=class_names,
        value_range=_nested(raw.inputs, iter([one.interval for one in made.values()])),
        source=source,
    )
    origins = "; ".join(sorted({one.origin for one in made.values() if one.origin}))
    return _with_note(own, origins)


def _with_note(own: OwnData, origins: str) -> OwnData:
    classes = "" if own.num_classes is None else f" of {own.num_classes} classes"
    clients = "" if own.client_names is None else f" of {len(own.client_names)} clients"
    note = f"{len(own):,} examples{classes}{clients}, from {own.source}"
    return dataclasses.replace(
        own, note=f"{note}; {origins}." if origins else f"{note}."
    )


def _numbers(path: str, array: Any) -> NDArray[Any]:
    """An array of uint8, int32 or float32; nothing is lost but digits of float64."""
    found = np.asarray(array)
    if not found.ndim or len(found) < 2:
        raise ValueError(
            f"`{path}` must have an entry for each of at least 2 examples, got "
            f"{list(found.shape)}."
        )
    if found.dtype.kind == "f":
        with np.errstate(over="ignore"):
            return found.astype(np.float32)
    if found.dtype == np.uint8:
        return found
    if found.dtype.kind in "iu":
        return _int32(path, found)
    raise ValueError(
        f"`{path}` must be numbers, integers or uint8 pixels, got {found.dtype}. Text is "
        "encoded by you: as float32 columns, or as int32 for a vocabulary."
    )


def _int32(path: str, array: NDArray[Any]) -> NDArray[np.int32]:
    if array.size and (array.min() < _INT32.min or array.max() > _INT32.max):
        raise ValueError(
            f"`{path}` must fit into int32, but at least one integer is too large. Number "
            "them anew."
        )
    return array.astype(np.int32)


def _labels(raw: Raw) -> tuple[Any, tuple[str, ...] | None]:
    if not isinstance(raw.labels, dict | tuple | list):
        array = _as_text(np.asarray(raw.labels))
        if array.dtype.kind in "US":
            if raw.class_names is not None:
                raise ValueError(
                    "`class_names` are for labels that are integers, but `y` is text, "
                    "which names the classes itself. Leave one out."
                )
            return _numbered("y", array)
    arrays = [_label(path, part) for path, part in leaves("y", raw.labels)]
    labels = _nested(raw.labels, iter(arrays))
    if raw.class_names is not None and not is_classes(labels):
        raise ValueError(
            "`class_names` need labels that are one integer for each example."
        )
    return labels, raw.class_names


def _label(path: str, array: Any) -> NDArray[Any]:
    found = np.asarray(array)
    if found.dtype.kind in "biu":
        # A column of classes, as Keras' own data sets have them.
        column = found.ndim == 2 and found.shape[1] == 1
        return _int32(path, found[:, 0] if column else found)
    if found.dtype.kind == "f":
        with np.errstate(over="ignore"):
            return found.astype(np.float32)
    hint = ""
    if found.dtype.kind == "O":
        hint = (
            " Of objects all must be text: fill in what is missing and convert the rest, "
            "`y.astype(str)` for classes or `y.astype(float)` for numbers."
        )
    raise ValueError(
        f"`{path}` must be integers, numbers or text, got {found.dtype}.{hint}"
    )


def _as_text(array: NDArray[Any]) -> NDArray[Any]:
    """Text of objects, as pandas and TensorFlow have it, as an array of text."""
    if array.dtype.kind == "O" and all(isinstance(one, str) for one in array.flat):
        return array.astype(str)
    if array.dtype.kind == "O" and all(isinstance(one, bytes) for one in array.flat):
        return np.char.decode(array.astype(bytes), "utf-8", "replace")
    return array


def _numbered(
    path: str, array: NDArray[Any]
) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """Names, or whole numbers that are names, numbered from 0 in their order."""
    found = _as_text(np.asarray(array))
    if found.dtype.kind not in "USiu" or found.ndim != 1:
        raise ValueError(
            f"`{path}` must be one name or whole number for each example, got "
            f"{found.dtype} {list(found.shape)}."
        )
    names, numbers = np.unique(found, return_inverse=True)
    if found.dtype.kind == "S":
        names = np.char.decode(names, "utf-8", "replace")
    return numbers.astype(np.int32), tuple(map(str, names.tolist()))


def _nested(like: Any, values: Any) -> Any:
    """The next values in the places of a nesting."""
    if isinstance(like, dict):
        return {str(key): _nested(part, values) for key, part in like.items()}
    if isinstance(like, list | tuple):
        return tuple(_nested(part, values) for part in like)
    return next(values)
