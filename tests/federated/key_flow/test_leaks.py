"""Computations that leak are caught, and what is caught leaks."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_federated as tff

import federated  # noqa: F401
from federated import key_flow, runtime
from federated.key_flow import key_files
from selenc_tf.lattice import (
    key_store,
)
from tests.federated.key_flow.leaking import (
    LEAKS,
    PLACE,
    READ,
    in_an_unused_field,
    key_through,
    octets,
    sends_the_key,
    through_a_file,
)
from tests.federated.key_flow.parts import find, key_at_clients, send
from tests.federated.rounds import CIPHER

tf_comp = tff.tensorflow.computation
fed_comp = tff.federated_computation


# Longer; "picked sum", say, is the same leak as "one upload" in few operations, and
# "encrypted by a constant" mixes keys as "mixed key" does.
LONGER = (
    *("one upload", "difference", "difference, added", "number of blocks"),
    *("chosen ciphertext", "configured call", "mixed key"),
)


@pytest.mark.parametrize(
    "name",
    [
        # Every second one is enough for every day.
        pytest.param(name, marks=pytest.mark.slow)
        if place % 2 or name in LONGER
        else name
        for place, name in enumerate(LEAKS)
    ],
)
def test_leak_is_caught(name, path):
    build, label, place = LEAKS[name]
    computation = build(path)
    # With and without knowing which file is the key.
    for known_path in (path, None):
        report = key_flow.analyse(computation, known_path)
        found = [v for v in report.violations if v.label is label]
        assert any(place in violation.place for violation in found)
        with pytest.raises(key_flow.KeyLeakError) as error:
            report.raise_if_leaking()
        assert label.value in str(error.value) and place in str(error.value)


def test_check_raises_what_the_report_says(path):
    computation = sends_the_key(path)
    with pytest.raises(key_flow.KeyLeakError) as expected:
        key_flow.analyse(computation, path).raise_if_leaking()
    with pytest.raises(key_flow.KeyLeakError) as error:
        key_flow.check(computation, path)
    assert str(error.value) == str(expected.value)


def test_violation_names_field_type_and_path(path):
    (violation,) = key_flow.analyse(in_an_unused_field(path), path).violations
    assert (violation.field, violation.type) == ("note", "str")
    assert violation.path == READ
    assert str(violation) == (
        "raw key material in field `note` (str) sent clients to server by "
        "`federated_aggregate`: read by TFRecordDataset -> "
        "federated_eval_at_clients at clients"
    )


def test_path_has_every_step(path):
    (violation,) = [
        one
        for one in key_flow.analyse(
            key_through(lambda key: tf.reshape(octets(key)[PLACE], [1]))(path), path
        ).violations
        if "computed with" not in one.place
    ]
    assert violation.path == (*READ, "federated_map at clients")
    assert violation.type == "int32[1]"


def read_public_records(path):
    """The last of the key file's records that are no secret."""
    number = key_files.PUBLIC_RECORDS

    @tf_comp
    def read():
        public = tf.data.TFRecordDataset([path]).take(number).batch(number)
        return tf.ensure_shape(public.get_single_element(), [number])[-1]

    return read


def test_public_records_of_a_key_file(path):
    read = read_public_records(path)
    process = fed_comp(lambda: send(tff.federated_eval(read, tff.CLIENTS)))
    assert not key_flow.analyse(process, path).violations


def raw_reader(name, op, **more):
    """A data set of a key file's records that begins somewhere else."""
    return op(filenames=name, compression_type="", buffer_size=1 << 18, **more)


def _in_a_function(read):
    """A record 'before the key' of what a data set's function gives out."""

    def records(path):
        names = tf.data.Dataset.from_tensors(tf.constant([path]))

        @tf.function(input_signature=[tf.TensorSpec([1], tf.string)], autograph=False)
        def function(name):
            return read(name)

        made = tf.raw_ops.FlatMapDataset(
            input_dataset=names._variant_tensor,
            other_arguments=[],
            f=function.get_concrete_function(),
            output_types=[tf.string],
            output_shapes=[[]],
        )
        return made

    return records


def _given_out(name):
    raw_reader(name, tf.raw_ops.TFRecordDataset)
    return tf.data.Dataset.from_tensor_slices(tf.tile(name, [5]))._variant_tensor


READERS = {
    "by itself": lambda path: raw_reader([path], tf.raw_ops.TFRecordDataset),
    "from a place": lambda path: raw_reader(
        [path], tf.raw_ops.TFRecordDatasetV2, byte_offsets=[64]
    ),
    "from a place, in a function": _in_a_function(
        lambda name: raw_reader(name, tf.raw_ops.TFRecordDatasetV2, byte_offsets=[64])
    ),
    "not what it read": _in_a_function(_given_out),
    # What is freed of a buffer so small stays in memory.
    "through a small buffer": _in_a_function(
        lambda name: tf.raw_ops.TFRecordDataset(
            filenames=name, compression_type="", buffer_size=600
        )
    ),
}


@pytest.mark.parametrize("name", READERS)
def test_records_that_are_read_otherwise_are_no_public_ones(name, path):
    @tf_comp
    def read():
        batch = tf.raw_ops.BatchDatasetV2(
            input_dataset=READERS[name](path),
            batch_size=1,
            drop_remainder=False,
            output_types=[tf.string],
            output_shapes=[[None]],
        )
        (found,) = tf.raw_ops.DatasetToSingleElement(
            dataset=batch, output_types=[tf.string], output_shapes=[[None]]
        )
        return tf.ensure_shape(found, [1])[0]

    process = fed_comp(lambda: send(tff.federated_eval(read, tff.CLIENTS)))
    assert key_flow.analyse(process, path).violations


def _low_bits(key):
    return sum((octet & 1) << (7 - place) for place, octet in enumerate(key[:8]))


# What crosses, of what the key is.
SAYS = {
    "the key itself": lambda sent, key: sent == key,
    "xor a constant": lambda sent, key: (sent ^ 90).astype(np.uint8).tobytes() == key,
    "while": lambda sent, key: sent == _low_bits(key),
    "number of steps": lambda sent, key: sent == (key[PLACE],),
    "cond": lambda sent, key: sent == (key[PLACE] > 100),
    "variable": lambda sent, key: sent == key[PLACE],
    "data set": lambda sent, key: sent == 4 * key[PLACE],
    "table": lambda sent, key: sent == key[PLACE],
    "length, reduced": lambda sent, key: sent == key[PLACE],
    "length, mapped": lambda sent, key: sent == key[PLACE],
    "read_file": lambda sent, key: key in sent,
    "last record": lambda sent, key: sent == key,
    "end of a sequence": lambda sent, key: sent == key[PLACE],
    "written over an input": lambda sent, key: (
        np.roll(sent, -1).tolist() == list(key[PLACE : PLACE + 4])
    ),
}


@pytest.mark.parametrize(
    "name",
    [
        name
        if name
        in ("the key itself", "length, reduced", "end of a sequence", "read_file")
        else pytest.param(name, marks=pytest.mark.slow)
        for name in SAYS
    ],
)
def test_what_is_caught_leaks(name, path):
    """What is on the wire gives the key's octets away."""
    crossings = []
    context = runtime.InProcessContext([crossings.append], default_num_clients=1)
    process = LEAKS[name][0](path)
    with tff.framework.get_context_stack().install(context):
        process()
    (crossing,) = crossings
    assert SAYS[name](crossing.value, key_store.read(find(path), CIPHER).numpy())


def test_a_file_between_the_parties(path):
    """The server learns the key of a client that sent a number."""
    process = through_a_file(path)
    context = runtime.InProcessContext(default_num_clients=1)
    with tff.framework.get_context_stack().install(context):
        _, learnt = process()
    assert learnt == key_store.read(find(path), CIPHER).numpy()


@pytest.mark.parametrize(
    "spill",
    [
        lambda key: tf.print(key),
        lambda key: tf.io.write_file("/nowhere/key", key),
        lambda key: tf.py_function(lambda k: None, [key], []),
    ],
    ids=["print", "write_file", "py_function"],
)
def test_key_that_leaves_its_graph_sideways(path, spill):
    @tf_comp(np.str_)
    def careless(key):
        with tf.control_dependencies([spill(key)]):
            return tf.constant(1)

    computation = fed_comp(
        lambda: send(tff.federated_map(careless, key_at_clients(path)))
    )
    places = [v.place for v in key_flow.analyse(computation, path).violations]
    assert any("leaving its graph through the node" in place for place in places)
