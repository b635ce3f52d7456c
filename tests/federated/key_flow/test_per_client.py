"""Secrets of messages reach the server through the secure sum alone, as they were drawn."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_federated as tff

import federated
from federated import aggregators, key_flow, processes
from federated.key_flow import op_kinds
from federated.key_flow.cipher_ops import CipherOps
from federated.key_flow.labels import Label
from federated.round import drawing
from selenc_tf.lattice import codec, scales
from tests.federated import rounds
from tests.federated.key_flow.parts import any_length, send
from tests.federated.key_flow.per_client_parts import (
    BITWIDTH,
    CIPHER,
    CODES,
    Made,
    Parts,
    analysed,
    known,
    listed,
    mapped,
    open_sum,
    process,
    release,
    seal,
    secure,
    stacked,
    tf_comp,
)
from tests.selenc_tf.lattice import ciphers


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
    "in an upload",
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
