"""Nothing unknown runs, and nothing is done twice, while the secret of a message waits."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_federated as tff

from federated import key_flow
from federated.key_flow.cipher_ops import CipherOps
from federated.key_flow.graph_taint import NOTHING_KEPT
from federated.key_flow.taint_values import Number, fixed_point
from federated.key_flow.taint_walk import Walk
from federated.round import drawing
from tests.federated.key_flow.parts import send
from tests.federated.key_flow.per_client_parts import (
    CIPHER,
    CODES,
    Parts,
    analysed,
    listed,
    mapped,
    process,
    release,
    seal,
    secure,
    stacked,
    tf_comp,
)


def layer_of(codes):
    image = tf.reshape(tf.cast(codes[0, :1], tf.float32), [1, 1, 1, 1])
    return tf.nn.depthwise_conv2d(image, image, [1, 1, 1, 1], "SAME")[0, 0, 0, 0]


def of_the_next_client(codes):
    """Two graphs of one map: the second client's layer runs behind the first's message."""
    layer, sealed = tf_comp(layer_of, CODES), tf_comp(seal, CODES)

    @tff.federated_computation(CODES)
    def both(codes):
        return layer(codes), sealed(codes)

    return send(tff.federated_map(both, codes)[0])


def of_the_next_element(codes):
    """Likewise, of a client alone: the operator of a fold runs for each element."""
    sealed = tf_comp(lambda codes: tf.size(seal(codes).blocks), CODES)
    layer = tf_comp(layer_of, CODES)
    add = tf_comp(
        lambda one, two, size: one + two + tf.cast(size, tf.float32),
        np.float32,
        np.float32,
        np.int32,
    )
    zero = tf_comp(lambda: tf.constant(0.0))()

    @tff.federated_computation(np.float32, CODES)
    def step(total, codes):
        return add(total, layer(codes), sealed(codes))

    @tff.federated_computation(tff.SequenceType(CODES))
    def fold(sequence):
        return tff.sequence_reduce(sequence, zero, step)

    rows = mapped(lambda codes: tf.data.Dataset.from_tensors(codes).repeat(2), codes)
    return send(tff.federated_map(fold, rows))


def read_later(read):
    """Of a data set that was made before anything is encrypted, and is read afterwards."""

    def layer_later(codes):
        rows = mapped(
            lambda codes: tf.data.Dataset.from_tensors(codes).map(layer_of), codes
        )
        made = mapped(seal, codes)
        return read(rows), stacked(made.blocks)

    return layer_later


def summed(rows):
    @tff.federated_computation(rows.type_signature.member)
    def read(sequence):
        return tff.sequence_sum(sequence)

    return send(tff.federated_map(read, rows))


def folded(rows):
    add = tf_comp(lambda one, two: one + two, np.float32, np.float32)
    zero = tf_comp(lambda: tf.constant(0.0))()

    @tff.federated_computation(rows.type_signature.member)
    def read(sequence):
        return tff.sequence_reduce(sequence, zero, add)

    return send(tff.federated_map(read, rows))


def aggregated_as_it_is(rows):
    element = rows.type_signature.member
    count = tf_comp(
        lambda total, rows: rows.reduce(total, lambda a, b: a + b), np.float32, element
    )
    add = tf_comp(lambda one, two: one + two, np.float32, np.float32)
    end = tf_comp(lambda total: total, np.float32)
    return tff.federated_aggregate(
        rows, tf_comp(lambda: tf.constant(0.0))(), count, add, end
    )


def mapped_and_given_out(rows):
    """The runtime reads a mapped sequence when it gives out the results."""
    element = rows.type_signature.member.element
    same = tf_comp(lambda number: tf.identity(number), element)

    @tff.federated_computation(rows.type_signature.member)
    def each(sequence):
        return tff.sequence_map(same, sequence)

    return tff.federated_map(each, rows)


LAYERS_MEANWHILE = {
    "of the next client": (of_the_next_client, "while the node `depthwise`"),
    "of the next element": (of_the_next_element, "while the node `depthwise`"),
    "in a sum": (read_later(summed), "while `sequence_sum` reads a sequence"),
    "in a fold": (read_later(folded), "while `sequence_reduce` reads a sequence"),
    "in an aggregation": (
        read_later(aggregated_as_it_is),
        "while `federated_aggregate` reads a sequence",
    ),
    "in a result": (
        read_later(mapped_and_given_out),
        "while a sequence among the computation's results is read",
    ),
}


QUICK = ("of the next client", "in an aggregation")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in QUICK else pytest.mark.slow)
        for name in LAYERS_MEANWHILE
    ],
)
def test_no_layer_runs_while_a_secret_waits(name):
    wire, words = LAYERS_MEANWHILE[name]
    computation = tff.federated_computation(wire, tff.FederatedType(CODES, tff.CLIENTS))
    texts = [str(one) for one in key_flow.analyse(computation).violations]
    assert any(words in text for text in texts), texts


def prefetched():
    return tf.data.Dataset.range(9).map(lambda number: 2 * number).prefetch(9)


def first_of(iterator, rows=None):
    """What an iterator has first, of one that prefetches the layer's elements."""
    data = tf.data.experimental.to_variant(prefetched() if rows is None else rows)
    types = {"output_types": [tf.int64], "output_shapes": [[]]}
    with tf.control_dependencies(
        [tf.raw_ops.MakeIterator(dataset=data, iterator=iterator)]
    ):
        return tf.raw_ops.IteratorGetNext(iterator=iterator, **types)[0]


ITERATOR = {"output_types": [tf.int64], "output_shapes": [[]]}


def by_name(_):
    return first_of(tf.raw_ops.IteratorV2(shared_name="it", container="", **ITERATOR))


def to_be_deleted(_):
    return first_of(tf.raw_ops.AnonymousIterator(**ITERATOR))


def in_a_variable(_):
    """An iterator that ends when nobody holds it, in a variable that does."""
    iterator = tf.raw_ops.AnonymousIteratorV3(**ITERATOR)
    variable = tf.raw_ops.VarHandleOp(shape=[], dtype=tf.resource, shared_name="held")
    stored = tf.raw_ops.AssignVariableOp(resource=variable, value=iterator)
    with tf.control_dependencies([stored]):
        return first_of(iterator)


def in_a_sequence(_):
    """The data set that the graph gives out captures it."""
    iterator = tf.raw_ops.AnonymousIteratorV3(**ITERATOR)
    with tf.control_dependencies([tf.reshape(first_of(iterator), [])]):
        return tf.data.Dataset.range(2).map(
            lambda _: tf.raw_ops.IteratorGetNext(iterator=iterator, **ITERATOR)[0]
        )


def in_its_own_data_set(_):
    """The data set's function captures the iterator over it."""
    iterator = tf.raw_ops.AnonymousIteratorV3(**ITERATOR)

    def element(number):
        with tf.control_dependencies([tf.identity(iterator)]):
            return number + 1

    rows = tf.data.Dataset.range(9).map(element).prefetch(9)
    return first_of(iterator, rows)


def as_an_element(_):
    """The data set has the handle of the iterator over it as an element."""
    iterator = tf.raw_ops.AnonymousIteratorV3(**ITERATOR)
    handles = tf.raw_ops.TensorDataset(components=[iterator], output_shapes=[[]])
    zipped = tf.raw_ops.ZipDataset(
        input_datasets=[tf.data.experimental.to_variant(prefetched()), handles],
        output_types=[tf.int64, tf.resource],
        output_shapes=[[], []],
    )
    types = {"output_types": [tf.int64, tf.resource], "output_shapes": [[], []]}
    made = tf.raw_ops.MakeIterator(dataset=zipped, iterator=iterator)
    with tf.control_dependencies([made]):
        return tf.raw_ops.IteratorGetNext(iterator=iterator, **types)[0]


@pytest.mark.parametrize(
    "made",
    [
        by_name,
        in_its_own_data_set,
        *(
            pytest.param(one, marks=pytest.mark.slow)
            for one in (to_be_deleted, in_a_variable, in_a_sequence, as_an_element)
        ),
    ],
)
def test_no_iterator_outlives_its_graph(made):
    """Its threads would run a layer while secrets wait, or beside a key."""

    @tff.federated_computation(tff.FederatedType(CODES, tff.CLIENTS))
    def computation(codes):
        first = mapped(made, codes)
        if made is in_a_sequence:
            first = mapped(lambda rows: rows.reduce(0, lambda a, _: a + 1), first)
        return stacked(mapped(seal, codes).blocks), send(first)

    assert key_flow.analyse(computation).violations


@pytest.mark.parametrize(
    "reader", ["sequence_map", pytest.param("sequence_reduce", marks=pytest.mark.slow)]
)
def test_nothing_is_encrypted_while_a_sequence_is_read(reader):
    """The data set's threads would run its functions beside the key."""
    sealed = tf_comp(lambda codes: tf.size(seal(codes).blocks), CODES)
    add = tf_comp(lambda one, two: one + two, np.int32, np.int32)
    zero = tf_comp(lambda: tf.constant(0))()

    @tff.federated_computation(np.int32, CODES)
    def step(total, codes):
        return add(total, sealed(codes))

    @tff.federated_computation(tff.SequenceType(CODES))
    def each(sequence):
        if reader == "sequence_map":
            return tff.sequence_sum(tff.sequence_map(sealed, sequence))
        return tff.sequence_reduce(sequence, zero, step)

    @tff.federated_computation(tff.FederatedType(CODES, tff.CLIENTS))
    def computation(codes):
        rows = mapped(lambda codes: tf.data.Dataset.from_tensors(codes), codes)
        return send(tff.federated_map(each, rows))

    texts = [str(one) for one in key_flow.analyse(computation).violations]
    words = (
        f"in memory while `{reader}` reads a sequence, whose functions may run beside"
    )
    assert any(words in text for text in texts), texts


@pytest.mark.slow
def test_an_iterator_that_ends_with_its_graph_may_be():
    @tff.federated_computation(tff.FederatedType(CODES, tff.CLIENTS))
    def computation(codes):
        first = mapped(
            tf.function(lambda _: next(iter(tf.data.Dataset.range(3).prefetch(1)))),
            codes,
        )
        return send(first), stacked(mapped(seal, codes).blocks)

    key_flow.check(computation)


@pytest.mark.slow
def test_a_layer_of_a_sequence_may_run_before():
    """The sequence is read, and then something is encrypted."""

    @tff.federated_computation(tff.FederatedType(CODES, tff.CLIENTS))
    def computation(codes):
        layer = tf_comp(layer_of, CODES)
        rows = mapped(lambda codes: tf.data.Dataset.from_tensors(codes), codes)

        @tff.federated_computation(tff.SequenceType(CODES))
        def read(sequence):
            return tff.sequence_sum(tff.sequence_map(layer, sequence))

        first = tff.federated_map(read, rows)
        return send(first), stacked(mapped(seal, codes).blocks)

    key_flow.check(computation)


@pytest.mark.slow
def test_secrets_may_be_summed_beside_other_numbers():
    """Each with a width of its own."""

    def secure_with_counts(released):
        pair = mapped(lambda value: (value, tf.constant(1)), released)
        widths = (CIPHER.secret_bits, 8)
        summed = tff.federated_secure_sum_bitwidth(pair, widths)
        return mapped(lambda pair: pair[0], summed)

    def too_narrow(released):
        pair = mapped(lambda value: (value, tf.constant(1)), released)
        summed = tff.federated_secure_sum_bitwidth(pair, (CIPHER.secret_bits - 1, 8))
        return mapped(lambda pair: pair[0], summed)

    key_flow.check(process(Parts(secure=secure_with_counts)))
    assert analysed(Parts(secure=too_narrow)).violations


# --- What TFF calls once for each client or element --------------------------------------


def fold_of_releases(state_is_placed):
    """A secret that is released anew for each element, to other cohorts, by a fold."""
    numbers = tff.SequenceType(np.int64)

    @tff.federated_computation(tff.FederatedType(CODES, tff.CLIENTS), numbers)
    def made_of(codes, sequence):
        made = mapped(seal, codes)
        nonce = tff.federated_eval(tf_comp(drawing.draw), tff.CLIENTS)
        cohort = tff.federated_broadcast(listed(nonce))
        total = secure(mapped(release, made.secret, nonce, cohort))
        zero = total if state_is_placed else tf_comp(lambda: tf.constant(7))()

        @tff.federated_computation(zero.type_signature, np.int64)
        def step(so_far, number):
            del number
            again = secure(mapped(release, made.secret, nonce, cohort))
            if state_is_placed:
                return mapped(lambda one, two: one + two, so_far, again)
            counted = tf_comp(lambda so_far: so_far - 1, np.int32)
            return counted(so_far), again

        if not state_is_placed:

            @tff.federated_computation(np.int32, np.int64)
            def first(so_far, number):
                return step(so_far, number)[0]

            return total, tff.sequence_reduce(sequence, zero, first)
        return tff.sequence_reduce(sequence, zero, step)

    return made_of


def test_a_fold_has_no_state_of_other_parties():
    with pytest.raises(NotImplementedError, match="which has a place"):
        key_flow.analyse(fold_of_releases(True))


def test_an_aggregation_has_no_state_of_other_parties():
    @tff.federated_computation(tff.FederatedType(CODES, tff.CLIENTS))
    def made_of(codes):
        secret = mapped(seal, codes).secret
        state = secret.type_signature

        @tff.federated_computation(state, CODES)
        def step(so_far, codes):
            del codes
            return so_far

        @tff.federated_computation(state, state)
        def merge(one, two):
            del two
            return one

        @tff.federated_computation(state)
        def report(so_far):
            del so_far
            return tf_comp(lambda: tf.constant(0))()

        return tff.federated_aggregate(codes, secret, step, merge, report)

    with pytest.raises(NotImplementedError, match="which has a place"):
        key_flow.analyse(made_of)


def test_what_is_called_for_each_element_moves_nothing_between_parties():
    """By a value from outside of the function, whose type does not show it.

    The compiler takes away what nobody reads, so this is the computation before it.
    """
    block = fold_of_releases(False).to_building_block()
    walk = Walk(CipherOps.of(CIPHER), NOTHING_KEPT)
    with pytest.raises(NotImplementedError, match="to move nothing between parties"):
        walk.run(block)


def test_a_number_that_a_step_makes_is_none_of_the_computation():
    start = Number(7)
    kept = fixed_point(start, tff.TensorType(np.int32), lambda so_far: dict(so_far))
    assert not isinstance(kept, Number)
