"""The order in which the nodes of a graph are analysed."""

from collections.abc import Mapping
from typing import Any, NamedTuple


def node_of(reference: str) -> str:
    """The node of a data or control input, e.g. of `"^loop:1"`."""
    return reference.removeprefix("^").split(":")[0]


def data_inputs(node: Any) -> list[str]:
    """The inputs of a node that are not control inputs."""
    return [name for name in node.input if not name.startswith("^")]


class Order(NamedTuple):
    """Nodes, inputs first where there are no cycles."""

    nodes: list[Any]
    has_cycles: bool


def in_order(by_name: Mapping[str, Any]) -> Order:
    """Sorts the nodes of a graph.

    Args:
      by_name: The nodes by their names.
    """
    ordered: list[Any] = []
    seen: set[str] = set()
    done: set[str] = set()
    has_cycles = False
    for start in by_name:
        stack = [(start, False)]
        while stack:
            name, inputs_done = stack.pop()
            if inputs_done:
                done.add(name)
                ordered.append(by_name[name])
            elif name not in seen and name in by_name:
                seen.add(name)
                stack.append((name, True))
                stack.extend((node_of(other), False) for other in by_name[name].input)
            # Begun and not done is on the way to itself, or waits beside it.
            elif name in seen and name not in done:
                has_cycles = True
    return Order(ordered, has_cycles)
