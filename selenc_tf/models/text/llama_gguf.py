"""A Llama from a GGUF file: its weights, and its vocabulary."""

import pathlib

import keras
import numpy as np
from numpy.typing import NDArray

from selenc_tf.models.text import byte_pairs, gguf, llama, token_model
from selenc_tf.models.text.gguf import Gguf
from selenc_tf.models.text.sizes import Sizes
from selenc_tf.models.text.token_model import TokenModel
from selenc_tf.models.text.tokens import SpecialTokens
from selenc_tf.models.text.vocabulary import Vocabulary

_CONTROL = 3
"""The type of tokens that stand for no text, in the file's list of types."""


def load(path: pathlib.Path, length: int, name: str, weights_from: str) -> TokenModel:
    """Loads the weights.

    Args:
      path: The file, of the architecture "llama" with a tied token table.
      length: L.
      name: What results call it.
      weights_from: Which weights these are.

    Returns:
      The model, in float32 whatever the file's types.

    Raises:
      ValueError: If the file is another, or as `token_model.from_keras`.
    """
    file = gguf.read(path)
    known = file.metadata
    if known.get("general.architecture") != "llama" or "output.weight" in file.tensors:
        raise ValueError(
            f"{path} must be a Llama whose token table is its head too, got the "
            f"architecture {known.get('general.architecture')!r}"
            f"{' with a head of its own' * ('output.weight' in file.tensors)}."
        )
    sizes = Sizes(
        vocabulary=len(known["tokenizer.ggml.tokens"]),
        layers=known["llama.block_count"],
        heads=known["llama.attention.head_count"],
        width=known["llama.embedding_length"],
        inner=known["llama.feed_forward_length"],
        positions=known["llama.context_length"],
        key_heads=known["llama.attention.head_count_kv"],
    )
    model = llama.of_sizes(
        sizes,
        name=name,
        longest_wave=known.get("llama.rope.freq_base", 10000.0),
        epsilon=known["llama.attention.layer_norm_rms_epsilon"],
    )
    _fill(model, file, sizes)
    return token_model.from_keras(model, length, weights_from, special_of(file))


def vocabulary(path: pathlib.Path, name: str) -> Vocabulary:
    """Reads the file's vocabulary.

    Args:
      path: The file, with byte pairs as GPT-2 has them and single digits (SmolLM).
      name: What results call it.

    Returns:
      The vocabulary.

    Raises:
      ValueError: If the file cuts sentences in another way.
    """
    file = gguf.read(path)
    known = file.metadata
    kind = known.get("tokenizer.ggml.model"), known.get("tokenizer.ggml.pre")
    if kind != ("gpt2", "smollm"):
        raise ValueError(
            f"{path} must cut sentences as SmolLM does ('gpt2' and 'smollm'), got {kind}."
        )
    types = known["tokenizer.ggml.token_type"]
    return byte_pairs.of_pairs(
        {word: place for place, word in enumerate(known["tokenizer.ggml.tokens"])},
        known["tokenizer.ggml.merges"],
        name,
        special_of(file),
        [place for place, kind in enumerate(types) if kind == _CONTROL],
        single_digits=True,
    )


def special_of(file: Gguf) -> SpecialTokens:
    """The special tokens that a file names."""

    def place(which: str) -> int | None:
        return file.metadata.get(f"tokenizer.ggml.{which}_token_id")

    return SpecialTokens(
        start=place("bos"),
        end=place("eos"),
        pad=place("padding") or 0,
        unknown=place("unknown"),
    )


def _fill(model: keras.Model, file: Gguf, sizes: Sizes) -> None:
    """Writes a file's tensors into a model's variables."""
    heads, keys = sizes.heads, sizes.key_heads or sizes.heads
    backbone = model.backbone

    def turned(name: str) -> NDArray[np.float32]:
        return file.array(f"{name}.weight").T

    backbone.token_embedding.embeddings.assign(file.array("token_embd.weight"))
    backbone.layer_norm.scale.assign(file.array("output_norm.weight"))
    for number, block in enumerate(backbone.transformer_layers):
        own = f"blk.{number}"
        attention = block._self_attention_layer
        for layer, name, count in (
            (attention._query_dense, "attn_q", heads),
            (attention._key_dense, "attn_k", keys),
        ):
            kernel = _unpaired(file.array(f"{own}.{name}.weight"), count).T
            layer.kernel.assign(kernel.reshape(layer.kernel.shape))
        for layer, name in (
            (attention._value_dense, "attn_v"),
            (attention._output_dense, "attn_output"),
            (block._feedforward_intermediate_dense, "ffn_up"),
            (block._feedforward_gate_dense, "ffn_gate"),
            (block._feedforward_output_dense, "ffn_down"),
        ):
            kernel = turned(f"{own}.{name}")
            layer.kernel.assign(kernel.reshape(layer.kernel.shape))
        block._self_attention_layernorm.scale.assign(
            file.array(f"{own}.attn_norm.weight")
        )
        block._feedforward_layernorm.scale.assign(file.array(f"{own}.ffn_norm.weight"))


def _unpaired(rows: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """llama.cpp keeps the two halves that a rotation mixes side by side; Keras does not.

    Args:
      rows: [heads * head size, d].
      heads: How many.

    Returns:
      The same rows, in each head those at even places before the others.
    """
    parts = rows.reshape(heads, -1, 2, rows.shape[-1])
    return parts.swapaxes(1, 2).reshape(rows.shape)
