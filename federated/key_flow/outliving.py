"""What goes on when its graph has ended: iterators that something holds.

An iterator over a data set that prefetches has threads, which run the data set's functions
beside later graphs and whatever these keep secret. One whose handle counts ends with the
last that holds it. State holds none (`op_kinds.keeps_handles`).
"""

from collections.abc import Iterator
from typing import Any

import tensorflow as tf
import tensorflow_federated as tff

from federated.key_flow import op_kinds
from federated.runtime.placed_values import leaf_types

_ITERATORS = frozenset({"AnonymousIteratorV3"})
"""The known ones: with a handle that counts."""

_READ_AT_ONCE = frozenset({"DatasetToSingleElement", "ReduceDataset"})
"""What reads a data set and ends with that: it keeps nothing."""

_KEEP = (op_kinds.DATASETS | op_kinds.STATEFUL_DATASETS) - _READ_AT_ONCE


def holders(graph_def: tf.compat.v1.GraphDef, result: tff.Type) -> list[str]:
    """What may hold an iterator that a graph makes, in words.

    Args:
      graph_def: The graph.
      result: The type of what it gives out.

    Returns:
      Data sets that keep a handle, maybe of the iterator over them, and sequences that the
      graph gives out, which may be such; none if it makes no iterator.
    """
    nodes = [*_nodes(graph_def)]
    if not any(node.op in _ITERATORS for node in nodes):
        return []
    sequences = [one for one in leaf_types(result) if isinstance(one, tff.SequenceType)]
    return [
        *(
            f"the node `{node.name}`"
            for node in nodes
            if node.op in _KEEP and op_kinds.keeps_handles(node)
        ),
        *("a sequence that the graph gives out" for _ in sequences),
    ]


def _nodes(graph_def: tf.compat.v1.GraphDef) -> Iterator[Any]:
    """All nodes, of the library's functions too."""
    yield from graph_def.node
    for function in graph_def.library.function:
        yield from function.node_def
