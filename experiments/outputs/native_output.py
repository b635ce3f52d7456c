"""Keeps what native libraries print out of the terminal.

tf-shell writes a line to file descriptor 1 for every key that a client loads. During
the work that descriptor goes to a file of the run, and people get their own stream.
"""

import contextlib
import os
import pathlib
import sys
from collections.abc import Iterator
from typing import TextIO

FILE_NAME = "native_output.log"


@contextlib.contextmanager
def redirected(run_folder: pathlib.Path) -> Iterator[TextIO]:
    """Sends file descriptor 1 to `<run_folder>/native_output.log` for a while.

    Args:
      run_folder: An existing folder.

    Yields:
      A stream to where descriptor 1 led before.
    """
    with _stream(run_folder / FILE_NAME) as stream:
        yield stream


@contextlib.contextmanager
def dropped() -> Iterator[TextIO]:
    """Drops what is written to file descriptor 1; yields a stream to where it led."""
    with _stream(pathlib.Path(os.devnull)) as stream:
        yield stream


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """Drops what is written to file descriptor 1, before there is a folder for it."""
    with _away(pathlib.Path(os.devnull)):
        yield


@contextlib.contextmanager
def _stream(file: pathlib.Path) -> Iterator[TextIO]:
    with (
        _away(file) as kept,
        os.fdopen(kept, "w", encoding="utf-8", closefd=False) as stream,
    ):
        yield stream


@contextlib.contextmanager
def _away(file: pathlib.Path) -> Iterator[int]:
    """Sends descriptor 1 to a file; yields one that leads where it led before."""
    sys.stdout.flush()
    kept = os.dup(1)
    log = os.open(file, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o644)
    try:
        os.dup2(log, 1)
        yield kept
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)
        os.close(log)
