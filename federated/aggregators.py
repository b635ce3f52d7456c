"""Selective encryption as a TFF aggregator that any `tff.learning` process takes.

process = tff.learning.algorithms.build_weighted_fed_avg(
    model, optimizer,
    model_aggregator=aggregators.selective_encryption(encryption))
"""

import collections
import dataclasses
import os
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from federated import client, server
from selenc_tf import flatten, validation
from selenc_tf.lattice import key_store
from selenc_tf.lattice.cipher import Cipher
from selenc_tf.lattice.codec import FixedPointCodec
from selenc_tf.masks import wire
from selenc_tf.masks.agreement import MaskAgreement


class MaskBroadcast(NamedTuple):
    """What the server sends first: uint8 [ceil(n / 8)], see `selenc_tf/masks/wire.py`."""

    packed_mask: Any


class CohortBroadcast(NamedTuple):
    """The sorted nonces of the cohort, int64 [k]."""

    cohort: Any


@dataclasses.dataclass(frozen=True)
class SelectiveEncryption:
    """Everything that a selectively encrypted sum is made of.

    Attributes:
      agreement: Decides, in public, which entries are hidden in a round.
      codec: Makes integers of hidden entries.
      cipher: Encrypts integers.
      key_path: The key file in each client's own key store. The server needs none, and
        the computation holds the path, never the key.
      min_clients: The smallest cohort whose sum clients are willing to decrypt.
    """

    agreement: MaskAgreement
    codec: FixedPointCodec
    cipher: Cipher
    key_path: str | os.PathLike[str]
    min_clients: int = 2

    def __post_init__(self) -> None:
        """Checks what can be checked before a round.

        Raises:
          ValueError: If the cipher cannot hold the codec's sums, or the cohort may be
            so small that its sum is a single client's vector.
        """
        validation.check_at_least("min_clients", self.min_clients, 2)
        most = self.cipher.max_abs_sum // self.codec.max_abs_code
        if most < self.min_clients or most < self.cipher.max_summands:
            raise ValueError(
                f"`cipher` adds up to {self.cipher.max_summands} ciphertexts, but the "
                f"sums of `codec`, {self.codec.bits} bits a value, fit only for {most}."
                " Take fewer bits, or parameters chosen for this codec:"
                " choose_parameters(max_summands, codec.max_abs_code)."
            )


def selective_encryption(
    encryption: SelectiveEncryption,
) -> tff.aggregators.WeightedAggregationFactory:
    """A weighted mean whose value sum is selectively encrypted.

    Clients multiply by their weights before they encrypt, so nothing is multiplied under
    encryption; `encryption.codec.bound` has to cover weight times value. Weights cross
    in the clear, as in `tff.aggregators.MeanFactory`.

    Args:
      encryption: The parts.

    Returns:
      A weighted factory, e.g. for `build_weighted_fed_avg(model_aggregator=...)`.
    """
    return tff.aggregators.MeanFactory(SelectiveEncryptionSumFactory(encryption))


def selective_encryption_unweighted(
    encryption: SelectiveEncryption,
) -> tff.aggregators.UnweightedAggregationFactory:
    """An unweighted mean whose sum is selectively encrypted.

    Args:
      encryption: The parts; the codec's bound covers one client's value.

    Returns:
      An unweighted factory, e.g. for `build_unweighted_fed_avg(model_aggregator=...)`.
    """
    return tff.aggregators.UnweightedMeanFactory(
        SelectiveEncryptionSumFactory(encryption)
    )


class SelectiveEncryptionSumFactory(tff.aggregators.UnweightedAggregationFactory):
    """A sum whose significant entries the server sees only as ciphertexts.

    Composes like every TFF factory: inside a mean (`selective_encryption`), under
    clipping or zeroing. In the terms of DESIGN this is the release mode
    `reveal_aggregate`: clients decrypt the sum, each a share of it, and the server
    learns the sum.
    """

    def __init__(self, encryption: SelectiveEncryption):
        """Keeps the parts.

        Args:
          encryption: The parts.
        """
        self._encryption = encryption

    def create(self, value_type: tff.Type) -> tff.templates.AggregationProcess:
        """Builds the process for a structure of float32 tensors.

        The wiring of a round, where the arrows that cross the line are all that the
        server and the clients exchange:

        ```
        SERVER                                  | CLIENTS
        state -> mask --------------------------|-> mask
                                                |   value -> vector -+-> visible entries
                                                |   key, nonce       +-> codes -> encrypt
        sum of visible, list of ciphertexts <---|-- Upload
        add ciphertexts; sorted nonces ---------|-> rank (or refusal: too few clients)
        one share of the sum for each rank <----|-- rank
                                       ---------|-> share -> decrypt
        assemble the sum <----------------------|-- OpenedShare
        observe the sum -> state                |
        ```

        Args:
          value_type: The type of one client's value.

        Returns:
          The process: state of the agreement, sum, and the measurements `hidden`,
          `saturated`, `clients`.

        Raises:
          TypeError: If a leaf is not a float32 tensor of static shape.
        """
        structure = _tensor_specs(value_type)
        spec = _flat_spec(structure)
        encryption = self._encryption
        agreement, codec, cipher = (
            encryption.agreement,
            encryption.codec,
            encryption.cipher,
        )

        @tff.tensorflow.computation
        def initial_state() -> Any:
            return agreement.init(spec)

        state_type = initial_state.type_signature.result

        @tff.tensorflow.computation(state_type)
        def choose_mask(state: Any) -> Any:
            mask, state = agreement.mask(spec, state)
            return MaskBroadcast(wire.pack(mask)), state

        @tff.tensorflow.computation
        def read_key() -> Any:
            return key_store.read(encryption.key_path, cipher)

        draw_nonce = tff.tensorflow.computation(client.draw_nonce)
        mask_type, _ = choose_mask.type_signature.result
        key_type = read_key.type_signature.result
        nonce_type = draw_nonce.type_signature.result

        @tff.tensorflow.computation(value_type, mask_type, key_type, nonce_type)
        def protect(value: Any, mask: Any, secret_key: Any, nonce: Any) -> Any:
            return client.protect(
                client.flatten_value(value),
                wire.unpack(mask.packed_mask, spec.size),
                secret_key,
                nonce,
                codec,
                cipher,
            )

        upload_type = protect.type_signature.result
        sum_of_uploads = aggregation_of(
            upload_type,
            server.nothing_collected,
            server.collect,
            server.join,
            lambda collected: server.add_ciphertexts(collected, cipher),
        )
        total_type = sum_of_uploads.report.type_signature.result

        @tff.tensorflow.computation(total_type)
        def prepare_opening(total: Any) -> Any:
            return (
                CohortBroadcast(total.cohort),
                tf.size(total.cohort),
                server.shares(total, cipher),
            )

        cohort_type, _, shares_type = prepare_opening.type_signature.result

        @tff.tensorflow.computation(nonce_type, cohort_type)
        def find_rank(nonce: Any, cohort: Any) -> Any:
            return client.find_rank(nonce, cohort.cohort, encryption.min_clients)

        rank_type = find_rank.type_signature.result

        @tff.tensorflow.computation(shares_type, np.int32)
        def pick_share(all_shares: Any, rank: Any) -> Any:
            return all_shares[rank]

        @tff.tensorflow.computation(
            key_type,
            tff.SequenceType(pick_share.type_signature.result),
            rank_type,
            cohort_type,
            mask_type,
        )
        def open_share(
            secret_key: Any, share: Any, rank: Any, cohort: Any, mask: Any
        ) -> Any:
            return client.open_share(
                secret_key,
                share.get_single_element(),
                rank,
                cohort.cohort,
                wire.unpack(mask.packed_mask, spec.size),
                codec,
                cipher,
            )

        collect_shares = aggregation_of(
            open_share.type_signature.result,
            server.no_shares,
            server.collect_share,
            server.join_shares,
            lambda opened: opened,
        )

        @tff.tensorflow.computation(
            state_type,
            mask_type,
            total_type,
            collect_shares.report.type_signature.result,
        )
        def finish(state: Any, mask: Any, total: Any, opened: Any) -> Any:
            opened_sum = server.assemble(
                total.visible_sum,
                opened,
                wire.unpack(mask.packed_mask, spec.size),
                codec,
                cipher,
            )
            measurements = collections.OrderedDict(
                hidden=opened_sum.hidden,
                saturated=opened_sum.saturated,
                clients=opened_sum.clients,
            )
            return (
                agreement.observe(state, opened_sum.vector),
                _unflatten_like(opened_sum.vector, structure),
                measurements,
            )

        @tff.federated_computation
        def init_fn() -> Any:
            return tff.federated_eval(initial_state, tff.SERVER)

        @tff.federated_computation(
            tff.FederatedType(state_type, tff.SERVER),
            tff.FederatedType(value_type, tff.CLIENTS),
        )
        def next_fn(state: Any, value: Any) -> Any:
            mask, chosen_state = tff.federated_map(choose_mask, state)
            secret_key = tff.federated_eval(read_key, tff.CLIENTS)
            nonce = tff.federated_eval(draw_nonce, tff.CLIENTS)
            client_mask = tff.federated_broadcast(mask)
            upload = tff.federated_map(protect, (value, client_mask, secret_key, nonce))
            total = sum_of_uploads.apply(upload)
            cohort, size, shares = tff.federated_map(prepare_opening, total)
            client_cohort = tff.federated_broadcast(cohort)
            rank = tff.federated_map(find_rank, (nonce, client_cohort))
            share = tff.federated_select(rank, size, shares, pick_share)
            opened = collect_shares.apply(
                tff.federated_map(
                    open_share, (secret_key, share, rank, client_cohort, client_mask)
                )
            )
            new_state, result, measurements = tff.federated_map(
                finish, (chosen_state, mask, total, opened)
            )
            return tff.templates.MeasuredProcessOutput(new_state, result, measurements)

        return tff.templates.AggregationProcess(init_fn, next_fn)


class Aggregation(NamedTuple):
    """The computations of one `tff.federated_aggregate`."""

    zero: Any
    accumulate: Any
    merge: Any
    report: Any

    def apply(self, values: tff.Value) -> tff.Value:
        """Aggregates CLIENTS-placed values to the server."""
        return tff.federated_aggregate(
            values, self.zero(), self.accumulate, self.merge, self.report
        )


def aggregation_of(
    value_type: tff.Type, zero: Any, accumulate: Any, merge: Any, report: Any
) -> Aggregation:
    """Wraps pure server functions for `tff.federated_aggregate`."""
    zero_computation = tff.tensorflow.computation(zero)
    accumulator_type = zero_computation.type_signature.result
    return Aggregation(
        zero=zero_computation,
        accumulate=tff.tensorflow.computation(
            accumulate, (accumulator_type, value_type)
        ),
        merge=tff.tensorflow.computation(merge, (accumulator_type, accumulator_type)),
        report=tff.tensorflow.computation(report, accumulator_type),
    )


def _tensor_specs(value_type: tff.Type) -> Any:
    """The Python structure of a value, with a `tf.TensorSpec` for each leaf."""

    def check(leaf: tff.TensorType) -> tf.TensorSpec:
        shape = tf.TensorShape(leaf.shape)
        if leaf.dtype != np.float32 or not shape.is_fully_defined():
            raise TypeError(
                "`value_type` must be a structure of float32 tensors of static shape, "
                f"but it holds {leaf}. Cast the value, or aggregate it beside this one."
            )
        return tf.TensorSpec(shape, tf.float32)

    return tff.types.structure_from_tensor_type_tree(check, value_type)


def _flat_spec(structure: Any) -> flatten.FlatSpec:
    leaves = tf.nest.flatten(structure)
    return flatten.FlatSpec(
        names=tuple(f"tensor{index}" for index in range(len(leaves))),
        shapes=tuple(tuple(leaf.shape) for leaf in leaves),
    )


def _unflatten_like(vector: tf.Tensor, structure: Any) -> Any:
    return tf.nest.pack_sequence_as(
        structure, flatten.unflatten(vector, _flat_spec(structure))
    )
