"""The wiring of a round: who computes what, and what crosses between them.

```
Keras model --functional--> client gradient g[n] --> significance scores --> mask[n]
   weights, batch                |                                             |
                                 +-- visible part g[~mask], float32 -----------+-> Upload
                                 +-- hidden part g[mask] -> codes -> encrypt --+
 ========= server boundary: the tap sits here, on every value ====> ServerView ----> attacks
     server      sum of the visible parts, sum of the ciphertexts
     clients     decrypt the sum -> decode -> merge
     server      the published aggregate (`build_reveal_round`), or nothing but the
                 ciphertext of the sum (`build_server_blind_round`)
```
"""

import collections
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from federated import aggregators, client, server
from selenc_tf import flatten
from selenc_tf.lattice import key_store
from selenc_tf.lattice.cipher import Cipher
from selenc_tf.lattice.codec import FixedPointCodec
from selenc_tf.masks import agreement, wire
from selenc_tf.models import functional


class Batch(NamedTuple):
    """A client's examples.

    Attributes:
      images: float32 [b, *input_shape].
      labels: int32 [b].
    """

    images: Any
    labels: Any


class ModelBroadcast(NamedTuple):
    """The weights that the server sends to every client."""

    weights: Any


class SumBroadcast(NamedTuple):
    """The encrypted sum that clients open for themselves: what a blind server sends."""

    visible_sum: Any
    ciphertext: Any
    cohort: Any


class BlindResult(NamedTuple):
    """What a server-blind round ends with.

    Attributes:
      state: The agreement's state, at the server.
      visible_sum: float32 [n - m], at the server.
      ciphertext: string, the encrypted sum, at the server.
      gradient: float32 [n], the average gradient, at the clients alone.
    """

    state: Any
    visible_sum: Any
    ciphertext: Any
    gradient: Any


class Round(NamedTuple):
    """A round of federated SGD as TFF computations.

    Attributes:
      initialize: `() -> state@SERVER`.
      next: `(state@SERVER, weights@SERVER, Batch@CLIENTS) -> result`.
    """

    initialize: tff.Computation
    next: tff.Computation


def build_reveal_round(
    model: functional.FunctionalModel,
    factory: tff.aggregators.WeightedAggregationFactory,
) -> Round:
    """One gradient of every client, averaged and published.

    Args:
      model: The model.
      factory: How to average, e.g. `aggregators.selective_encryption(...)`; a client's
        weight is its number of examples.

    Returns:
      The round. `next` returns the factory's `MeasuredProcessOutput`, whose `result` is
      the list of averaged gradient tensors.
    """
    weights_type, batch_type = _weights_type(model), _batch_type(model)

    @tff.tensorflow.computation(weights_type)
    def to_broadcast(weights: Any) -> Any:
        return ModelBroadcast(weights)

    @tff.tensorflow.computation(to_broadcast.type_signature.result, batch_type)
    def compute_gradient(sent: Any, batch: Any) -> Any:
        vector = _gradient(model, sent.weights, batch)
        return list(flatten.unflatten(vector, model.spec))

    @tff.tensorflow.computation(batch_type)
    def count_examples(batch: Any) -> Any:
        return tf.cast(tf.shape(batch.labels)[0], tf.float32)

    aggregator = factory.create(
        compute_gradient.type_signature.result, tff.TensorType(np.float32)
    )

    @tff.federated_computation(
        aggregator.initialize.type_signature.result,
        tff.FederatedType(weights_type, tff.SERVER),
        tff.FederatedType(batch_type, tff.CLIENTS),
    )
    def next_fn(state: Any, weights: Any, batch: Any) -> Any:
        sent = tff.federated_broadcast(tff.federated_map(to_broadcast, weights))
        gradient = tff.federated_map(compute_gradient, (sent, batch))
        return aggregator.next(
            state, gradient, tff.federated_map(count_examples, batch)
        )

    return Round(aggregator.initialize, next_fn)


def build_server_blind_round(
    model: functional.FunctionalModel,
    mask_source: agreement.MaskAgreement | agreement.OwnMask,
    codec: FixedPointCodec,
    cipher: Cipher,
    key_path: str,
) -> Round:
    """One gradient of every client, averaged for the clients alone.

    The server adds visible parts and ciphertexts and sends both sums back; clients open
    their own copies. It never learns a hidden entry, not even of the sum, so a cohort of
    one is allowed, and may choose its own mask.

    Args:
      model: The model.
      mask_source: An agreement, or `OwnMask` for a cohort of one.
      codec: Makes integers of hidden entries.
      cipher: Encrypts integers.
      key_path: The key file in each client's own key store.

    Returns:
      The round. `next` returns a `BlindResult`; the average is unweighted.
    """
    spec = model.spec
    weights_type, batch_type = _weights_type(model), _batch_type(model)
    masks = (
        _own_masks(mask_source, spec)
        if isinstance(mask_source, agreement.OwnMask)
        else _agreed_masks(mask_source, spec)
    )

    @tff.tensorflow.computation(weights_type)
    def to_broadcast(weights: Any) -> Any:
        return ModelBroadcast(weights)

    @tff.tensorflow.computation(to_broadcast.type_signature.result, batch_type)
    def compute_gradient(sent: Any, batch: Any) -> Any:
        return _gradient(model, sent.weights, batch)

    @tff.tensorflow.computation
    def read_key() -> Any:
        return key_store.read(key_path, cipher)

    draw_nonce = tff.tensorflow.computation(client.draw_nonce)
    key_type = read_key.type_signature.result

    @tff.tensorflow.computation(
        compute_gradient.type_signature.result,
        masks.mask_type,
        key_type,
        draw_nonce.type_signature.result,
    )
    def protect(vector: Any, mask: Any, secret_key: Any, nonce: Any) -> Any:
        unpacked = wire.unpack(mask.packed_mask, spec.size)
        return client.protect(vector, unpacked, secret_key, nonce, codec, cipher)

    sum_of_uploads = aggregators.aggregation_of(
        protect.type_signature.result,
        server.nothing_collected,
        server.collect,
        server.join,
        lambda collected: SumBroadcast(*server.add_ciphertexts(collected, cipher)),
    )
    total_type = sum_of_uploads.report.type_signature.result

    @tff.tensorflow.computation(key_type, total_type, masks.mask_type)
    def open_average(secret_key: Any, total: Any, mask: Any) -> Any:
        vector = client.open_all(
            secret_key,
            total.visible_sum,
            total.ciphertext,
            wire.unpack(mask.packed_mask, spec.size),
            codec,
            cipher,
        )
        return vector / tf.cast(tf.size(total.cohort), tf.float32)

    @tff.tensorflow.computation(total_type)
    def what_stays(total: Any) -> Any:
        return total.visible_sum, total.ciphertext

    @tff.federated_computation
    def init_fn() -> Any:
        return tff.federated_eval(masks.initial_state, tff.SERVER)

    @tff.federated_computation(
        tff.FederatedType(masks.initial_state.type_signature.result, tff.SERVER),
        tff.FederatedType(weights_type, tff.SERVER),
        tff.FederatedType(batch_type, tff.CLIENTS),
    )
    def next_fn(state: Any, weights: Any, batch: Any) -> Any:
        sent = tff.federated_broadcast(tff.federated_map(to_broadcast, weights))
        vector = tff.federated_map(compute_gradient, (sent, batch))
        secret_key = tff.federated_eval(read_key, tff.CLIENTS)
        nonce = tff.federated_eval(draw_nonce, tff.CLIENTS)
        mask, state = masks.choose(state, vector)
        upload = tff.federated_map(protect, (vector, mask, secret_key, nonce))
        total = sum_of_uploads.apply(upload)
        opened = tff.federated_map(
            open_average, (secret_key, tff.federated_broadcast(total), mask)
        )
        visible_sum, ciphertext = tff.federated_map(what_stays, total)
        return BlindResult(state, visible_sum, ciphertext, opened)

    return Round(init_fn, next_fn)


class _Masks(NamedTuple):
    """How the clients of a server-blind round come to their mask.

    Attributes:
      initial_state: `() -> state`.
      mask_type: Of the packed mask.
      choose: `(state@SERVER, gradient@CLIENTS) -> (mask@CLIENTS, state@SERVER)`.
    """

    initial_state: tff.Computation
    mask_type: tff.Type
    choose: Callable[[tff.Value, tff.Value], tuple[tff.Value, tff.Value]]


def _agreed_masks(source: agreement.MaskAgreement, spec: flatten.FlatSpec) -> _Masks:
    """The server computes the mask from public knowledge and broadcasts it."""

    @tff.tensorflow.computation
    def initial_state() -> Any:
        return source.init(spec)

    @tff.tensorflow.computation(initial_state.type_signature.result)
    def choose_mask(state: Any) -> Any:
        mask, state = source.mask(spec, state)
        return aggregators.MaskBroadcast(wire.pack(mask)), state

    def choose(state: tff.Value, vector: tff.Value) -> tuple[tff.Value, tff.Value]:
        del vector
        mask, state = tff.federated_map(choose_mask, state)
        return tff.federated_broadcast(mask), state

    return _Masks(initial_state, choose_mask.type_signature.result[0], choose)


def _own_masks(source: agreement.OwnMask, spec: flatten.FlatSpec) -> _Masks:
    """The only client computes the mask and tells the server."""

    @tff.tensorflow.computation
    def initial_state() -> Any:
        return collections.OrderedDict()

    @tff.tensorflow.computation(tff.TensorType(np.float32, (spec.size,)))
    def choose_mask(vector: Any) -> Any:
        mask = agreement.own_mask(source, spec, vector)
        return aggregators.MaskBroadcast(wire.pack(mask))

    mask_type = choose_mask.type_signature.result

    @tff.tensorflow.computation
    def no_masks() -> Any:
        return tf.constant(0)

    @tff.tensorflow.computation(np.int32, mask_type)
    def take_mask(masks_so_far: Any, mask: Any) -> Any:
        del mask
        alone = tf.debugging.Assert(
            tf.equal(masks_so_far, 0),
            [
                "Clients with masks of their own cannot be added up: the cohort must be"
                " one client. Use an agreed mask for several."
            ],
        )
        with tf.control_dependencies([op for op in (alone,) if op is not None]):
            return masks_so_far + 1

    @tff.tensorflow.computation(np.int32, np.int32)
    def join(left: Any, right: Any) -> Any:
        return left + right

    @tff.tensorflow.computation(np.int32, initial_state.type_signature.result)
    def keep_state(number_of_masks: Any, state: Any) -> Any:
        del number_of_masks
        return state

    @tff.tensorflow.computation(np.int32)
    def report(number_of_masks: Any) -> Any:
        return number_of_masks

    def choose(state: tff.Value, vector: tff.Value) -> tuple[tff.Value, tff.Value]:
        mask = tff.federated_map(choose_mask, vector)
        taken = tff.federated_aggregate(mask, no_masks(), take_mask, join, report)
        return mask, tff.federated_map(keep_state, (taken, state))

    return _Masks(initial_state, mask_type, choose)


def _weights_type(model: functional.FunctionalModel) -> tff.Type:
    return tff.to_type([(np.float32, shape) for shape in model.spec.shapes])


def _batch_type(model: functional.FunctionalModel) -> tff.Type:
    return tff.to_type(
        Batch(
            images=tff.TensorType(np.float32, (None, *model.input_shape)),
            labels=tff.TensorType(np.int32, (None,)),
        )
    )


def _gradient(
    model: functional.FunctionalModel, weights: Any, batch: Batch
) -> tf.Tensor:
    """The client's gradient: float32 [n]. Refuses an empty batch."""
    check = tf.debugging.assert_positive(
        tf.shape(batch.labels)[0],
        "A client has no data: give every client of the cohort at least one example",
    )
    with tf.control_dependencies([op for op in (check,) if op is not None]):
        labels = tf.one_hot(batch.labels, model.num_classes)
    return functional.gradient(model, tuple(weights), batch.images, labels)
