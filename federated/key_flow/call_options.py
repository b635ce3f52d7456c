"""How a function is called: what an operation's attributes tell the executor of TensorFlow.

They may ask for optimisers that change what is computed: one takes out all assertions.
"""

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


def are_usual(node: Any) -> bool:
    """Whether an operation asks for nothing in particular."""
    return all(
        is_usual(name, node.attr[name]) for name in _OPTIONS if name in node.attr
    )


def is_usual(name: str, attribute: Any) -> bool:
    """Whether an attribute is such an option and asks for nothing in particular."""
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
