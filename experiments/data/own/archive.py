"""Arrays in an `.npz` file."""

import pathlib
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.data.own.assembling import Raw

_OTHERS = ("client", "names", "class_names")


def read(path: pathlib.Path) -> Raw:
    """Reads `x` and `y`, or `x_<name>` and `y_<name>` for several.

    Args:
      path: Of a file with the arrays, and perhaps with `client` [N], `names` (of the
        columns of x) and `class_names`. Pickled objects are never read. Several whose
        names are 0, 1, ... are a tuple, others a dictionary.

    Returns:
      The arrays.

    Raises:
      ValueError: If the file is broken, or has not these arrays.
    """
    arrays = _arrays(path)
    inputs, labels = (_parts(kind, arrays) for kind in ("x", "y"))
    clients = arrays.get("client")
    return Raw(
        inputs=inputs,
        labels=labels,
        clients=clients,
        feature_names=_text("names", arrays),
        class_names=_text("class_names", arrays),
    )


def _arrays(path: pathlib.Path) -> dict[str, NDArray[Any]]:
    try:
        # Without a warning of numpy's on the screen.
        with (
            warnings.catch_warnings(action="ignore"),
            path.open("rb") as file,
            np.load(file, allow_pickle=False) as archive,
        ):
            arrays = {name: archive[name] for name in archive.files}
    except Exception as error:  # A broken file raises all kinds of errors.
        raise ValueError(
            "The file must be an .npz of plain arrays as `numpy.savez` writes it, but it "
            f"cannot be read ({type(error).__name__}): it is damaged, has pickled "
            "objects, or is of another kind. Write it again."
        ) from error
    strange = [
        name
        for name in arrays
        if name not in _OTHERS and name.partition("_")[0] not in ("x", "y")
    ]
    if strange:
        raise ValueError(
            "The arrays must be `x` or `x_<name>`, `y` or `y_<name>`, and perhaps "
            f"{', '.join(_OTHERS)}, got {', '.join(map(repr, strange))} too."
        )
    return arrays


def _parts(kind: str, arrays: dict[str, NDArray[Any]]) -> Any:
    """The array of a kind, or several by the rest of their names."""
    parts = {
        name.removeprefix(f"{kind}_"): array
        for name, array in arrays.items()
        if name.startswith(f"{kind}_")
    }
    if (kind in arrays) == bool(parts):
        found = "both" if parts else f"only {', '.join(map(repr, arrays)) or 'nothing'}"
        raise ValueError(
            f"There must be either `{kind}` or several `{kind}_<name>`, got {found}."
        )
    if kind in arrays:
        return arrays[kind]
    numbers = [str(place) for place in range(len(parts))]
    if set(parts) == set(numbers):
        return tuple(parts[number] for number in numbers)
    return parts


def _text(name: str, arrays: dict[str, NDArray[Any]]) -> tuple[str, ...] | None:
    if name not in arrays:
        return None
    found = arrays[name]
    if found.dtype.kind != "U" or found.ndim != 1:
        raise ValueError(
            f"`{name}` must be text in one row, got {found.dtype} {list(found.shape)}."
        )
    return tuple(found.tolist())
