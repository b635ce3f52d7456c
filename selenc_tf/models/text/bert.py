"""BERT as a classifier of sentences."""

import pathlib

import keras_hub

from selenc_tf.models.text import initial, presets, token_model
from selenc_tf.models.text.sizes import TINY, Sizes
from selenc_tf.models.text.token_model import TokenModel
from selenc_tf.models.text.tokens import SpecialTokens

_TINY_SPECIAL = SpecialTokens(start=2, end=3, pad=0, unknown=1)


def bert_tiny_random(length: int, num_classes: int, seed: int) -> TokenModel:
    """Two small blocks and 60 tokens, for tests.

    Args:
      length: L, at most 32.
      num_classes: c.
      seed: Of the weights.

    Returns:
      The model; its special tokens are 0 (pad), 1 (unknown), 2 (start), 3 (end).
    """
    return of_sizes(
        TINY, length, num_classes, seed, _TINY_SPECIAL, name="bert_tiny_random"
    )


def of_sizes(
    sizes: Sizes,
    length: int,
    num_classes: int,
    seed: int,
    special: SpecialTokens,
    *,
    name: str = "bert_random",
    dropout: float = 0.0,
) -> TokenModel:
    """Builds a BERT with random weights.

    (Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for Language
    Understanding", NAACL 2019.)

    Args:
      sizes: Of the architecture.
      length: L.
      num_classes: c.
      seed: Of the weights.
      special: Of the vocabulary.
      name: What results call it.
      dropout: Rate in [0, 1). Above zero the task is random.

    Returns:
      The model.

    Raises:
      ValueError: As `token_model.from_keras`.
    """
    backbone = keras_hub.models.BertBackbone(
        vocabulary_size=sizes.vocabulary,
        num_layers=sizes.layers,
        num_heads=sizes.heads,
        hidden_dim=sizes.width,
        intermediate_dim=sizes.inner,
        max_sequence_length=sizes.positions,
        dropout=dropout,
    )
    model = keras_hub.models.BertTextClassifier(
        backbone, num_classes, dropout=dropout, name=name
    )
    initial.draw(model.trainable_variables, seed)
    return token_model.from_keras(model, length, initial.words(seed), special)


def from_preset(
    preset: str | pathlib.Path,
    length: int,
    num_classes: int,
    seed: int,
    special: SpecialTokens,
    *,
    name: str,
    weights_from: str,
    dropout: float = 0.0,
) -> TokenModel:
    """Loads a BERT, and draws a new head.

    Args:
      preset: A name that KerasHub knows ("bert_base_en_uncased"), or a folder in
        KerasHub's or in Hugging Face's layout.
      length: L.
      num_classes: c.
      seed: Of the head's weights.
      special: Of the vocabulary.
      name: What results call it.
      weights_from: Which weights these are.
      dropout: Rate in [0, 1). Above zero the task is random.

    Returns:
      The model.

    Raises:
      WeightsNotFoundError: If there is no such preset here, and none to be had.
      ValueError: As `token_model.from_keras`.
    """
    backbone = presets.load(keras_hub.models.BertBackbone, preset, dropout=dropout)
    model = keras_hub.models.BertTextClassifier(
        backbone, num_classes, dropout=dropout, name=name
    )
    initial.draw(model.output_dense.variables, seed)
    words = f"{weights_from}; head {initial.words(seed)}"
    return token_model.from_keras(model, length, words, special)
