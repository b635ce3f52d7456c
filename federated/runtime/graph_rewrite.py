"""Pure rewrites of a GraphDef that let graphs of many origins share one process.

TFF graphs were made to run each in a session of its own. In one process their library
functions would collide by name, and so would their variables and lookup tables, which
TensorFlow finds by `shared_name`. These functions change names and nothing else that a
graph computes. None of them modifies its argument.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import tensorflow as tf

# A VarHandleOp of this name makes a new variable each time it is executed.
ANONYMOUS_NAME = b"cd2c89b7-88b7-44c8-ad83-06c2a9158347"

# Ops that look a resource up by name, and their twins that make a new one each time.
_ANONYMOUS_TWINS: Mapping[str, str] = {
    "HashTableV2": "AnonymousHashTable",
    "MutableHashTableV2": "AnonymousMutableHashTable",
    "MutableHashTableOfTensorsV2": "AnonymousMutableHashTableOfTensors",
    "MutableDenseHashTableV2": "AnonymousMutableDenseHashTable",
}
_NAMING_ATTRIBUTES = ("container", "shared_name", "use_node_name_sharing")

_COMPILED = "_XlaMustCompile"

# Attributes that name a library function in a plain string.
_FUNCTION_NAME_ATTRIBUTES = ("forward_function_name", "backward_function_name")


def rename_functions(
    graph_def: tf.compat.v1.GraphDef, prefix: str
) -> tf.compat.v1.GraphDef:
    """Renames every library function, and its uses, to a name of this graph alone.

    It is `prefix` and the old name. What XLA is to compile is named by what it is instead:
    compiled programs are kept by name, and so one serves all graphs of the process.

    Uses are node ops, function attributes (alone, in lists, and nested in the
    attributes of a function attribute), the attributes that pair a forward with a
    backward function, and gradient definitions.

    Args:
      graph_def: the graph.
      prefix: unique among the graphs of the process.

    Returns:
      A renamed copy.
    """
    renamed = tf.compat.v1.GraphDef()
    renamed.CopyFrom(graph_def)
    names = {
        function.signature.name: prefix + function.signature.name
        for function in renamed.library.function
    } | _names_by_content(graph_def)
    for node in _all_nodes(renamed):
        node.op = names.get(node.op, node.op)
        _rename_in_attributes(node.attr, names)
    for function in renamed.library.function:
        function.signature.name = names[function.signature.name]
        _rename_in_attributes(function.attr, names)
    for gradient in renamed.library.gradient:
        gradient.function_name = names.get(
            gradient.function_name, gradient.function_name
        )
        gradient.gradient_func = names.get(
            gradient.gradient_func, gradient.gradient_func
        )
    return renamed


def isolate_resources(
    graph_def: tf.compat.v1.GraphDef, prefix: str
) -> tuple[tf.compat.v1.GraphDef, frozenset[str]]:
    """Gives each execution of the graph variables and tables of its own.

    Variables and lookup tables at the top level become anonymous. A resource that is
    also named inside a library function must keep a name; it gets `prefix`, and so do
    the remaining kinds of named resources (queues, iterators): those are separate per
    graph but keep their state from call to call.

    Args:
      graph_def: the graph.
      prefix: unique among the graphs of the process.

    Returns:
      The rewritten copy, and the names of the nodes that make anonymous resources.
    """
    isolated = tf.compat.v1.GraphDef()
    isolated.CopyFrom(graph_def)
    shared = [node.attr["shared_name"].s for node in isolated.node if _named(node)]
    in_functions = {
        node.attr["shared_name"].s
        for function in isolated.library.function
        for node in function.node_def
        if _named(node)
    }
    anonymous = set()
    for node in isolated.node:
        if "shared_name" not in node.attr:
            continue
        name = node.attr["shared_name"].s
        alone = name not in in_functions and shared.count(name) <= 1
        if alone and node.op == "VarHandleOp":
            node.attr["shared_name"].s = ANONYMOUS_NAME
            anonymous.add(node.name)
        elif alone and node.op in _ANONYMOUS_TWINS:
            node.op = _ANONYMOUS_TWINS[node.op]
            for attribute in _NAMING_ATTRIBUTES:
                node.attr.pop(attribute, None)
            anonymous.add(node.name)
        else:
            _prefix_shared_name(node, prefix)
    for function in isolated.library.function:
        for node in function.node_def:
            if "shared_name" in node.attr:
                _prefix_shared_name(node, prefix)
    return isolated, frozenset(anonymous)


def subgraph(
    graph_def: tf.compat.v1.GraphDef, targets: Iterable[str], stops: Iterable[str]
) -> tf.compat.v1.GraphDef:
    """The part of a graph that `targets` need, without the nodes in `stops`.

    A session runs only what a fetch needs. A function runs every stateful node it
    holds, hence what a fetch does not need has to go (an initialiser would reset the
    variables again). The stops are fed from outside.

    Args:
      graph_def: the graph.
      targets: names of nodes, or of tensors (`"node:0"`).
      stops: names of nodes at which the search ends.

    Returns:
      A graph of the needed nodes in their original order, with the whole library.

    Raises:
      ValueError: if a target is not in the graph.
    """
    nodes = {node.name: node for node in graph_def.node}
    stopped = frozenset(stops)
    needed: set[str] = set()
    pending = [node_name(target) for target in targets]
    while pending:
        name = pending.pop()
        if name in needed or name in stopped:
            continue
        if name not in nodes:
            raise ValueError(
                f"Expected the graph to hold the node `{name}` that it is asked for; "
                "found no such node. The computation is damaged; build it again."
            )
        needed.add(name)
        pending.extend(node_name(name) for name in nodes[name].input)
    pruned = tf.compat.v1.GraphDef()
    pruned.versions.CopyFrom(graph_def.versions)
    pruned.library.CopyFrom(graph_def.library)
    for node in graph_def.node:
        if node.name in needed:
            kept = pruned.node.add()
            kept.CopyFrom(node)
            inputs = [
                name
                for name in node.input
                if not (name.startswith("^") and node_name(name) in stopped)
            ]
            del kept.input[:]
            kept.input.extend(inputs)
            # Colocation with a node that is not there fails the import.
            _drop_colocation(kept, needed)
    return pruned


def node_name(tensor_name: str) -> str:
    """The node of a tensor or control input: `"^a/b"` and `"a/b:1"` give `"a/b"`."""
    return tensor_name.removeprefix("^").split(":", 1)[0]


def full_tensor_name(name: str) -> str:
    """A tensor's name with its output index: `"a"` gives `"a:0"`."""
    return name if ":" in name else f"{name}:0"


def inputs_of(graph_def: tf.compat.v1.GraphDef) -> frozenset[str]:
    """The full names of all tensors that some top-level node takes as an input."""
    return frozenset(
        full_tensor_name(name)
        for node in graph_def.node
        for name in node.input
        if not name.startswith("^")
    )


def _all_nodes(graph_def: tf.compat.v1.GraphDef) -> Iterator[tf.compat.v1.NodeDef]:
    yield from graph_def.node
    for function in graph_def.library.function:
        yield from function.node_def


def _names_by_content(graph_def: tf.compat.v1.GraphDef) -> dict[str, str]:
    """New names for what XLA compiles and what it calls, if it touches no resources.

    A name has a digest of the function and of all that it calls, so that functions of one
    name, from whatever graphs, are the same.
    """
    library = {one.signature.name: one for one in graph_def.library.function}
    calls = {
        name: {called for called in _functions_named_in(function) if called in library}
        for name, function in library.items()
    }

    def reachable(name: str) -> set[str]:
        found, pending = set(), [name]
        while pending:
            one = pending.pop()
            if one not in found:
                found.add(one)
                pending.extend(calls[one])
        return found

    names: dict[str, str] = {}
    for root, function in library.items():
        # Asking a map of a message for what it has not would put it there.
        if _COMPILED not in function.attr or not function.attr[_COMPILED].b:
            continue
        parts = reachable(root)
        if any("shared_name" in n.attr for p in parts for n in library[p].node_def):
            continue
        for part in parts - names.keys():
            digest = hashlib.sha256()
            for name in sorted(reachable(part)):
                text = library[name].SerializeToString(deterministic=True)
                digest.update(len(text).to_bytes(8, "little") + text)
            names[part] = f"xla_{digest.hexdigest()}_{part}"
    return names


def _functions_named_in(function: Any) -> Iterator[str]:
    """Names of functions that a function may call, some of which may be operations."""
    for node in function.node_def:
        yield node.op
        for attribute in node.attr.values():
            if attribute.WhichOneof("value") == "func":
                yield attribute.func.name
            yield from (one.name for one in attribute.list.func)


def _rename_in_attributes(
    attributes: Mapping[str, tf.compat.v1.AttrValue], names: Mapping[str, str]
) -> None:
    for key, attribute in attributes.items():
        kind = attribute.WhichOneof("value")
        if kind == "func":
            _rename_function_attribute(attribute.func, names)
        elif kind == "list":
            for function in attribute.list.func:
                _rename_function_attribute(function, names)
        elif kind == "s" and key in _FUNCTION_NAME_ATTRIBUTES:
            name = attribute.s.decode()
            attribute.s = names.get(name, name).encode()


def _rename_function_attribute(
    function: tf.compat.v1.NameAttrList, names: Mapping[str, str]
) -> None:
    function.name = names.get(function.name, function.name)
    _rename_in_attributes(function.attr, names)


def _named(node: tf.compat.v1.NodeDef) -> bool:
    return "shared_name" in node.attr and bool(node.attr["shared_name"].s)


def _prefix_shared_name(node: tf.compat.v1.NodeDef, prefix: str) -> None:
    name = node.attr["shared_name"].s or node.name.encode()
    if name != ANONYMOUS_NAME:
        node.attr["shared_name"].s = prefix.encode() + name


def _drop_colocation(node: tf.compat.v1.NodeDef, present: set[str]) -> None:
    if "_class" not in node.attr:
        return
    kept = [
        name
        for name in node.attr["_class"].list.s
        if not name.startswith(b"loc:@")
        or name.removeprefix(b"loc:@").decode() in present
    ]
    if kept:
        node.attr["_class"].list.s[:] = kept
    else:
        del node.attr["_class"]
