"""Between sentences and the numbers of their tokens."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from selenc_tf.models.text.token_model import TokenModel
from selenc_tf.models.text.tokens import SpecialTokens, Tokens


class Vocabulary(NamedTuple):
    """What cuts sentences into tokens, and joins them.

    Attributes:
      name: As results report it, with its source.
      size: v.
      special: The tokens that stand for no text.
      special_ids: All of them, as a set. A pad that is a word too (GPT-2) is not in it.
      split: The tokens of a sentence, without special ones.
      join: The text of tokens, special ones written out. Whatever the tokens, it gives a
        text.
    """

    name: str
    size: int
    special: SpecialTokens
    special_ids: frozenset[int]
    split: Callable[[str], list[int]]
    join: Callable[[Sequence[int]], str]


class Encoded(NamedTuple):
    """A batch of sentences as a model takes them.

    Attributes:
      tokens: int32 and bool [b, L], the numpy arrays of a `Tokens`.
      left_out: int64 [b], how many tokens of each sentence did not fit.
    """

    tokens: Tokens
    left_out: np.ndarray


def encode(vocabulary: Vocabulary, sentences: Sequence[str], length: int) -> Encoded:
    """Cuts sentences into tokens: start, the sentence, end, padding.

    Runs on: client. Sees: its sentences.

    Args:
      vocabulary: Start and end are left out where it has none.
      sentences: At least one. An empty one is its special tokens alone.
      length: L. What does not fit is left out at the sentence's end; the end token stays.

    Returns:
      The arrays, and what was left out.

    Raises:
      ValueError: If there is no sentence, no room for one, or a sentence without any
        token in a vocabulary without special ones.
      TypeError: If a sentence is no text.
    """
    special = vocabulary.special
    before = [] if special.start is None else [special.start]
    after = [] if special.end is None else [special.end]
    room = length - len(before) - len(after)
    if room < 1 or not len(sentences):
        raise ValueError(
            "`sentences` must be at least one, and `length` leave room for a token "
            f"beside {len(before) + len(after)} special ones, got {len(sentences)} and "
            f"{length}."
        )
    token_ids = np.full([len(sentences), length], special.pad, np.int32)
    padding_mask = np.zeros([len(sentences), length], np.bool_)
    left_out = np.zeros([len(sentences)], np.int64)
    for row, sentence in enumerate(sentences):
        if not isinstance(sentence, str):
            raise TypeError(
                f"`sentences` must be texts, but number {row} is {type(sentence).__name__}."
            )
        own = vocabulary.split(sentence)
        whole = [*before, *own[:room], *after]
        if not whole:
            raise ValueError(
                f"`sentences` must have tokens, but number {row} has none, and "
                f"{vocabulary.name} no special ones. Leave it out."
            )
        token_ids[row, : len(whole)] = whole
        padding_mask[row, : len(whole)] = True
        left_out[row] = max(0, len(own) - room)
    return Encoded(Tokens(token_ids, padding_mask), left_out)


def decode(
    vocabulary: Vocabulary, token_ids: Sequence[int], *, special: bool = False
) -> str:
    """The text of one sentence's tokens.

    Args:
      vocabulary: Of the tokens.
      token_ids: Without padding.
      special: Whether special tokens are written out, or left out.

    Returns:
      A text. It is the sentence's own up to what the vocabulary does not keep (capitals,
      accents and spaces in BERT's).

    Raises:
      ValueError: If a number is no token.
    """
    ids = [int(one) for one in token_ids]
    outside = [one for one in ids if not 0 <= one < vocabulary.size]
    if outside:
        raise ValueError(
            f"`token_ids` must be in [0, {vocabulary.size - 1}], the tokens of "
            f"{vocabulary.name}, got {outside[0]}."
        )
    if not special:
        ids = [one for one in ids if one not in vocabulary.special_ids]
    return vocabulary.join(ids)


def sentences_of(tokens: Tokens) -> list[list[int]]:
    """The tokens of each row without its padding, special ones included."""
    ids, real = np.asarray(tokens.token_ids), np.asarray(tokens.padding_mask, np.bool_)
    return [
        [int(one) for one in row[mask]] for row, mask in zip(ids, real, strict=True)
    ]


def check_fits(vocabulary: Vocabulary, model: TokenModel) -> None:
    """Checks that a vocabulary is the one that a model's weights were made for.

    Raises:
      ValueError: If sizes or special tokens differ.
    """
    if vocabulary.size != model.vocabulary_size:
        raise ValueError(
            f"The vocabulary {vocabulary.name!r} must have as many tokens as "
            f"{model.name!r}, {model.vocabulary_size}, got {vocabulary.size}: every token "
            "would be another word. Take the file that came with the weights."
        )
    if vocabulary.special != model.special:
        raise ValueError(
            f"The vocabulary {vocabulary.name!r} must have the special tokens of "
            f"{model.name!r}, {model.special}, got {vocabulary.special}. Take the file "
            "that came with the weights."
        )
