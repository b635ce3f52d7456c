"""The analysis of key flow: what it refuses, what it passes, what it says."""

import os
import pathlib

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_federated as tff
from tensorflow_federated.proto.v0 import computation_pb2
from tensorflow_federated.python.core.impl.computation import computation_impl

import federated  # noqa: F401
from federated import key_flow
from federated.key_flow import taint_intrinsics, taint_walk
from federated.key_flow.cipher_ops import CipherOps
from federated.key_flow.graph_taint import NOTHING_KEPT
from federated.key_flow.labels import Label
from selenc_tf.lattice import (
    key_store,
)
from tests.federated.key_flow.leaking import sends_the_key
from tests.federated.key_flow.parts import (
    BLOCKS,
    ROW,
    any_length,
    find,
    key_at_clients,
    secret_of,
    send,
    with_key,
)
from tests.federated.rounds import CIPHER, SEED

tf_comp = tff.tensorflow.computation
fed_comp = tff.federated_computation


def test_what_is_no_leak(path):
    """Encrypting, opening a sum, and using what was opened."""
    encrypt = with_key(path, CIPHER.encrypt, ROW)
    opened = with_key(path, CIPHER.decrypt, BLOCKS)

    @fed_comp(tff.FederatedType(ROW, tff.CLIENTS))
    def process(x):
        ciphertext = tff.federated_map(encrypt, x)
        total = tff.federated_aggregate(
            ciphertext,
            tf_comp(lambda: any_length(tf.zeros([0, 1], tf.string)))(),
            tf_comp(
                lambda so_far, new: tf.concat([so_far, [new]], 0),
                tff.TensorType(np.str_, [None, None]),
                BLOCKS,
            ),
            tf_comp(
                lambda one, two: tf.concat([one, two], 0),
                tff.TensorType(np.str_, [None, None]),
                tff.TensorType(np.str_, [None, None]),
            ),
            tf_comp(CIPHER.add, tff.TensorType(np.str_, [None, None])),
        )
        shared = tff.federated_map(opened, tff.federated_broadcast(total))
        return send(shared), shared, total

    report = key_flow.check(process, path)
    labels = [field.labels for c in report.to_server for field in c.fields]
    assert labels == [frozenset({Label.CIPHERTEXT}), frozenset({Label.DECRYPTED})]


def test_what_a_client_opened_of_its_own_it_may_use(path):
    """As long as nobody gets it."""
    opened = with_key(path, CIPHER.decrypt, BLOCKS)
    largest = tf_comp(lambda x: tf.reduce_max(x), opened.type_signature.result)

    @fed_comp(tff.FederatedType(ROW, tff.CLIENTS))
    def process(x):
        ciphertext = tff.federated_map(with_key(path, CIPHER.encrypt, ROW), x)
        own = tff.federated_map(largest, tff.federated_map(opened, ciphertext))
        del own
        return send(ciphertext)

    report = key_flow.check(process, path)
    ((field,),) = (crossing.fields for crossing in report.to_server)
    assert field.labels == {Label.CIPHERTEXT}


def test_an_opened_message_is_no_result(path):
    """Whoever drives the computation gets it, and may send it as the next argument."""
    reopened = tf_comp(
        lambda key, x: CIPHER.decrypt(key, CIPHER.encrypt(key, x)), np.str_, ROW
    )

    @fed_comp(tff.FederatedType(ROW, tff.CLIENTS), tff.FederatedType(ROW, tff.CLIENTS))
    def process(carried, x):
        own = tff.federated_map(reopened, (key_at_clients(path), x))
        return own, tff.federated_sum(carried)

    with pytest.raises(key_flow.KeyLeakError, match="among the computation's results"):
        key_flow.check(process, path)


@pytest.mark.parametrize("known", [True, False])
def test_a_key_as_a_constant(path, known):
    secret = secret_of(path)
    length = tf_comp(lambda key: tf.zeros([], tf.int32), np.str_)

    @fed_comp
    def process():
        literal = tff.federated_eval(tf_comp(lambda: tf.constant(secret)), tff.SERVER)
        return literal, tff.federated_map(length, key_at_clients(path))

    with pytest.raises(key_flow.KeyLeakError, match="standing in the computation"):
        key_flow.check(process, path if known else None)


def test_a_file_that_an_attribute_names_is_read(path):
    """Candidates are drawn by what stands in the file."""

    @tf_comp
    def sampled():
        return tf.raw_ops.FixedUnigramCandidateSampler(
            true_classes=tf.constant([[1]], tf.int64),
            num_true=1,
            num_sampled=2,
            unique=False,
            range_max=5,
            vocab_file=path,
        )[1]

    report = key_flow.analyse(
        fed_comp(lambda: tff.federated_eval(sampled, tff.SERVER)), path
    )
    assert Label.KEY in {violation.label for violation in report.violations}


def test_state_by_name_may_be_another_partys(path):
    """Runtimes keep parties apart; nothing in the computation says so."""

    def table():
        return tf.raw_ops.MutableHashTableV2(
            key_dtype=tf.int64, value_dtype=tf.int64, shared_name="everybody's"
        )

    @tf_comp(np.str_)
    def put(key):
        octet = tf.cast(tf.io.decode_raw(key, tf.uint8)[:1], tf.int64)
        zero = tf.zeros([1], tf.int64)
        written = tf.raw_ops.LookupTableInsertV2(
            table_handle=table(), keys=zero, values=octet
        )
        with tf.control_dependencies([written]):
            return tf.constant(0)

    @tf_comp
    def look_up():
        return tf.raw_ops.LookupTableFindV2(
            table_handle=table(),
            keys=tf.zeros([1], tf.int64),
            default_value=tf.constant(-1, tf.int64),
        )

    @fed_comp
    def process():
        sent = tff.federated_sum(tff.federated_map(put, key_at_clients(path)))
        return sent, tff.federated_eval(look_up, tff.SERVER)

    report = key_flow.analyse(process, path)
    assert any("computed server" in one.place for one in report.violations)


@pytest.mark.parametrize("written", [tf.io.serialize_tensor, tf.strings.format])
def test_the_address_of_a_resource_is_no_public_value(path, written):
    @tf_comp
    def address():
        table = tf.raw_ops.AnonymousMutableHashTable(
            key_dtype=tf.int64, value_dtype=tf.int64
        )
        if written is tf.strings.format:
            return tf.raw_ops.StringFormat(inputs=[table], template="%s")
        return written(table)

    report = key_flow.analyse(
        fed_comp(lambda: tff.federated_eval(address, tff.SERVER)), path
    )
    assert report.violations


def test_two_blocks_under_one_cache_key_are_refused(path):
    one, other = tf_comp(lambda: tf.constant(1)), tf_comp(lambda: tf.constant(2))

    def named(computation):
        proto = computation_pb2.Computation()
        proto.CopyFrom(computation_impl.ConcreteComputation.get_proto(computation))
        proto.tensorflow.cache_key.id = 7
        return computation_impl.ConcreteComputation(
            computation_proto=proto,
            context_stack=tff.framework.get_context_stack(),
            annotated_type=computation.type_signature,
        )

    def both(first, second):
        return fed_comp(
            lambda: (
                tff.federated_eval(first, tff.CLIENTS),
                tff.federated_eval(second, tff.SERVER),
            )
        )

    with pytest.raises(NotImplementedError, match="under which an executor may run"):
        key_flow.analyse(both(named(one), named(other)))
    assert not key_flow.analyse(both(named(one), named(one))).violations


def test_two_keys_are_refused(path, tmp_path):
    """One of them might be known, and what is encrypted under it no secret."""
    keys = [find(path), key_store.create(tmp_path / "other.key", CIPHER)]

    @tf_comp
    def both():
        return tf.stack([key_store.read(key, CIPHER) for key in keys])

    process = fed_comp(lambda: tff.federated_eval(both, tff.CLIENTS))
    with pytest.raises(NotImplementedError, match="reads keys from 2 files"):
        key_flow.analyse(process)


def _as_an_argument(path):
    @tf.function(input_signature=[tf.TensorSpec([], tf.string)], autograph=False)
    def read(name):
        return records_of(name)

    return read(tf.constant(path))


def records_of(name):
    records = tf.data.TFRecordDataset(name[tf.newaxis]).batch(5)
    return tf.ensure_shape(records.get_single_element(), [5])[4]


NAMES = {
    "joined": lambda path: records_of(tf.strings.join([path[:-4], path[-4:]])),
    "cut": lambda path: records_of(tf.strings.substr(path + "x", 0, len(path))),
    "an argument": _as_an_argument,
    "numbered otherwise": lambda path: records_of(
        tf.strings.join([path, "/", tf.strings.as_string(0), ".key"])
    ),
    "one of two": lambda path: records_of(tf.constant([path, path])[0]),
    "behind another data set": lambda path: _records_behind(
        tf.data.Dataset.from_tensor_slices([path + ".other"]).flat_map(
            lambda _: tf.data.Dataset.from_tensor_slices([path])
        )
    ),
    "a text for a number": lambda path: _numbered(path, tf.constant("000000")),
    "a fraction for a number": lambda path: _numbered(path, tf.constant(0.5)),
    "with a scheme": lambda path: records_of(tf.constant(f"file://{path}")),
    "with a zero": lambda path: records_of(tf.constant(path + "\0x")),
    "around a corner": lambda path: records_of(
        tf.constant(f"{os.path.dirname(path)}/../{os.path.basename(path)}")
    ),
    "from here": lambda path: records_of(tf.constant(os.path.basename(path))),
}


def _records_behind(names):
    records = tf.data.TFRecordDataset(names).batch(5)
    return tf.ensure_shape(records.get_single_element(), [5])[4]


def _numbered(path, number):
    digits = tf.raw_ops.AsString(
        input=number, width=6 if number.dtype != tf.string else -1, fill="0"
    )
    return records_of(tf.strings.join([path, "/", digits, ".key"]))


@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_which_nobody_knows_is_refused(name, path):
    """Its key might stand in the computation, or it might be another one."""
    reads = tf_comp(lambda: NAMES[name](path))
    process = fed_comp(lambda: send(tff.federated_eval(reads, tff.CLIENTS)))
    with pytest.raises(NotImplementedError, match="must know which key file"):
        key_flow.analyse(process)


def test_a_name_of_public_records_must_be_known_too(path):
    """What stands in a file of something else is no public record."""

    @tf_comp
    def reads():
        name = tf.strings.join([path[:-4], path[-4:]])
        public = tf.data.TFRecordDataset(name[tf.newaxis]).take(4).batch(4)
        return tf.ensure_shape(public.get_single_element(), [4])[0]

    process = fed_comp(lambda: send(tff.federated_eval(reads, tff.CLIENTS)))
    with pytest.raises(NotImplementedError, match="must know which key file"):
        key_flow.analyse(process)


def test_a_path_that_only_stands_there_is_not_read(path):
    """Neither is one that begins with it."""
    unread = tf_comp(lambda: tf.constant(path + "0"))
    process = fed_comp(
        lambda: (
            send(
                tff.federated_map(tf_comp(lambda key: 0, np.str_), key_at_clients(path))
            ),
            tff.federated_eval(unread, tff.SERVER),
        )
    )
    with pytest.raises(ValueError, match="does not name this file"):
        key_flow.check(process, path + "0")


def test_a_file_named_by_the_server_is_refused(path):
    reads = tf_comp(records_of, np.str_)
    named = tff.FederatedType(np.str_, tff.CLIENTS)
    process = fed_comp(lambda name: send(tff.federated_map(reads, name)), named)
    with pytest.raises(NotImplementedError, match="must know which key file"):
        key_flow.analyse(process)


@pytest.mark.parametrize("way", ["value", "eval"])
def test_what_clients_hold_is_not_placed_at_the_server(way, path):
    """TFF drops it where nobody uses it; should it not, it is seen."""
    uri = "federated_value_at_server" if way == "value" else "federated_eval_at_server"
    member = tff.TensorType(np.str_)
    result = tff.FederatedType(member, tff.SERVER)
    walk = taint_walk.Walk(CipherOps.in_graphs([]), NOTHING_KEPT)
    secret = {Label.KEY: ("read",)}
    given = secret if way == "value" else (lambda _: secret)
    parameter = member if way == "value" else tff.FunctionType(None, member)
    taint_intrinsics.INTRINSICS[uri](
        walk, uri, tff.FunctionType(parameter, result), given
    )
    (found,) = walk.report(True).violations
    assert found.label is Label.KEY and "placed server" in found.place


def test_another_file_than_the_one_named_is_refused(path):
    reads = tf_comp(lambda key: tf.constant(0), np.str_)
    process = fed_comp(lambda: tff.federated_map(reads, key_at_clients(path)))
    with pytest.raises(ValueError, match="does not name this file"):
        key_flow.check(process, pathlib.Path(path + ".other"))


def test_nothing_read_is_nothing_proven():
    with pytest.raises(ValueError, match="nothing to check"):
        key_flow.check(fed_comp(lambda x: x, tff.FederatedType(np.int32, tff.SERVER)))


def test_unknown_intrinsic_is_no_proof():
    result = tff.FederatedType(np.int32, tff.SERVER)
    argument = tff.FederatedType(np.int32, tff.CLIENTS)
    block = tff.framework.Lambda(
        "x",
        argument,
        tff.framework.Call(
            tff.framework.Intrinsic(
                "federated_wish", tff.FunctionType(argument, result)
            ),
            tff.framework.Reference("x", argument),
        ),
    )
    computation = tff.framework.ConcreteComputation.from_building_block(block)
    with pytest.raises(NotImplementedError, match="federated_wish"):
        key_flow.analyse(computation)


def test_bytes_in_the_computation_are_found(path):
    secret = secret_of(path)

    def holding(part):
        return fed_comp(
            lambda: tff.federated_eval(tf_comp(lambda: tf.constant(part)), tff.SERVER)
        )

    assert key_flow.contains_bytes(holding(secret), secret)
    assert key_flow.contains_bytes(holding(b"zz" + secret[1003:1040]), secret)
    assert not key_flow.contains_bytes(holding(bytes(100)), secret + bytes(100))
    assert not key_flow.contains_bytes(sends_the_key(path), secret)


@pytest.mark.slow
def test_no_optimiser_puts_the_key_into_a_graph(blind, path):
    """TFF's compiler evaluates what it can ahead of time, in aggressive mode."""
    secret = secret_of(path)
    compile_aggressively = tff.backends.native.desugar_and_transform_to_native
    for computation in (blind(SEED).next, sends_the_key(path)):
        compiled = compile_aggressively(computation)
        text = tff.framework.serialize_computation(compiled).SerializeToString()
        assert path.encode() in text
        assert not any(
            secret[at : at + 16] in text for at in range(0, len(secret) - 16, 16)
        )
