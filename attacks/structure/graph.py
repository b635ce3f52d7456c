"""The layers of a Keras model in the graph that the model runs.

`layer.input` and `layer.output` are those of the layer's first call, whichever graph that
was in: a sequential model calls its layers again whenever it is rebuilt, a layer may be
taken over from another model. What stands on both sides of a layer is asked of the graph.
"""

from collections import Counter
from typing import Any, NamedTuple

import keras


class Call(NamedTuple):
    """A layer's only call.

    Attributes:
      input: Symbolic tensor, the first one if there are several.
      output: Likewise.
    """

    input: Any
    output: Any


def graph_of(model: keras.Model) -> Any:
    """The model that holds the graph: a sequential model keeps it inside."""
    return getattr(model, "_functional", None) or model


def single_calls(model: keras.Model) -> dict[int, Call]:
    """The call of each layer that is called once, by the layer's identity.

    The gradient of a layer that is called twice is a sum over its calls.

    Args:
      model: A model; one without a graph of its layers has none.

    Returns:
      The calls.
    """
    by_depth = getattr(graph_of(model), "_nodes_by_depth", {})
    nodes = [node for level in by_depth.values() for node in level]
    times = Counter(id(node.operation) for node in nodes)
    return {
        id(node.operation): Call(node.input_tensors[0], node.output_tensors[0])
        for node in nodes
        if times[id(node.operation)] == 1 and node.input_tensors
    }
