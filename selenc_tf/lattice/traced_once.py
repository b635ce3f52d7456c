"""A function whose body is traced once, and not again in every graph that calls it.

TensorFlow traces a `tf.function` anew for every graph; a federated process has dozens of
graphs, and the functions of a cipher hundreds of operations.
"""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf


def traced_once(
    signature: Sequence[tf.TensorSpec],
) -> Callable[[Callable[..., Any]], Any]:
    """Decorates a pure function of at most five tensors.

    Args:
      signature: Of its arguments.

    Returns:
      The decorator. It gives a `tf.function` with this input signature, whose graph is one
      call of the body. Where it is made, the body is traced, in a graph of its own.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        # Outside of whatever graph is being traced.
        with tf.init_scope():
            body = tf.function(function, input_signature=signature, autograph=False)
            concrete = body.get_concrete_function()
        # TFF takes functions with named arguments only.
        calls: tuple[Callable[..., Any], ...] = (
            lambda: concrete(),
            lambda a: concrete(a),
            lambda a, b: concrete(a, b),
            lambda a, b, c: concrete(a, b, c),
            lambda a, b, c, d: concrete(a, b, c, d),
            lambda a, b, c, d, e: concrete(a, b, c, d, e),
        )
        call = calls[len(signature)]
        return tf.function(call, input_signature=signature, autograph=False)

    return decorate
