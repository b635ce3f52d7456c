"""Selective encryption as a TFF aggregator that any `tff.learning` process takes.

process = tff.learning.algorithms.build_weighted_fed_avg(
    model, optimizer,
    model_aggregator=aggregators.selective_encryption(encryption))
"""

import collections
import dataclasses
import enum
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from federated import defaults, flat_values, runtime
from federated.round import (
    announcement,
    client,
    collecting,
    drawing,
    revealing,
    server,
    weight_limit,
    wiring,
)
from federated.round.announcement import Announcement
from federated.round.upload_phase import Contribution
from selenc_tf import validation
from selenc_tf.lattice import codec
from selenc_tf.lattice.cipher import Cipher
from selenc_tf.lattice.codec import FixedPointCodec
from selenc_tf.lattice.engine import Engine
from selenc_tf.lattice.key_store import KeySet
from selenc_tf.lattice.per_client import PerClientCipher, PerClientKeys
from selenc_tf.lattice.scales import ScalePolicy
from selenc_tf.masks import wire
from selenc_tf.masks.agreement import MaskAgreement


class State(NamedTuple):
    """What the server keeps from round to round, all of it public.

    Attributes:
      agreement: Of the mask agreement.
      scales: Of the scale policy.
      run: int64, drawn at the beginning; tells this training from others under the key.
      round: int64, the number of the next round.
    """

    agreement: Any
    scales: Any
    run: Any
    round: Any


class Damaged(enum.Enum):
    """What happens to an upload that the server refuses."""

    DROP = "drop"
    FAIL = "fail"


@dataclasses.dataclass(frozen=True)
class SelectiveEncryption:
    """Everything that a selectively encrypted sum is made of.

    Attributes:
      agreement: Decides, in public, which entries are hidden in a round.
      codec: Makes integers of hidden entries.
      scales: Decides, in public, the codec's bounds.
      cipher: Encrypts integers.
      keys: Names the key, or the series of keys, in each client's own key store. The
        server needs none: the computation holds the path and the public id. Or
        `PerClientKeys()`, with a `PerClientCipher`: nobody has a key.
      min_clients: The smallest cohort whose sum clients are willing to decrypt. Those
        count who contribute: with a positive, finite weight and a finite value; in sums
        and unweighted means, a value that is not zero. Others are left out.
      damaged: Whether an upload that is refused is left out of the round, which goes on
        without that client, or fails the round.
      names: Of the value's tensors in order, for mask policies that pick by name. By
        default those of the value's type: `federated.tff_model` gives them, a list has
        none.
      bound_per_weight: Whether the policy's bounds are for one client's value of weight
        one. They are then multiplied, in each round, by a number that no weight of the
        cohort exceeds: clients tell beforehand the power of two above their weights, or
        the weights themselves if these are not hidden. Otherwise bounds cover weight
        times value.
      hide_weights: Whether weights are encrypted with the values, so that the server is
        told their sum alone. Visible entries, which are multiples of them, give them away
        all the same (docs/threat-model.md). Those of clients that contribute must lie
        between 2^-16 and 2^63 then, and every message has at least one ciphertext block.
    """

    agreement: MaskAgreement
    codec: FixedPointCodec
    scales: ScalePolicy
    cipher: Cipher | PerClientCipher
    keys: KeySet | PerClientKeys
    min_clients: int = 2
    damaged: Damaged = Damaged.DROP
    names: tuple[str, ...] | None = None
    bound_per_weight: bool = False
    hide_weights: bool = True

    def __post_init__(self) -> None:
        """Checks what can be checked before a round.

        Raises:
          ValueError: If the cipher cannot hold the codec's sums, or the cohort may be
            so small that its sum is a single client's vector, or cipher and keys do not
            go together.
        """
        own = isinstance(self.cipher, PerClientCipher)
        if own is not isinstance(self.keys, PerClientKeys):
            raise ValueError(
                "`cipher` and `keys` must go together: `PerClientKeys()` with a cipher of "
                "`catalog.per_client_cipher`, a `KeySet` with one of `catalog.cipher`; got "
                f"{type(self.cipher).__name__} and {type(self.keys).__name__}."
            )
        validation.check_count("min_clients", self.min_clients, 2)
        if self.cipher.max_summands < self.min_clients:
            raise ValueError(
                f"`cipher` adds up to {self.cipher.max_summands} ciphertexts, fewer than"
                f" `min_clients` = {self.min_clients}. Choose parameters for as many "
                "summands as a cohort has clients."
            )
        _ = self.engine  # Refuses a cipher that cannot hold the codec's sums.

    @property
    def engine(self) -> Engine:
        """Codec and cipher together."""
        return Engine(self.codec, self.cipher)


class _Mean(enum.Enum):
    """What becomes of the sum."""

    SUM = "sum"
    UNWEIGHTED = "unweighted"
    WEIGHTED = "weighted"


def selective_encryption(
    encryption: SelectiveEncryption | None = None,
    *,
    ratio: float | None = None,
    significance: str | None = None,
    hide: Sequence[str] | None = None,
    bits: int | None = None,
    max_clients: int | None = None,
    **parts: Any,
) -> tff.aggregators.WeightedAggregationFactory:
    """A weighted mean whose value sum is selectively encrypted.

    ```
    federated.selective_encryption(ratio=0.1)
    ```

    hides the tenth of the entries that were largest in the previous aggregate (the first
    round completely), as 16-bit numbers whose bounds follow the aggregates, under a
    tf-shell key of this process.

    Clients multiply by their weights before they encrypt, so nothing is multiplied under
    encryption. The arithmetic is that of `tff.aggregators.MeanFactory`, operation by
    operation. Unlike there, weights are encrypted too (`hide_weights`), their sum is
    exact, and it is that of the clients whose uploads were taken.

    Args:
      encryption: All parts at once; nothing else is then given.
      ratio: m / n, the share of the entries to encrypt.
      significance: A metric of the catalogue that scores the previous aggregate, or
        nothing; magnitude by default.
      hide: Selectors of the catalogue whose tensors are hidden whatever the scores, e.g.
        `["biases"]`.
      bits: Of an encrypted value; 16 by default.
      max_clients: The largest cohort; 64 by default.
      **parts: Fields of `SelectiveEncryption`, each in place of its default.

    Returns:
      A weighted factory, e.g. for `build_weighted_fed_avg(model_aggregator=...)`.

    Raises:
      TypeError: If there is no part of that name, or an argument would do nothing
        beside a part that decides the same.
      ValueError: If the parts do not go together.
    """
    fields = {field.name for field in dataclasses.fields(SelectiveEncryption)}
    unknown = sorted(set(parts) - fields)
    if unknown:
        raise TypeError(
            f"`selective_encryption` has no part {unknown[0]!r}; its parts are "
            f"{', '.join(sorted(fields))}."
        )
    asked = defaults.Asked(ratio, significance, hide, bits, max_clients)
    if encryption is None:
        filled = defaults.parts(asked, parts)
        own_unit = {"bound_per_weight": True} if "scales" not in parts else {}
        encryption = SelectiveEncryption(**{**own_unit, **filled._asdict(), **parts})
    elif parts or any(one is not None for one in asked):
        raise TypeError(
            "`encryption` has all parts, so nothing else may be given. Use "
            "dataclasses.replace(encryption, ...) to change one."
        )
    return _WeightedMeanFactory(encryption)


def selective_encryption_unweighted(
    encryption: SelectiveEncryption,
) -> tff.aggregators.UnweightedAggregationFactory:
    """An unweighted mean whose sum is selectively encrypted.

    It is over the clients whose values are finite and not all zeros, or smaller than
    normal float32 numbers: TFF's own also counts those who have nothing to add.

    Args:
      encryption: The parts; the bounds cover one client's value.

    Returns:
      An unweighted factory, e.g. for `build_unweighted_fed_avg(model_aggregator=...)`.
    """
    return _UnweightedFactory(encryption, _Mean.UNWEIGHTED)


def selective_encryption_sum(
    encryption: SelectiveEncryption,
) -> tff.aggregators.UnweightedAggregationFactory:
    """A sum that is selectively encrypted, to be put inside other factories.

    If uploads can be dropped, the sum is that of fewer clients than a factory around it
    may count; the means above know better.

    Args:
      encryption: The parts.

    Returns:
      An unweighted factory.
    """
    return _UnweightedFactory(encryption, _Mean.SUM)


def encryption_of(factory: Any) -> SelectiveEncryption | None:
    """The parts of a factory of this module; None if it is something else."""
    if isinstance(factory, SelectiveEncryption):
        return factory
    ours = isinstance(factory, _UnweightedFactory | _WeightedMeanFactory)
    return factory.encryption if ours else None


class _UnweightedFactory(tff.aggregators.UnweightedAggregationFactory):
    def __init__(self, encryption: SelectiveEncryption, mean: _Mean):
        self.encryption = encryption
        self._mean = mean

    def create(self, value_type: tff.Type) -> tff.templates.AggregationProcess:
        return _build(self.encryption, self._mean, value_type)


class _WeightedMeanFactory(tff.aggregators.WeightedAggregationFactory):
    def __init__(self, encryption: SelectiveEncryption):
        self.encryption = encryption

    def create(
        self, value_type: tff.Type, weight_type: tff.Type
    ) -> tff.templates.AggregationProcess:
        return _build(self.encryption, _Mean.WEIGHTED, value_type, weight_type)


def _build(
    encryption: SelectiveEncryption,
    mean: _Mean,
    value_type: tff.Type,
    weight_type: tff.Type | None = None,
) -> tff.templates.AggregationProcess:
    """Builds the process for a structure of float32 tensors.

    This is the release mode `reveal_aggregate`: clients decrypt the sum, each a share of
    it, or without a shared key add up their secrets, and the server learns the sum. What
    crosses between the parties is drawn in `upload_phase.run` and `opening.in_shares`, or
    in `per_client.run`; afterwards the server's state observes the sum.

    Args:
      encryption: The parts.
      mean: What becomes of the sum.
      value_type: The type of one client's value.
      weight_type: That of its weight, in a weighted mean.

    Returns:
      The process: state, result, and the measurements `hidden` (m), `saturated`,
      `clients` (in the sum), `idle` (with nothing to add), `refused` and `refusals`
      (uploads left out, by `Refusal`).

    Raises:
      TypeError: If a leaf is not a float32 tensor of static shape.
    """
    runtime.install_if_none()
    structure = flat_values.tensor_specs(value_type)
    spec = flat_values.flat_spec(structure, encryption.names)
    by_weight = encryption.bound_per_weight and mean is _Mean.WEIGHTED
    agreement, policy = encryption.agreement, encryption.scales
    hides_weights = encryption.hide_weights and mean is _Mean.WEIGHTED
    rules = collecting.Rules(
        engine=encryption.engine.with_number() if hides_weights else encryption.engine,
        keys=encryption.keys,
        groups=policy.groups(spec),
        fail=encryption.damaged is Damaged.FAIL,
    )

    @tff.tensorflow.computation
    def initial_state() -> Any:
        return State(
            agreement.init(spec),
            policy.init(spec),
            drawing.draw(),
            tf.constant(0, tf.int64),
        )

    def announce(state: State) -> Any:
        mask, agreed = agreement.mask(spec, state.agreement)
        announced = Announcement(
            wire.pack(mask), state.run, state.round, policy.bounds(spec, state.scales)
        )
        return announced, State(agreed, state.scales, state.run, state.round)

    def contribute(value: Any, weight: Any) -> Contribution:
        if mean is _Mean.WEIGHTED:
            value = tf.nest.map_structure(
                lambda tensor: tensor * tf.cast(weight, tensor.dtype), value
            )
        vector = client.flatten_value(value)
        if mean is not _Mean.WEIGHTED:
            # Without a weight, zeros are all that tells of a client without examples.
            weight = tf.reduce_any(tf.not_equal(vector, 0.0))
        return Contribution(vector, tf.cast(weight, tf.float32))

    def finish(
        state: State,
        announced: Announcement,
        largest: tf.Tensor,
        total: server.CipherSum,
        codes: tf.Tensor,
    ) -> Any:
        terms = announcement.terms_of(announced, rules)
        summed = server.assemble(total, codes, terms.mask, terms.bound, rules.engine)
        measurements = collections.OrderedDict(
            hidden=summed.hidden,
            saturated=summed.saturated,
            clients=summed.clients,
            idle=total.idle,
            refused=tf.reduce_sum(total.refusals),
            refusals=total.refusals,
        )
        new_state = State(
            agreement.observe(state.agreement, summed.vector),
            policy.observe(
                spec,
                state.scales,
                summed.vector / largest,
                summed.clients,
                summed.saturated,
            ),
            state.run,
            state.round + 1,
        )
        result = flat_values.unflatten_like(summed.vector, structure)
        divisor = {
            _Mean.SUM: None,
            _Mean.UNWEIGHTED: tf.cast(summed.clients, tf.float32),
            _Mean.WEIGHTED: _checked(summed.weight_sum),
        }[mean]
        if divisor is not None:
            result = tf.nest.map_structure(lambda tensor: tensor / divisor, result)
        return new_state, result, measurements

    @tff.federated_computation
    def init_fn() -> Any:
        return tff.federated_eval(initial_state, tff.SERVER)

    def round_of(
        state: tff.Value, value: tff.Value, weight: tff.Value
    ) -> tff.templates.MeasuredProcessOutput:
        announced, next_state = wiring.apply(announce, state)
        largest = tff.federated_value(np.float32(1), tff.SERVER)
        if by_weight:
            largest = weight_limit.largest_weight(weight, rounded_up=hides_weights)
            announced = wiring.apply(_times, announced, largest)
        revealed = revealing.sum_up(
            announced,
            tff.federated_broadcast(announced),
            wiring.apply(contribute, value, weight),
            rules,
            encryption.min_clients,
        )
        return tff.templates.MeasuredProcessOutput(
            *wiring.apply(finish, next_state, announced, largest, *revealed)
        )

    placed_state = init_fn.type_signature.result
    placed_value = tff.FederatedType(value_type, tff.CLIENTS)
    if weight_type is None:

        @tff.federated_computation(placed_state, placed_value)
        def next_fn(state: Any, value: Any) -> Any:
            one = tff.federated_value(np.float32(1), tff.CLIENTS)
            return round_of(state, value, one)

    else:

        @tff.federated_computation(
            placed_state, placed_value, tff.FederatedType(weight_type, tff.CLIENTS)
        )
        def next_fn(state: Any, value: Any, weight: Any) -> Any:
            return round_of(state, value, weight)

    return tff.templates.AggregationProcess(init_fn, next_fn)


def _checked(weight_sum: tf.Tensor) -> tf.Tensor:
    """Weights are positive and finite, one by one, but their sum may leave float32."""
    check = tf.debugging.Assert(
        client.positive(weight_sum),
        ["The sum of the clients' weights must be finite; give smaller weights"],
    )
    with tf.control_dependencies([op for op in (check,) if op is not None]):
        return tf.identity(weight_sum)


def _times(announced: Announcement, largest: tf.Tensor) -> Announcement:
    bounds = tf.minimum(announced.bounds * largest, codec.MAX_BOUND)
    return announced._replace(bounds=bounds)
