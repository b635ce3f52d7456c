"""Evaluates a TFF computation on labels: blocks, placements and intrinsics."""

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from federated.key_flow import outliving, taint_intrinsics
from federated.key_flow.cipher_ops import CipherOps
from federated.key_flow.graph_taint import GraphTaint, Kept
from federated.key_flow.labels import SECRET, SHOWN, Label, Labels
from federated.key_flow.report import Crossing, Field, KeyFlowReport, Source, Violation
from federated.key_flow.taint_intrinsics import CLIENTS
from federated.key_flow.taint_values import (
    NEITHER,
    Leaf,
    Number,
    Placed,
    Trace,
    Value,
    build,
    drawn_in,
    leaves_of,
    of_leaf,
    plain,
    without,
)
from federated.runtime.tap import Direction

_UNPLACED = "unplaced"


class Walk:
    """One evaluation of a computation on labels."""

    def __init__(self, ops: CipherOps, kept: Kept):
        """Prepares the evaluation.

        Args:
          ops: the functions that are trusted.
          kept: what is kept from graph to graph, by whomever: state that has a name may
            be that of another party too.
        """
        self._ops = ops
        self.kept = kept
        self._placement = _UNPLACED
        self._step = "a computation without a placement"
        # The intrinsics whose functions are being evaluated, the innermost last.
        self._callers: list[str] = []
        # Dictionaries as ordered sets.
        self._violations: dict[Violation, None] = {}
        # What counts only if a secret is held from one graph to another.
        self._beside: dict[Violation, None] = {}
        self._holds_secret = False
        # Graphs that drew secrets of messages, and those whose secrets were released.
        self._draws = 0
        self._released: set[Trace] = set()
        self._sources: dict[Source, None] = {}
        self._crossings: list[Crossing] = []

    def run(self, block: Any) -> None:
        """Evaluates the whole computation."""
        result, type_spec = self._evaluate(block, {}), block.type_signature
        if isinstance(type_spec, tff.FunctionType):
            parameter = type_spec.parameter
            result = result(None if parameter is None else of_leaf(parameter, plain()))
            type_spec = type_spec.result
        place = "among the computation's results"
        self._keep_out(result, type_spec, SECRET, place)
        self._read_in(result, type_spec, f"a sequence {place} is read")

    def report(
        self, reads_key_path: bool, others: tuple[Violation, ...] = ()
    ) -> KeyFlowReport:
        """What was found, and what others found beside."""
        return KeyFlowReport(
            violations=(
                *self._violations,
                *(self._beside if self._holds_secret else ()),
                *others,
            ),
            to_server=self._in_direction(Direction.CLIENTS_TO_SERVER),
            to_clients=self._in_direction(Direction.SERVER_TO_CLIENTS),
            sources=tuple(self._sources),
            reads_key_path=reads_key_path,
        )

    def _in_direction(self, direction: Direction) -> tuple[Crossing, ...]:
        return tuple(c for c in self._crossings if c.direction is direction)

    def _evaluate(self, block: Any, scope: Mapping[str, Value]) -> Value:
        match block:
            case tff.framework.Reference():
                return scope[block.name]
            case tff.framework.CompiledComputation():
                return functools.partial(self._graph, block)
            case tff.framework.Call():
                function = self._evaluate(block.function, scope)
                if block.argument is None:
                    return function(None)
                return function(self._evaluate(block.argument, scope))
            case tff.framework.Struct():
                return tuple(self._evaluate(part, scope) for part in block)
            case tff.framework.Selection():
                return self._evaluate(block.source, scope)[block.as_index()]
            case tff.framework.Lambda():
                name = block.parameter_name
                return lambda argument: self._evaluate(
                    block.result, {**scope, name: argument} if name else scope
                )
            case tff.framework.Block():
                inner = dict(scope)
                for name, value in block.locals:
                    inner = {**inner, name: self._evaluate(value, inner)}
                return self._evaluate(block.result, inner)
            case tff.framework.Intrinsic():
                if isinstance(block.type_signature, tff.FunctionType):
                    return functools.partial(self._intrinsic, block)
                return of_leaf(block.type_signature, plain())
            case tff.framework.Literal():
                number = isinstance(block.value, int | np.integer)
                return Number(int(block.value)) if number else plain()
            case tff.framework.Placement():
                return plain()
        raise NotImplementedError(
            f"The analysis does not know the building block {type(block).__name__}."
        )

    def _graph(self, block: Any, argument: Value) -> Value:
        """Runs a TensorFlow graph on labels."""
        message, type_spec = block.proto.tensorflow, block.type_signature
        taint = GraphTaint(graph_of(block), self._ops, self.kept)
        given = (
            []
            if type_spec.parameter is None
            else [leaf for _, _, leaf in leaves_of(argument, type_spec.parameter)]
        )
        feeds = zip(_tensor_names(message.parameter), given, strict=True)
        outputs = taint.outputs(
            {name.split(":")[0]: frozenset(leaf) for name, leaf in feeds},
            list(_tensor_names(message.result)),
        )
        self.kept = taint.kept
        self._note_sites(taint)
        self._note_elements(taint)
        self._note_iterators(block)
        left = (*outputs, self.kept.heap)
        kept = SECRET - {Label.OWN_SECRET}
        self._holds_secret |= any(labels & kept for labels in left)
        origins = ", ".join(sorted({site.op for site in taint.sources}))
        leaves = self._told_apart(
            [self._traced(labels, given, origins) for labels in outputs], taint, given
        )
        value = build(type_spec.result, iter(leaves))
        if self._placement == CLIENTS:
            return value
        # The server may not come to hold a secret; what has no placement is computed by
        # whoever drives the computation, the server.
        where = f"{self._placement}, in {self._step}"
        return self._keep_out(value, type_spec.result, SECRET, f"computed {where}")

    def _told_apart(
        self, leaves: list[Leaf], taint: GraphTaint, given: list[Leaf]
    ) -> list[Leaf]:
        """Says of secrets of messages which graph drew them.

        Of several that meet in a graph nobody could tell which comes out.
        """
        own, before = Label.OWN_SECRET, drawn_in(*given)
        start: Trace = ()
        if taint.draws:
            self._draws += 1
            start = (f"drawn by encryption {self._draws}",)
        # Of what is drawn in one graph twice, or in a loop, likewise.
        mixed = NEITHER if len(before) + taint.draws > 1 else {}
        return [
            {**leaf, own: (*start, *leaf[own]), **mixed} if own in leaf else leaf
            for leaf in leaves
        ]

    def release(self, name: str, leaf_type: tff.Type, leaf: Leaf, uri: str) -> None:
        """Reports the secret of a message that is released for the second time."""
        drawn = drawn_in(leaf)
        if drawn & self._released:
            text = leaf_type.compact_representation()
            found = Violation(
                Label.OWN_SECRET,
                f"released twice, now to `{uri}`: the sums differ by single secrets",
                name,
                text,
                leaf[Label.OWN_SECRET],
            )
            self._violations[found] = None
        self._released |= drawn

    def fit(self, name: str, leaf_type: tff.Type, leaf: Leaf, width: Leaf) -> None:
        """Reports a secure sum that may be too narrow for what is released.

        It fails, and names who sent what does not fit: that says something of one secret.
        """
        least = self._ops.secret_bits
        if isinstance(width, Number) and width.value >= least:
            return
        text = leaf_type.compact_representation()
        place = (
            f"sent into a secure sum whose bit width is not a number of {least} or more in "
            "the computation: it would say whose secret does not fit"
        )
        found = Violation(Label.OWN_SECRET, place, name, text, leaf[Label.OWN_SECRET])
        self._violations[found] = None

    def _note_sites(self, taint: GraphTaint) -> None:
        """Takes down where keys come into a graph and where they leave it sideways."""
        for site in sorted(taint.sources):
            self._sources[Source(self._placement, site)] = None
            if self._placement != CLIENTS:
                place = f"made or read {self._placement}, by the node `{site.node}`"
                found = Violation(Label.KEY, place, "", site.op, (self._step,))
                self._violations[found] = None
        if self._draws and not taint.has_secret:
            for site in sorted(taint.strangers(waiting=True)):
                place = (
                    f"in memory while the node `{site.node}` runs, of a kind that is not "
                    "known to leave memory alone: compute it before messages are "
                    "encrypted, in a map of its own"
                )
                found = Violation(Label.OWN_SECRET, place, "", site.op, (self._step,))
                self._violations[found] = None
        for site in sorted(taint.strangers()):
            place = (
                f"in memory while the node `{site.node}` runs, of a kind that no reading "
                "of keys and no encryption needs: put it into a computation of its own"
            )
            if not taint.has_secret:
                place += ", and let no secret leave the one that reads it"
            found = Violation(Label.KEY, place, "", site.op, (self._step,))
            (self._violations if taint.has_secret else self._beside)[found] = None
        for site in sorted(taint.computed if taint.has_secret else ()):
            place = (
                f"computed with by the node `{site.node}`: nothing but the cipher may take "
                "a key, or what is no sum"
            )
            found = Violation(Label.KEY, place, "", site.op, (self._step,))
            self._violations[found] = None
        for site, label in sorted(taint.exports, key=repr):
            place = f"leaving its graph through the node `{site.node}`"
            found = Violation(label, place, "", site.op, (self._step,))
            self._violations[found] = None

    def _note_iterators(self, block: Any) -> None:
        """Reports an iterator that something may hold, so that it outlives its graph."""
        holders = outliving.holders(graph_of(block), block.type_signature.result)
        for holder in holders[:1]:
            place = (
                f"in memory while an iterator of an earlier graph goes on, as {holder} may "
                "hold it: iterate elsewhere, or by `reduce`"
            )
            found = Violation(Label.KEY, place, "", "a graph", (self._step,))
            self._violations[found] = None

    def _note_elements(self, taint: GraphTaint) -> None:
        """Reports a secret in what runs for each element, while its sequence is read."""
        reader = next(
            (uri for uri in self._callers if uri.startswith("sequence_")), None
        )
        if reader is None or not taint.has_secret:
            return
        place = (
            f"in memory while `{reader}` reads a sequence, whose functions may run beside "
            "it: take keys, and encrypt, outside of it"
        )
        found = Violation(Label.KEY, place, "", "a graph", (self._step,))
        self._violations[found] = None

    def _traced(self, labels: Labels, given: list[Leaf], origins: str) -> Leaf:
        """Adds this step to the path of each label."""
        traced = {}
        for label in labels:
            start = next((leaf[label] for leaf in given if label in leaf), None)
            if start is None:
                start = (
                    (f"read by {origins}",) if label is Label.KEY and origins else ()
                )
            known = start[-1:] == (self._step,)
            traced[label] = start if known else (*start, self._step)
        return traced

    def _intrinsic(self, block: Any, argument: Value) -> Value:
        uri, type_spec = block.uri, block.type_signature
        handler = taint_intrinsics.INTRINSICS.get(uri)
        if handler is None:
            raise NotImplementedError(
                f"The analysis does not know the intrinsic `{uri}`; it knows "
                f"{', '.join(sorted(taint_intrinsics.INTRINSICS))}."
            )
        if self._callers and uri.startswith("federated_"):
            raise NotImplementedError(
                f"The analysis expects a function that `{self._callers[-1]}` calls, once "
                f"for each client or element, to move nothing between parties; found "
                f"`{uri}` in it. Call that outside."
            )
        self._callers.append(uri)
        try:
            return handler(self, uri, type_spec, argument)
        finally:
            self._callers.pop()

    def repeated(self, call: Callable[[], Value]) -> Value:
        """What a function gives that runs for one client or element after another.

        The second of them computes while the secret of the first one's message waits.
        """
        before = self._draws
        value = call()
        if self._draws > before:
            call()
        return value

    def read(self, value: Value, type_spec: tff.Type, uri: str) -> None:
        """Reports a sequence that an intrinsic reads while secrets are in memory."""
        self._read_in(value, type_spec, f"`{uri}` reads a sequence")

    def _read_in(self, value: Value, type_spec: tff.Type, when: str) -> None:
        """Reports sequences in a value, whose functions run when they are read."""
        alone = "whose functions are not known to leave memory alone"
        place = f"in memory while {when}, {alone}: "
        waits = place + "read it before messages are encrypted"
        goes = (
            place + "let no secret leave the graph that reads a key or opens a message"
        )
        for name, leaf_type, _ in leaves_of(value, type_spec):
            if not isinstance(leaf_type, tff.SequenceType):
                continue
            text = leaf_type.compact_representation()
            if self._draws:
                found = Violation(Label.OWN_SECRET, waits, name, text, (self._step,))
                self._violations[found] = None
            found = Violation(Label.KEY, goes, name, text, (self._step,))
            self._beside[found] = None

    @contextlib.contextmanager
    def at(self, placement: str, uri: str) -> Iterator[None]:
        """Everything inside is computed by that party."""
        before = self._placement, self._step
        self._placement, self._step = placement, f"{uri} at {placement}"
        try:
            yield
        finally:
            self._placement, self._step = before

    def cross(
        self,
        direction: Direction,
        uri: str,
        value: Value,
        type_spec: tff.Type,
        released: Sequence[bool] = (),
    ) -> Value:
        """Records that a value crosses, and returns it without secrets.

        Args:
          direction: Who sends.
          uri: What moves it.
          value: What crosses.
          type_spec: Its type.
          released: Of each leaf, whether it is a released secret on its way into a sum,
            which is where it may go.
        """
        fields = tuple(
            Field(name, leaf_type.compact_representation(), frozenset(leaf) & SHOWN)
            for name, leaf_type, leaf in leaves_of(value, type_spec)
        )
        self.read(value, type_spec, uri)
        self._crossings.append(
            Crossing(direction, uri, type_spec.compact_representation(), fields)
        )
        if any(released):
            leaves = [
                without(leaf, Label.OWN_SECRET) if own else leaf
                for own, (_, _, leaf) in zip(
                    released, leaves_of(value, type_spec), strict=True
                )
            ]
            value = build(type_spec, iter(leaves))
        way = direction.value.replace("_", " ")
        return self._keep_out(value, type_spec, SECRET, f"sent {way} by `{uri}`")

    def placed(
        self, placement: str, uri: str, value: Value, type_spec: tff.Type
    ) -> Placed:
        """A value that comes to a party without crossing; to the server, no secret."""
        if placement != CLIENTS:
            value = self._keep_out(
                value, type_spec, SECRET, f"placed {placement} by `{uri}`"
            )
        return Placed(placement, value)

    def _keep_out(
        self, value: Value, type_spec: tff.Type, secret: Labels, place: str
    ) -> Value:
        """Reports the secrets in a value, once, and returns it without them."""
        cleared: list[Leaf] = []
        for name, leaf_type, leaf in leaves_of(value, type_spec):
            for label in sorted(secret & frozenset(leaf), key=lambda label: label.name):
                text = leaf_type.compact_representation()
                found = Violation(label, place, name, text, leaf[label])
                self._violations[found] = None
            cleared.append({k: v for k, v in leaf.items() if k not in secret})
        return build(type_spec, iter(cleared))


def graph_of(block: Any) -> tf.compat.v1.GraphDef:
    """The graph of a compiled block.

    Raises:
      NotImplementedError: If it is not of TensorFlow.
    """
    kind = block.proto.WhichOneof("computation")
    if kind != "tensorflow":
        raise NotImplementedError(
            f"The analysis knows only TensorFlow computations, found one of kind {kind!r}."
        )
    graph_def = tf.compat.v1.GraphDef()
    graph_def.ParseFromString(block.proto.tensorflow.graph_def.value)
    return graph_def


def _tensor_names(binding: Any) -> Iterator[str]:
    """The tensor names of a graph's parameter or result, in the order of its type."""
    match binding.WhichOneof("binding"):
        case None:
            return
        case "tensor":
            yield binding.tensor.tensor_name
        case "struct":
            for element in binding.struct.element:
                yield from _tensor_names(element)
        case "sequence" if binding.sequence.variant_tensor_name:
            yield binding.sequence.variant_tensor_name
        case kind:
            raise NotImplementedError(f"The analysis does not know the binding {kind}.")
