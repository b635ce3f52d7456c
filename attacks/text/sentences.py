"""Sentences as attackers write them: one array, with a number where no token is."""

from collections.abc import Sequence

import numpy as np

from selenc_tf.models.text import tokens as tokens_lib
from selenc_tf.models.text.tokens import Tokens

NO_TOKEN = -1
"""Where a sentence has ended. The pad of a vocabulary may be a word too."""


def of_rows(rows: Sequence[Sequence[int]], length: int) -> np.ndarray:
    """Sentences of different lengths as one array.

    Args:
      rows: The tokens of each, special ones included.
      length: L; what does not fit is left out.

    Returns:
      int32 [b, L], `NO_TOKEN` behind the end of each.

    Example:
      >>> of_rows([[4, 5], [6]], 3).tolist()
      [[4, 5, -1], [6, -1, -1]]
    """
    found = np.full([len(rows), length], NO_TOKEN, np.int32)
    for place, row in enumerate(rows):
        kept = row[:length]
        found[place, : len(kept)] = kept
    return found


def rows_of(examples: np.ndarray) -> list[list[int]]:
    """The tokens of each sentence, without what is behind its end."""
    return [[int(one) for one in row if one != NO_TOKEN] for row in examples]


def of_tokens(tokens: Tokens) -> np.ndarray:
    """What a client has as an attacker writes it, int32 [b, L]."""
    real = np.asarray(tokens.padding_mask, np.bool_)
    return np.where(real, np.asarray(tokens.token_ids), NO_TOKEN).astype(np.int32)


def as_tokens(examples: np.ndarray, pad: int) -> Tokens:
    """What a model takes.

    Args:
      examples: int32 [b, L].
      pad: Any token; it is masked.

    Returns:
      Ids and mask.
    """
    real = examples != NO_TOKEN
    return Tokens(np.where(real, examples, pad).astype(np.int32), real)


def labels_of(examples: np.ndarray) -> np.ndarray:
    """The labels where the next token is predicted, int32 [b, L]."""
    return tokens_lib.next_token_labels(as_tokens(examples, 0))
