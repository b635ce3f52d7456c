"""Which labels a loss takes, checked where they are and never printed."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Rule:
    """What the labels of one output must be.

    Attributes:
      spec: Their shape and type, or None where only the loss knows.
      classes: For integers, how many there are; 0 for labels that are numbers.
      ignored: An integer that stands for no label, or None.
      probabilities: Whether they are probabilities, in [0, 1].
    """

    spec: tf.TensorSpec | None
    classes: int = 0
    ignored: int | None = None
    probabilities: bool = False

    @property
    def wanted(self) -> str:
        """The rule in words."""
        if self.classes:
            other = "" if self.ignored is None else f", or {self.ignored} for none"
            return f"integers in [0, {self.classes}){other}"
        return "numbers in [0, 1]" if self.probabilities else "finite numbers"


def checked(rules: Any, labels: Any) -> Any:
    """Labels that a graph refuses when it runs, if they break their rule.

    Runs on: client. Its message says what is expected, not what was found.

    Args:
      rules: A `Rule`, nested as the outputs are.
      labels: Tensors nested alike.

    Returns:
      The labels, in the type of the rule.

    Raises:
      ValueError: If the labels are not nested alike, or of another rank.
      InvalidArgumentError: When run, if a label is out of range.
    """
    if not isinstance(rules, Rule):
        return _each(rules, labels, checked)
    if rules.spec is None:
        return labels
    labels = _shaped(rules, tf.convert_to_tensor(labels))
    if labels.dtype == tf.bool:
        labels = tf.cast(labels, tf.int32)
    if rules.classes and labels.dtype.is_floating:
        whole = tf.reduce_all(tf.equal(labels, tf.round(labels)))
        labels = tf.cast(labels, tf.int64)
    else:
        whole = tf.constant(True)
    ok = tf.logical_and(whole, tf.reduce_all(_valid(rules, labels, tf)))
    assertion = tf.debugging.Assert(ok, [_message(rules)])
    with tf.control_dependencies([op for op in (assertion,) if op is not None]):
        return tf.cast(tf.identity(labels), rules.spec.dtype)


def check(rules: Any, labels: Any, argument: str) -> None:
    """Checks labels that are at hand.

    Args:
      rules: A `Rule`, nested as the outputs are.
      labels: Arrays nested alike.
      argument: What they were given as, for the message.

    Raises:
      ValueError: If a label is out of range, or labels are not nested alike.
    """
    if not isinstance(rules, Rule):
        _each(rules, labels, lambda rule, part: check(rule, part, argument))
        return
    if rules.spec is None:
        return
    labels = np.asarray(labels)
    if not np.issubdtype(labels.dtype, np.number) and labels.dtype != np.bool_:
        raise ValueError(
            f"{argument} must be {rules.wanted}, got the type {labels.dtype}."
        )
    whole = not rules.classes or bool(np.all(labels == np.round(labels)))
    if not whole or not np.all(_valid(rules, labels, np)):
        raise ValueError(f"{argument}: {_message(rules)}")


def _valid(rule: Rule, labels: Any, lib: Any) -> Any:
    if rule.classes:
        inside = lib.logical_and(labels >= 0, labels < rule.classes)
        if rule.ignored is None:
            return inside
        return lib.logical_or(inside, lib.equal(labels, rule.ignored))
    if rule.probabilities:
        return lib.logical_and(labels >= 0, labels <= 1)
    if lib is np:
        return np.isfinite(labels)
    return tf.math.is_finite(tf.cast(labels, tf.float32))


def _message(rule: Rule) -> str:
    what = (
        "the classes of the model's outputs" if rule.classes else "as the loss has it"
    )
    return (
        f"`labels` must be {rule.wanted}, {what}, but at least one is not. Number the "
        "classes from 0, or give the model as many outputs as there are classes."
        if rule.classes
        else f"`labels` must be {rule.wanted}, {what}, but at least one is not."
    )


def _shaped(rule: Rule, labels: tf.Tensor) -> tf.Tensor:
    """[b, 1] and [b] say the same of one label an example."""
    assert rule.spec is not None
    wanted = rule.spec.shape
    if labels.shape.rank == wanted.rank + 1 and labels.shape[-1] == 1:
        labels = tf.squeeze(labels, -1)
    elif wanted.rank == labels.shape.rank + 1 and wanted[-1] == 1:
        labels = tf.expand_dims(labels, -1)
    if not labels.shape.is_compatible_with(wanted):
        raise ValueError(
            f"`labels` must have the shape {wanted}, which the model's outputs ask for, "
            f"got {labels.shape}."
        )
    return labels


def _each(rules: Any, labels: Any, what: Any) -> Any:
    if isinstance(rules, Mapping):
        if not isinstance(labels, Mapping) or set(labels) != set(rules):
            raise ValueError(
                f"`labels` must be a dictionary with the model's outputs {list(rules)}, "
                f"got {list(labels) if isinstance(labels, Mapping) else type(labels)}."
            )
        return {key: what(rules[key], labels[key]) for key in rules}
    if not isinstance(labels, list | tuple) or len(labels) != len(rules):
        raise ValueError(
            f"`labels` must be a tuple of {len(rules)}, one for each output of the model."
        )
    return tuple(what(rule, part) for rule, part in zip(rules, labels, strict=True))
