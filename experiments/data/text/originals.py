"""CoLA, SST-2 and Rotten Tomatoes from a folder with the publishers' own files."""

import pathlib

import numpy as np

from experiments.data import dataset as dataset_lib
from experiments.data.text import lines, sentences
from experiments.data.text.sentences import Sentences

_GLUE = "A. Wang et al., 'GLUE', ICLR 2019."


def load_cola(directory: pathlib.Path | None) -> Sentences:
    """Loads "cola", the training part: whether a sentence is acceptable English.

    Args:
      directory: With `train.tsv` (GLUE) or `in_domain_train.tsv` (the authors), itself or
        below `CoLA`, `raw` or `cola_public/raw`. A line is source, class, mark, sentence.

    Returns:
      The sentences.

    Raises:
      DataNotFoundError: If the file is not there.
      ValueError: If it is another.
    """
    path = _find(
        "cola",
        directory,
        ("in_domain_train.tsv", "train.tsv"),
        ("", "CoLA", "raw", "cola_public/raw"),
        "https://nyu-mll.github.io/CoLA",
    )
    rows = _table(path, 4, lines.of_file(path))
    return _made(
        "cola",
        [(row[3], row[1]) for row in rows],
        ("unacceptable", "acceptable"),
        path,
        "no licence stated; the sentences are from published linguistics",
        "A. Warstadt, A. Singh, S. R. Bowman, 'Neural Network Acceptability Judgments', "
        f"TACL 7, 2019. {_GLUE}",
    )


def load_sst2(directory: pathlib.Path | None) -> Sentences:
    """Loads "sst2", the training part: whether a phrase of a film review is good or bad.

    Args:
      directory: With GLUE's `train.tsv`, itself or below `SST-2`: a line with the names
        of the columns, then sentence and class.

    Returns:
      The phrases.

    Raises:
      DataNotFoundError: If the file is not there.
      ValueError: If it is another.
    """
    path = _find(
        "sst2", directory, ("train.tsv",), ("", "SST-2"), "https://gluebenchmark.com"
    )
    head, *read = lines.of_file(path)
    if head.split("\t") != ["sentence", "label"]:
        raise ValueError(
            f"{path} must begin with the columns `sentence` and `label`, as GLUE's SST-2 "
            "does, but does not. Pass the folder of SST-2."
        )
    return _made(
        "sst2",
        [(row[0], row[1]) for row in _table(path, 2, read)],
        ("negative", "positive"),
        path,
        "no licence stated",
        "R. Socher et al., 'Recursive Deep Models for Semantic Compositionality Over a "
        f"Sentiment Treebank', EMNLP 2013. {_GLUE}",
    )


def load_rotten_tomatoes(directory: pathlib.Path | None) -> Sentences:
    """Loads "rotten_tomatoes": whether a snippet of a film review is good or bad.

    Args:
      directory: With `rt-polarity.neg` and `rt-polarity.pos`, itself or below
        `rt-polaritydata`; one snippet a line, in Latin 1.

    Returns:
      The snippets, the bad ones first.

    Raises:
      DataNotFoundError: If a file is not there.
    """
    found = [
        _find(
            "rotten_tomatoes",
            directory,
            (f"rt-polarity.{kind}",),
            ("", "rt-polaritydata"),
            "https://www.cs.cornell.edu/people/pabo/movie-review-data",
        )
        for kind in ("neg", "pos")
    ]
    rows = [
        (line, str(label))
        for label, path in enumerate(found)
        for line in lines.of_file(path, "latin-1")
        if line.strip()
    ]
    return _made(
        "rotten_tomatoes",
        rows,
        ("negative", "positive"),
        found[0].with_name("rt-polarity.{neg,pos}"),
        "no licence stated",
        "B. Pang, L. Lee, 'Seeing stars', ACL 2005.",
    )


def _find(
    name: str,
    directory: pathlib.Path | None,
    files: tuple[str, ...],
    folders: tuple[str, ...],
    home: str,
) -> pathlib.Path:
    for folder in folders if directory is not None else ():
        for file in files:
            if directory is not None and (directory / folder / file).is_file():
                return directory / folder / file
    where = "no folder was given" if directory is None else f"{directory} has none"
    raise dataset_lib.DataNotFoundError(
        f"The data set {name!r} needs a folder with {' or '.join(files)}, but {where}. "
        f"Download it from {home} and pass --data_dir=FOLDER."
    )


def _table(path: pathlib.Path, columns: int, read: list[str]) -> list[list[str]]:
    rows = [line.split("\t") for line in read if line.strip()]
    wrong = [row for row in rows if len(row) != columns]
    if wrong or not rows:
        raise ValueError(
            f"{path} must have {columns} columns, with tabs between them, in every line, "
            f"but {len(wrong)} of {len(rows)} lines have another number."
        )
    return rows


def _made(
    name: str,
    rows: list[tuple[str, str]],
    classes: tuple[str, str],
    path: pathlib.Path,
    licence: str,
    citation: str,
) -> Sentences:
    if any(label not in ("0", "1") for _, label in rows):
        raise ValueError(
            f"The classes of {path} must be 0 and 1, but some are not: it is another file."
        )
    kept = [(text.strip(), label) for text, label in rows if text.strip()]
    texts = tuple(text for text, _ in kept)
    return Sentences(
        name=name,
        texts=texts,
        labels=np.array([int(label) for _, label in kept], np.int32),
        num_classes=2,
        class_names=classes,
        source=path.name,
        licence=licence,
        citation=citation,
        note=f"{len(texts):,} sentences from {path.name}.{sentences.repeated(texts)}"
        f"{sentences.alone([label for _, label in kept])}",
    )
