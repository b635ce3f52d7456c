"""How an operation is run: what its attributes tell the executor of TensorFlow.

They may ask for optimisers that change what is computed: one takes out all assertions.
Those that begin with an underscore belong to no operation, and TensorFlow does not check
them: one has a result written over an input that others still read.
"""

from collections.abc import Mapping
from typing import Any

from google.protobuf import message
from tensorflow.core.protobuf import config_pb2, rewriter_config_pb2

_OPTIONS = frozenset({"config", "config_proto", "executor_type"})

# What says where, and by how many threads, and is there by default.
_HARMLESS = (
    "allow_soft_placement",
    "device_count",
    "gpu_options",
    "inter_op_parallelism_threads",
    "intra_op_parallelism_threads",
    "pluggable_device_options",
)

# Optimisers that keep what is computed, assertions included.
_SOUND = frozenset(
    (
        "arithmetic_optimization common_subgraph_elimination constant_folding "
        "dependency_optimization disable_meta_optimizer function_optimization "
        "implementation_selector layout_optimizer loop_optimization min_graph_nodes "
        "pin_to_host_optimization remapping scoped_allocator_optimization "
        "shape_optimization"
    ).split()
)

_HINTS = frozenset(
    (
        "_class _collective_manager_ids _construction_context _gradient_op_type "
        "_has_manual_control_dependencies _lower_using_switch_merge "
        "_noinline _num_original_outputs _read_only_resource_inputs _tf_data_function"
    ).split()
)
"""What TensorFlow itself writes, and what computes the same without them."""

_ARGUMENT_HINTS = frozenset({"_output_shapes", "_user_specified_name"})
"""Of a function's arguments. A shape that is not theirs is found out when it is run."""

_COMPILED = "_XlaMustCompile"
"""What is compiled depends on the same inputs, but fails nowhere: XLA leaves assertions out
and takes the nearest index there is. So no function of a cipher counts as one there."""


def are_usual(node: Any) -> bool:
    """Whether an operation asks for nothing in particular."""
    functions = [node.attr[name].func for name in node.attr]
    functions += [one for name in node.attr for one in node.attr[name].list.func]
    return are_hints(node.attr) and all(are_hints(one.attr) for one in functions)


def is_compiled(owner: Any) -> bool:
    """Whether a node, or what it calls, or a function is to be compiled by XLA."""
    functions = [owner.attr[name].func for name in owner.attr]
    functions += [one for name in owner.attr for one in owner.attr[name].list.func]
    return any(
        name == _COMPILED and (value.b or value.WhichOneof("value") != "b")
        for one in (owner, *functions)
        for name, value in one.attr.items()
    )


def say_nothing_of_arguments(function: Any) -> bool:
    """Whether a function's attributes of its arguments ask for nothing in particular."""
    return all(
        name in _HINTS | _ARGUMENT_HINTS
        for argument in function.arg_attr.values()
        for name in argument.attr
    )


def are_hints(attributes: Mapping[str, Any]) -> bool:
    """Whether those that no operation has ask for nothing in particular."""
    return all(
        is_usual(name, attributes[name])
        for name in attributes
        if name in _OPTIONS or (name.startswith("_") and name != _COMPILED)
    )


def is_usual(name: str, attribute: Any) -> bool:
    """Whether an attribute is an option or a hint that asks for nothing in particular."""
    if name in _HINTS:
        return True
    if name not in _OPTIONS or attribute.WhichOneof("value") not in (None, "s"):
        return False
    return not attribute.s or (name == "config_proto" and _is_default(attribute.s))


def _is_default(text: bytes) -> bool:
    try:
        config = config_pb2.ConfigProto.FromString(text)
    except message.DecodeError:
        return False
    for name in _HARMLESS:
        config.ClearField(name)
    graph = config.graph_options
    _forget_sound(graph.rewrite_options)
    if graph.optimizer_options.global_jit_level <= 0:
        graph.optimizer_options.ClearField("global_jit_level")
    _forget_empty(graph, "rewrite_options", "optimizer_options")
    _forget_empty(config, "graph_options", "experimental")
    return not config.ByteSize()


def _forget_sound(rewriting: Any) -> None:
    """Leaves what is switched on and may change what is computed."""
    for field, value in rewriting.ListFields():
        toggle = field.enum_type is not None and field.enum_type.name == "Toggle"
        off = toggle and value == rewriter_config_pb2.RewriterConfig.OFF
        if off or field.name in _SOUND:
            rewriting.ClearField(field.name)


def _forget_empty(parent: Any, *names: str) -> None:
    for name in names:
        if not getattr(parent, name).ByteSize():
            parent.ClearField(name)
