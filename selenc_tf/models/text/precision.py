"""A language model computed in float64, for attacks that need the precision."""

import dataclasses
from typing import Any

import keras
import keras_hub
import tensorflow as tf

from selenc_tf.models import variables
from selenc_tf.models.text import parts as parts_lib
from selenc_tf.models.text import token_model, wrapping
from selenc_tf.models.text.gpt2_classifier import GPT2TextClassifier
from selenc_tf.models.text.token_model import TokenModel


def in_float64(model: TokenModel) -> TokenModel:
    """The same functions computed in float64.

    Args:
      model: Of BERT or GPT-2.

    Returns:
      A model with the same architecture and weights; `dtype` says what it computes in.

    Raises:
      ValueError: If a layer rounds to float32 on the way whatever it is told (Llama's
        normalisations, in KerasHub), or the model cannot be built again.
    """
    source = model.task
    doubled = _rebuilt(model.source, "float64")
    wrapped = wrapping.of_tokens_alone(doubled, model.length)
    found = tuple(one.path for one in wrapped.trainable_variables)
    if found != model.spec.names:
        raise ValueError(
            f"`model` must be one that can be built again, but {model.name!r} has "
            f"{len(model.spec.names)} trained tensors and its copy {len(found)}: adapters "
            "and frozen layers are not in its configuration."
        )
    wrapped.set_weights(source.keras_model.get_weights())
    task = dataclasses.replace(
        source,
        keras_model=wrapped,
        places=variables.of_model(wrapped, source.places.updated),
        initial_weights=tuple(tf.cast(w, tf.float64) for w in model.initial_weights),
    )
    double = token_model.bound(
        task,
        parts_lib.of_model(doubled),
        model.length,
        model.weights_from,
        model.special,
        tf.float64,
        model.seed,
    )
    _check(double)
    return double


def _rebuilt(model: keras.Model, dtype: str) -> keras.Model:
    config: dict[str, Any] = {**model.backbone.get_config(), "dtype": dtype}
    if isinstance(model, keras_hub.models.LlamaCausalLM):
        # Its configuration does not say so (KerasHub 0.32).
        config["tie_word_embeddings"] = model.backbone.token_embedding.tie_weights
    backbone = type(model.backbone).from_config(config)
    more = {"name": model.name}
    if isinstance(model, keras_hub.models.BertTextClassifier | GPT2TextClassifier):
        more |= {"num_classes": model.num_classes, "dropout": model.dropout}
    return type(model)(backbone=backbone, **more)


def _check(model: TokenModel) -> None:
    """Refuses a model that loses the precision on the way."""
    graph = (
        tf.function(model.apply_from, autograph=False)
        .get_concrete_function(
            [tf.TensorSpec(shape, model.dtype) for shape in model.spec.shapes],
            tf.TensorSpec([1, model.length, model.structure.width], model.dtype),
            tf.TensorSpec([1, model.length], tf.bool),
        )
        .graph
    )
    for operation in graph.get_operations():
        if operation.type == "Cast" and (
            operation.inputs[0].dtype == tf.float64
            and operation.outputs[0].dtype.is_floating
        ):
            raise ValueError(
                f"`model` must compute in float64 throughout, but {model.name!r} rounds "
                f"to {operation.outputs[0].dtype.name} in {operation.name!r}. Use it in "
                "float32."
            )
