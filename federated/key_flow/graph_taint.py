"""Follows secrets through the operations of one TensorFlow graph. Nothing is executed.

Operation | labels of its outputs
--- | ---
a function that is trusted for its body | `trusted.py`
`If`, `Case`, `While`, calls | those of the bodies, output by output, and the condition's
gives out or moves elements (`op_kinds.py`) | what the elements are not stays as it was
known to be pure (`pure_ops.py`) | of all inputs, and those of an ordinary value
pure, but may leave it unwritten (`unwritten.py`) | KEY, and those of all inputs
pure, but may read beyond its inputs (`beyond.py`) | as of anything else
data sets in memory | of all inputs and of whatever their functions meet
draws random numbers | of its inputs, and what else decided how much was drawn before
variables, tables, iterators | of everything that ever went into one of them
anything else: files, Python, addresses, serialised graphs, ... | KEY: it may bring in a key

What decides *whether* an operation is run (the condition of the branch or loop around it, a
`Switch` before it, the elements of the data set whose function it is in) is the context in
which it is analysed. It goes into whatever the operation writes. Anything that is on no
list, and every `Assert`, is an *export* if a secret is in its inputs or its context.

A function of a data set that fails as at the end of a sequence ends the data set: what it
meets, whatever it makes of it, may show in the number of elements.

What waits for a secret, by data or by a control edge, happens when the secret says. That
goes into shared state and into whatever gives out what comes first: others find it there
in time, or not yet.

A data set whose functions do more than compute is DEFERRED: what they do is done when it is
read. Where it meets a secret, which may decide how much of it is read, is an export.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import tensorflow as tf

from federated.key_flow import (
    beside_secrets,
    beyond,
    bodies,
    call_options,
    key_files,
    op_kinds,
    trusted,
    unwritten,
)
from federated.key_flow.cipher_ops import CipherOps, Role
from federated.key_flow.graph_order import data_inputs, in_order, node_of
from federated.key_flow.labels import (
    MAY,
    NO_OWN,
    NONE,
    ORDINARY,
    SECRET,
    Label,
    Labels,
    Site,
    ordinary,
    union,
)

_COMPILED = "a function of the cipher that XLA is to compile"

# One label set for each output, or a single one for all of them.
_Outputs: TypeAlias = tuple[Labels, ...]


class Kept(NamedTuple):
    """What a party keeps from one graph to the next.

    Attributes:
      heap: labels of what went into variables, tables, iterators.
      drawn: secrets that decided how many random numbers were drawn.
    """

    heap: Labels = NONE
    drawn: Labels = NONE


NOTHING_KEPT = Kept()


class GraphTaint:
    """The analysis of one graph; what it finds only grows.

    Attributes:
      sources: operations that gave out KEY by themselves.
      exports: operations that took a secret out of the graph, and which.
      computed: operations that take a secret and are no part of the cipher.
      has_secret: whether one is read, or comes in.
      kept: what the party keeps.
    """

    def __init__(
        self,
        graph_def: tf.compat.v1.GraphDef,
        ops: CipherOps,
        kept: Kept = NOTHING_KEPT,
    ):
        """Prepares the analysis.

        Args:
          graph_def: the graph with its function library.
          ops: the functions that are trusted.
          kept: what earlier graphs of the same party left behind.
        """
        self._nodes = tuple(graph_def.node)
        self._functions = {f.signature.name: f for f in graph_def.library.function}
        self._trusted = {
            name: ops.by_body[body]
            for name in self._functions
            if (body := bodies.fingerprint(name, self._functions)) in ops.by_body
        }
        self._memo: dict[tuple[Any, ...], tuple[_Outputs, Labels, int]] = {}
        # Secrets that a node had, since this was last emptied; those that decide when the
        # node that is analysed begins.
        self._met = self._late = NONE
        self._running: set[str] = set()
        # Whether what is analysed is run by XLA.
        self._compiled = False
        self._acts: dict[str, bool] = {}
        self.sources: set[Site] = set()
        self.exports: set[tuple[Site, Label]] = set()
        self.computed: set[Site] = set()
        # How often secrets of messages are drawn, in loops at least twice.
        self.draws = 0
        self.has_secret = False
        self.kept = kept

    def outputs(self, feeds: Mapping[str, Labels], fetches: Sequence[str]) -> _Outputs:
        """The labels of tensors, given those of what is fed.

        Args:
          feeds: node name to labels, for the graph's parameters.
          fetches: tensor names, e.g. `"Identity_3:0"`.

        Returns:
          One label set for each fetch.
        """
        while True:
            before = self.kept
            self._memo.clear()
            self._late = NONE
            self.draws = 0
            look_up = self._body(self._nodes, feeds, NONE)
            if self.kept == before:
                self.has_secret = bool(self.sources or union(feeds.values()) & SECRET)
                return tuple(look_up(name) for name in fetches)

    def strangers(self, waiting: bool = False) -> set[Site]:
        """The operations that nobody needs beside a secret (`beside_secrets.py`).

        Args:
          waiting: whether the secret is that of a message, which another graph drew and a
            third will release.
        """
        allowed = (
            beside_secrets.WHILE_SECRETS_WAIT
            if waiting
            else beside_secrets.BESIDE_SECRETS
        )
        nodes = beside_secrets.strangers(
            self._nodes, self._functions, self._trusted, allowed
        )
        return {Site(node.op, node.name) for node in nodes}

    def _body(
        self, nodes: Sequence[Any], feeds: Mapping[str, Labels], context: Labels
    ) -> Callable[[str], Labels]:
        """Labels all nodes of a graph or function body, up to a fixed point."""
        found: dict[str, _Outputs] = {name: (value,) for name, value in feeds.items()}
        dead: dict[str, Labels] = {}
        arrival = self._late
        late: dict[str, Labels] = {}
        by_name = {node.name: node for node in nodes}
        others = feeds.keys() | self._functions.keys()

        def look_up(reference: str) -> Labels:
            name, *rest = reference.split(":")
            outputs = found.get(name, (NONE,))
            if len(outputs) == 1 or not rest:
                return outputs[0]
            index = int(rest[-1])
            if len(rest) == 2 and by_name[name].op in self._functions:
                signature = self._functions[by_name[name].op].signature
                index = [arg.name for arg in signature.output_arg].index(rest[0])
            elif len(rest) == 2:
                place = unwritten.place_of(by_name[name], rest[0])
                index = index if place is None else place
            return outputs[index]

        records = {
            node.name: record
            for node in nodes
            if (record := key_files.find_record(node, by_name, self._functions))
        }
        leading = frozenset().union(*(record.nodes for record in records.values()))
        readers = {record.start.name: record.reader for record in records.values()}
        order = in_order(by_name)
        ordered = [node for node in order.nodes if node.name not in feeds]
        changed = True
        while changed:
            changed = False
            for node in ordered:
                names = unwritten.read_instead(node, by_name, others)
                inputs = [look_up(name) for name in names]
                # Whether a node runs shows in what has to wait for it.
                gates = union(dead.get(node_of(name), NONE) for name in node.input)
                if node.op in op_kinds.SWITCHES:
                    gates |= inputs[1] & SECRET
                # It waits for all that it takes and for what it is told to wait for.
                begins = arrival | union(late.get(node_of(n), NONE) for n in node.input)
                before, self._met, self._late = self._met, NONE, begins
                if node.name in readers:
                    site = Site(readers[node.name], node.name)
                    outputs = self._unknown(node, inputs, context | gates, site)
                elif not beyond.reads_within(node, by_name, others):
                    outputs = self._unknown(node, inputs, context | gates)
                else:
                    outputs = self._node(node, inputs, context | gates, by_name)
                outputs = tuple(labels | gates for labels in outputs)
                if node.op in op_kinds.FIRST_COME:
                    outputs = tuple(labels | begins for labels in outputs)
                # What is trusted fails by what is public, and is taken to last as long
                # whatever the key.
                if self._is_trusted(node) or node.name in leading:
                    met = NONE
                else:
                    met = self._met | (union((*inputs, *outputs)) & SECRET)
                # What a data set's functions do is done by who reads it.
                takes = NONE if node.op in op_kinds.LAZY else met
                late[node.name] = late.get(node.name, NONE) | begins | takes
                self._met = before | met | (union(outputs) & SECRET)
                if node.name in records:
                    record = records[node.name]
                    name_of_file = union(map(look_up, data_inputs(record.start)))
                    outputs = (_of_record(record, (name_of_file & MAY) | gates),)
                elif node.name not in leading and not self._calls(node):
                    if union(inputs) & SECRET and node.op not in beside_secrets.HAND_ON:
                        self.computed.add(Site(node.op, node.name))
                    self._meet(node, inputs, context | gates | begins)
                    if not any(op_kinds.handle_outputs(node)):
                        outputs = tuple(one - {Label.DEFERRED} for one in outputs)
                # What it left unwritten it does not know itself.
                outputs = unwritten.with_key(node, outputs)
                if (found.get(node.name), dead.get(node.name)) != (outputs, gates):
                    found[node.name], dead[node.name] = outputs, gates
                    changed = order.has_cycles
        return look_up

    def _node(
        self,
        node: Any,
        inputs: Sequence[Labels],
        context: Labels,
        by_name: Mapping[str, Any],
    ) -> _Outputs:
        """The labels of a node's outputs."""
        if not op_kinds.runs_as_written(node):
            return self._unknown(node, inputs, context)
        if node.op in self._functions:
            return self._call(node.op, inputs, context, node)
        if node.op in op_kinds.CALLS:
            return self._call(node.attr["f"].func.name, inputs, context, node)
        if node.op in op_kinds.IFS:
            branches = [node.attr["then_branch"].func, node.attr["else_branch"].func]
            return self._branches(branches, inputs, context, node)
        if node.op in op_kinds.CASES:
            branches = node.attr["branches"].list.func
            return self._branches(branches, inputs, context, node)
        if node.op in op_kinds.WHILES:
            return self._loop(node, inputs, context)
        if node.op == "Const":
            nothing = any(dim.size == 0 for dim in _shape_of(node).dim)
            return (NO_OWN | {Label.LOOSE} if nothing else ORDINARY,)
        if node.op == "IdentityN":
            return tuple(inputs)
        if node.op in op_kinds.WHOLE:
            return (_given_out(node, inputs),)
        if op_kinds.is_pure(node):
            return (trusted.moved(node, inputs, by_name) or _computed(node, inputs),)
        if node.op in op_kinds.HARMLESS:
            return (ordinary(*inputs),)
        return self._effects(node, inputs, context, by_name)

    def _effects(
        self,
        node: Any,
        inputs: Sequence[Labels],
        context: Labels,
        by_name: Mapping[str, Any],
    ) -> _Outputs:
        """The labels of operations that do more than compute."""
        everything, secret = union(inputs), (union(inputs) | context) & SECRET
        if node.op in op_kinds.RANDOM:
            drawn = self.kept.drawn | secret | self._late
            self.kept = self.kept._replace(drawn=drawn)
            return (_sized(ordinary(everything, self.kept.drawn)),)
        if node.op in op_kinds.STATE and not op_kinds.keeps_handles(node):
            # When it happens shows in what others find there.
            self._put(everything | secret | self._late)
            return (_sized(ordinary(everything, self.kept.heap) | self.kept.heap),)
        if _keeps_in_memory(node, by_name):
            # Another data set may share the memory.
            self._put(everything | secret | self._late)
            return (_sized(ordinary(everything, self.kept.heap)) | {Label.DEFERRED},)
        if node.op in op_kinds.DATASETS | op_kinds.STATEFUL_DATASETS:
            return (self._data_set(node, inputs, context),)
        return self._unknown(node, inputs, context)

    def _unknown(
        self,
        node: Any,
        inputs: Sequence[Labels],
        context: Labels,
        site: Site | None = None,
    ) -> _Outputs:
        """Whatever the operation is, it tells what it knows and gives out a key."""
        site = site or Site(node.op, node.name)
        secret = (union(inputs) | context) & SECRET
        self.exports |= {(site, label) for label in secret}
        given = ordinary(*inputs, context & SECRET, frozenset({Label.KEY}))
        if op_kinds.touches_resources(node):
            self._put(given)
        elif not op_kinds.has_outputs(node):
            return (NONE,)
        self.sources.add(site)
        handles = op_kinds.handle_outputs(node)
        deferred = frozenset({Label.DEFERRED}) if any(handles) else NONE
        return (_sized(given) | deferred,)

    def _put(self, labels: Labels) -> None:
        self.kept = self.kept._replace(heap=self.kept.heap | labels)

    def _meet(self, node: Any, inputs: Sequence[Labels], context: Labels) -> None:
        """A data set that acts when it is read must not be read at a secret's bidding."""
        everything = union(inputs)
        if node.op in op_kinds.STATE:
            everything |= self.kept.heap
        if Label.DEFERRED not in everything:
            return
        secret = (everything | context) & SECRET
        self.exports |= {(Site(node.op, node.name), label) for label in secret}

    def _calls(self, node: Any) -> bool:
        """Whether a node only hands its inputs on to functions that are followed."""
        followed = op_kinds.CALLS | op_kinds.IFS | op_kinds.CASES | op_kinds.WHILES
        return node.op in followed or node.op in self._functions

    def _is_trusted(self, node: Any) -> bool:
        """Whether a node calls a function that is trusted for its body."""
        if self._compiled or call_options.is_compiled(node):
            return False
        by_name = (
            node.op in op_kinds.CALLS and node.attr["f"].func.name in self._trusted
        )
        return by_name or node.op in self._trusted

    def _data_set(self, node: Any, inputs: Sequence[Labels], context: Labels) -> Labels:
        """Any element, in any input, may be any argument of a data set's functions."""
        names = op_kinds.functions_of(node)
        place = op_kinds.captured(node) if len(names) == 1 else slice(0, 0)
        captured = list(inputs[place])
        # What is captured does not decide how often a function runs.
        elements = union(inputs[: place.start]) | union(inputs[place.stop :])
        within = context | (elements & SECRET)
        results, given = elements, None
        while given != elements:
            given = elements
            for name in names:
                function = self._functions.get(name)
                count = len(function.signature.input_arg) if function else 0
                first = [ordinary(given)] * (count - len(captured))
                before, self._met = self._met, NONE
                outcome = self._call(name, [*first, *captured], within, node)
                results |= union(outcome) | self._met
                self._met |= before
            if node.op in op_kinds.FED_BACK:
                elements, within = results, context | (results & SECRET)
        if node.op in op_kinds.STATEFUL_DATASETS or any(map(self._acting, names)):
            results |= {Label.DEFERRED}
        return _sized(ordinary(results))

    def _acting(self, name: str) -> bool:
        """Whether a function does more than compute."""
        if name in self._trusted:
            return False
        if name not in self._acts:
            self._acts[name] = True  # Recursion.
            function = self._functions.get(name)
            self._acts[name] = function is None or any(
                map(self._acts_itself, function.node_def)
            )
        return self._acts[name]

    def _acts_itself(self, node: Any) -> bool:
        names = [node.op] if node.op in self._functions else op_kinds.functions_of(node)
        followed = self._calls(node) or node.op in op_kinds.DATASETS
        silent = followed or op_kinds.is_pure(node) or node.op in _SILENT
        as_written = op_kinds.runs_as_written(node)
        return not (silent and as_written) or any(map(self._acting, names))

    def _branches(
        self,
        branches: Sequence[Any],
        inputs: Sequence[Labels],
        context: Labels,
        node: Any,
    ) -> _Outputs:
        condition = _condition(inputs[0])
        within = context | (condition & SECRET)
        results = [self._call(one.name, inputs[1:], within, node) for one in branches]
        # Which one it is, each client decides: neither is what the server told to all, nor
        # what was drawn or released.
        return tuple(
            union((condition, NO_OWN, *outputs))
            for outputs in zip(*results, strict=True)
        ) or (condition,)

    def _loop(self, node: Any, inputs: Sequence[Labels], context: Labels) -> _Outputs:
        test, body = node.attr["cond"].func.name, node.attr["body"].func.name
        state, condition = tuple(inputs), NONE
        while True:
            within = context | (condition & SECRET)
            # An iteration begins when the one before has ended.
            self._late |= self._met
            tested = union(self._call(test, state, within, node))
            after = self._call(body, state, within, node)
            grown = condition | _condition(tested)
            joined = tuple(
                before | new | grown for before, new in zip(state, after, strict=True)
            )
            if (joined, grown) == (state, condition):
                # As of a choice: each client decides how many turns there are.
                return tuple(one | NO_OWN for one in state) or (condition,)
            state, condition = joined, grown

    def _call(
        self, name: str, arguments: Sequence[Labels], context: Labels, node: Any
    ) -> _Outputs:
        """The labels of a library function's results."""
        function = self._functions.get(name)
        compiled = self._compiled or call_options.is_compiled(node)
        if name in self._trusted:
            if compiled:
                return self._unknown(
                    node, arguments, context, Site(_COMPILED, node.name)
                )
            declared = self._trusted[name]
            if declared.role in (Role.KEYGEN, Role.ENTROPY, Role.SEAL):
                self.sources.add(Site(declared.role.name.lower(), node.name))
            self.draws += declared.role is Role.SEAL
            return trusted.outcomes(declared, arguments)
        if function is None or name in self._running or _may_be_replaced(function):
            # A body that is not here, recursion, or one that TensorFlow may exchange.
            return self._unknown(node, arguments, context)
        compiled = compiled or call_options.is_compiled(function)
        key = (name, tuple(arguments), context, self._late, compiled)
        if key not in self._memo:
            names = [argument.name for argument in function.signature.input_arg]
            self._running.add(name)
            before, self._met, late = self._met, NONE, self._late
            drawn, self.draws = self.draws, 0
            outside, self._compiled = self._compiled, compiled
            look_up = self._body(
                function.node_def, dict(zip(names, arguments, strict=True)), context
            )
            self._late, self._compiled = late, outside
            self._running.remove(name)
            outputs = tuple(
                look_up(function.ret[result.name])
                for result in function.signature.output_arg
            )
            self._memo[key] = outputs, self._met, self.draws
            self._met, self.draws = before, drawn
        outputs, met, draws = self._memo[key]
        self._met |= met
        self.draws += draws
        return outputs


_SILENT = op_kinds.HARMLESS | frozenset(op_kinds.WHOLE) | {"Const", "IdentityN"}


def _of_record(record: key_files.Record, given: Labels) -> Labels:
    if record.number < key_files.PUBLIC_RECORDS:
        return given | ORDINARY
    if record.number == key_files.PUBLIC_RECORDS:
        return given | {Label.KEY, Label.UNADDED, Label.FORGED} | NO_OWN
    return given | {Label.KEY} | ORDINARY


def _given_out(node: Any, inputs: Sequence[Labels]) -> Labels:
    """The labels of an operation that gives out one of some inputs as it is."""
    if node.op == "PlaceholderWithDefault" and _says_a_size(node.attr["shape"].shape):
        # Nobody checks it, and optimisers shorten loops by what it says.
        return ordinary(*inputs)
    data = union(inputs[op_kinds.WHOLE[node.op]])
    if node.op not in op_kinds.ALWAYS_THE_SAME:
        data |= NO_OWN
    chosen = union(inputs) & SECRET - data
    labels = data | _condition(chosen)
    static = node.op == "EnsureShape" and _is_static(node.attr["shape"].shape)
    return labels - {Label.SIZE} if static else labels


def _says_a_size(shape: Any) -> bool:
    return any(dim.size >= 0 for dim in shape.dim)


def _condition(labels: Labels) -> Labels:
    """What a choice adds to what is chosen: not how it was made."""
    found = labels & MAY
    return found | {Label.SIZE, Label.LOOSE} | NO_OWN if found & SECRET else found


def _computed(node: Any, inputs: Sequence[Labels]) -> Labels:
    """The labels of a pure operation."""
    labels = ordinary(*inputs)
    return labels if node.op in op_kinds.ELEMENTWISE else _sized(labels)


def _sized(labels: Labels) -> Labels:
    """A secret may show in the shape of what was computed from it."""
    return labels | {Label.SIZE} if labels & SECRET else labels


def _keeps_in_memory(node: Any, by_name: Mapping[str, Any]) -> bool:
    """Whether a node caches a data set, and not in a file."""
    if node.op not in op_kinds.CACHES:
        return False
    name = by_name.get(node_of(node.input[1]))
    if name is None or name.op != "Const":
        return False
    return tf.make_ndarray(name.attr["value"].tensor).reshape([-1]).tolist() == [b""]


def _may_be_replaced(function: Any) -> bool:
    """Whether another function may be run in the place of this one, or otherwise."""
    return (
        any(key.startswith("api_") for key in function.attr)
        or not call_options.are_hints(function.attr)
        or not call_options.say_nothing_of_arguments(function)
    )


def _shape_of(node: Any) -> Any:
    return node.attr["value"].tensor.tensor_shape


def _is_static(shape: Any) -> bool:
    return not shape.unknown_rank and all(dim.size >= 0 for dim in shape.dim)
