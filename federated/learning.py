"""A `FunctionalModel` as a model of `tff.learning`."""

import collections
from typing import Any

import tensorflow as tf
import tensorflow_federated as tff

from selenc_tf.models import functional


def to_tff_model(
    model: functional.FunctionalModel,
) -> tff.learning.models.FunctionalModel:
    """Wraps a model for `tff.learning`, with mean loss and no further metrics.

    Args:
      model: The model. Its clients' data sets yield batches `(images, labels)`, float32
        [b, *input_shape] and int32 [b].

    Returns:
      The TFF model, starting from the model's initial weights.
    """

    @tf.function(autograph=False)
    def predict(weights: Any, images: Any, training: bool) -> tf.Tensor:
        del training  # Inference mode throughout, as in the attacks.
        trainable, _ = weights
        return model.apply(tuple(trainable), images)

    @tf.function(autograph=False)
    def loss(logits: Any, labels: Any, sample_weight: Any = None) -> tf.Tensor:
        del sample_weight
        return functional.cross_entropy(tf.one_hot(labels, model.num_classes), logits)

    return tff.learning.models.FunctionalModel(
        initial_weights=(tuple(w.numpy() for w in model.initial_weights), ()),
        predict_on_batch_fn=predict,
        loss_fn=loss,
        metrics_fns=_loss_metrics(loss),
        input_spec=(
            tf.TensorSpec((None, *model.input_shape), tf.float32),
            tf.TensorSpec((None,), tf.int32),
        ),
    )


def _loss_metrics(loss: Any) -> tuple[Any, Any, Any]:
    """Sums of loss and hits, and the number of examples."""

    @tf.function(autograph=False)
    def initialize() -> Any:
        return collections.OrderedDict(
            loss_sum=tf.constant(0.0), hits=tf.constant(0.0), examples=tf.constant(0.0)
        )

    @tf.function(autograph=False)
    def update(state: Any, labels: Any, output: Any, sample_weight: Any = None) -> Any:
        del sample_weight
        logits = output.predictions
        count = tf.cast(tf.shape(labels)[0], tf.float32)
        hits = tf.equal(tf.argmax(logits, axis=1, output_type=labels.dtype), labels)
        return collections.OrderedDict(
            loss_sum=state["loss_sum"] + loss(logits, labels) * count,
            hits=state["hits"] + tf.reduce_sum(tf.cast(hits, tf.float32)),
            examples=state["examples"] + count,
        )

    @tf.function(autograph=False)
    def finalize(state: Any) -> Any:
        return collections.OrderedDict(
            loss=tf.math.divide_no_nan(state["loss_sum"], state["examples"]),
            accuracy=tf.math.divide_no_nan(state["hits"], state["examples"]),
        )

    return initialize, update, finalize
