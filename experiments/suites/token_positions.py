"""What masks tell of the tokens of a sentence, read off the hidden rows of an embedding.

The model is a stand-in, small and untrained: an embedding, the mean over the sentence,
a dense head. Sentences are drawn from Zipf's law. What matters is the same for every
model with an embedding that is not tied: rows of unused tokens have the gradient zero.
"""

from typing import NamedTuple, TextIO

import keras
import numpy as np
import tensorflow as tf

from attacks import mask_positions
from experiments.outputs import text_tables
from selenc_tf import catalog, flatten
from selenc_tf.masks import always_hide, policy
from selenc_tf.models import functional
from selenc_tf.significance.context import ScoreContext

VOCABULARY, WIDTH, TOKENS, CLASSES = 1000, 16, 16, 2
_METRICS = ("magnitude", "random")


class Row(NamedTuple):
    """One metric and ratio over all sentences.

    Attributes:
      metric: What chose the hidden entries.
      encryption_ratio: m / n.
      embeddings_hidden: Whether the embedding is hidden whatever the scores.
      recall: Share of a sentence's distinct tokens that the mask names.
      precision: Share of the named tokens that are in the sentence.
    """

    metric: str
    encryption_ratio: float
    embeddings_hidden: bool
    recall: float
    precision: float


def run(sentences: int, ratios: tuple[float, ...], seed: int, stream: TextIO) -> None:
    """Measures and prints a table.

    Args:
      sentences: How many.
      ratios: Encryption ratios; 0 is left out.
      seed: Of weights, sentences and random masks.
      stream: Where the table goes.
    """
    cells = [
        (
            row.metric + (", embedding hidden" if row.embeddings_hidden else ""),
            f"{row.encryption_ratio:g}",
            f"{row.recall:.0%}",
            f"{row.precision:.0%}",
        )
        for row in measure(sentences, ratios, seed)
    ]
    title = (
        f"{sentences} sentences of {TOKENS} tokens drawn from {VOCABULARY:,}, "
        "embedding and dense head"
    )
    headings = ("metric", "ratio", "tokens named", "of those named, right")
    text_tables.show(text_tables.Table(title, headings, cells), stream)


def measure(sentences: int, ratios: tuple[float, ...], seed: int) -> tuple[Row, ...]:
    """Counts the tokens that masks name.

    Args:
      sentences: How many.
      ratios: Encryption ratios; 0 is left out.
      seed: Of weights, sentences and random masks.

    Returns:
      The rows.
    """
    model = _model(seed)
    generator = np.random.default_rng(seed)
    likelihood = 1.0 / np.arange(1, VOCABULARY + 1)
    drawn = generator.choice(
        VOCABULARY, [sentences, TOKENS], p=likelihood / likelihood.sum()
    )
    rows = []
    for metric in _METRICS:
        for ratio in (ratio for ratio in ratios if ratio > 0):
            for hidden in (False, True):
                found = [
                    _named(model, metric, ratio, hidden, sentence, index)
                    for index, sentence in enumerate(drawn)
                ]
                recall, precision = np.mean(found, axis=0)
                rows.append(Row(metric, ratio, hidden, recall, precision))
    return tuple(rows)


def _named(
    model: functional.FunctionalModel,
    metric: str,
    ratio: float,
    embeddings_hidden: bool,
    sentence: np.ndarray,
    index: int,
) -> tuple[float, float]:
    """Recall and precision of one sentence."""
    gradient = functional.gradient(
        model,
        model.initial_weights,
        tf.constant(sentence[np.newaxis]),
        tf.one_hot([index % CLASSES], CLASSES),
    )
    context = ScoreContext(
        gradient=gradient,
        seed=tf.constant((index, 0), tf.int32),
        spec=model.spec,
        weights=flatten.flatten(model.initial_weights),
    )
    chosen = policy.top_fraction(ratio)
    if embeddings_hidden:
        chosen = always_hide.always_hide(chosen, catalog.selector("embeddings"))
    scores = catalog.metric(metric)(context)
    mask, _ = chosen.update(model.spec, scores, chosen.init(model.spec))
    named = set(mask_positions.tokens_from_mask(mask.numpy(), model.spec, 0))
    true = {int(token) for token in sentence}
    right = len(named & true)
    return right / len(true), right / max(len(named), 1)


def _model(seed: int) -> functional.FunctionalModel:
    tokens = keras.Input((TOKENS,), dtype="int32")
    embedded = keras.layers.Embedding(
        VOCABULARY,
        WIDTH,
        embeddings_initializer=keras.initializers.RandomNormal(seed=seed),
        name="embedding",
    )(tokens)
    pooled = keras.layers.GlobalAveragePooling1D()(embedded)
    logits = keras.layers.Dense(
        CLASSES,
        kernel_initializer=keras.initializers.GlorotUniform(seed=seed),
        name="head",
    )(pooled)
    return functional.from_keras(keras.Model(tokens, logits, name="bag_of_tokens"))
