"""Values of a TFF computation with labels in the place of tensors.

Type | value
--- | ---
tensor, sequence | a `Leaf`
struct | a tuple of values, in the type's order
federated | `Placed`
function | a Python callable
"""

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import tensorflow_federated as tff

from federated.key_flow.labels import MAY, ORDINARY, Label, Labels
from federated.runtime.placed_values import element_types

Trace: TypeAlias = tuple[str, ...]
"""How a label came here: one entry for each step since the operation that made it."""

Leaf: TypeAlias = Mapping[Label, Trace]
"""The labels of a tensor, or of a whole sequence."""

Value: TypeAlias = Any
"""A leaf, a tuple of values, a `Placed`, or a function of values."""


NEITHER: Leaf = {Label.UNDRAWN: (), Label.UNRELEASED: ()}
"""What secrets of two messages are together."""


@dataclasses.dataclass(frozen=True)
class Placed:
    """A value at the server, or of one client after another.

    Attributes:
      placement: `"clients"` or `"server"`.
      member: what is there.
    """

    placement: str
    member: Value


class Number(dict[Label, Trace]):
    """The leaf of an integer that stands in the computation.

    What is computed of it, or put together with another, is a leaf without a number.

    Attributes:
      value: the integer.
    """

    def __init__(self, value: int):
        """Takes the integer."""
        super().__init__(plain())
        self.value = value


def leaves_of(
    value: Value, type_spec: tff.Type, name: str = ""
) -> Iterator[tuple[str, tff.Type, Leaf]]:
    """Name, type and labels of every tensor or sequence in a value."""
    if isinstance(type_spec, tff.FederatedType):
        yield from leaves_of(value.member, type_spec.member, name)
    elif isinstance(type_spec, tff.StructType):
        members = enumerate(element_types(type_spec))
        for index, (member_name, member) in members:
            part = str(index) if member_name is None else member_name
            path = f"{name}.{part}" if name else part
            yield from leaves_of(value[index], member, path)
    elif isinstance(type_spec, tff.TensorType | tff.SequenceType):
        yield name, type_spec, value
    else:
        raise NotImplementedError(
            f"The analysis follows tensors, found a value of type {type_spec}."
        )


def build(type_spec: tff.Type, leaves: Iterator[Leaf]) -> Value:
    """The value of a type with these leaves, in order."""
    if isinstance(type_spec, tff.FederatedType):
        member = build(type_spec.member, leaves)
        return Placed(type_spec.placement.uri, member)
    if isinstance(type_spec, tff.StructType):
        return tuple(build(member, leaves) for _, member in element_types(type_spec))
    if isinstance(type_spec, tff.TensorType | tff.SequenceType):
        return next(leaves)
    raise NotImplementedError(
        f"The analysis follows tensors, found a parameter of type {type_spec}."
    )


def of_leaf(type_spec: tff.Type, leaf: Leaf) -> Value:
    """A value whose every leaf is `leaf`."""
    return build(type_spec, itertools.repeat(leaf))


def plain(labels: Labels = ORDINARY) -> Leaf:
    """The leaf with these labels, which came from nowhere; by default one of no secret."""
    return dict.fromkeys(labels, ())


def may(leaf: Leaf) -> Leaf:
    """What may have gone into a leaf, without what it is not."""
    return {label: path for label, path in leaf.items() if label in MAY}


def without(leaf: Leaf, *labels: Label) -> Leaf:
    """A leaf without these labels."""
    return {label: path for label, path in leaf.items() if label not in labels}


def with_labels(value: Value, type_spec: tff.Type, leaf: Leaf) -> Value:
    """Gives every leaf these labels too."""
    leaves = [union_of(own, leaf) for _, _, own in leaves_of(value, type_spec)]
    return build(type_spec, iter(leaves))


def as_sequence(element: Value, type_spec: tff.Type) -> Leaf:
    """The leaf of a sequence of such elements."""
    return union_of(*(leaf for _, _, leaf in leaves_of(element, type_spec)))


def joined(left: Value, right: Value, type_spec: tff.Type) -> Value:
    """The labels of either value, leaf by leaf."""
    pairs = zip(leaves_of(left, type_spec), leaves_of(right, type_spec), strict=True)
    return build(
        type_spec, iter([union_of(one, two) for (*_, one), (*_, two) in pairs])
    )


def union_of(*leaves: Leaf) -> Leaf:
    """All labels; of two paths the first stays.

    Of secrets of two messages nobody could tell which is released: it is neither.
    """
    union = dict(item for leaf in reversed(leaves) for item in leaf.items())
    return {**union, **NEITHER} if len(drawn_in(*leaves)) > 1 else union


def drawn_in(*leaves: Leaf) -> set[Trace]:
    """Where the secrets of messages were drawn that may have gone into leaves."""
    own = Label.OWN_SECRET
    return {leaf[own][:1] for leaf in leaves if own in leaf}


def relabelled(
    value: Value,
    type_spec: tff.Type,
    drop: Label | None = None,
    add: Label | None = None,
    step: str = "",
) -> Value:
    """Takes a label from every leaf, or gives one, or both."""
    changed: list[Leaf] = []
    for _, _, leaf in leaves_of(value, type_spec):
        kept = {label: path for label, path in leaf.items() if label is not drop}
        changed.append({**kept, add: (step,)} if add else kept)
    return build(type_spec, iter(changed))


def fixed_point(
    start: Value, type_spec: tff.Type, step: Callable[[Value], Value]
) -> Value:
    """Repeats `step` until it adds no label.

    A `Number` does not outlast a step, which may have made another of it.
    """

    def labels(value: Value) -> list[Labels]:
        return [frozenset(leaf) for _, _, leaf in leaves_of(value, type_spec)]

    value = start
    while True:
        after = joined(value, step(value), type_spec)
        if labels(after) == labels(value):
            return after
        value = after
