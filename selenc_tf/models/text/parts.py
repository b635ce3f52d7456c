"""A KerasHub model cut at the places where attacks enter it.

The functions here call the layers of a model and are run with the values of its
variables set from outside (`keras.StatelessScope`). They give what the model gives; the
normalisations are ours (`normalising.py`).
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import keras
import keras_hub
import tensorflow as tf

from selenc_tf.models.text.gpt2_classifier import GPT2TextClassifier
from selenc_tf.models.text.normalising import normalised

_Tensors = Callable[..., tf.Tensor]

Part: TypeAlias = Literal[
    "attention", "values", "mixed", "feedforward", "middle", "pooler", "last"
]
"""Where vectors enter a kernel, or (values) what those that enter are mixtures of."""


class Parts(NamedTuple):
    """How a model computes, step by step. `t` is Keras' training mode.

    Attributes:
      model: The KerasHub model.
      embed: `(token_ids [b, l]) -> [b, l, d]`, the sum of the embeddings.
      enter: `(embedded, t) -> [b, l, d]`, what goes into block 0.
      blocks: The Transformer layers.
      attention_inputs: `(block, x) -> [b, l, d]`, what its projections multiply.
      values: `(block, x) -> [b, l, heads * size]`, each position's values, once for
        each head of the queries.
      mixed: `(block, x, mask, t) -> [b, l, heads * size]`, what its attention's output
        kernel multiplies: of each head, mixtures of the positions' values.
      feedforward_inputs: `(block, x, mask, t) -> [b, l, d]`, what its feed-forward
        kernels multiply.
      middle: `(block, feedforward inputs) -> [b, l, inner]`, what its feed-forward's
        second kernel multiplies.
      through: `(block, x, mask, t) -> [b, l, d]`, what the block returns.
      pooler: `(x) -> [b, d]`, what BERT's pooling kernel multiplies of the last block's
        output; None where there is no such kernel.
      finish: `(x, mask, t)`, what the output layer multiplies of the last block's
        output: [b, l, d] where the next token is predicted, else [b, d].
      head: `(x, mask, t) -> logits`, [b, c] or [b, l, v], of the last block's output.
      causal: Whether a position sees only those before it.
      normalise_first: Whether a block normalises what enters it.
      next_token: Whether the head predicts the next token, or else a class.
      logits: The head's dense layer, or None where the token table is the head.
    """

    model: keras.Model
    embed: _Tensors
    enter: _Tensors
    blocks: Sequence[Any]
    attention_inputs: _Tensors
    values: _Tensors
    mixed: _Tensors
    feedforward_inputs: _Tensors
    middle: _Tensors
    through: _Tensors
    pooler: _Tensors | None
    finish: _Tensors
    head: _Tensors
    causal: bool
    normalise_first: bool
    next_token: bool
    logits: Any


def of_model(model: keras.Model) -> Parts:
    """Cuts a model.

    Args:
      model: A KerasHub BERT text classifier, GPT-2 or Llama causal language model, or a
        `GPT2TextClassifier`.

    Returns:
      Its parts.

    Raises:
      ValueError: If the model is another.
    """
    if isinstance(model, keras_hub.models.BertTextClassifier):
        return _bert(model)
    if isinstance(model, keras_hub.models.GPT2CausalLM | GPT2TextClassifier):
        return _gpt2(model)
    if isinstance(model, keras_hub.models.LlamaCausalLM):
        return _llama(model)
    raise ValueError(
        "`model` must be a BertTextClassifier, GPT2CausalLM, LlamaCausalLM or "
        "Llama3CausalLM of KerasHub, or a GPT2TextClassifier of ours, got "
        f"{type(model).__name__} {model.name!r}. Other models can be trained "
        "(`task.from_keras`), but their embeddings and blocks are not known here."
    )


def _bert(model: keras.Model) -> Parts:
    backbone = model.backbone

    def embed(token_ids: tf.Tensor) -> tf.Tensor:
        words = backbone.token_embedding(token_ids)
        segments = backbone.segment_embedding(tf.zeros_like(token_ids))
        positions = backbone.position_embedding(words)
        return backbone.embeddings_add((words, positions, segments))

    def enter(embedded: tf.Tensor, t: bool) -> tf.Tensor:
        normal = normalised(backbone.embeddings_layer_norm, embedded)
        return backbone.embeddings_dropout(normal, training=t)

    def mixed(block: Any, x: tf.Tensor, mask: tf.Tensor, t: bool) -> tf.Tensor:
        return _mixed(block._self_attention_layer, x, mask[:, tf.newaxis, :], t)

    def feedforward_inputs(
        block: Any, x: tf.Tensor, mask: tf.Tensor, t: bool
    ) -> tf.Tensor:
        attended = _output(block._self_attention_layer, mixed(block, x, mask, t))
        kept = block._self_attention_dropout(attended, training=t)
        return normalised(block._self_attention_layer_norm, x + kept)

    def through(block: Any, x: tf.Tensor, mask: tf.Tensor, t: bool) -> tf.Tensor:
        attended = feedforward_inputs(block, x, mask, t)
        made = _feedforward(block, attended, t)
        return normalised(block._feedforward_layer_norm, attended + made)

    def pooler(x: tf.Tensor) -> tf.Tensor:
        return x[:, backbone.cls_token_index, :]

    def finish(x: tf.Tensor, mask: tf.Tensor, t: bool) -> tf.Tensor:
        return model.output_dropout(backbone.pooled_dense(pooler(x)), training=t)

    def head(x: tf.Tensor, mask: tf.Tensor, t: bool) -> tf.Tensor:
        return model.output_dense(finish(x, mask, t))

    return Parts(
        model,
        embed,
        enter,
        backbone.transformer_layers,
        lambda block, x: x,
        lambda block, x: _values(block._self_attention_layer, x),
        mixed,
        feedforward_inputs,
        _middle,
        through,
        pooler,
        finish,
        head,
        causal=False,
        normalise_first=False,
        next_token=False,
        logits=model.output_dense,
    )


def _gpt2(model: keras.Model) -> Parts:
    backbone = model.backbone
    classifies = isinstance(model, GPT2TextClassifier)

    def embed(token_ids: tf.Tensor) -> tf.Tensor:
        words = backbone.token_embedding(token_ids)
        return backbone.embeddings_add((words, backbone.position_embedding(words)))

    def attention_inputs(block: Any, x: tf.Tensor) -> tf.Tensor:
        return normalised(block._self_attention_layer_norm, x)

    def mixed(block: Any, x: tf.Tensor, mask: tf.Tensor, t: bool) -> tf.Tensor:
        seen = _causal(block, x, mask, use_causal_mask=True)
        inputs = attention_inputs(block, x)
        return _mixed(block._self_attention_layer, inputs, seen, t)

    def attended(block: Any, x: tf.Tensor, mask: tf.Tensor, t: bool) -> tf.Tensor:
        found = _output(block._self_attention_layer, mixed(block, x, mask, t))
        return x + block._self_attention_dropout(found, training=t)

    def feedforward_inputs(
        block: Any, x: tf.Tensor, mask: tf.Tensor, t: bool
    ) -> tf.Tensor:
        return normalised(block._feedforward_layer_norm, attended(block, x, mask, t))

    def through(block: Any, x: tf.Tensor, mask: tf.Tensor, t: bool) -> tf.Tensor:
        kept = attended(block, x, mask, t)
        normal = normalised(block._feedforward_layer_norm, kept)
        return kept + _feedforward(block, normal, t)

    def finish(x: tf.Tensor, mask: tf.Tensor, t: bool) -> tf.Tensor:
        normal = normalised(backbone.layer_norm, x)
        return model.pooled(normal, mask, training=t) if classifies else normal

    def head(x: tf.Tensor, mask: tf.Tensor, t: bool) -> tf.Tensor:
        entering = finish(x, mask, t)
        if classifies:
            return model.output_dense(entering)
        return backbone.token_embedding(entering, reverse=True)

    return Parts(
        model,
        embed,
        lambda embedded, t: backbone.embeddings_dropout(embedded, training=t),
        backbone.transformer_layers,
        attention_inputs,
        lambda block, x: _values(
            block._self_attention_layer, attention_inputs(block, x)
        ),
        mixed,
        feedforward_inputs,
        _middle,
        through,
        None,
        finish,
        head,
        causal=True,
        normalise_first=True,
        next_token=not classifies,
        logits=model.output_dense if classifies else None,
    )


def _llama(model: keras.Model) -> Parts:
    backbone = model.backbone

    def mixed(block: Any, x: tf.Tensor, mask: tf.Tensor, t: bool) -> tf.Tensor:
        attention = block._self_attention_layer
        inputs = block._self_attention_layernorm(x)
        query, key = (
            attention.rotary_embedding_layer(dense(inputs), start_index=0)
            for dense in (attention._query_dense, attention._key_dense)
        )
        value = attention._value_dense(inputs)
        key, value = (
            tf.repeat(one, attention.num_key_value_groups, axis=2)
            for one in (key, value)
        )
        seen = _causal(block, x, mask)
        found = attention._compute_attention(query, key, value, seen)
        return _flat(attention._dropout_layer(found, training=t))

    def feedforward_inputs(
        block: Any, x: tf.Tensor, mask: tf.Tensor, t: bool
    ) -> tf.Tensor:
        attended = _output(block._self_attention_layer, mixed(block, x, mask, t))
        kept = block._self_attention_dropout(attended, training=t)
        return block._feedforward_layernorm(x + kept)

    def head(x: tf.Tensor, mask: tf.Tensor, t: bool) -> tf.Tensor:
        return backbone.token_embedding(backbone.layer_norm(x), reverse=True)

    return Parts(
        model,
        backbone.token_embedding,
        lambda embedded, t: embedded,
        backbone.transformer_layers,
        lambda block, x: block._self_attention_layernorm(x),
        lambda block, x: _values(
            block._self_attention_layer, block._self_attention_layernorm(x)
        ),
        mixed,
        feedforward_inputs,
        _gated,
        lambda block, x, mask, t: block(x, decoder_padding_mask=mask, training=t),
        None,
        lambda x, mask, t: backbone.layer_norm(x),
        head,
        causal=True,
        normalise_first=True,
        next_token=True,
        logits=None,
    )


def _mixed(attention: Any, x: tf.Tensor, seen: tf.Tensor, t: bool) -> tf.Tensor:
    """The weighted means of values, heads side by side."""
    three = (attention._query_dense, attention._key_dense, attention._value_dense)
    query, key, value = (dense(x) for dense in three)
    found, _ = attention._compute_attention(
        query=query, key=key, value=value, attention_mask=seen, training=t
    )
    return _flat(found)


def _values(attention: Any, x: tf.Tensor) -> tf.Tensor:
    found = attention._value_dense(x)
    heads = int(attention._output_dense.kernel.shape[0])
    # Of Llama several heads share their values.
    return _flat(tf.repeat(found, heads // int(found.shape[2]), axis=2))


def _output(attention: Any, mixed: tf.Tensor) -> tf.Tensor:
    heads, size, _ = attention._output_dense.kernel.shape
    shape = [*tf.unstack(tf.shape(mixed)[:2]), heads, size]
    return attention._output_dense(tf.reshape(mixed, shape))


def _flat(heads: tf.Tensor) -> tf.Tensor:
    count, length = tf.unstack(tf.shape(heads)[:2])
    return tf.reshape(heads, [count, length, int(heads.shape[2] * heads.shape[3])])


def _middle(block: Any, x: tf.Tensor) -> tf.Tensor:
    return block._feedforward_intermediate_dense(x)


def _gated(block: Any, x: tf.Tensor) -> tf.Tensor:
    gate = block.activation(block._feedforward_gate_dense(x))
    return block._feedforward_intermediate_dense(x) * gate


def _feedforward(block: Any, x: tf.Tensor, t: bool) -> tf.Tensor:
    made = block._feedforward_output_dense(_middle(block, x))
    return block._feedforward_dropout(made, training=t)


def _causal(block: Any, x: tf.Tensor, mask: tf.Tensor, **more: bool) -> tf.Tensor:
    """What each position may look at, as the block itself computes it."""
    return block._compute_self_attention_mask(
        decoder_sequence=x,
        decoder_padding_mask=mask,
        decoder_attention_mask=None,
        self_attention_cache=None,
        self_attention_cache_update_index=None,
        **more,
    )
