"""Operations that read behind an argument which is shorter than they take it to be.

What they give out is then computed from memory of somebody else, a key's octets, say.
Operations that do this are on no list (`pure_ops.py`), except those that ordinary models
need: stateless random ones take two words of a counter for granted. They count as pure
where key and counter come from the operation that makes them of a seed, and are unknown
elsewhere.
"""

from collections.abc import Collection, Mapping
from typing import Any

from tensorflow.python.framework import op_def_registry

from federated.key_flow import op_kinds
from federated.key_flow.graph_order import data_inputs, node_of
from federated.key_flow.pure_ops import PURE_OPS

_MAKERS = frozenset({"StatelessRandomGetKeyCounter", "StatelessRandomGetKeyCounterAlg"})
_MADE = ("key", "counter")


def reads_within(
    node: Any, by_name: Mapping[str, Any], others: Collection[str]
) -> bool:
    """Whether a node has all of the arguments that it reads, as far as that is known.

    Args:
      node: of any operation.
      by_name: the nodes of its body.
      others: names of parameters and functions, which are not what these nodes say.
    """
    definition = op_def_registry.get(node.op)
    if definition is None or node.op not in PURE_OPS or node.op in others:
        return True
    arguments = [one.name for one in definition.input_arg]
    if not set(_MADE) <= set(arguments):
        return True
    inputs = data_inputs(node)
    return all(
        _made(inputs[arguments.index(name)], name, by_name, others) for name in _MADE
    )


def _made(
    reference: str, name: str, by_name: Mapping[str, Any], others: Collection[str]
) -> bool:
    maker = by_name.get(node_of(reference))
    if maker is None or maker.name in others or maker.op in others:
        return False
    _, *rest = reference.split(":")
    # "made:1" in a graph, "made:counter:0" in a function's body.
    place = rest[0] if rest else "0"
    return (
        maker.op in _MAKERS
        and op_kinds.runs_as_written(maker)
        and place in (name, str(_MADE.index(name)))
    )
