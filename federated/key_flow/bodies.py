"""Recognises a function by its body: what it computes, whatever it is called.

The canonical form of a function has everything that decides what it computes, in the
order in which it was traced: operations, inputs, attributes, constants, the canonical
forms of the functions that it calls. It has no names. Left out are on which of the
process's own devices it is computed, and what tells how to run it if that is as usual
(`call_options.py`).
"""

import hashlib
from collections.abc import Mapping
from typing import Any

from federated.key_flow import call_options, op_kinds


def fingerprint(name: str, library: Mapping[str, Any]) -> str:
    """The SHA-256 of a function's canonical form, in hex digits.

    Args:
      name: of a function in the library.
      library: functions by name.

    Returns:
      The fingerprint. A function that is not there, or calls itself, has one of its own
      that no other function has.
    """
    return _fingerprint(name, library, ())


def _fingerprint(name: str, library: Mapping[str, Any], outer: tuple[str, ...]) -> str:
    if name not in library or name in outer:
        return f"unknown {name}"
    function, outer = library[name], (*outer, name)
    signature = function.signature
    places = {argument.name: f"in{i}" for i, argument in enumerate(signature.input_arg)}
    places |= {node.name: f"n{i}" for i, node in enumerate(function.node_def)}

    def place(reference: str) -> str:
        mark = "^" if reference.startswith("^") else ""
        node, *rest = reference.removeprefix("^").split(":")
        return ":".join([mark + places.get(node, f"unknown {node}"), *rest])

    def called(function: Any) -> str:
        # Its own attributes would choose among variants of it.
        own = attributes(function.attr)
        return _fingerprint(function.name, library, outer) + (repr(own) if own else "")

    def value(attribute: Any) -> str:
        kind = attribute.WhichOneof("value")
        if kind == "func":
            return called(attribute.func)
        if kind == "list" and attribute.list.func:
            return repr([called(one) for one in attribute.list.func])
        return attribute.SerializeToString(deterministic=True).hex()

    def attributes(of: Mapping[str, Any]) -> list[tuple[str, str]]:
        return [
            (key, value(of[key]))
            for key in sorted(of)
            if not call_options.is_usual(key, of[key])
        ]

    def inputs(node: Any) -> list[str]:
        data = [place(name) for name in node.input if not name.startswith("^")]
        return data + sorted(place(n) for n in node.input if n.startswith("^"))

    form = [
        [argument.type for argument in signature.input_arg],
        [(place(function.ret[out.name]), out.type) for out in signature.output_arg],
        sorted(place(node) for node in function.control_ret.values()),
        attributes(function.attr),
        call_options.say_nothing_of_arguments(function),
        [
            (
                _fingerprint(node.op, library, outer)
                if node.op in library
                else node.op,
                "" if op_kinds.is_local(node) else node.device,
                inputs(node),
                attributes(node.attr),
            )
            for node in function.node_def
        ],
    ]
    return hashlib.sha256(repr(form).encode()).hexdigest()
