"""What each word's embedding is, and which word an embedding is."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from selenc_tf.models.text.token_model import TokenModel
from selenc_tf.types import Weights


class Embeddings(NamedTuple):
    """The public embeddings of a round: what enters a model is a word's plus a place's.

    Attributes:
      words: float32 [v, d].
      places: float32 [L, d], of position and segment together.
    """

    words: np.ndarray
    places: np.ndarray

    @property
    def scale(self) -> float:
        """The root mean square of a word's numbers, never zero."""
        found = float(np.sqrt(np.mean(np.square(self.words))))
        return found if found > 0 else 1.0

    @property
    def norm(self) -> float:
        """The mean norm of words, never zero."""
        found = float(np.mean(np.linalg.norm(self.words, axis=1)))
        return found if found > 0 else 1.0


def of_model(model: TokenModel, weights: Weights) -> Embeddings:
    """Takes a model's embeddings apart.

    Runs on: attacker. Sees: the weights of the round.

    Args:
      model: The model.
      weights: Of the round.

    Returns:
      Its words are the rows of the token table. Where that is not trained, it is no
      weight of a round: then a word's embedding is taken with the first place's.
    """
    first = tf.zeros([1, model.length], tf.int32)
    at_places = np.asarray(model.embed(weights, first)[0], np.float32)
    if model.structure.token_table is not None:
        words = np.asarray(weights[model.structure.token_table], np.float32)
    else:
        every = tf.range(model.vocabulary_size)[:, tf.newaxis]
        words = np.asarray(model.embed(weights, every)[:, 0], np.float32)
    return Embeddings(words, at_places - words[0])


def nearest(
    found: np.ndarray, embeddings: Embeddings, allowed: np.ndarray
) -> np.ndarray:
    """The words whose embeddings point most nearly the same way.

    (LAMP's cosine; TAG's published code divides by squared norms, which prefers short
    embeddings.)

    Args:
      found: float [..., d].
      embeddings: Of the words.
      allowed: bool [v], at least one.

    Returns:
      int32 [...].
    """
    return several_nearest(found, embeddings, allowed, 1)[..., 0]


def several_nearest(
    found: np.ndarray, embeddings: Embeddings, allowed: np.ndarray, count: int
) -> np.ndarray:
    """The words whose embeddings point most nearly the same way, the nearest first.

    Args:
      found: float [..., d].
      embeddings: Of the words.
      allowed: bool [v], at least one.
      count: How many; all that are allowed if those are fewer.

    Returns:
      int32 [..., count].
    """
    choice = np.flatnonzero(allowed)
    rows = embeddings.words[choice]
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    units = rows / np.where(norms > 0, norms, 1.0)
    likeness = found @ units.T
    if count == 1:
        best = np.argmax(likeness, axis=-1)[..., np.newaxis]
    else:
        best = np.argsort(-likeness, axis=-1, kind="stable")[..., :count]
    return choice[best].astype(np.int32)
