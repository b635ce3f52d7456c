"""Imports the TensorFlow graph of a TFF computation as a reusable eager function.

    proto (GraphDef, bindings, initializer)
        -> names made unique, resources anonymous          (`graph_rewrite.py`)
        -> one function: initializer, then what the results need
        -> GraphFunction: value in, value out, any number of times

Each call starts from freshly initialised variables and tables, as a session would. The
function runs in this process, so a graph may hold any op that the process has
registered, custom ones included. No device is fixed: TensorFlow places the nodes.
"""

import collections
import dataclasses
import functools
import itertools
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf
import tensorflow_federated as tff

from federated.runtime import graph_rewrite
from federated.runtime.placed_values import UnsupportedBlockError, Value, element_types
from federated.runtime.sequences import DatasetSequence


@dataclasses.dataclass(frozen=True)
class GraphFunction:
    """A TensorFlow graph, ready to be called.

    Attributes:
      call: from flat input tensors to a list of output tensors.
      flatten: from the argument's value to flat input tensors.
      unflatten: from an iterator over output tensors to the result's value.
      takes_token: whether the last input is the session token (a scalar string).
      name: the name scope that most of its nodes are in, which may be an operation of
        TensorFlow with constants of its own; empty if they are in none.
    """

    call: Callable[..., Any]
    flatten: Callable[[Value], list[tf.Tensor]]
    unflatten: Callable[[Iterator[tf.Tensor]], Value]
    takes_token: bool
    name: str

    def __call__(self, argument: Value | None, session_token: Callable[[], str]) -> Any:
        """Runs the graph once with fresh state.

        Args:
          argument: value of the parameter type, None if there is no parameter.
          session_token: gives a string that no other run has; asked for only by
            graphs that read it.

        Returns:
          The value of the result type.
        """
        inputs = self.flatten(argument)
        if self.takes_token:
            inputs.append(tf.constant(session_token()))
        return self.unflatten(iter(self.call(*inputs)))


def import_graph(proto: Any, type_signature: tff.FunctionType) -> GraphFunction:
    """Imports a TensorFlow computation.

    Args:
      proto: a TFF `Computation` message of the `tensorflow` kind.
      type_signature: the type of the computation.

    Returns:
      The function; it holds the imported graph for as long as it lives.

    Raises:
      UnsupportedBlockError: if a result or parameter is bound in a way that only old
        versions of TFF wrote.
      ValueError: if the graph lacks a node that its bindings name.
    """
    message = proto.tensorflow
    graph_def = tf.compat.v1.GraphDef()
    graph_def.ParseFromString(message.graph_def.value)
    prefix = f"tff_{uuid.uuid4().hex}_"
    name = _name_of(graph_def)
    graph_def = graph_rewrite.rename_functions(graph_def, prefix)
    graph_def, resources = graph_rewrite.isolate_resources(graph_def, prefix)

    feeds = list(_tensor_names(message.parameter, type_signature.parameter))
    fetches = list(_tensor_names(message.result, type_signature.result))
    token = message.session_token_tensor_name
    plan = _Plan(graph_def, feeds, fetches, token, message.initialize_op, resources)
    takes_token = bool(token) and plan.reads_token()
    return GraphFunction(
        call=_build(plan, takes_token) if fetches else _no_tensors,
        flatten=_flattener(type_signature.parameter),
        unflatten=_unflattener(type_signature.result),
        takes_token=takes_token and bool(fetches),
        name=name,
    )


def _name_of(graph_def: tf.compat.v1.GraphDef) -> str:
    """The outermost name scope of most nodes that are in one."""
    scopes = collections.Counter(
        scope
        for scope, separator, _ in (node.name.partition("/") for node in graph_def.node)
        if separator
    )
    return next((name for name, _ in scopes.most_common(1)), "")


@dataclasses.dataclass(frozen=True)
class _Plan:
    """What to import, in full tensor names (`token` and `initializer` may be empty)."""

    graph_def: tf.compat.v1.GraphDef
    feeds: list[str]
    fetches: list[str]
    token: str
    initializer: str
    resources: frozenset[str]

    def fed_nodes(self) -> set[str]:
        fed = {graph_rewrite.node_name(name) for name in self.feeds}
        return fed | ({graph_rewrite.node_name(self.token)} if self.token else set())

    @functools.cached_property
    def initial_graph(self) -> tf.compat.v1.GraphDef:
        """The part that the initializer needs, resource nodes included."""
        return graph_rewrite.subgraph(
            self.graph_def, [self.initializer], self.fed_nodes()
        )

    def initialized_resources(self) -> list[str]:
        """Nodes whose resources the initializer touches, in the graph's order."""
        if not self.initializer:
            return []
        return [n.name for n in self.initial_graph.node if n.name in self.resources]

    @functools.cached_property
    def main_graph(self) -> tf.compat.v1.GraphDef:
        """The part that the fetches need, without what is fed or initialised."""
        stops = self.fed_nodes() | set(self.initialized_resources())
        targets = [f for f in self.fetches if graph_rewrite.node_name(f) not in stops]
        return graph_rewrite.subgraph(self.graph_def, targets, stops)

    def reads_token(self) -> bool:
        name = graph_rewrite.full_tensor_name(self.token)
        graphs = [self.main_graph]
        if self.initializer:
            graphs.append(self.initial_graph)
        read = any(name in graph_rewrite.inputs_of(graph) for graph in graphs)
        return read or name in self.fetches


def _build(plan: _Plan, takes_token: bool) -> Callable[..., Any]:
    """Wraps the two parts of a plan as one function of flat tensors."""
    fed_names = plan.feeds + (
        [graph_rewrite.full_tensor_name(plan.token)] if takes_token else []
    )
    nodes = {node.name: node for node in plan.graph_def.node}
    signature = [_spec(nodes[graph_rewrite.node_name(name)]) for name in fed_names]
    # TensorFlow keeps `body` for as long as the function, but traces it once. The
    # graphs, with all their constants, must not live on in its closure.
    plans = [plan]
    del plan, nodes

    def body(*inputs: tf.Tensor) -> list[tf.Tensor]:
        plan = plans.pop()
        feeds = dict(zip(fed_names, inputs, strict=True))
        if plan.initializer:
            handles = plan.initialized_resources()
            done, *made = _import(
                plan.initial_graph,
                feeds,
                [plan.initializer] + [f"{name}:0" for name in handles],
            )
            # Whatever uses a resource depends on its initialisation through this.
            with tf.control_dependencies([done]):
                feeds |= {
                    f"{name}:0": tf.identity(handle)
                    for name, handle in zip(handles, made, strict=True)
                }
        fetched = [name for name in plan.fetches if name not in feeds]
        results = dict(
            zip(fetched, _import(plan.main_graph, feeds, fetched), strict=True)
        )
        return [
            results[name] if name in results else tf.identity(feeds[name])
            for name in plan.fetches
        ]

    return tf.compat.v1.wrap_function(body, signature, name="tff_graph")


def _import(
    graph_def: tf.compat.v1.GraphDef, feeds: dict[str, tf.Tensor], outputs: list[str]
) -> list[Any]:
    """Imports a graph into the function being built; returns ops and tensors."""
    if not outputs:
        return []
    used = graph_rewrite.inputs_of(graph_def)
    return tf.graph_util.import_graph_def(
        graph_def,
        input_map={name: tensor for name, tensor in feeds.items() if name in used},
        return_elements=outputs,
        name="",
    )


def _spec(node: tf.compat.v1.NodeDef) -> tf.TensorSpec:
    shape = tf.TensorShape(node.attr["shape"].shape if "shape" in node.attr else None)
    return tf.TensorSpec(shape, tf.dtypes.as_dtype(node.attr["dtype"].type))


def _no_tensors(*_: tf.Tensor) -> tuple[()]:
    # A result of empty structs only: there is nothing to fetch, so nothing runs.
    return ()


def _tensor_names(binding: Any, type_spec: tff.Type | None) -> Iterator[str]:
    """The full tensor names of a binding, in the order of the type's leaves."""
    if type_spec is None:
        return
    kind = binding.WhichOneof("binding")
    if kind == "tensor":
        yield graph_rewrite.full_tensor_name(binding.tensor.tensor_name)
    elif kind == "struct" or isinstance(type_spec, tff.StructType):
        elements = zip(binding.struct.element, element_types(type_spec), strict=True)
        yield from itertools.chain.from_iterable(
            _tensor_names(element, member) for element, (_, member) in elements
        )
    elif kind == "sequence" and binding.sequence.variant_tensor_name:
        yield graph_rewrite.full_tensor_name(binding.sequence.variant_tensor_name)
    else:
        raise UnsupportedBlockError(
            "Expected each part of a TensorFlow computation to be bound to a tensor, "
            f"a struct or a data set's variant; found {kind!r} for the type "
            f"{type_spec}. Build the computation with TFF 0.87."
        )


def _flattener(
    type_spec: tff.Type | None,
) -> Callable[[Value], list[tf.Tensor]]:
    """From a value of the type to its flat tensors."""
    if type_spec is None:
        return lambda value: []
    if isinstance(type_spec, tff.StructType):
        parts = [_flattener(member) for _, member in element_types(type_spec)]
        return lambda value: [
            tensor
            for part, member in zip(parts, value, strict=True)
            for tensor in part(member)
        ]
    if isinstance(type_spec, tff.SequenceType):
        return lambda value: [value.variant()]
    checked = _checker(type_spec, "argument")
    return lambda value: [checked(value)]


def _unflattener(type_spec: tff.Type) -> Callable[[Iterator[tf.Tensor]], Value]:
    """From flat tensors to a value of the type."""
    if isinstance(type_spec, tff.StructType):
        parts = [_unflattener(member) for _, member in element_types(type_spec)]
        return lambda tensors: tuple(part(tensors) for part in parts)
    if isinstance(type_spec, tff.SequenceType):
        return lambda tensors: DatasetSequence(next(tensors), type_spec.element)
    checked = _checker(type_spec, "result")
    return lambda tensors: checked(next(tensors))


def _checker(type_spec: tff.TensorType, what: str) -> Callable[[tf.Tensor], tf.Tensor]:
    """Gives a tensor on if its shape is what its type says.

    A graph can claim a shape that its tensor does not have. TensorFlow believes claims: it
    computes `tf.size` when it optimises a graph, and not from the tensor.
    """
    declared = tf.TensorShape(type_spec.shape)

    def checked(value: tf.Tensor) -> tf.Tensor:
        if not declared.is_compatible_with(value.shape):
            raise TypeError(
                f"Expected the {what} of a TensorFlow computation to be of the TFF type "
                f"{type_spec}, as the computation says; found the shape {value.shape}. "
                "Correct whatever claims a shape there: `set_shape`, or a placeholder "
                "with a default."
            )
        return value

    return checked
