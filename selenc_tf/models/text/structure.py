"""Which tensor of a gradient is which kernel of a Transformer, as data."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from selenc_tf.models.text.parts import Parts


class Projection(NamedTuple):
    """A layer that multiplies vectors of a sentence by a kernel.

    The gradient of a kernel (or of `adapter_down`) is X^T D, with the layer's inputs as
    the rows of X: reshaped to [inputs, outputs], its columns lie in their span.

    Attributes:
      name: The kernel's path.
      shape: The kernel's: [d, heads, head size] of query, key and value, [heads, head
        size, d] of the attention's output, [inputs, outputs] of the others.
      num_inputs: How many of its first axes are the input (2 of the attention's output).
      kernel: Its place in the model's `spec`; None if it is not trained.
      bias: Its place; None if there is none, or it is not trained.
      adapter_down: Of a LoRA adapter, the place of what the inputs are multiplied by,
        [*inputs, ..., rank]; None without one.
      adapter_up: The place of its other half, or None.
    """

    name: str
    shape: tuple[int, ...]
    num_inputs: int
    kernel: int | None
    bias: int | None
    adapter_down: int | None
    adapter_up: int | None


class Block(NamedTuple):
    """One Transformer layer.

    Query, key and value have the same inputs, and so have the feed-forward kernel and
    the gate (`TokenModel.inputs`).

    Attributes:
      query: [d, heads, head size].
      key: [d, heads, head size]; fewer heads where they are shared (Llama).
      value: As the key.
      output: [heads, head size, d].
      feedforward: [d, inner].
      gate: [d, inner], or None where there is none.
      feedforward_output: [inner, d].
      feedforward_norm: Gamma and beta of the normalisation whose results the feed-forward
        kernel multiplies; None for what there is not.
      activation: What is applied to the products of the feed-forward kernel, or of the
        gate where there is one, elementwise.
      causal: Whether a position sees only itself and those before it.
      normalise_first: Whether inputs are normalised before the projections (GPT-2,
        Llama), or results after the sum (BERT).
    """

    query: Projection
    key: Projection
    value: Projection
    output: Projection
    feedforward: Projection
    gate: Projection | None
    feedforward_output: Projection
    feedforward_norm: tuple[int | None, int | None]
    activation: Callable[[tf.Tensor], tf.Tensor]
    causal: bool
    normalise_first: bool

    @property
    def of_inputs(self) -> tuple[Projection, ...]:
        """Query, key and value."""
        return self.query, self.key, self.value

    @property
    def of_feedforward_inputs(self) -> tuple[Projection, ...]:
        """The feed-forward kernel, and the gate where there is one."""
        both = (self.feedforward, self.gate)
        return tuple(one for one in both if one is not None)


class Structure(NamedTuple):
    """A whole model. Places are those in the model's `spec`; None if not trained.

    Attributes:
      blocks: From the embeddings up.
      token_table: [v, d].
      position_table: [positions, d]; None for rotations (Llama).
      segment_table: [2, d], of BERT.
      pooler: BERT's dense layer [d, d] on the first position, or None.
      head: The last dense layer, or None where the token table is the head.
      last_norm: Gamma and beta of the normalisation behind the last block; of BERT of the
        last one in it. None for what there is not (Llama has no beta).
      tied: Whether the token table is the head too, and its gradient therefore dense.
      width: d.
    """

    blocks: tuple[Block, ...]
    token_table: int | None
    position_table: int | None
    segment_table: int | None
    pooler: Projection | None
    head: Projection | None
    last_norm: tuple[int | None, int | None]
    tied: bool
    width: int

    @property
    def embedding_tables(self) -> tuple[int, ...]:
        """The places of all tables that are trained."""
        three = (self.token_table, self.position_table, self.segment_table)
        return tuple(place for place in three if place is not None)


def of_parts(parts: Parts) -> Structure:
    """Reads a model's structure.

    Args:
      parts: Of a built model.

    Returns:
      It, with the places in `parts.model.trainable_variables`.
    """
    trained = parts.model.trainable_variables
    places = {id(variable): place for place, variable in enumerate(trained)}
    backbone = parts.model.backbone
    tables = [
        _place(places, getattr(backbone, f"{name}_embedding", None), "embeddings")
        for name in ("token", "position", "segment")
    ]
    return Structure(
        blocks=tuple(_block(places, parts, one) for one in parts.blocks),
        token_table=tables[0],
        position_table=tables[1],
        segment_table=tables[2],
        pooler=_dense(places, backbone.pooled_dense) if parts.pooler else None,
        head=_dense(places, parts.logits) if parts.logits else None,
        last_norm=_last_norm(places, parts),
        tied=parts.next_token and backbone.token_embedding.tie_weights,
        width=backbone.hidden_dim,
    )


def _block(places: Mapping[int, int], parts: Parts, block: Any) -> Block:
    attention = block._self_attention_layer
    gate = getattr(block, "_feedforward_gate_dense", None)
    feedforward = block._feedforward_intermediate_dense
    return Block(
        query=_dense(places, attention._query_dense),
        key=_dense(places, attention._key_dense),
        value=_dense(places, attention._value_dense),
        output=_dense(places, attention._output_dense, num_inputs=2),
        feedforward=_dense(places, feedforward),
        gate=_dense(places, gate) if gate else None,
        feedforward_output=_dense(places, block._feedforward_output_dense),
        feedforward_norm=_norm_before_feedforward(places, parts, block),
        activation=block.activation if gate else feedforward.activation,
        causal=parts.causal,
        normalise_first=parts.normalise_first,
    )


def _norm_before_feedforward(
    places: Mapping[int, int], parts: Parts, block: Any
) -> tuple[int | None, int | None]:
    if not parts.normalise_first:
        layer = block._self_attention_layer_norm
    elif hasattr(block, "_feedforward_layer_norm"):
        layer = block._feedforward_layer_norm
    else:  # As KerasHub's Llama spells it.
        layer = block._feedforward_layernorm
    return _place(places, layer, "gamma"), _place(places, layer, "beta")


def _last_norm(
    places: Mapping[int, int], parts: Parts
) -> tuple[int | None, int | None]:
    layer = getattr(parts.model.backbone, "layer_norm", None)
    if layer is None:
        layer = parts.blocks[-1]._feedforward_layer_norm
    return _place(places, layer, "gamma"), _place(places, layer, "beta")


def _dense(
    places: Mapping[int, int], layer: keras.layers.Layer, num_inputs: int = 1
) -> Projection:
    kernel = next(one for one in layer.variables if one.name == "kernel")
    return Projection(
        name=kernel.path,
        shape=tuple(kernel.shape),
        num_inputs=num_inputs,
        kernel=places.get(id(kernel)),
        bias=_place(places, layer, "bias"),
        adapter_down=_place(places, layer, "lora_kernel_a"),
        adapter_up=_place(places, layer, "lora_kernel_b"),
    )


def _place(places: Mapping[int, int], layer: Any, name: str) -> int | None:
    if layer is None:
        return None
    found = (one for one in layer.variables if one.name == name)
    return next((places.get(id(one)) for one in found), None)
