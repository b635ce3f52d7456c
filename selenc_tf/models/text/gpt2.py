"""GPT-2, which predicts the next token, and as a classifier of sentences."""

import pathlib

import keras
import keras_hub

from selenc_tf.models.text import initial, presets, token_model
from selenc_tf.models.text.gpt2_classifier import GPT2TextClassifier
from selenc_tf.models.text.sizes import TINY, Sizes
from selenc_tf.models.text.token_model import TokenModel
from selenc_tf.models.text.tokens import SpecialTokens

_TINY_SPECIAL = SpecialTokens(start=2, end=2, pad=0, unknown=1)


def gpt2_tiny_random(length: int, num_classes: int, seed: int) -> TokenModel:
    """Two small blocks and 60 tokens that predict the next token, for tests.

    Args:
      length: L, at most 32.
      num_classes: Of no effect.
      seed: Of the weights.

    Returns:
      The model; its special tokens are 0 (pad) and 2 (start and end).
    """
    del num_classes
    return of_sizes(TINY, length, seed, _TINY_SPECIAL, name="gpt2_tiny_random")


def gpt2_tiny_classifier_random(length: int, num_classes: int, seed: int) -> TokenModel:
    """The same with a head for classes.

    Args:
      length: L, at most 32.
      num_classes: c.
      seed: Of the weights.

    Returns:
      The model.
    """
    name = "gpt2_tiny_classifier_random"
    return of_sizes(
        TINY, length, seed, _TINY_SPECIAL, num_classes=num_classes, name=name
    )


def of_sizes(
    sizes: Sizes,
    length: int,
    seed: int,
    special: SpecialTokens,
    *,
    num_classes: int | None = None,
    name: str = "gpt2_random",
    dropout: float = 0.0,
) -> TokenModel:
    """Builds a GPT-2 with random weights.

    (Radford et al., "Language Models are Unsupervised Multitask Learners", 2019.)

    Args:
      sizes: Of the architecture.
      length: L.
      seed: Of the weights.
      special: Of the vocabulary.
      num_classes: c of a classifier; None to predict the next token.
      name: What results call it.
      dropout: Rate in [0, 1). Above zero the task is random.

    Returns:
      The model.

    Raises:
      ValueError: As `token_model.from_keras`.
    """
    model = with_head(backbone_of(sizes, dropout), num_classes, name, dropout)
    initial.draw(model.trainable_variables, seed)
    return token_model.from_keras(model, length, initial.words(seed), special)


def from_preset(
    preset: str | pathlib.Path,
    length: int,
    special: SpecialTokens,
    *,
    name: str,
    weights_from: str,
    num_classes: int | None = None,
    seed: int = 0,
    dropout: float = 0.0,
) -> TokenModel:
    """Loads a GPT-2.

    Args:
      preset: A name that KerasHub knows ("gpt2_base_en"), or a folder in KerasHub's or
        in Hugging Face's layout.
      length: L.
      special: Of the vocabulary.
      name: What results call it.
      weights_from: Which weights these are.
      num_classes: c of a classifier, with a new head; None to predict the next token.
      seed: Of a head's weights.
      dropout: Rate in [0, 1). Above zero the task is random.

    Returns:
      The model.

    Raises:
      WeightsNotFoundError: If there is no such preset here, and none to be had.
      ValueError: As `token_model.from_keras`.
    """
    backbone = presets.load(keras_hub.models.GPT2Backbone, preset, dropout=dropout)
    model = with_head(backbone, num_classes, name, dropout)
    if num_classes is not None:
        initial.draw(model.output_dense.variables, seed)
        weights_from = f"{weights_from}; head {initial.words(seed)}"
    return token_model.from_keras(model, length, weights_from, special)


def backbone_of(sizes: Sizes, dropout: float = 0.0) -> keras_hub.models.GPT2Backbone:
    """A `GPT2Backbone` of these sizes, with KerasHub's own random weights."""
    return keras_hub.models.GPT2Backbone(
        vocabulary_size=sizes.vocabulary,
        num_layers=sizes.layers,
        num_heads=sizes.heads,
        hidden_dim=sizes.width,
        intermediate_dim=sizes.inner,
        max_sequence_length=sizes.positions,
        dropout=dropout,
    )


def with_head(
    backbone: keras_hub.models.GPT2Backbone,
    num_classes: int | None,
    name: str,
    dropout: float = 0.0,
) -> keras.Model:
    """A backbone that predicts the next token, or a class if their number is given."""
    if num_classes is None:
        return keras_hub.models.GPT2CausalLM(backbone, name=name)
    return GPT2TextClassifier(backbone, num_classes, dropout, name=name)
