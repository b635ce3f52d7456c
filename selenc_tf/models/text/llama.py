"""Llama, which predicts the next token: rotated positions, gates, shared keys."""

import keras
import keras_hub

from selenc_tf.models.text import initial, token_model
from selenc_tf.models.text.sizes import TINY, Sizes
from selenc_tf.models.text.token_model import TokenModel
from selenc_tf.models.text.tokens import SpecialTokens

_TINY_SPECIAL = SpecialTokens(start=2, end=3, pad=0, unknown=1)


def llama_tiny_random(length: int, num_classes: int, seed: int) -> TokenModel:
    """Two small blocks and 60 tokens that predict the next token, for tests.

    Args:
      length: L.
      num_classes: Of no effect.
      seed: Of the weights.

    Returns:
      The model; its special tokens are 0 (pad), 1 (unknown), 2 (start), 3 (end).
    """
    del num_classes
    model = of_sizes(TINY._replace(heads=4, key_heads=2), name="llama_tiny_random")
    initial.draw(model.trainable_variables, seed)
    return token_model.from_keras(model, length, initial.words(seed), _TINY_SPECIAL)


def of_sizes(
    sizes: Sizes,
    *,
    name: str,
    longest_wave: float = 10000.0,
    epsilon: float = 1e-5,
    tied: bool = True,
) -> keras.Model:
    """Builds a Llama of KerasHub, with KerasHub's own random weights.

    (Touvron et al., "LLaMA: Open and Efficient Foundation Language Models", 2023.)

    Args:
      sizes: Of the architecture.
      name: What results call it.
      longest_wave: Of the rotations of positions, in positions.
      epsilon: Of the normalisations.
      tied: Whether the token table is the head too.

    Returns:
      A `Llama3CausalLM`.
    """
    backbone = keras_hub.models.Llama3Backbone(
        vocabulary_size=sizes.vocabulary,
        num_layers=sizes.layers,
        num_query_heads=sizes.heads,
        num_key_value_heads=sizes.key_heads or sizes.heads,
        hidden_dim=sizes.width,
        intermediate_dim=sizes.inner,
        rope_max_wavelength=longest_wave,
        layer_norm_epsilon=epsilon,
        tie_word_embeddings=tied,
    )
    return keras_hub.models.Llama3CausalLM(backbone, name=name)
