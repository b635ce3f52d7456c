"""Examples that a function of the user returns."""

import importlib
import pkgutil
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.data.own.assembling import Raw
from experiments.data.own_data import OwnData

_CLIENT_DATA_BATCH = 1024


def call(name: str) -> Any:
    """Finds the function and calls it.

    Args:
      name: "package.module:function"; without arguments.

    Returns:
      What it returns.

    Raises:
      ValueError: If there is none, or it fails; the user's own error is the cause.
    """
    module = name.partition(":")[0]
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        who = (
            "The search path has" if _is_part(missing, module) else f"{module!r} needs"
        )
        raise ValueError(
            f"{who} no module {missing!r}. Install it, or set PYTHONPATH."
        ) from error
    except Exception as error:  # It is the user's code.
        raise ValueError(
            f"The module {module!r} cannot be imported ({type(error).__name__}). Import "
            "it by itself to see why."
        ) from error
    try:
        function = pkgutil.resolve_name(name)
    except AttributeError as error:
        raise ValueError(
            f"The module {module!r} is there, but has no such function."
        ) from error
    if not callable(function):
        raise ValueError(
            "The name must be of a function without arguments, but is of "
            f"{_kind(function)}."
        )
    try:
        return function()
    except Exception as error:  # As above.
        raise ValueError(
            "The function must return without an error when it is called without "
            f"arguments, but raised {type(error).__name__}. Call it by itself to see why."
        ) from error


def as_raw(returned: Any, label: str) -> Raw:
    """What a function may return, as arrays.

    Args:
      returned: (x, y), (x, y, client) or a `tff.simulation.datasets.ClientData`.
      label: The key of the labels where examples of a `ClientData` are dictionaries.

    Returns:
      The arrays.

    Raises:
      ValueError: If it is something else.
    """
    # Whoever has such an object has imported TFF.
    tff = sys.modules.get("tensorflow_federated")
    if tff is not None and isinstance(returned, tff.simulation.datasets.ClientData):
        return _of_client_data(returned, label)
    if not isinstance(returned, tuple) or len(returned) not in (2, 3):
        length = f" of {len(returned)}" if isinstance(returned, tuple) else ""
        raise ValueError(
            "The function must return (x, y), (x, y, client), an `OwnData` or a "
            f"`tff.simulation.datasets.ClientData`, got {_kind(returned)}{length}."
        )
    inputs, labels = (_arrays(part) for part in returned[:2])
    clients = np.asarray(returned[2]) if len(returned) == 3 else None
    return Raw(inputs, labels, clients)


def _arrays(nested: Any) -> Any:
    if isinstance(nested, Mapping):
        return {str(key): _arrays(part) for key, part in nested.items()}
    if isinstance(nested, tuple):
        return tuple(_arrays(part) for part in nested)
    if isinstance(nested, OwnData | list):
        raise ValueError(
            "x and y must be arrays, or tuples or dictionaries of arrays for several, got "
            f"{_kind(nested)}, which could mean either."
        )
    return np.asarray(nested)


def _of_client_data(data: Any, label: str) -> Raw:
    inputs, labels, clients = [], [], []
    for name in data.client_ids:
        batches = data.create_tf_dataset_for_client(name).batch(_CLIENT_DATA_BATCH)
        for batch in batches.as_numpy_iterator():
            x, y = _halves(batch, label)
            inputs.append(x)
            labels.append(y)
            clients += [name] * len(y)
    if not clients:
        raise ValueError("The clients have no examples.")
    return Raw(_joined(inputs), _joined(labels), np.array(clients))


def _halves(batch: Any, label: str) -> tuple[Any, Any]:
    if isinstance(batch, tuple) and len(batch) == 2:
        return batch
    if isinstance(batch, Mapping) and set(batch) == {"x", "y"}:
        return batch["x"], batch["y"]
    if isinstance(batch, Mapping) and label in batch and len(batch) > 1:
        rest = {key: part for key, part in batch.items() if key != label}
        return (rest if len(rest) > 1 else next(iter(rest.values()))), batch[label]
    keys = f" of {', '.join(batch)}" if isinstance(batch, Mapping) else ""
    raise ValueError(
        "Examples of a `ClientData` must be (x, y), or a dictionary with the key "
        f"`--label_column`={label}, got {_kind(batch)}{keys}."
    )


def _joined(parts: list[Any]) -> Any:
    first = parts[0]
    if isinstance(first, Mapping):
        return {key: _joined([part[key] for part in parts]) for key in first}
    if isinstance(first, tuple):
        return tuple(_joined(list(column)) for column in zip(*parts, strict=True))
    joined: NDArray[Any] = np.concatenate(parts)
    return joined


def _is_part(missing: str, module: str) -> bool:
    return f"{module}.".startswith(f"{missing}.")


def _kind(value: Any) -> str:
    return f"`{type(value).__name__}`"
