"""Outputs that a pure operation may leave unwritten, and what may still read them.

Such an output is whatever stood in that memory before, a key's octets, say. Operations
that do this are on no list (`pure_ops.py`), except those that ordinary models need: here
are theirs. They count as KEY, as what the unknown gives out does.

Models that are trained need one of them: the batch norm's backward pass reads what the
forward pass reserved, and that was written if both were told to train, of the same tensor.
"""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from tensorflow.python.framework import op_def_registry

from federated.key_flow import op_kinds
from federated.key_flow.graph_order import data_inputs, node_of
from federated.key_flow.labels import Label, Labels


class _Unwritten(NamedTuple):
    """Names of output arguments, and the attribute that, if true, has them written."""

    outputs: tuple[str, ...]
    unless: str = ""


_TABLE: Mapping[str, _Unwritten] = {
    "FusedBatchNormV2": _Unwritten(("reserve_space_1", "reserve_space_2")),
    "FusedBatchNormV3": _Unwritten(
        ("reserve_space_1", "reserve_space_2", "reserve_space_3")
    ),
    "SelfAdjointEigV2": _Unwritten(("v",), unless="compute_v"),
}

_BACKWARD = {
    "FusedBatchNormGradV2": "FusedBatchNormV2",
    "FusedBatchNormGradV3": "FusedBatchNormV3",
}
_X_OF_BACKWARD, _RESERVED = 1, slice(3, 6)


def outputs_of(node: Any) -> tuple[str, ...]:
    """The names of the outputs that a node may leave unwritten."""
    found = _TABLE.get(node.op)
    if found is None or (found.unless and _is_true(node, found.unless)):
        return ()
    return found.outputs


def with_key(node: Any, outputs: tuple[Labels, ...]) -> tuple[Labels, ...]:
    """The labels of a node's outputs, with KEY where nothing may have been written.

    Args:
      node: of any operation.
      outputs: a label set for all outputs, or one for each.
    """
    names = outputs_of(node)
    if not names or len(outputs) != 1:
        return outputs
    (labels,) = outputs
    return tuple(
        labels | {Label.KEY, Label.SIZE} if argument.name in names else labels
        for argument in op_def_registry.get(node.op).output_arg
    )


def place_of(node: Any, name: str) -> int | None:
    """The place of an output argument among the label sets that `with_key` gives."""
    if not outputs_of(node):
        return None
    return [one.name for one in op_def_registry.get(node.op).output_arg].index(name)


def read_instead(
    node: Any, by_name: Mapping[str, Any], others: Collection[str]
) -> list[str]:
    """The tensors whose labels a node's inputs have.

    Args:
      node: of any operation.
      by_name: the nodes of its body.
      others: names of parameters and functions, which are not what these nodes say.

    Returns:
      The node's data inputs, with x in the place of what a batch norm of the same x
      reserved for this node.
    """
    inputs = data_inputs(node)
    if node.op not in _BACKWARD or not _trains(node, others):
        return inputs
    x = inputs[_X_OF_BACKWARD]
    for place, name in list(enumerate(inputs))[_RESERVED]:
        forward = by_name.get(node_of(name))
        if (
            forward is not None
            and forward.op == _BACKWARD[node.op]
            and _trains(forward, others)
            and _is_reserved(forward, name)
            and _tensor(data_inputs(forward)[0]) == _tensor(x)
        ):
            inputs[place] = x
    return inputs


def _trains(node: Any, others: Collection[str]) -> bool:
    """Whether a batch norm's pass is what it seems to be, and one of training."""
    return (
        _is_true(node, "is_training")
        and op_kinds.runs_as_written(node)
        and not {node.name, node.op} & set(others)
    )


def _is_reserved(forward: Any, reference: str) -> bool:
    """Whether a reference, of a graph or of a function's body, is to such an output."""
    arguments = [one.name for one in op_def_registry.get(forward.op).output_arg]
    _, *rest = reference.split(":")
    in_body = bool(rest) and not rest[0].isdigit()
    name = rest[0] if in_body else arguments[int(rest[0]) if rest else 0]
    return name in outputs_of(forward)


def _tensor(reference: str) -> str:
    return reference if ":" in reference else f"{reference}:0"


def _is_true(node: Any, attribute: str) -> bool:
    """Whether an attribute is true, by itself or because it is so by default."""
    if attribute in node.attr:
        return bool(node.attr[attribute].b)
    defaults = {
        one.name: one.default_value.b for one in op_def_registry.get(node.op).attr
    }
    return defaults[attribute]
