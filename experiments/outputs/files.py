"""Whole files or none: strict JSON, atomic replacement, lines that survive a kill."""

import contextlib
import fcntl
import json
import math
import os
import pathlib
import tempfile
import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np


def to_json(value: Any) -> str:
    """Writes a value as one line of strict JSON (RFC 8259: no NaN, no Infinity).

    A float that is not finite becomes the string "NaN", "Infinity" or "-Infinity",
    which `float()` of Python and `Number()` of JavaScript read back, and which, unlike
    null, still tells an exact reconstruction (PSNR is infinite) from a missing one.

    Args:
      value: None, bool, number, string, NumPy scalar, or sequences and mappings (with
        string keys) of these.

    Returns:
      ASCII text without a line break.

    Raises:
      TypeError: If the value holds anything else.
    """
    return json.dumps(_strict(value, "value"), allow_nan=False)


def number_from_json(value: Any) -> Any:
    """Undoes what `to_json` does to a float that is not finite."""
    return float(value) if value in ("NaN", "Infinity", "-Infinity") else value


def read_json(path: pathlib.Path) -> Any:
    """The content of a JSON file; None if there is none, or it is damaged."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None


def write_atomically(path: pathlib.Path, content: bytes) -> None:
    """Replaces a file so that a reader, or a power cut, sees the old or the new one.

    Args:
      path: In an existing folder.
      content: The whole new content.
    """
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files that only their owner reads; results are meant to be read.
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        pathlib.Path(temporary).unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


class Lines(NamedTuple):
    """The content of a JSON Lines file.

    Attributes:
      records: The objects, in order.
      whole_bytes: Length of the part of the file that holds them.
      dropped_bytes: Length of the damaged end after that part.
    """

    records: tuple[dict[str, Any], ...]
    whole_bytes: int
    dropped_bytes: int


def parse_lines(data: bytes, name: str) -> Lines:
    """Reads JSON Lines whose last line a kill may have cut off.

    A beginning of an object is never itself an object, so a record is either kept
    whole or dropped, and a last line that only lacks its line break is kept.

    Args:
      data: The bytes of the file.
      name: What errors call it.

    Returns:
      All whole records, and how many bytes of a damaged last line follow them.

    Raises:
      ValueError: If a line before the last is damaged: no kill does that.
    """
    records = []
    position = 0
    while position < len(data):
        end = data.find(b"\n", position) + 1 or len(data)
        record = _record(data[position:end])
        if record is None and end < len(data):
            number = data.count(b"\n", 0, end)
            raise ValueError(
                f"Line {number} of {name} must be a JSON object, got"
                f" {data[position : position + 40]!r}. Only the last line can be cut "
                "off by an interruption, so the file was changed by something else: "
                "restore it, or delete that line to have its work done again."
            )
        if record is None:
            break
        records.append(record)
        position = end
    return Lines(tuple(records), position, len(data) - position)


def read_lines(path: pathlib.Path) -> tuple[dict[str, Any], ...]:
    """Reads a JSON Lines file; a missing file has no records.

    A damaged last line is left out with a warning.

    Raises:
      ValueError: If a line before the last is damaged.
    """
    if not path.exists():
        return ()
    lines = parse_lines(path.read_bytes(), str(path))
    _warn_if_dropped(lines, path)
    return lines.records


class LineAppender(contextlib.AbstractContextManager["LineAppender"]):
    """Appends records to a JSON Lines file; each is on the disk when `append` returns.

    Opening repairs the end of the file and locks it: a second process that opens it
    gets an error instead of mixing its lines with ours.
    """

    def __init__(self, path: pathlib.Path) -> None:
        """Opens, locks and repairs the file, or creates it.

        Args:
          path: In an existing folder.

        Raises:
          RuntimeError: If another process has it open.
          ValueError: If a line before the last is damaged.
        """
        self._file = path.open("a+b", buffering=0)
        try:
            self._prepare(path)
        except BaseException:
            self._file.close()
            raise

    def _prepare(self, path: pathlib.Path) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RuntimeError(
                f"{path} must be written by one process at a time, but another has it "
                "open. Wait for that run to end, or give this one another `--run_name`."
            ) from error
        data = path.read_bytes()
        lines = parse_lines(data, str(path))
        if lines.dropped_bytes:
            _warn_if_dropped(lines, path)
            self._file.truncate(lines.whole_bytes)
        if lines.whole_bytes and data[lines.whole_bytes - 1 : lines.whole_bytes] != (
            b"\n"
        ):
            self._write(b"\n")
        os.fsync(self._file.fileno())

    def append(self, record: Mapping[str, Any]) -> None:
        """Adds one record as one line, all or nothing.

        Args:
          record: What `to_json` can write.

        Raises:
          OSError: If the disk is full; the file is then as before.
        """
        line = f"{to_json(record)}\n".encode("ascii")
        before = os.fstat(self._file.fileno()).st_size
        try:
            self._write(line)
            os.fsync(self._file.fileno())
        except BaseException:
            self._file.truncate(before)
            raise

    def _write(self, data: bytes) -> None:
        while data:
            data = data[self._file.write(data) :]

    def close(self) -> None:
        """Closes the file and gives up the lock."""
        self._file.close()

    def __exit__(self, *exception: object) -> None:
        """Closes the file."""
        self.close()


def _strict(value: Any, where: str) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"Keys of `{where}` must be strings, got {key!r}.")
        return {key: _strict(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(item, f"{where}[{i}]") for i, item in enumerate(value)]
    raise TypeError(
        f"`{where}` must be None, a bool, a number, a string, a list or a mapping, got "
        f"{type(value).__name__}. Convert it, for example with `.tolist()`."
    )


def _record(line: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def _warn_if_dropped(lines: Lines, path: pathlib.Path) -> None:
    if lines.dropped_bytes:
        warnings.warn(
            f"The last {lines.dropped_bytes} bytes of {path} are not a whole record and"
            f" are left out; the {len(lines.records)} records before them are kept. "
            "An interrupted run leaves this behind; the missing work is done again.",
            RuntimeWarning,
            stacklevel=3,
        )


def _sync_folder(folder: pathlib.Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
