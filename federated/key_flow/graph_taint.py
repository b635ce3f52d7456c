"""Follows secret keys through the operations of one TensorFlow graph.

A *may* analysis: a tensor has a label if, on some path, what the label names can have
gone into it. Nothing is executed.

Operation | output
--- | ---
reads a file, runs Python, generates a key, or is unknown | KEY
holds the key file's path as a constant | KEY
calls the function that reads what is public in a key file | nothing
encrypts, with KEY at its key input | CIPHERTEXT alone
decrypts, with KEY at its key input | DECRYPTED if the ciphertext came out of a server's
aggregation in which ciphertexts were added, and is no client's own; else OPENED_OWN
calls the function that adds ciphertexts | labels of the inputs, and ADDED
`If`, `Case`, `While`, calls | those of the bodies, output by output, and the condition
touches variables, tables, queues, ... | labels of all inputs; whatever goes into one of
them may come out of any
anything else | labels of all inputs, at every output

A control edge only orders operations, but which of two branches ran can show through it
(`Switch`), hence it carries KEY and OPENED_OWN. An `Assert` on a key tells whether it
holds, and what it prints when it fails: that is not followed.
"""

import dataclasses
import enum
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import tensorflow as tf
from tensorflow.python.framework import op_def_registry


class Label(enum.Enum):
    """What may have gone into a value."""

    KEY = "raw key material"
    CIPHERTEXT = "a client's own ciphertext"
    ADDED = "a sum of ciphertexts"
    SUM = "the outcome of a server's aggregation"
    DECRYPTED = "a decrypted sum"
    OPENED_OWN = "a decrypted ciphertext that is not known to be a sum"


Labels: TypeAlias = frozenset[Label]

NONE: Labels = frozenset()

_THROUGH_CONTROL = frozenset({Label.KEY, Label.OPENED_OWN})


@dataclasses.dataclass(frozen=True)
class CipherOps:
    """The operations of a cipher that the analysis may trust. tf-shell's by default.

    Attributes:
      encrypt: operation to the index of its key input.
      decrypt: operation to the indices of its key and its ciphertext input.
      add: names of the Python functions that add ciphertexts and were traced. They are
        plain arithmetic, which no single operation stands for.
      keygen: operations whose output is a key.
      public: names of the Python functions that read the public records of a key file
        and nothing else, and were traced.
    """

    encrypt: Mapping[str, int] = dataclasses.field(
        default_factory=lambda: {"Encrypt64": 1}
    )
    decrypt: Mapping[str, tuple[int, int]] = dataclasses.field(
        default_factory=lambda: {"Decrypt64": (1, 2)}
    )
    add: frozenset[str] = frozenset({"add_ciphertexts"})
    keygen: frozenset[str] = frozenset({"KeyGen64"})
    public: frozenset[str] = frozenset({"read_public_record"})


@dataclasses.dataclass(frozen=True, order=True)
class Site:
    """An operation in a graph.

    Attributes:
      op: its kind, e.g. `ReadFile`.
      node: its name.
    """

    op: str
    node: str


# Operations that bring in what is in a file.
_FILE_READERS = re.compile(
    r"(Experimental)?("
    r"(CSV|FixedLengthRecord|LMDB|ListSnapshotChunks|Load|Sql|TFRecord|TextLine)Dataset"
    r"|Snapshot(Chunk|Nested)?Dataset(Reader)?"
    r"|(FixedLengthRecord|LMDB|TFRecord|TextLine|WholeFile)Reader"
    r"|ReadFile|ReaderRead(UpTo)?|Restore(Slice)?|RecordInput"
    r"|InitializeTableFromTextFile|ImmutableConst|LoadAndRemapMatrix"
    r"|GenerateVocabRemapping)(V\d)?"
)

# Python code, and values from another graph, can be anything.
_OPAQUE = re.compile(r"EagerPyFunc|PyFunc(Stateless)?|(_|_Host)?Recv|XlaHostCompute")

# Operations that hand their input to the world outside of the graph.
_EXPORTERS = re.compile(
    r"EagerPyFunc|PyFunc(Stateless)?|XlaHostCompute|(_|_Host)?Send|RemoteCall"
    r"|Print(V\d)?|WriteFile|Save(Dataset|Slices)?(V\d)?|DistributedSave"
    r"|(Experimental)?DatasetToTFRecord|Write\w*Summary"
    r"|(Audio|Histogram|Image|Merge|Scalar|Tensor)Summary(V\d)?"
    r"|Collective\w+|Debug(Identity|Numeric|Nan)\w*"
)

# What TensorFlow calls the graph of a Python function.
_TRACED = re.compile(r"__inference_(?P<python_name>\w+)_\d+")

_CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})
_IFS = frozenset({"If", "StatelessIf"})
_CASES = frozenset({"Case", "StatelessCase"})
_WHILES = frozenset({"While", "StatelessWhile"})

# One label set for each output, or a single one for all of them.
_Outputs: TypeAlias = tuple[Labels, ...]


def union(parts: Iterable[Labels]) -> Labels:
    """All labels of all parts."""
    return NONE.union(*parts)


class GraphTaint:
    """The analysis of one graph; what it holds of state grows only.

    Attributes:
      sources: operations that gave out KEY by themselves.
      exports: operations that took KEY out of the graph.
      heap: labels of everything that went into variables, tables, queues, ...
    """

    def __init__(
        self,
        graph_def: tf.compat.v1.GraphDef,
        ops: CipherOps,
        key_path: str | None,
        heap: Labels,
    ):
        """Prepares the analysis.

        Args:
          graph_def: the graph with its function library.
          ops: the cipher's operations.
          key_path: constants that hold it count as KEY; None if it is not known.
          heap: what earlier graphs of the same party put into shared resources.
        """
        self._nodes = tuple(graph_def.node)
        self._functions = {f.signature.name: f for f in graph_def.library.function}
        self._ops = ops
        self._key_path = key_path.encode() if key_path else None
        self._memo: dict[tuple[str, _Outputs], _Outputs] = {}
        self._running: set[str] = set()
        self.sources: set[Site] = set()
        self.exports: set[Site] = set()
        self.heap = heap

    def outputs(self, feeds: Mapping[str, Labels], fetches: Sequence[str]) -> _Outputs:
        """The labels of tensors, given those of what is fed.

        Args:
          feeds: node name to labels, for the graph's parameters.
          fetches: tensor names, e.g. `"Identity_3:0"`.

        Returns:
          One label set for each fetch.
        """
        while True:
            before = self.heap
            self._memo.clear()
            look_up = self._body(self._nodes, feeds)
            if self.heap == before:
                return tuple(look_up(name) for name in fetches)

    def _body(
        self, nodes: Sequence[Any], feeds: Mapping[str, Labels]
    ) -> Callable[[str], Labels]:
        """Labels all nodes of a graph or function body, up to a fixed point."""
        found: dict[str, _Outputs] = {name: (value,) for name, value in feeds.items()}
        by_name = {node.name: node for node in nodes}

        def look_up(reference: str) -> Labels:
            name, *rest = reference.removeprefix("^").split(":")
            outputs = found.get(name, (NONE,))
            if reference.startswith("^"):
                return union(outputs) & _THROUGH_CONTROL
            if len(outputs) == 1 or not rest:
                return outputs[0]
            index = int(rest[-1])
            if len(rest) == 2 and by_name[name].op in self._functions:
                signature = self._functions[by_name[name].op].signature
                index = [arg.name for arg in signature.output_arg].index(rest[0])
            return outputs[index]

        ordered = [node for node in _in_order(by_name) if node.name not in feeds]
        changed = True
        while changed:  # More than once only where the graph has cycles.
            changed = False
            for node in ordered:
                outputs = self._node(node, look_up)
                if found.get(node.name) != outputs:
                    found[node.name], changed = outputs, True
        return look_up

    def _node(self, node: Any, look_up: Callable[[str], Labels]) -> _Outputs:
        """The labels of a node's outputs."""
        inputs = [look_up(name) for name in node.input if not name.startswith("^")]
        control = union(look_up(name) for name in node.input if name.startswith("^"))
        outputs = self._transfer(node, inputs)
        if Label.KEY in union(inputs) and _EXPORTERS.fullmatch(node.op):
            self.exports.add(Site(node.op, node.name))
        if self._is_source(node):
            self.sources.add(Site(node.op, node.name))
            control |= {Label.KEY}
        return tuple(labels | control for labels in outputs)

    def _transfer(self, node: Any, inputs: Sequence[Labels]) -> _Outputs:
        everything = union(inputs)
        if node.op in self._ops.encrypt:
            return (_encrypted(inputs, self._ops.encrypt[node.op]),)
        if node.op in self._ops.decrypt:
            return (_decrypted(inputs, *self._ops.decrypt[node.op]),)
        if node.op == "IdentityN":
            return tuple(inputs)
        if node.op in self._functions:
            return self._call(node.op, inputs)
        if node.op in _CALLS:
            return self._call(node.attr["f"].func.name, inputs)
        if node.op in _IFS or node.op in _CASES:
            branches = (
                [node.attr["then_branch"].func, node.attr["else_branch"].func]
                if node.op in _IFS
                else node.attr["branches"].list.func
            )
            results = [self._call(branch.name, inputs[1:]) for branch in branches]
            return tuple(
                union((inputs[0], *outputs)) for outputs in zip(*results, strict=True)
            ) or (inputs[0],)
        if node.op in _WHILES:
            return self._loop(node, inputs)
        # Data sets and whatever else takes functions: any argument may meet any input.
        for name in _functions_of(node):
            function = self._functions.get(name)
            arguments = len(function.signature.input_arg) if function else 0
            everything |= union(self._call(name, [everything] * arguments))
        if _keeps_state(node):
            self.heap |= everything
            everything |= self.heap
        return (everything,)

    def _loop(self, node: Any, inputs: Sequence[Labels]) -> _Outputs:
        state = tuple(inputs)
        while True:
            condition = union(self._call(node.attr["cond"].func.name, state))
            after = self._call(node.attr["body"].func.name, state)
            joined = tuple(
                before | new | condition
                for before, new in zip(state, after, strict=True)
            )
            if joined == state:
                return state or (condition,)
            state = joined

    def _call(self, name: str, arguments: Sequence[Labels]) -> _Outputs:
        """The labels of a library function's results."""
        function = self._functions.get(name)
        if function is None or name in self._running:
            # A body that is not here, or recursion: anything may have happened.
            self.sources.add(Site("unknown function", name))
            return (union(arguments) | {Label.KEY},)
        traced = _TRACED.fullmatch(name)
        if traced is not None and traced["python_name"] in self._ops.public:
            return (NONE,) * len(function.signature.output_arg)
        key = (name, tuple(arguments))
        if key not in self._memo:
            names = [argument.name for argument in function.signature.input_arg]
            self._running.add(name)
            look_up = self._body(
                function.node_def, dict(zip(names, arguments, strict=True))
            )
            self._running.remove(name)
            adds = traced is not None and traced["python_name"] in self._ops.add
            added = frozenset({Label.ADDED}) if adds else NONE
            self._memo[key] = tuple(
                look_up(function.ret[result.name]) | added
                for result in function.signature.output_arg
            )
        return self._memo[key]

    def _is_source(self, node: Any) -> bool:
        if _FILE_READERS.fullmatch(node.op) or _OPAQUE.fullmatch(node.op):
            return True
        if node.op in self._ops.keygen:
            return True
        if node.op == "Const" and self._key_path:
            return self._key_path in node.attr["value"].tensor.SerializeToString()
        return node.op not in self._functions and op_def_registry.get(node.op) is None


def _encrypted(inputs: Sequence[Labels], key: int) -> Labels:
    """What encryption hides is hidden; a key that is encrypted stays a key."""
    if Label.KEY not in inputs[key]:
        return union(inputs)
    others = union(labels for index, labels in enumerate(inputs) if index != key)
    return frozenset({Label.CIPHERTEXT}) | (others & {Label.KEY})


def _decrypted(inputs: Sequence[Labels], key: int, ciphertext: int) -> Labels:
    if Label.KEY not in inputs[key]:
        return union(inputs)
    origin = inputs[ciphertext]
    is_sum = {Label.SUM, Label.ADDED} <= origin and Label.CIPHERTEXT not in origin
    others = union(labels for index, labels in enumerate(inputs) if index != key)
    opened = Label.DECRYPTED if is_sum else Label.OPENED_OWN
    return frozenset({opened}) | (others & {Label.KEY, Label.OPENED_OWN})


def _functions_of(node: Any) -> list[str]:
    """The names of all functions in a node's attributes."""
    names = []
    for attribute in node.attr.values():
        if attribute.WhichOneof("value") == "func":
            names.append(attribute.func.name)
        names.extend(function.name for function in attribute.list.func)
    return [name for name in names if name]


def _keeps_state(node: Any) -> bool:
    """Whether a node touches something that lives beside the data flow."""
    definition = op_def_registry.get(node.op)
    if definition is None:
        return False
    if {"shared_name", "container"} & {attr.name for attr in definition.attr}:
        return True
    return any(
        argument.is_ref or _is_resource(argument, node)
        for argument in (*definition.input_arg, *definition.output_arg)
    )


def _is_resource(argument: Any, node: Any) -> bool:
    resource = tf.resource.as_datatype_enum
    if argument.type_attr:
        return bool(node.attr[argument.type_attr].type == resource)
    if argument.type_list_attr:
        return resource in node.attr[argument.type_list_attr].list.type
    return bool(argument.type == resource)


def _in_order(by_name: Mapping[str, Any]) -> list[Any]:
    """The nodes, inputs first where there are no cycles."""
    ordered: list[Any] = []
    seen: set[str] = set()
    for start in by_name:
        stack = [(start, False)]
        while stack:
            name, inputs_done = stack.pop()
            if inputs_done:
                ordered.append(by_name[name])
            elif name not in seen and name in by_name:
                seen.add(name)
                stack.append((name, True))
                stack.extend(
                    (reference.removeprefix("^").split(":")[0], False)
                    for reference in by_name[name].input
                )
    return ordered
