"""Metrics of clients, summed under encryption: losses, accuracies, numbers of examples.

aggregator = federated.selective_encryption(ratio=0.1)
process = tff.learning.algorithms.build_weighted_fed_avg(
    model, optimizer, model_aggregator=aggregator,
    metrics_aggregator=federated.encrypted_metrics(aggregator))

TFF sums metrics in the clear: the server sees each client's. Here they are a vector of a
few numbers that is hidden completely, under the same key as the updates, and the server
learns the sums. They are exact (`selenc_tf/lattice/exact_numbers.py`, `exact_integers`)
before they are rounded to their type.
"""

import collections
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from federated.aggregators import Damaged, SelectiveEncryption, encryption_of
from federated.round import (
    announcement,
    drawing,
    revealing,
    server,
    wiring,
)
from federated.round.announcement import Announcement
from federated.round.collecting import Rules
from federated.round.upload_phase import Contribution
from selenc_tf.lattice import exact_integers, exact_numbers
from selenc_tf.lattice.codec import FixedPointCodec
from selenc_tf.lattice.engine import Engine
from selenc_tf.lattice.key_store import KeySet
from selenc_tf.masks import wire

_BITS = 9
"""Of a code at most: enough for the largest digit and a sign."""


class MetricsBroadcast(NamedTuple):
    """What the server announces: all else is known beforehand.

    Attributes:
      run: int64, drawn for this one sum.
      round: int64, which key of a series.
    """

    run: Any
    round: Any


def encrypted_metrics(
    encryption: SelectiveEncryption | tff.aggregators.WeightedAggregationFactory,
) -> Callable[..., tff.Computation]:
    """What `metrics_aggregator=` of TFF's builders takes, in place of sums in the clear.

    A client all of whose metrics are zero has nothing to add, as one without examples.

    Args:
      encryption: What `selective_encryption` returned, or its parts. Of them count the
        cipher, the keys, `min_clients` and `damaged`.

    Returns:
      `(finalizers, type of the metrics) -> (metrics@CLIENTS -> metrics@SERVER)`, as
      `tff.learning.metrics.sum_then_finalize`. Messages cost a ciphertext block a client.

    Raises:
      TypeError: If there is no encryption in what is given.
      ValueError: If the keys are a series: TFF's builders do not say which round it is.
        `federated.build_weighted_fed_avg` does.
    """
    parts = encryption_of(encryption)
    if parts is None:
        raise TypeError(
            "`encryption` must be what `federated.selective_encryption` returned, got "
            f"{type(encryption).__name__}. If it is inside another factory, pass it here "
            "by itself."
        )
    if isinstance(parts.keys, KeySet) and parts.keys.rotates:
        raise ValueError(
            f"`encryption` must have one key for all rounds, but {parts.keys.path} is a "
            "series, and TFF's builders do not tell metrics the round. Use "
            "`federated.build_weighted_fed_avg`, or another key: encrypted_metrics("
            "dataclasses.replace(encryption, keys=...))."
        )

    def build(finalizers: Any, metrics_type: Any = None) -> tff.Computation:
        del metrics_type  # That of the argument says the same.

        @tff.federated_computation
        def aggregate(metrics: Any) -> Any:
            first = tff.federated_value(np.int64(0), tff.SERVER)
            return finalize(finalizers, encrypted_sums(metrics, parts, first))

        return aggregate

    return build


def encrypted_sums(
    values: tff.Value, encryption: SelectiveEncryption, round_number: tff.Value
) -> tff.Value:
    """Wires sums of a few numbers of each client that only the sums leave.

    Args:
      values: A structure of numbers of static shape, at CLIENTS.
      encryption: As for `encrypted_metrics`; a series of keys is allowed here.
      round_number: int64, at SERVER: which key of a series.

    Returns:
      The sums of the clients' numbers, in their structure and types, at SERVER. A sum
      with a number that is not finite, or is 2^128 or more, is NaN; what a float64
      number has below 2^-149 is rounded away. Sums of integers wrap.

    Raises:
      TypeError: If there is something else than real numbers of static shape.
      ValueError: If the cipher adds more messages than sums of digits can hold.
    """
    member = values.type_signature.member
    structure = tff.types.structure_from_tensor_type_tree(_number_spec, member)
    leaves = tf.nest.flatten(structure)
    rules = _rules(encryption, leaves)
    largest = rules.engine.codec.max_abs_code

    def everything(sent: MetricsBroadcast) -> Announcement:
        mask = wire.pack(tf.ones([rules.num_parameters], tf.bool))
        return Announcement(
            mask, sent.run, sent.round, tf.constant([largest], tf.float32)
        )

    def contribute(value: Any) -> Contribution:
        codes = _encode(tf.nest.flatten(value), largest)
        vector = tf.reshape(tf.cast(codes, tf.float32), [rules.num_parameters])
        return Contribution(
            vector, tf.cast(tf.reduce_any(tf.not_equal(vector, 0.0)), tf.float32)
        )

    def finish(
        announced: Announcement, total: server.CipherSum, codes: tf.Tensor
    ) -> Any:
        terms = announcement.terms_of(announced, rules)
        summed = server.assemble(total, codes, terms.mask, terms.bound, rules.engine)
        sums = tf.cast(tf.round(summed.vector), tf.int64)
        return tf.nest.pack_sequence_as(structure, _decode(sums, leaves, largest))

    begun = wiring.apply(
        lambda number: MetricsBroadcast(drawing.draw(), number), round_number
    )
    announced = wiring.apply(everything, begun)
    revealed = revealing.sum_up(
        announced,
        wiring.apply(everything, tff.federated_broadcast(begun)),
        wiring.apply(contribute, values),
        rules,
        encryption.min_clients,
    )
    return wiring.apply(finish, announced, *revealed)


def finalize(finalizers: Any, sums: tff.Value) -> tff.Value:
    """Wires what becomes of sums of metrics, as `sum_then_finalize` does it.

    Args:
      finalizers: A model's: a function of all sums, or one for each metric.
      sums: At SERVER.
    """
    if callable(finalizers):
        return wiring.apply(finalizers, sums)
    return wiring.apply(
        lambda summed: collections.OrderedDict(
            (name, one(summed[name])) for name, one in finalizers.items()
        ),
        sums,
    )


def _rules(encryption: SelectiveEncryption, leaves: list[tf.TensorSpec]) -> Rules:
    if encryption.cipher.max_summands > exact_numbers.MAX_SUMMANDS:
        raise ValueError(
            f"`cipher` must add at most {exact_numbers.MAX_SUMMANDS} messages where "
            f"metrics are summed, but it adds {encryption.cipher.max_summands}. Take "
            "parameters for a smaller cohort."
        )
    codec = FixedPointCodec(min(encryption.codec.bits, _BITS))
    codes = sum(
        leaf.shape.num_elements() * _arithmetic(leaf).num_codes(codec.max_abs_code)
        for leaf in leaves
    )
    return Rules(
        engine=Engine(codec, encryption.cipher),
        keys=encryption.keys,
        groups=(codes,),
        fail=encryption.damaged is Damaged.FAIL,
    )


def _number_spec(leaf: tff.TensorType) -> tf.TensorSpec:
    shape, dtype = tf.TensorShape(leaf.shape), leaf.dtype
    real = np.issubdtype(dtype, np.integer) or np.issubdtype(dtype, np.floating)
    if not real or not shape.is_fully_defined():
        raise TypeError(
            "Metrics that are summed under encryption must be real numbers of static "
            f"shape, but there is {leaf}. Sum it by a `metrics_aggregator` of your own."
        )
    return tf.TensorSpec(shape, tf.as_dtype(dtype))


def _arithmetic(leaf: tf.TensorSpec | tf.Tensor) -> Any:
    """What cuts numbers of the leaf's type into codes."""
    return exact_integers if leaf.dtype.is_integer else exact_numbers


def _encode(leaves: list[tf.Tensor], largest: int) -> tf.Tensor:
    """The codes of all numbers, leaf by leaf."""
    parts = []
    for leaf in leaves:
        wide = tf.int64 if leaf.dtype.is_integer else tf.float64
        numbers = tf.reshape(tf.cast(leaf, wide), [-1])
        codes = _arithmetic(leaf).encode(numbers, largest)
        parts.append(tf.reshape(codes, [-1]))
    return tf.concat(parts, 0)


def _decode(
    codes: tf.Tensor, leaves: list[tf.TensorSpec], largest: int
) -> list[tf.Tensor]:
    """The numbers of sums of such codes, in the shapes and types of the leaves."""
    rows = [_arithmetic(leaf).num_codes(largest) for leaf in leaves]
    sizes = [
        leaf.shape.num_elements() * row for leaf, row in zip(leaves, rows, strict=True)
    ]
    return [
        tf.cast(
            tf.reshape(
                _arithmetic(leaf).decode(tf.reshape(part, [-1, row]), largest),
                leaf.shape,
            ),
            leaf.dtype,
        )
        for leaf, row, part in zip(leaves, rows, tf.split(codes, sizes), strict=True)
    ]
