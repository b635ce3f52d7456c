"""How long the graphs of a computation take, each by the name that its nodes are under.

A simulation evaluates one graph after the other, so the seconds of a round are those of
all parties added up: of three clients that encrypt, three times those of one.
"""

import time
from collections.abc import Callable
from typing import TypeAlias

from federated.runtime.graph_import import GraphFunction
from federated.runtime.placed_values import Value

Timer: TypeAlias = Callable[[str, float], None]
"""Is told a graph's `GraphFunction.name` and the seconds of wall-clock time it took."""


def timed(
    graph: GraphFunction,
    argument: Value | None,
    session_token: Callable[[], str],
    timer: Timer,
) -> Value:
    """Runs a graph and tells how long it took.

    A data set that a graph returns is read by the graph that takes it, in whose time it
    is. The import of a graph is in nobody's; what TensorFlow does at a graph's first run
    is in the first time.

    Args:
      graph: the graph.
      argument: of it.
      session_token: as for `GraphFunction`.
      timer: is told.

    Returns:
      The result.
    """
    began = time.perf_counter()
    result = graph(argument, session_token)
    timer(graph.name, time.perf_counter() - began)
    return result
