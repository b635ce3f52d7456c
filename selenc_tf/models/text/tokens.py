"""Sentences as arrays of numbers, and what a model that reads on is asked."""

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

NO_LABEL = -1
"""The label of a position that has no next token."""


class Tokens(NamedTuple):
    """A batch of sentences.

    Attributes:
      token_ids: int32 [b, L], the padding at the end of each row.
      padding_mask: bool [b, L], True where a token is, False where padding is.
    """

    token_ids: Any
    padding_mask: Any


class SpecialTokens(NamedTuple):
    """Tokens that stand for no text; None where a vocabulary has none.

    Attributes:
      start: Before a sentence.
      end: After it.
      pad: Where nothing is. It may be the number of a word too (GPT-2): the padding mask
        alone says what is padding.
      unknown: For what the vocabulary cannot write.
    """

    start: int | None = None
    end: int | None = None
    pad: int = 0
    unknown: int | None = None


def next_token_labels(tokens: Tokens) -> np.ndarray:
    """The labels of a model that predicts the next token.

    Runs on: client. Sees: its sentences.

    Args:
      tokens: A batch.

    Returns:
      int32 [b, L]: at each position the token that follows, `NO_LABEL` where none does
      (padding, and the last token of each row).

    Example:
      >>> next_token_labels(Tokens([[5, 7, 9, 0]], [[True, True, True, False]])).tolist()
      [[7, 9, -1, -1]]
    """
    ids = np.asarray(tokens.token_ids, np.int32)
    real = np.asarray(tokens.padding_mask, np.bool_)
    labels = np.full(ids.shape, NO_LABEL, np.int32)
    labels[:, :-1] = np.where(real[:, 1:], ids[:, 1:], NO_LABEL)
    return labels


def check_length(name: str, tensor: tf.Tensor, most: int) -> None:
    """Checks that sentences fit a model.

    Raises:
      ValueError: If they have more positions than the model.
    """
    positions = tensor.shape[1]
    if positions is not None and positions > most:
        raise ValueError(
            f"`{name}` must have at most {most} positions, the model's length, got "
            f"{positions}. Cut the sentences, or build the model with a greater length."
        )
