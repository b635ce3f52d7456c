"""A user's own sentences: one a line, with a tab and a class behind it or without."""

import collections
import pathlib

import numpy as np

from experiments.data import dataset as dataset_lib
from experiments.data.text import lines, sentences
from experiments.data.text.sentences import Sentences


def load(path: pathlib.Path) -> Sentences:
    """Reads a file of sentences.

    Empty lines, and lines with a class but no text, are left out, which the note counts.
    Long sentences are kept whole: what a model cannot take is cut when they are encoded,
    and counted there. Classes are numbered in their order: as numbers if all are whole
    numbers (01 is 1 then), else as words.

    Args:
      path: UTF-8. All lines have a tab and a class, or none has.

    Returns:
      The sentences, by the name of the file.

    Raises:
      DataNotFoundError: If there is no such file.
      ValueError: If it is no UTF-8, has no sentence, has classes in some lines alone, or
        has a line with several tabs.
    """
    path = path.expanduser()
    if not path.is_file():
        raise dataset_lib.DataNotFoundError(
            f"`--text_file` must be a file with one sentence a line, but {path} is none."
        )
    read = lines.of_file(path)
    rows = [
        (number, *_cut(line, number, path))
        for number, line in enumerate(read, 1)
        if line.strip()
    ]
    kept = [row for row in rows if row[1]]
    if not kept:
        raise ValueError(
            f"`--text_file` must have at least one sentence, but {path} has none in "
            f"{len(read)} lines."
        )
    labelled = [row for row in kept if row[2] is not None]
    if labelled and len(labelled) != len(kept):
        first = next(row[0] for row in kept if row[2] is None)
        raise ValueError(
            f"Every line of {path} must have a tab and a class, or none, but "
            f"{len(kept) - len(labelled)} of {len(kept)} sentences have none, the first "
            f"in line {first}. Label them all, or take the classes away."
        )
    classes = _classes([str(row[2]) for row in labelled])
    names = _ordered(set(classes))
    texts = tuple(row[1] for row in kept)
    left_out = len(read) - len(kept)
    note = f"{len(texts):,} sentences from {path.name}."
    note += f" {left_out:,} empty lines were left out." if left_out else ""
    note += sentences.repeated(texts)
    note += sentences.alone(classes)
    if len(names) > 1:
        note += _counted(classes, [row[0] for row in labelled])
    return Sentences(
        name=path.stem,
        texts=texts,
        labels=np.array([names.index(one) for one in classes], np.int32)
        if labelled
        else None,
        num_classes=max(2, len(names)) if labelled else 0,
        class_names=names,
        source=path.name,
        licence="the user's own",
        citation="",
        note=note,
    )


def _cut(line: str, number: int, path: pathlib.Path) -> tuple[str, str | None]:
    """A line's sentence and class."""
    text, *rest = line.split("\t")
    if len(rest) > 1:
        raise ValueError(
            f"A line of {path} must be a sentence, or a sentence, a tab and a class, but "
            f"line {number} has {len(rest)} tabs. Write spaces for those inside sentences."
        )
    label = rest[0].strip() if rest else ""
    return text.strip(), label or None


def _classes(written: list[str]) -> list[str]:
    """The classes as they are told apart."""
    try:
        return [str(int(one)) for one in written]
    except ValueError:
        return written


def _counted(classes: list[str], numbers: list[int]) -> str:
    """How many classes there are; where one may be the heading of a table, the line."""
    counts = collections.Counter(classes)
    said = f" {len(counts):,} classes."
    if counts[classes[0]] == 1:
        said += (
            f" That of line {numbers[0]} has no other sentence: if it is a heading, "
            "delete it."
        )
    return said


def _ordered(names: set[str]) -> tuple[str, ...]:
    try:
        return tuple(sorted(names, key=int))
    except ValueError:
        return tuple(sorted(names))
