"""Data sets of sentences by name. A new one is a file with a loader and an entry here."""

from __future__ import annotations

import pathlib
import pkgutil
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from selenc_tf import validation

if TYPE_CHECKING:
    from experiments.data.text.sentences import Sentences


class Entry(NamedTuple):
    """Where a data set comes from.

    Attributes:
      loader: "module:function" that loads it; imported when it is called.
      from_folder: Whether it is read from a folder that the user has, with which the
        loader is called; else a package carries it, fetched at its first use.
    """

    loader: str
    from_folder: bool


_ROOM = "experiments.data.text"

SENTENCES: Mapping[str, Entry] = MappingProxyType(
    {
        "vader_movies": Entry(f"{_ROOM}.vader:load_movies", from_folder=False),
        "cola": Entry(f"{_ROOM}.originals:load_cola", from_folder=True),
        "sst2": Entry(f"{_ROOM}.originals:load_sst2", from_folder=True),
        "rotten_tomatoes": Entry(
            f"{_ROOM}.originals:load_rotten_tomatoes", from_folder=True
        ),
    }
)
"""Loaders of sentences with a class each."""


def load(name: str, directory: str | pathlib.Path | None = None) -> Sentences:
    """Loads a data set of sentences.

    Args:
      name: A key of `SENTENCES`.
      directory: The folder with the original files, where they are read from one.

    Returns:
      The sentences.

    Raises:
      DataNotFoundError: If they are not there and not to be had.
      ValueError: If the name is unknown, a folder is given for what a package carries,
        or a file is not what its name says.
    """
    entry = SENTENCES[validation.check_in("dataset", name, SENTENCES)]
    if directory is not None and not entry.from_folder:
        raise ValueError(
            f"`--data_dir` must not be given for {name!r}, which a package carries, got "
            f"{directory}. Leave it out."
        )
    load_it = pkgutil.resolve_name(entry.loader)
    folder = None if directory is None else pathlib.Path(directory).expanduser()
    made: Sentences = load_it(folder) if entry.from_folder else load_it()
    return made
