"""What a TensorFlow computation must look like to run as the analysis reads it.

TFF's decorators and TensorFlow's tracing make nothing else. A computation that somebody
edited by hand may: a parameter that is fed into the middle of a graph, a function with the
name of an operation, an attribute that the caller fills in. The analysis would read it in
one way and TensorFlow run it in another, so it is refused.
"""

from collections.abc import Iterator
from typing import Any

import tensorflow as tf
import tensorflow_federated as tff
from tensorflow.python.framework import op_def_registry

from federated.runtime.placed_values import leaf_types


def check(message: Any, graph_def: Any, parameter: tff.Type | None = None) -> None:
    """Checks one TensorFlow computation.

    Args:
      message: its `TensorFlow` proto.
      graph_def: its graph.
      parameter: the type of its parameter.

    Raises:
      NotImplementedError: with what it has that may mean two things.
    """
    problems = [*_bindings(message, graph_def)]
    if not problems and parameter is not None:
        problems += _claims(message, graph_def, parameter)
    for problem in (*problems, *_functions(graph_def)):
        raise NotImplementedError(
            f"The analysis reads a graph as TensorFlow's tracing makes it; found {problem}."
            " Build the computation by TFF's own decorators."
        )


def _bindings(message: Any, graph_def: Any) -> Iterator[str]:
    """Parameters are different placeholders, and each feeds what it says."""
    nodes = {node.name: node for node in graph_def.node}
    if len(nodes) != len(graph_def.node):
        yield "two nodes of one name"
    fed = [*_tensors(message.parameter)]
    if message.session_token_tensor_name:
        fed.append(message.session_token_tensor_name)
    seen = set()
    for tensor in fed:
        name, _, index = tensor.partition(":")
        node = nodes.get(name)
        if node is None or node.op != "Placeholder" or index not in ("", "0"):
            yield f"a parameter that is fed into {tensor!r}, which is no placeholder"
        elif name in seen:
            yield f"two parameters that are fed into {tensor!r}"
        seen.add(name)


def _claims(message: Any, graph_def: Any, parameter: tff.Type) -> Iterator[str]:
    """A placeholder says no more of its shape than its type, which is compared when run."""
    nodes = {node.name: node for node in graph_def.node}
    fed = zip(_tensors(message.parameter), leaf_types(parameter), strict=True)
    for tensor, leaf in fed:
        node = nodes[tensor.partition(":")[0]]
        if not isinstance(leaf, tff.TensorType) or "shape" not in node.attr:
            continue
        said, declared = tf.TensorShape(node.attr["shape"].shape), leaf.shape
        if not _says_at_most(said, tf.TensorShape(declared)):
            yield f"a parameter of the type {leaf} whose placeholder claims {said}"


def _says_at_most(said: tf.TensorShape, declared: tf.TensorShape) -> bool:
    """Whether all that a shape says is said by the other."""
    if said.rank is None:
        return True
    if declared.rank != said.rank:
        return False
    pairs = zip(said.as_list(), declared.as_list(), strict=True)
    return all(one is None or one == other for one, other in pairs)


def _tensors(binding: Any) -> Iterator[str]:
    """The names of the tensors of a binding."""
    match binding.WhichOneof("binding"):
        case "tensor":
            yield binding.tensor.tensor_name
        case "sequence":
            yield binding.sequence.variant_tensor_name
        case "struct":
            for element in binding.struct.element:
                yield from _tensors(element)


def _functions(graph_def: Any) -> Iterator[str]:
    """Functions have names and shapes of their own, and nothing is left to callers."""
    library = graph_def.library
    if library.gradient:
        yield "a gradient function by name"
    names = set()
    for function in library.function:
        signature = function.signature
        if signature.name in names:
            yield f"two functions of the name {signature.name!r}"
        if op_def_registry.get(signature.name) is not None:
            yield f"a function with the name of the operation {signature.name!r}"
        names.add(signature.name)
        arguments = (*signature.input_arg, *signature.output_arg)
        if signature.attr or any(
            one.number_attr or one.type_attr or one.type_list_attr for one in arguments
        ):
            yield f"the function {signature.name!r} of no fixed arguments"
    for owner in (graph_def.node, *(one.node_def for one in library.function)):
        for node in owner:
            if any(value.placeholder for value in node.attr.values()):
                yield f"an attribute of the node {node.name!r} that a caller fills in"
