"""Secrets of messages reach the server through the secure sum alone, as they were drawn."""

import dataclasses
from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_federated as tff

import federated
from federated import aggregators, key_flow, processes
from federated.key_flow import op_kinds
from federated.key_flow.cipher_ops import CipherOps
from federated.key_flow.graph_taint import NOTHING_KEPT
from federated.key_flow.labels import Label
from federated.key_flow.taint_values import Number, fixed_point
from federated.key_flow.taint_walk import Walk
from federated.round import drawing
from selenc_tf.lattice import codec, device_per_client, message, scales
from tests.federated import rounds
from tests.federated.key_flow.parts import BLOCKS, any_length, send
from tests.selenc_tf.lattice import ciphers

CIPHER = ciphers.per_client(4, 16)
CODES = tff.TensorType(CIPHER.code_dtype.as_numpy_dtype, [1, CIPHER.num_slots])
SECRET = tff.TensorType(np.int32, [CIPHER.secret_size])
COHORT = tff.TensorType(np.int64, [None])
STACKED = tff.TensorType(np.str_, [None, None])
BITWIDTH = "federated_secure_sum_bitwidth"
tf_comp = tff.tensorflow.computation


def known():
    return tf.range(device_per_client.KNOWN, dtype=tf.int64)


class Made(NamedTuple):
    """What a client has after its encryption."""

    blocks: object
    secret: object


def seal(codes):
    sent, secret = CIPHER.encrypt(known(), codes)
    return Made(message.blocks_of(sent), secret)


def release(secret, nonce, cohort):
    return CIPHER.release(secret, nonce, cohort, tf.constant(2))


def secure(value):
    return tff.federated_secure_sum_bitwidth(value, CIPHER.secret_bits)


def open_sum(blocks, released):
    total = CIPHER.add(blocks)
    clients = tf.shape(blocks)[0]
    return CIPHER.open(known(), released, clients, tf.constant(0), total)


@dataclasses.dataclass(frozen=True)
class Parts:
    """What a process is made of; each may be exchanged for something that leaks.

    Attributes:
      seal: `(codes) -> Made`, in a client's graph.
      release: `(secret, nonce, cohort) -> value`, in a client's graph.
      secure: Wires how that reaches the server.
      open: `(blocks [k, b], released) -> anything`, in the server's graph.
      more: Wires something beside it: of the codes, what was made, nonces and cohort.
    """

    seal: object = seal
    release: object = release
    secure: object = secure
    open: object = open_sum
    more: object = None


def stacked(blocks):
    """The clients' messages at the server: string [k, b]."""
    return tff.federated_aggregate(
        blocks,
        tf_comp(lambda: any_length(tf.zeros([0, 1], tf.string)))(),
        tf_comp(lambda so_far, new: tf.concat([so_far, [new]], 0), STACKED, BLOCKS),
        tf_comp(lambda one, two: tf.concat([one, two], 0), STACKED, STACKED),
        tf_comp(any_length, STACKED),
    )


def listed(nonces):
    """The clients' nonces at the server: int64 [k]."""
    return tff.federated_aggregate(
        nonces,
        tf_comp(lambda: any_length(tf.zeros([0], tf.int64)))(),
        tf_comp(
            lambda rows, new: any_length(tf.concat([rows, [new]], 0)), COHORT, np.int64
        ),
        tf_comp(lambda one, two: any_length(tf.concat([one, two], 0)), COHORT, COHORT),
        tf_comp(lambda rows: any_length(tf.sort(rows)), COHORT),
    )


def mapped(function, *values):
    types = [value.type_signature.member for value in values]
    argument = values[0] if len(values) == 1 else values
    return tff.federated_map(tf_comp(function, *types), argument)


def process(parts=Parts()):
    @tff.federated_computation(tff.FederatedType(CODES, tff.CLIENTS))
    def made_of(codes):
        made = mapped(parts.seal, codes)
        nonce = tff.federated_eval(tf_comp(drawing.draw), tff.CLIENTS)
        cohort = tff.federated_broadcast(listed(nonce))
        released = parts.secure(mapped(parts.release, made.secret, nonce, cohort))
        results = [mapped(parts.open, stacked(made.blocks), released)]
        if parts.more is not None:
            results.append(parts.more(codes, made, nonce, cohort))
        return tuple(results)

    return made_of


def analysed(parts):
    return key_flow.analyse(process(parts))


@pytest.mark.slow
def test_a_secure_sum_may_be_wider_than_it_has_to_be():
    def wide(value):
        return tff.federated_secure_sum_bitwidth(value, CIPHER.secret_bits + 9)

    key_flow.check(process(Parts(secure=wide)))


def test_a_process_that_keeps_to_it_passes():
    report = key_flow.check(process())
    assert [source.site.op for source in report.sources] == ["seal"]
    labels = {
        (crossing.intrinsic, field.type): field.labels
        for crossing in report.to_server
        for field in crossing.fields
    }
    assert labels == {
        ("federated_aggregate", "int64"): frozenset(),
        ("federated_aggregate", "str[?]"): {Label.CIPHERTEXT},
        (BITWIDTH, f"int32[{CIPHER.secret_size}]"): {Label.OWN_SECRET},
    }


def through_identities(secret, nonce, cohort):
    given = tf.nest.map_structure(tf.identity, (secret, nonce, cohort))
    return tf.identity(release(*given))


def test_moved_whole_it_is_still_itself():
    key_flow.check(process(Parts(release=through_identities)))


# --- What leaks ------------------------------------------------------------------------


def two_to_the_server(codes, made, nonce, cohort):
    """Of two cohorts: what one sum has and the other has not is one client's secret."""
    del codes
    return secure(mapped(release, made.secret, nonce, cohort))


def twice_in_one(value):
    return tff.federated_secure_sum_bitwidth(
        tff.federated_zip((value, value)), CIPHER.secret_bits
    )


def of_a_sequence(codes, made, nonce, cohort):
    """A layer that runs whenever somebody reads the sequence."""
    del nonce, cohort
    numbers = mapped(lambda _: tf.data.Dataset.range(2), codes)
    element = tff.types.to_type(np.int64)

    @tf_comp(element)
    def convolve(number):
        image = tf.reshape(tf.cast(number, tf.float32), [1, 1, 1, 1])
        return tf.nn.depthwise_conv2d(image, image, [1, 1, 1, 1], "SAME")[0, 0, 0, 0]

    @tff.federated_computation(tff.SequenceType(element))
    def each(sequence):
        return tff.sequence_map(convolve, sequence)

    read = mapped(
        lambda data, _: data.reduce(0.0, lambda a, b: a + b),
        tff.federated_map(each, numbers),
        made.blocks,
    )
    return send(read)


def encrypted_by_hand(codes):
    """A second message under the secret: with the first, their difference."""
    made = seal(codes)
    again = tf.cast(codes[0, : CIPHER.secret_size], tf.int32) + 3 * made.secret
    text = tf.io.serialize_tensor(again)
    return Made(tf.concat([made.blocks, [text]], 0), made.secret)


def secret_in_the_upload(codes):
    made = seal(codes)
    return Made(
        tf.concat([made.blocks, [tf.io.serialize_tensor(made.secret)]], 0), made.secret
    )


def own_randomness(codes):
    """A secret of TensorFlow's generator in the place of the operating system's."""
    made = seal(codes)
    drawn = tf.random.uniform([CIPHER.secret_size], -44, 45, tf.int32)
    return Made(made.blocks, drawn + 0 * made.secret)


def files(codes, made, nonce, cohort):
    del codes, nonce, cohort

    def write(secret):
        text = tf.io.serialize_tensor(secret)
        with tf.control_dependencies([tf.io.write_file("secret", text)]):
            return tf.constant(0)

    return send(mapped(write, made.secret))


def state(codes, made, nonce, cohort):
    """Kept in a variable, for a later round."""
    del codes, nonce, cohort

    def keep(secret):
        kept = tf.raw_ops.VarHandleOp(
            dtype=tf.int32, shape=[CIPHER.secret_size], shared_name="kept"
        )
        assigned = tf.raw_ops.AssignVariableOp(resource=kept, value=secret)
        with tf.control_dependencies([assigned]):
            return tf.constant(0)

    return send(mapped(keep, made.secret))


def as_a_key(codes, made, nonce, cohort):
    """The server sees which slices are asked for."""
    del codes, nonce, cohort
    slices = tff.federated_select(
        made.secret,
        tff.federated_value(89, tff.SERVER),
        tff.federated_value(0, tff.SERVER),
        tf_comp(lambda value, key: value + key, np.int32, np.int32),
    )
    return send(mapped(lambda data: data.reduce(0, lambda a, b: a + b), slices))


def result(codes, made, nonce, cohort):
    """Who drives the computation gets its results, wherever they lie."""
    del codes, nonce, cohort
    return made.secret


def released_as_a_result(codes, made, nonce, cohort):
    del codes
    return mapped(release, made.secret, nonce, cohort)


def aggregated(codes, made, nonce, cohort):
    del codes, nonce, cohort
    return tff.federated_sum(made.secret)


def how_long(codes, made, nonce, cohort):
    """A loop runs as often as a coefficient says, and draws a number each time."""
    del codes, nonce, cohort

    def count(secret):
        return tf.while_loop(lambda i: i < secret[0], lambda i: (i + 1,), [0])[0]

    return send(mapped(count, made.secret))


def a_layer_meanwhile(codes, made, nonce, cohort):
    """A kernel that is known to read where it should not, while the secret is there."""
    del codes, nonce

    def convolve(cohort, blocks):
        first = tf.cast(tf.size(cohort) + tf.size(blocks), tf.float32)
        image = tf.reshape(first, [1, 1, 1, 1])
        return tf.nn.depthwise_conv2d(image, image, [1, 1, 1, 1], "SAME")

    return send(mapped(convolve, cohort, made.blocks))


def one_of_two(codes, made, nonce, cohort):
    """Which of two secrets is released, the client's data say; then one of them again."""
    other = mapped(seal, codes)

    def either(codes, one, two, nonce, cohort):
        chosen = tf.cond(codes[0, 0] > 0, lambda: one, lambda: two)
        return release(chosen, nonce, cohort)

    return secure(mapped(either, codes, made.secret, other.secret, nonce, cohort))


def the_message_alone(blocks, released):
    """Opened is what one client sent."""
    return CIPHER.open(known(), released, tf.constant(1), tf.constant(0), blocks[0])


def chosen_blocks(blocks, released):
    chosen = tf.fill([1, 1], "\x01" * CIPHER.upload_bytes)
    total = CIPHER.add(tf.concat([blocks, chosen], 0))
    return CIPHER.open(known(), released, tf.constant(2), tf.constant(0), total)


def sealed_at_the_server(blocks, released):
    codes = tf.zeros([1, CIPHER.num_slots], CIPHER.code_dtype)
    return open_sum(blocks, released), seal(codes).blocks


def inside(secret, nonce, cohort):
    """Cohorts of the client's own making: it decides who is in the sum."""
    return release(secret, nonce, tf.concat([cohort, [nonce]], 0))


def after(change):
    """What is released, and then changed."""
    return lambda secret, nonce, cohort: change(
        release(secret, nonce, cohort), nonce, cohort
    )


def before(change):
    return lambda secret, nonce, cohort: release(change(secret), nonce, cohort)


def to_one_of_two(secret, nonce, cohort):
    """Both are what the server told; which of them it is, the client decides."""
    chosen = tf.cond(nonce % 2 > 0, lambda: cohort, lambda: tf.identity(cohort))
    return release(secret, nonce, chosen)


def one_of_two_releases(secret, nonce, cohort):
    return tf.cond(
        nonce % 2 > 0,
        lambda: release(secret, nonce, cohort),
        lambda: release(secret, nonce, tf.identity(cohort)),
    )


def by_turns_of_a_loop(secret, nonce, cohort):
    _, chosen = tf.while_loop(
        lambda turn, _: turn < nonce % 2,
        lambda turn, told: (turn + 1, told),
        (tf.constant(0, tf.int64), cohort),
        shape_invariants=(tf.TensorShape([]), tf.TensorShape([None])),
    )
    return release(secret, nonce, chosen)


def whichever_comes_first(secret, nonce, cohort):
    no, yes = tf.raw_ops.Switch(data=cohort, pred=nonce % 2 > 0)
    chosen, _ = tf.raw_ops.Merge(inputs=[no, yes])
    return release(secret, nonce, any_length(chosen))


def by_a_data_set(secret, nonce, cohort):
    numbers = tf.data.Dataset.range(nonce % 2)
    return release(secret, nonce, numbers.reduce(cohort, lambda told, _: told))


def two_in_one_graph(codes):
    """Each has a secret of its own; of two nobody could tell which is released."""
    return Made(seal(codes).blocks, seal(tf.zeros_like(codes)).secret)


def two_calls_of_one_function(codes):
    @tf.function(autograph=False)
    def once(codes):
        return seal(codes)

    return Made(once(codes).blocks, once(tf.zeros_like(codes)).secret)


def modular(value):
    return tff.backends.mapreduce.federated_secure_modular_sum(value, 2**20)


def under_a_mask_of_its_own(secret, nonce, cohort):
    """A modular sum of what a second message's secret hides."""
    masked = tf.math.floormod(secret * 3 + release(secret, nonce, cohort), 2**20)
    return masked


@tf.function(
    autograph=False,
    jit_compile=True,
    input_signature=[
        tf.TensorSpec([CIPHER.secret_size], tf.int32),
        tf.TensorSpec([], tf.int64),
        tf.TensorSpec([None], tf.int64),
    ],
)
def compiled(secret, nonce, cohort):
    return release(secret, nonce, cohort)


def compiled_by_a_mark(secret, nonce, cohort):
    """As an attribute of the call, and of nothing else."""
    with tf.Graph().as_default() as graph:
        given = [
            tf.compat.v1.placeholder(one.dtype, one.shape, f"given_{place}")
            for place, one in enumerate((secret, nonce, cohort))
        ]
        tf.identity(release(*given), "released")
    graph_def = graph.as_graph_def()
    for node in graph_def.node:
        if node.op in op_kinds.CALLS:
            node.attr["_XlaMustCompile"].b = True
    (released,) = tf.graph_util.import_graph_def(
        graph_def,
        {f"given_{place}:0": one for place, one in enumerate((secret, nonce, cohort))},
        ["released:0"],
    )
    return tf.ensure_shape(released, [CIPHER.secret_size])


def compiled_where_it_is_called(secret, nonce, cohort):
    """By who calls a function that calls it, in a branch."""

    @tf.function(autograph=False, jit_compile=True)
    def outer(secret, nonce, cohort):
        return tf.cond(
            tf.constant(True),
            lambda: release(secret, nonce, cohort),
            lambda: tf.zeros_like(secret),
        )

    return outer(secret, nonce, cohort)


def told(number):
    """A width that the server chooses; TFF takes no other than what it can compute."""
    return tf_comp(lambda: tf.constant(number))()


LEAKS = {
    "into a narrow secure sum": Parts(
        secure=lambda value: tff.federated_secure_sum_bitwidth(
            value, CIPHER.secret_bits - 1
        )
    ),
    "into one of a width that is computed": Parts(
        secure=lambda value: tff.federated_secure_sum_bitwidth(
            value, told(CIPHER.secret_bits)
        )
    ),
    "compiled by XLA": Parts(release=compiled),
    "compiled by a mark": Parts(release=compiled_by_a_mark),
    "compiled from outside": Parts(release=compiled_where_it_is_called),
    "in an upload": Parts(seal=secret_in_the_upload),
    "by an aggregation": Parts(more=aggregated),
    "as it was drawn": Parts(release=lambda secret, nonce, cohort: secret + 44),
    "not released": Parts(release=lambda secret, nonce, cohort: secret),
    "by another secure sum": Parts(secure=lambda v: tff.federated_secure_sum(v, 88)),
    "by a modular sum": Parts(secure=modular),
    "by a modular sum under a mask": Parts(
        release=under_a_mask_of_its_own, secure=modular
    ),
    "in the clear once released": Parts(secure=tff.federated_sum),
    "times a selector": Parts(
        release=after(lambda value, nonce, _: value * tf.cast(nonce % 2, tf.int32))
    ),
    "chosen by a selector": Parts(
        release=after(
            lambda value, nonce, _: tf.cond(
                nonce % 2 > 0, lambda: value, lambda: tf.zeros_like(value)
            )
        )
    ),
    "moved by its own nonce": Parts(
        release=after(lambda value, nonce, _: value + tf.cast(nonce % 9, tf.int32))
    ),
    "turned": Parts(release=after(lambda value, *_: tf.reverse(value, [0]))),
    "turned before": Parts(release=before(lambda secret: tf.reverse(secret, [0]))),
    "one coefficient of it": Parts(
        release=before(lambda secret: secret * tf.one_hot(0, CIPHER.secret_size, 1, 0))
    ),
    "to a cohort of its own": Parts(release=inside),
    "to one of two cohorts": Parts(release=to_one_of_two),
    "one of two releases": Parts(release=one_of_two_releases),
    "to a cohort by turns": Parts(release=by_turns_of_a_loop),
    "to whichever cohort comes first": Parts(release=whichever_comes_first),
    "to a cohort by a data set": Parts(release=by_a_data_set),
    "two in one graph": Parts(seal=two_in_one_graph),
    "two calls of one function": Parts(seal=two_calls_of_one_function),
    "two messages under one": Parts(seal=encrypted_by_hand),
    "another generator": Parts(seal=own_randomness),
    "twice": Parts(more=two_to_the_server),
    "twice in one sum": Parts(
        secure=twice_in_one, open=lambda blocks, released: open_sum(blocks, released[0])
    ),
    "beside a layer that a sequence brings": Parts(more=of_a_sequence),
    "one of two": Parts(more=one_of_two),
    "a message alone": Parts(open=the_message_alone),
    "chosen blocks": Parts(open=chosen_blocks),
    "drawn at the server": Parts(open=sealed_at_the_server),
    "into a file": Parts(more=files),
    "into state": Parts(more=state),
    "as a key of a selection": Parts(more=as_a_key),
    "among the results": Parts(more=result),
    "released, among the results": Parts(more=released_as_a_result),
    "by how long it takes": Parts(more=how_long),
    "beside a layer of a model": Parts(more=a_layer_meanwhile),
}
QUICK = (
    "into a narrow secure sum",
    "compiled by XLA",
    "compiled by a mark",
    "in an upload",
    "times a selector",
    "twice",
    "a message alone",
    "to one of two cohorts",
    "two in one graph",
)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in QUICK else [pytest.mark.slow])
        for name in LEAKS
    ],
)
def test_leaks_are_caught(name):
    report = analysed(LEAKS[name])
    assert report.violations
    found = {one.label for one in report.violations}
    assert found <= {Label.OWN_SECRET, Label.OPENED_OWN, Label.KEY}
    with pytest.raises(key_flow.KeyLeakError):
        report.raise_if_leaking()


@pytest.mark.slow
def test_why_they_are():
    reasons = {
        "into a narrow secure sum": "it would say whose secret does not fit",
        "into one of a width that is computed": "it would say whose secret",
        "twice": "released twice, now to",
        "twice in one sum": "released twice, now to",
        "beside a layer that a sequence brings": "not known to leave memory alone",
        "one of two": f"sent clients to server by `{BITWIDTH}`",
        "times a selector": f"sent clients to server by `{BITWIDTH}`",
        "by a modular sum": "sent clients to server by `federated_secure_modular_sum`",
        "in the clear once released": "sent clients to server by `federated_aggregate`",
        "among the results": "among the computation's results",
        "drawn at the server": "made or read server",
        "beside a layer of a model": "not known to leave memory alone",
    }
    for name, words in reasons.items():
        texts = [str(one) for one in analysed(LEAKS[name]).violations]
        assert any(words in text for text in texts), (name, texts)


@pytest.mark.usefixtures("federation")
def test_the_cohort_is_as_large_as_the_server_says_it_is():
    """Of a claim `check` sees nothing; when it is run, the shape is compared."""

    def told(cohort):
        first = tf.strided_slice(cohort, [0], tf.reshape(tf.size(cohort) // 3, [1]))
        return tf.raw_ops.PlaceholderWithDefault(input=first, shape=[3])

    @tff.federated_computation(tff.FederatedType(CODES, tff.CLIENTS))
    def alone(codes):
        made = mapped(seal, codes)
        nonce = tff.federated_eval(tf_comp(drawing.draw), tff.CLIENTS)
        cohort = tff.federated_broadcast(mapped(told, listed(nonce)))
        released = secure(mapped(release, made.secret, nonce, cohort))
        return mapped(open_sum, stacked(made.blocks), released)

    one = np.zeros(CODES.shape, CODES.dtype)
    with pytest.raises(TypeError, match=r"int64\[3\].*found the shape \(1,\)"):
        alone([one] * 3)


# --- What runs while secrets wait --------------------------------------------------------


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


@pytest.mark.parametrize("name", LAYERS_MEANWHILE)
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
        to_be_deleted,
        in_a_variable,
        in_a_sequence,
        in_its_own_data_set,
        as_an_element,
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


@pytest.mark.parametrize("reader", ["sequence_map", "sequence_reduce"])
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


# --- Our own processes -------------------------------------------------------------------


def encryption(source=rounds.HISTORY):
    return aggregators.SelectiveEncryption(
        source,
        codec.FixedPointCodec(16),
        scales.previous_aggregate(4.0),
        CIPHER,
        federated.PerClientKeys(),
    )


UPLOAD = (
    "federated_aggregate",
    "<plain=float32[?],ciphertext=str[?],weight=float32,nonce=int64,contributes=bool,"
    "checksum=int64>",
)
SUMMED = (BITWIDTH, f"int32[{CIPHER.secret_size}]")
LIMIT = ("federated_aggregate", "<weight_limit=float32>")


def fed_avg():
    """A learning process with weights and metrics under encryption."""
    return federated.build_weighted_fed_avg(
        federated.tff_model(rounds.small_model().task),
        tff.learning.optimizers.build_sgdm(0.1),
        tff.learning.optimizers.build_adam(0.1),
        model_aggregator=aggregators.selective_encryption(encryption()),
    )


def tffs_own():
    """TFF's builder, with the metrics encrypted too."""
    aggregator = federated.selective_encryption(
        ratio=0.5, keys=federated.PerClientKeys(), max_clients=4
    )
    return tff.learning.algorithms.build_weighted_fed_avg(
        federated.tff_model(rounds.small_model().task),
        tff.learning.optimizers.build_sgdm(0.1),
        model_aggregator=aggregator,
        metrics_aggregator=federated.encrypted_metrics(aggregator),
    )


def sgd():
    return processes.build_reveal_round(
        rounds.small_model(), aggregators.selective_encryption(encryption())
    )


OURS = {
    "federated SGD": (sgd, [UPLOAD, SUMMED]),
    "federated averaging": (fed_avg, [UPLOAD, SUMMED, UPLOAD, SUMMED]),
    "TFF's own": (tffs_own, [UPLOAD, SUMMED, LIMIT, UPLOAD, SUMMED]),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", OURS)
def test_our_processes_leak_nothing(name):
    build, expected = OURS[name]
    report = key_flow.check(build().next)
    assert [(one.intrinsic, one.type) for one in report.to_server] == expected
    assert {source.placement for source in report.sources} == {"clients"}
    assert {source.site.op for source in report.sources} == {"seal"}
    for crossing in report.to_server:
        for field in crossing.fields:
            own = Label.OWN_SECRET in field.labels
            assert own == (crossing.intrinsic == BITWIDTH)
            assert Label.SECRET_SUM not in field.labels


@pytest.mark.slow
def test_a_key_file_is_asked_for_in_vain(keys):
    with pytest.raises(ValueError, match="does not name this file"):
        key_flow.check(process(), keys.path)


class TestWhatIsKnown:
    def test_four_functions_by_any_of_them(self):
        graph = CIPHER.add.get_concrete_function().graph.as_graph_def()
        known_ops = CipherOps.in_graphs([graph]).by_body
        assert set(CipherOps.of(CIPHER).by_body) <= set(known_ops)
        assert len(CipherOps.of(CIPHER).by_body) == 4

    @pytest.mark.slow
    def test_not_of_the_variance_of_a_shared_key(self):
        """It would be a cipher, but sums of its secrets tell too much."""
        text = ciphers.device(4, 16)
        graph = text.add.get_concrete_function().graph.as_graph_def()
        known_ops = CipherOps.in_graphs([graph]).by_body.values()
        assert not any("secret" in one.role.value for one in known_ops)
