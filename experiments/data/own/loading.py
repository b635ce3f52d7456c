"""Own data by the source that a flag names."""

import os
import pathlib
import re

from experiments.data import dataset as dataset_lib
from experiments.data.own import archive, assembling, folder, function, table
from experiments.data.own_data import OwnData as OwnData

_FUNCTION = re.compile(r"\w+(\.\w+)*:\w+(\.\w+)*")
_LABEL = "label"


def load(
    source: str,
    *,
    value_range: tuple[float, float] | None = None,
    label: str = _LABEL,
    client: str = "",
) -> OwnData:
    """Reads and checks a user's own examples.

    Args:
      source: A folder of pictures, the path of an `.npz` or a `.csv` file, or
        "package.module:function".
      value_range: The interval that the model takes numbers in: 8-bit pixels are
        brought there, other numbers must lie there. None: pixels come to [0, 1], and of
        other numbers it is read from the data.
      label: The column of a table, or the key of examples, that holds the labels.
      client: The column of a table that says whose a row is; empty for none.

    Returns:
      The data.

    Raises:
      DataNotFoundError: If there is nothing under that name.
      ValueError: If it cannot be read, or is not as it must be. Values are not shown.
    """
    try:
        return _load(source, value_range, label, client)
    except OSError as error:
        reason = error.strerror or str(error)
        raise dataset_lib.DataNotFoundError(f"`--data={source}`: {reason}") from error
    except ValueError as error:
        raise ValueError(f"`--data={source}`: {error}") from error


def _load(
    source: str, value_range: tuple[float, float] | None, label: str, client: str
) -> OwnData:
    path = pathlib.Path(source).expanduser()
    suffix = path.suffix.lower()
    if source and path.is_dir():
        _check_unused("a folder", label, client)
        raw, path = folder.read(path), pathlib.Path(os.path.abspath(path))
        name = path.name
    elif suffix == ".npz" and path.is_file():
        _check_unused("an .npz", label, client)
        raw, name = archive.read(path), path.stem
    elif suffix == ".csv" and path.is_file():
        raw, name = table.read(path, label, client), path.stem
    elif _FUNCTION.fullmatch(source) and not path.exists():
        return _from_function(source, value_range, label, client)
    else:
        what = "is of another kind" if source and path.exists() else "is not there"
        raise dataset_lib.DataNotFoundError(
            "Must be a folder of pictures, an .npz, a .csv or package.module:function, "
            f"but {what}."
        )
    return assembling.assemble(
        raw, name=name, source=path.name, value_range=value_range
    )


def _from_function(
    source: str, value_range: tuple[float, float] | None, label: str, client: str
) -> OwnData:
    _check_unused("a function", _LABEL, client)
    returned = function.call(source)
    if not isinstance(returned, OwnData):
        name = source.rpartition(":")[2]
        raw = function.as_raw(returned, label)
        return assembling.assemble(
            raw, name=name, source=source, value_range=value_range
        )
    _check_unused("a function that returns an `OwnData`", label, "")
    if value_range is not None:
        raise ValueError(
            "The function returns an `OwnData`, which says its own value range. Leave "
            "out `--data_range`."
        )
    return returned


def _check_unused(kind: str, label: str, client: str) -> None:
    given = [f"`--label_column={label}`"] * (label != _LABEL)
    given += [f"`--client_column={client}`"] * bool(client)
    if given:
        raise ValueError(
            "`--label_column` and `--client_column` name columns of a table, but this is "
            f"{kind}: got {' and '.join(given)}. Leave them out."
        )
