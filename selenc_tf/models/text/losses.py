"""The loss of each sentence, as KerasHub's own training weighs positions.

`fit` of a KerasHub language model takes the padding mask as sample weights, and Keras
divides by the number of *all* positions: the loss of a batch is the sum over the real
positions of its sentences, divided by b L. It is therefore the mean over the batch of the
sentence's sum divided by L, and not the mean over tokens.
"""

from collections.abc import Callable

import tensorflow as tf

from selenc_tf.models import labels as labels_lib
from selenc_tf.models import objectives
from selenc_tf.models.text import tokens as tokens_lib


def of_classes(
    rule: labels_lib.Rule, labels: tf.Tensor, logits: tf.Tensor
) -> tf.Tensor:
    """The cross-entropy of each sentence's class.

    Args:
      rule: Of the task's labels.
      labels: Integers [b], or probabilities [b, c], by which the loss can be
        differentiated.
      logits: [b, c].

    Returns:
      [b].
    """
    labels = tf.convert_to_tensor(labels)
    if labels.shape.rank == 1:
        known = labels_lib.checked(rule, labels)
        labels = tf.one_hot(known, logits.shape[-1], dtype=logits.dtype)
    return objectives.soft("classes", labels, logits)


def of_positions(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """The cross-entropy of the next token at each position.

    Args:
      labels: Integers [b, L], `NO_LABEL` where there is none, or probabilities
        [b, L, v], by which the loss can be differentiated (rows of zeros for none).
      logits: [b, L, v].

    Returns:
      [b, L]; 0 where there is no label.

    Raises:
      InvalidArgumentError: When run, if a label is no token.
    """
    labels = tf.convert_to_tensor(labels)
    logs = tf.nn.log_softmax(logits, axis=-1)
    if labels.shape.rank == 3:
        return -tf.reduce_sum(labels * logs, axis=-1)
    known = labels_lib.checked(rule_of_positions(None, logits.shape[-1]), labels)
    of_labels = tf.gather(logs, tf.maximum(known, 0), batch_dims=2)
    return -tf.where(known == tokens_lib.NO_LABEL, tf.zeros_like(of_labels), of_labels)


def rule_of_positions(length: int | None, tokens: int) -> labels_lib.Rule:
    """Which labels a model that predicts the next token takes.

    Args:
      length: L, or None for any.
      tokens: v.

    Returns:
      The rule of integers [b, L].
    """
    spec = tf.TensorSpec([None, length], tf.int32)
    return labels_lib.Rule(spec, tokens, ignored=tokens_lib.NO_LABEL)


def of_next_tokens(length: int) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """The loss of each sentence of a model that predicts the next token.

    Args:
      length: L. Sentences given without (all of) their padding have the same loss.

    Returns:
      `(labels, logits) -> [b]`, the arguments as `of_positions` takes them.
    """

    def each(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        total = tf.reduce_sum(of_positions(labels, logits), axis=-1)
        return total / tf.cast(length, total.dtype)

    return each
