"""User code traced as TensorFlow 2 traces it, whatever graph is being built."""

import concurrent.futures
import functools
import inspect
from collections.abc import Callable
from typing import Any

import tensorflow as tf


def traced(function: Callable[..., Any], *specs: Any) -> Callable[..., Any]:
    """Traces a function as if nothing else were being traced.

    TFF builds graphs of TensorFlow 1, in which `==` and `!=` of tensors compare Python
    objects: a loss that skips padding by `labels != 0` would skip nothing, without a
    word. Graphs that are being built belong to a thread, so a new one has none.

    Args:
      function: Pure TensorFlow.
      *specs: Nested `tf.TensorSpec`s of its arguments.

    Returns:
      The same function of such tensors, to be called in any graph.
    """
    compiled = tf.function(function, autograph=False)
    with concurrent.futures.ThreadPoolExecutor(max_workers=1) as pool:
        concrete = pool.submit(compiled.get_concrete_function, *specs).result()
    # Tensors that the code refers to belong to no graph: each takes them as constants.
    captured = list(concrete.captured_inputs)
    values = [None if one.dtype == tf.resource else one.numpy() for one in captured]

    def call(*arguments: Any) -> Any:
        if captured:
            concrete.set_external_captures(
                [
                    one if value is None else tf.constant(value)
                    for one, value in zip(captured, values, strict=True)
                ]
            )
        return concrete(*arguments)

    return call


def isolated(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, traced by `traced` where it is called in such a graph."""

    @functools.wraps(function)  # TFF reads the signature.
    def call(*arguments: Any, **named: Any) -> Any:
        arguments = inspect.signature(function).bind(*arguments, **named).args
        if tf.compat.v1.executing_eagerly_outside_functions():
            return function(*arguments)
        specs = tf.nest.map_structure(tf.type_spec_from_value, arguments)
        return traced(function, *specs)(*arguments)

    return call
