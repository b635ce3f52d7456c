"""Sentences as arrays of tokens, and the vocabulary that says what they are."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attacks.text import sentences as attacked
from experiments.data.dataset import Dataset
from experiments.data.text.models import LanguageModel
from experiments.data.text.sentences import Sentences
from selenc_tf.models.text import vocabulary as vocabulary_lib
from selenc_tf.models.text.vocabulary import Vocabulary

_MOST_LETTERS, _SHARE = 300, 0.9
"""A larger vocabulary is none of letters, nor one with fewer of them."""


@dataclasses.dataclass(frozen=True, eq=False)
class TokenData(Dataset):
    """A data set whose examples are sentences, int32 [N, L], -1 behind their end.

    Attributes:
      vocabulary: Of the tokens.
    """

    vocabulary: Vocabulary = dataclasses.field(kw_only=True)


def of_sentences(found: Sentences, language: LanguageModel) -> TokenData:
    """Cuts sentences into tokens.

    Args:
      found: The sentences; of a classifier with classes.
      language: The model, for how many tokens there is room and whether it has classes,
        and the vocabulary.

    Returns:
      The tokens. Where the next token is predicted no example has a label, whatever the
      sentences have. The note says how many sentences were cut.
    """
    model, words = language
    encoded = vocabulary_lib.encode(words, found.texts, model.length)
    examples = attacked.of_tokens(encoded.tokens)
    cut = int(np.count_nonzero(encoded.left_out))
    labels: NDArray[Any] = np.zeros([len(found), 0], np.float32)
    has_classes = model.kind == "classes" and found.labels is not None
    if has_classes and found.labels is not None:
        labels = found.labels
    note = (
        f"{found.note} Cut into tokens ({words.name}), at most {model.length} a sentence, "
        f"special ones included: {cut:,} sentences were longer and lost their end."
        f"{_unknown(examples, words)}{_alike(examples, found.texts)}"
    )
    return TokenData(
        name=found.name,
        examples=examples,
        labels=labels,
        num_classes=found.num_classes if has_classes else 0,
        source=found.source,
        licence=found.licence,
        citation=found.citation,
        note=note,
        groups=_groups(examples, labels) if has_classes else None,
        rows=found.rows,
        vocabulary=words,
    )


def of_letters(words: Vocabulary) -> bool:
    """Whether tokens are letters, but for a few that stand for no text."""
    if words.size > _MOST_LETTERS:
        return False
    letters = sum(len(words.join([one])) == 1 for one in range(words.size))
    return letters > _SHARE * words.size


def checked(dataset: Dataset) -> TokenData:
    """The data set as one of sentences.

    Raises:
      TypeError: If it is none.
    """
    if not isinstance(dataset, TokenData):
        raise TypeError(
            f"`dataset` must be of sentences, got {dataset.name!r} of other examples."
        )
    return dataset


def _unknown(tokens: NDArray[Any], words: Vocabulary) -> str:
    """How much the vocabulary cannot write; empty if it can write all."""
    unknown = words.special.unknown
    if unknown in words.special_ids:
        return ""
    count = 0 if unknown is None else int(np.count_nonzero(tokens == unknown))
    if not count:
        return ""
    return (
        f" {count:,} of the tokens are the unknown one: what stood there is lost before "
        "any attack, and counts as not found."
    )


def _alike(tokens: NDArray[Any], texts: Sequence[str]) -> str:
    """How many sentences are equal only as they were cut; empty if none are."""
    count = len(tokens) - len(np.unique(tokens, axis=0))
    if count <= len(texts) - len(set(texts)):
        return ""
    return f" So cut, {count:,} of the sentences repeat another."


def _groups(tokens: NDArray[Any], labels: NDArray[Any]) -> NDArray[np.int32]:
    """Equal sentences of one class have one number: a split keeps those together.

    They are compared as a client sends them: without what was cut off.
    """
    numbers: dict[tuple[bytes, int], int] = {}
    pairs = zip((one.tobytes() for one in tokens), map(int, labels), strict=True)
    return np.array([numbers.setdefault(one, len(numbers)) for one in pairs], np.int32)
