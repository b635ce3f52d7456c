"""Models whose gradients can be differentiated by their inputs.

An attacker moves candidates along the derivative of the client's gradient, and some
metrics are made of it. TensorFlow knows it for a model, but for what the model holds
constant: there the first derivative may be right and the second is not.
"""

import contextlib
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import tensorflow as tf

_ONE_AT_A_TIME = threading.RLock()
"""Models are traced in threads, and `tf.nn` belongs to all of them."""


@contextlib.contextmanager
def whole_moments() -> Iterator[None]:
    """Within it, `tf.nn.moments` holds nothing constant.

    TensorFlow's own (2.20) holds the mean constant in the variance, by which layers
    normalise. The first derivative is the same, as the deviations from a mean sum to
    zero; the second lacks -2 / d^2 for each pair of d entries: a slope 10 % off behind a
    batch normalisation in training mode. The layers of Keras call this function and no
    other, so it is exchanged while a model is called.
    """
    with _ONE_AT_A_TIME:
        kept = tf.nn.moments
        tf.nn.moments = _moments
        try:
            yield
        finally:
            tf.nn.moments = kept


def _moments(
    x: Any,
    axes: Any,
    shift: None = None,
    keepdims: bool = False,
    name: str | None = None,
) -> tuple[tf.Tensor, tf.Tensor]:
    del shift  # TensorFlow has it for old callers and does not use it either.
    with tf.name_scope(name or "moments"):
        mean = tf.reduce_mean(x, axes, keepdims=True)
        variance = tf.reduce_mean(tf.square(x - mean), axes, keepdims=keepdims)
        return (mean if keepdims else tf.squeeze(mean, axes)), variance


def held(graph: tf.Graph, inputs: Sequence[tf.Tensor]) -> Iterator[str]:
    """What a traced model holds constant although it depends on its inputs.

    Args:
      graph: Of the trace.
      inputs: Its placeholders of the model's inputs.

    Yields:
      Names of `tf.stop_gradient` operations; within branches and loops, of all of them.
    """
    reached = {tensor.ref() for tensor in inputs}
    for operation in graph.get_operations():
        if any(tensor.ref() in reached for tensor in operation.inputs):
            reached.update(tensor.ref() for tensor in operation.outputs)
            if (
                operation.type == "StopGradient"
                and operation.inputs[0].dtype.is_floating
            ):
                yield operation.name
    for function in graph.as_graph_def().library.function:
        yield from (one.name for one in function.node_def if one.op == "StopGradient")
