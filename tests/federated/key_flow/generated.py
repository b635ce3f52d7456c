"""Computations that leak, and harmless ones, made of parts.

A *source* makes a secret number, int32 from 0 to 255, of the key. A *carrier* makes another
number of it, by whatever detour. A *place* is the control structure in which that happens.
A *way out* takes the number to where the server is, or the world. Every combination leaks.
With a public number instead of the source, every combination is harmless.
"""

import functools
import itertools
import os
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import tensorflow as tf

from federated.key_flow.cipher_ops import CipherOps
from federated.key_flow.graph_taint import GraphTaint, Kept
from federated.key_flow.labels import ORDINARY, SECRET, Label
from selenc_tf.lattice import block_tails
from tests.federated.rounds import CIPHER

PLACE_IN_KEY = block_tails.KEY_FRONT_BYTES + 8
"""The octet of the key that leaks."""

KEY = frozenset({Label.KEY})
UPLOAD = frozenset({Label.CIPHERTEXT, Label.UNADDED, Label.LOOSE})
ROW = [1, CIPHER.num_slots]


class Given(NamedTuple):
    """What a computation is made of.

    Attributes:
      key: string, the secret key.
      upload: string [1], a client's ciphertext.
      public: int32, a number that everybody knows.
      folder: where files may be written.
    """

    key: tf.Tensor
    upload: tf.Tensor
    public: tf.Tensor
    folder: str


def octet(key: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.io.decode_raw(key, tf.uint8)[PLACE_IN_KEY], tf.int32)


def row_of(number: tf.Tensor) -> tf.Tensor:
    return tf.fill(ROW, tf.cast(number, tf.int64))


# --- Sources -----------------------------------------------------------------------


def _parsed(given: Given) -> tf.Tensor:
    text = tf.io.serialize_tensor(tf.io.decode_raw(given.key, tf.uint8))
    return tf.cast(tf.io.parse_tensor(text, tf.uint8)[PLACE_IN_KEY], tf.int32)


def _hash(given: Given) -> tf.Tensor:
    return tf.strings.to_hash_bucket_strong(given.key, 256, [1, 2])


def _opened(given: Given) -> tf.Tensor:
    # Of this client alone: what it encrypted, it opens.
    return tf.cast(CIPHER.decrypt(given.key, given.upload)[0, 0], tf.int32)


def _opened_own_sum(given: Given) -> tf.Tensor:
    twice = CIPHER.add(tf.stack([given.upload, given.upload]))
    return tf.cast(CIPHER.decrypt(given.key, twice)[0, 0] // 2, tf.int32)


def _encrypted_by_a_mixture(given: Given) -> tf.Tensor:
    # A known key that touched the real one hides nothing.
    known = tf.where(tf.strings.length(given.key) < 0, given.key, tf.constant("known"))
    length = tf.strings.length(known) + octet(given.key)
    return tf.where(length < 0, 0, octet(given.key))


def _blocks_of_a_ciphertext(given: Given) -> tf.Tensor:
    # The number of blocks of a ciphertext tells what was opened.
    opened = CIPHER.decrypt(given.key, given.upload)[0, 0]
    rows = tf.zeros(tf.stack([tf.cast(opened, tf.int32), ROW[1]]), tf.int64)
    return tf.size(CIPHER.encrypt(given.key, rows))


SOURCES: dict[str, Callable[[Given], tf.Tensor]] = {
    "octet": lambda given: octet(given.key),
    "parsed": _parsed,
    "hash": _hash,
    "opened": _opened,
    "opened own sum": _opened_own_sum,
    "mixture": _encrypted_by_a_mixture,
    "blocks": _blocks_of_a_ciphertext,
}
"""From what is given to a secret int32."""


# --- Carriers ----------------------------------------------------------------------


def _through_list(x: tf.Tensor) -> tf.Tensor:
    array = tf.TensorArray(tf.int32, 3, element_shape=[])
    return array.write(0, 1).write(1, x).write(2, 2).stack()[1]


def _length_of_list(x: tf.Tensor) -> tf.Tensor:
    return tf.TensorArray(tf.int32, x + 1, element_shape=[]).size() - 1


def _count_by_loop(x: tf.Tensor) -> tf.Tensor:
    return tf.while_loop(lambda i: i < x, lambda i: [i + 1], [0])[0]


def _bits_by_branches(x: tf.Tensor) -> tf.Tensor:
    bits = [tf.cond((x // 2**i) % 2 > 0, lambda i=i: 2**i, lambda: 0) for i in range(8)]
    return tf.add_n([tf.convert_to_tensor(bit) for bit in bits])


def _case(x: tf.Tensor) -> tf.Tensor:
    return tf.switch_case(x // 64, [lambda n=n: tf.constant(64 * n) for n in range(4)])


def _variable(x: tf.Tensor) -> tf.Tensor:
    kept = tf.raw_ops.VarHandleOp(dtype=tf.int32, shape=[], shared_name="kept")
    written = tf.raw_ops.AssignVariableOp(resource=kept, value=x)
    with tf.control_dependencies([written]):
        return tf.raw_ops.ReadVariableOp(resource=kept, dtype=tf.int32)


def _variable_in_branch(x: tf.Tensor) -> tf.Tensor:
    kept = tf.raw_ops.VarHandleOp(dtype=tf.int32, shape=[], shared_name="branch")

    def put(value: int) -> tf.Tensor:
        written = tf.raw_ops.AssignVariableOp(resource=kept, value=value)
        with tf.control_dependencies([written]):
            return tf.constant(0)

    ran = tf.cond(x > 100, lambda: put(1), lambda: put(0))
    with tf.control_dependencies([ran]):
        return tf.raw_ops.ReadVariableOp(resource=kept, dtype=tf.int32)


def _table(x: tf.Tensor) -> tf.Tensor:
    table = tf.raw_ops.MutableHashTableV2(
        key_dtype=tf.int32, value_dtype=tf.int32, shared_name="table"
    )
    keys, values = tf.constant([7]), tf.reshape(x, [1])
    filled = tf.raw_ops.LookupTableInsertV2(
        table_handle=table, keys=keys, values=values
    )
    with tf.control_dependencies([filled]):
        return tf.raw_ops.LookupTableFindV2(
            table_handle=table, keys=keys, default_value=0
        )[0]


def _size_of_table(x: tf.Tensor) -> tf.Tensor:
    table = tf.raw_ops.MutableHashTableV2(
        key_dtype=tf.int32, value_dtype=tf.int32, shared_name="sized"
    )
    keys = tf.range(x)
    filled = tf.raw_ops.LookupTableImportV2(table_handle=table, keys=keys, values=keys)
    with tf.control_dependencies([filled]):
        size = tf.raw_ops.LookupTableSizeV2(table_handle=table)
    return tf.cast(size, tf.int32)


def _iterator(x: tf.Tensor) -> tf.Tensor:
    data = tf.data.experimental.to_variant(tf.data.Dataset.from_tensors(x))
    types = dict(output_types=[tf.int32], output_shapes=[[]])
    iterator = tf.raw_ops.IteratorV2(shared_name="it", container="", **types)
    made = tf.raw_ops.MakeIterator(dataset=data, iterator=iterator)
    with tf.control_dependencies([made]):
        return tf.raw_ops.IteratorGetNext(iterator=iterator, **types)[0]


def _count(data: tf.data.Dataset) -> tf.Tensor:
    """By a function that looks at no element."""
    return data.map(lambda *_: 0).reduce(0, lambda total, _: total + 1)


def _filtered(x: tf.Tensor) -> tf.Tensor:
    return _count(tf.data.Dataset.range(256).filter(lambda i: i < tf.cast(x, i.dtype)))


def _flat_mapped(x: tf.Tensor) -> tf.Tensor:
    ranges = tf.data.Dataset.range(1).flat_map(
        lambda _: tf.data.Dataset.range(tf.cast(x, tf.int64))
    )
    return _count(ranges)


def _scanned(x: tf.Tensor) -> tf.Tensor:
    numbers = tf.data.Dataset.range(2).scan(0, lambda state, _: (x, state))
    return numbers.reduce(0, lambda _, one: one)


def _zipped(x: tf.Tensor) -> tf.Tensor:
    few = tf.data.Dataset.range(256).take(tf.cast(x, tf.int64))
    return _count(tf.data.Dataset.zip((tf.data.Dataset.range(256), few)))


def _cardinality(x: tf.Tensor) -> tf.Tensor:
    data = tf.data.Dataset.range(tf.cast(x, tf.int64))
    return tf.cast(data.cardinality(), tf.int32)


def _switch_and_merge(x: tf.Tensor) -> tf.Tensor:
    off, on = tf.raw_ops.Switch(data=x, pred=x > 100)
    with tf.control_dependencies([off]):
        zero = tf.constant(0)
    with tf.control_dependencies([on]):
        one = tf.constant(1)
    return tf.raw_ops.Merge(inputs=[zero, one])[0]


def _which_came(x: tf.Tensor) -> tf.Tensor:
    off, on = tf.raw_ops.Switch(data=tf.constant(5), pred=x > 100)
    return tf.raw_ops.Merge(inputs=[off, on])[1]


def _ragged(x: tf.Tensor) -> tf.Tensor:
    rows = tf.RaggedTensor.from_row_lengths(tf.zeros([x], tf.int32), tf.stack([x]))
    return tf.cast(rows.row_lengths()[0], tf.int32)


def _ragged_variant(x: tf.Tensor) -> tf.Tensor:
    encoded = tf.raw_ops.RaggedTensorToVariant(
        rt_nested_splits=[tf.stack([0, x])],
        rt_dense_values=tf.zeros([x], tf.int32),
        batched_input=False,
    )
    return tf.raw_ops.RaggedTensorFromVariant(
        encoded_ragged=encoded,
        input_ragged_rank=1,
        output_ragged_rank=1,
        Tvalues=tf.int32,
        Tsplits=tf.int32,
    ).output_nested_splits[0][-1]


def _sparse(x: tf.Tensor) -> tf.Tensor:
    one = tf.SparseTensor([[3]], tf.reshape(x, [1]), [5])
    return tf.sparse.to_dense(one)[3]


def _sparse_shape(x: tf.Tensor) -> tf.Tensor:
    wide = tf.stack([tf.cast(x, tf.int64) + 1])
    one = tf.SparseTensor([[0]], [1], wide)
    return tf.size(tf.sparse.to_dense(one)) - 1


def _optional(x: tf.Tensor) -> tf.Tensor:
    held = tf.raw_ops.OptionalFromValue(components=[x])
    return tf.raw_ops.OptionalGetValue(
        optional=held, output_types=[tf.int32], output_shapes=[[]]
    )[0]


def _drawn_from_seed(x: tf.Tensor) -> tf.Tensor:
    return tf.random.stateless_uniform([], tf.stack([x, 7]), 0, 2**30, tf.int32)


def _number_of_draws(x: tf.Tensor) -> tf.Tensor:
    return tf.size(
        tf.raw_ops.RandomStandardNormal(shape=tf.stack([x]), dtype=tf.float32)
    )


def _function(x: tf.Tensor) -> tf.Tensor:
    @tf.function(autograph=False)
    def inner(a: tf.Tensor, b: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return b + 0, a + 0

    return inner(x, tf.constant(3))[1]


def _recursive_calls(x: tf.Tensor) -> tf.Tensor:
    inner = tf.function(lambda a: a + 0, autograph=False)
    outer = tf.function(lambda a: inner(inner(a)), autograph=False)
    return outer(outer(x))


def _cached(x: tf.Tensor) -> tf.Tensor:
    return tf.data.Dataset.from_tensors(x).cache().repeat(2).reduce(0, lambda _, y: y)


def _shared_memory(x: tf.Tensor) -> tf.Tensor:
    """A data set reads what another one left in the memory that both cache in."""
    memory = tf.raw_ops.AnonymousMemoryCache().handle

    def cached(value: tf.Tensor) -> tf.Tensor:
        types = dict(output_types=[tf.int32], output_shapes=[[]])
        return tf.data.experimental.from_variant(
            tf.raw_ops.CacheDatasetV2(
                input_dataset=tf.data.experimental.to_variant(
                    tf.data.Dataset.from_tensors(value)
                ),
                filename="",
                cache=memory,
                **types,
            ),
            tf.TensorSpec([], tf.int32),
        ).reduce(0, lambda total, one: total + one)

    with tf.control_dependencies([cached(x)]):
        return cached(tf.constant(1))


CARRIERS: dict[str, Callable[[tf.Tensor], tf.Tensor]] = {
    "identity": tf.identity,
    "identity_n": lambda x: tf.identity_n([tf.constant(1), x])[1],
    "arithmetic": lambda x: (x * 3 + 5) % 1024,
    "float": lambda x: tf.cast(tf.cast(x, tf.float32) / 255.0 * 200.0, tf.int32),
    "bitcast": lambda x: tf.bitcast(tf.bitcast(x, tf.float32), tf.int32),
    "xor": lambda x: tf.bitwise.bitwise_xor(x, 90),
    "as_string": lambda x: tf.strings.to_number(tf.strings.as_string(x), tf.int32),
    "length of string": lambda x: tf.strings.length(
        tf.strings.reduce_join(tf.fill([x], "a"))
    ),
    "format": lambda x: tf.strings.length(tf.strings.format("{}", tf.zeros([x % 7]))),
    "regex": lambda x: tf.cast(
        tf.strings.regex_full_match(tf.strings.as_string(x), "1.."), tf.int32
    ),
    "join": lambda x: tf.strings.length(tf.strings.reduce_join(tf.fill([x], "a"))),
    "base64": lambda x: tf.strings.length(
        tf.io.encode_base64(tf.strings.reduce_join(tf.fill([x], "a")))
    ),
    "shape": lambda x: tf.shape(tf.zeros([x]))[0],
    "size of range": lambda x: tf.size(tf.range(x)),
    "boolean_mask": lambda x: tf.size(
        tf.boolean_mask(tf.range(256), tf.range(256) < x)
    ),
    "unique": lambda x: tf.size(tf.unique(tf.range(256) % (x + 1))[0]),
    "where": lambda x: tf.where(x > 100, 1, 0),
    "gather": lambda x: tf.gather(tf.range(256) * 2, x),
    "one_hot": lambda x: tf.argmax(tf.one_hot(x, 256), output_type=tf.int32),
    "argsort": lambda x: tf.argsort(tf.stack([x, 100]))[0],
    "cumsum": lambda x: tf.cumsum(tf.stack([1, x]))[1],
    "scatter": lambda x: tf.scatter_nd([[1]], tf.reshape(x, [1]), [3])[1],
    "segment": lambda x: tf.argmax(
        tf.math.unsorted_segment_sum([1], tf.stack([x]), 256), output_type=tf.int32
    ),
    "bincount": lambda x: tf.size(tf.math.bincount(tf.stack([x]))),
    "linalg": lambda x: tf.cast(
        tf.linalg.det(tf.cast(x, tf.float32) * tf.eye(1)), tf.int32
    ),
    "fft": lambda x: tf.cast(
        tf.math.real(tf.signal.fft(tf.cast(tf.stack([x, 0]), tf.complex64))[0]),
        tf.int32,
    ),
    "image": lambda x: tf.cast(
        tf.image.resize(tf.cast(tf.fill([2, 2, 1], x), tf.float32), [1, 1])[0, 0, 0],
        tf.int32,
    ),
    "png": lambda x: tf.cast(
        tf.io.decode_png(tf.io.encode_png(tf.cast(tf.fill([1, 1, 1], x), tf.uint8)))[
            0, 0, 0
        ],
        tf.int32,
    ),
    "quantised": lambda x: tf.cast(
        tf.quantization.fake_quant_with_min_max_args(
            tf.cast(x, tf.float32), min=0, max=255
        ),
        tf.int32,
    ),
    "list": _through_list,
    "length of list": _length_of_list,
    "loop": _count_by_loop,
    "map_fn": lambda x: tf.map_fn(lambda i: i + x, tf.range(2))[0],
    "foldl": lambda x: tf.foldl(lambda total, _: total + x, tf.range(1), 0),
    "branches": _bits_by_branches,
    "case": _case,
    "variable": _variable,
    "variable in branch": _variable_in_branch,
    "table": _table,
    "size of table": _size_of_table,
    "iterator": _iterator,
    "data set": lambda x: tf.data.Dataset.from_tensors(x).reduce(0, lambda _, y: y),
    "mapped": lambda x: tf.data.Dataset.range(1).map(lambda _: x).get_single_element(),
    "taken": lambda x: _count(tf.data.Dataset.range(256).take(tf.cast(x, tf.int64))),
    "filtered": _filtered,
    "flat_map": _flat_mapped,
    "scan": _scanned,
    "zip": _zipped,
    "batches": lambda x: _count(
        tf.data.Dataset.range(512).batch(tf.cast(x, tf.int64) + 1)
    ),
    "cardinality": _cardinality,
    "cache": _cached,
    "shared memory": _shared_memory,
    "switch and merge": _switch_and_merge,
    "which came": _which_came,
    "ragged": _ragged,
    "ragged variant": _ragged_variant,
    "sparse": _sparse,
    "sparse shape": _sparse_shape,
    "optional": _optional,
    "drawn from seed": _drawn_from_seed,
    "number of draws": _number_of_draws,
    "function": _function,
    "calls of calls": _recursive_calls,
    "serialised": lambda x: tf.io.parse_tensor(tf.io.serialize_tensor(x), tf.int32),
}
"""From an int32, 0 to 255, to another that depends on it."""


# --- Places ------------------------------------------------------------------------


def _in_branch(body: Callable[[], tf.Tensor], given: Given) -> tf.Tensor:
    return tf.cond(given.public < 1000, body, lambda: tf.constant(0))


def _in_case(body: Callable[[], tf.Tensor], given: Given) -> tf.Tensor:
    return tf.switch_case(given.public * 0, [body, lambda: tf.constant(0)])


def _in_loop(body: Callable[[], tf.Tensor], given: Given) -> tf.Tensor:
    last = given.public * 0 + 1
    return tf.while_loop(
        lambda i, _: i < last, lambda i, _: (i + 1, body()), (0, tf.constant(0))
    )[1]


def _in_function(body: Callable[[], tf.Tensor], given: Given) -> tf.Tensor:
    del given
    return tf.function(body, autograph=False)()


def _in_data_set(body: Callable[[], tf.Tensor], given: Given) -> tf.Tensor:
    del given
    return tf.data.Dataset.range(1).map(lambda _: body()).get_single_element()


def _in_reduction(body: Callable[[], tf.Tensor], given: Given) -> tf.Tensor:
    del given
    return tf.data.Dataset.range(1).reduce(0, lambda total, _: total + body())


PLACES: dict[str, Callable[[Callable[[], tf.Tensor], Given], tf.Tensor]] = {
    "straight": lambda body, given: body(),
    "branch": _in_branch,
    "case": _in_case,
    "loop": _in_loop,
    "function": _in_function,
    "data set": _in_data_set,
    "reduction": _in_reduction,
}
"""Control structures that run a body once."""


# --- Ways out ----------------------------------------------------------------------


def _after(effect: Any, value: tf.Tensor | int = 0) -> tf.Tensor:
    with tf.control_dependencies([effect] if effect is not None else []):
        return tf.identity(value)


def _write(folder: str, name: str, text: tf.Tensor | str = "x") -> Any:
    return tf.io.write_file(os.path.join(folder, name), text)


def _iterated(data: tf.data.Dataset) -> tf.Tensor:
    return data.map(lambda *_: 0).reduce(0, lambda total, _: total + 1)


def _save(x: tf.Tensor, folder: str) -> Any:
    return tf.raw_ops.SaveV2(
        prefix=os.path.join(folder, "saved"),
        tensor_names=["x"],
        shape_and_slices=[""],
        tensors=[x],
    )


def _cache_file(x: tf.Tensor, folder: str) -> Any:
    data = tf.data.Dataset.from_tensors(x).cache(os.path.join(folder, "cache"))
    return _iterated(data)


def _snapshot(x: tf.Tensor, folder: str) -> Any:
    data = tf.data.Dataset.from_tensors(x)
    return _iterated(data.snapshot(os.path.join(folder, "snapshot")))


def _saved_data_set(x: tf.Tensor, folder: str) -> Any:
    data = tf.data.experimental.to_variant(tf.data.Dataset.from_tensors(x))
    path = os.path.join(folder, "data")
    types = dict(output_types=[tf.int32], output_shapes=[[]])
    identity = tf.function(lambda i: tf.constant(0, tf.int64), autograph=False)
    shard = identity.get_concrete_function(tf.TensorSpec([], tf.int32))
    return tf.raw_ops.SaveDatasetV2(
        input_dataset=data,
        path=path,
        shard_func_other_args=[],
        shard_func=shard,
        **types,
    )


def _records(x: tf.Tensor, folder: str) -> Any:
    data = tf.data.Dataset.from_tensors(tf.strings.as_string(x))
    return tf.raw_ops.DatasetToTFRecord(
        input_dataset=tf.data.experimental.to_variant(data),
        filename=os.path.join(folder, "records"),
        compression_type="",
    )


def _summary(x: tf.Tensor, folder: str) -> Any:
    writer = tf.raw_ops.SummaryWriter(shared_name="writer")
    made = tf.raw_ops.CreateSummaryFileWriter(
        writer=writer, logdir=folder, max_queue=1, flush_millis=1, filename_suffix="s"
    )
    with tf.control_dependencies([made]):
        written = tf.raw_ops.WriteScalarSummary(
            writer=writer, step=tf.constant(1, tf.int64), tag="x", value=x
        )
    with tf.control_dependencies([written]):
        return tf.raw_ops.FlushSummaryWriter(writer=writer)


def _queue(x: tf.Tensor, folder: str) -> Any:
    del folder
    queue = tf.raw_ops.FIFOQueueV2(component_types=[tf.int32], shared_name="queue")
    return tf.raw_ops.QueueEnqueueV2(handle=queue, components=[x])


def _barrier(x: tf.Tensor, folder: str) -> Any:
    del folder
    barrier = tf.raw_ops.Barrier(component_types=[tf.int32], shared_name="barrier")
    return tf.raw_ops.BarrierInsertMany(
        handle=barrier, keys=["a"], values=tf.reshape(x, [1]), component_index=0
    )


def _stage(x: tf.Tensor, folder: str) -> Any:
    del folder
    return tf.raw_ops.Stage(values=[x], shared_name="stage")


def _debug(x: tf.Tensor, folder: str) -> Any:
    return tf.raw_ops.DebugIdentityV2(
        input=x,
        tfdbg_context_id="c",
        op_name="o",
        output_slot=0,
        tensor_debug_mode=2,
        debug_urls=[f"file://{folder}"],
    )


def _elsewhere(x: tf.Tensor, folder: str) -> Any:
    del folder
    with tf.device("/job:server/replica:0/task:0/device:CPU:0"):
        return tf.identity(x)


def _serialised_graph(x: tf.Tensor, folder: str) -> Any:
    del folder
    graph = tf.raw_ops.DatasetToGraphV2(
        input_dataset=tf.data.experimental.to_variant(tf.data.Dataset.from_tensors(x))
    )
    return tf.strings.length(graph)


def _named_file(x: tf.Tensor, folder: str) -> Any:
    path = tf.strings.join([folder, "/", tf.strings.as_string(x)])
    return tf.raw_ops.MatchingFiles(pattern=path)


def _written_in_branch(x: tf.Tensor, folder: str) -> Any:
    return tf.cond(
        x > 100, lambda: _after(_write(folder, "branch")), lambda: tf.constant(0)
    )


def _printed_in_branch(x: tf.Tensor, folder: str) -> Any:
    del folder
    return tf.cond(x > 100, lambda: _after(tf.print("large")), lambda: tf.constant(0))


def _written_in_case(x: tf.Tensor, folder: str) -> Any:
    return tf.switch_case(
        x // 128,
        [lambda n=n: _after(_write(folder, f"case{n}")) for n in range(2)],
    )


def _written_in_loop(x: tf.Tensor, folder: str) -> Any:
    def body(i: tf.Tensor) -> list[tf.Tensor]:
        name = tf.strings.join([folder, "/loop", tf.strings.as_string(i)])
        return [_after(tf.io.write_file(name, "x"), i + 1)]

    return tf.while_loop(lambda i: i < x // 16, body, [0])[0]


def _written_by_data_set(folder: str) -> tf.data.Dataset:
    def write(i: tf.Tensor) -> tf.Tensor:
        name = tf.strings.join([folder, "/element", tf.strings.as_string(i)])
        return _after(tf.io.write_file(name, "x"), i)

    return tf.data.Dataset.range(16).map(write)


def _number_of_elements_that_write(x: tf.Tensor, folder: str) -> Any:
    return _iterated(_written_by_data_set(folder).take(tf.cast(x // 16, tf.int64)))


def _data_set_read_in_branch(x: tf.Tensor, folder: str) -> Any:
    data = _written_by_data_set(folder)
    return tf.cond(x > 100, lambda: _iterated(data), lambda: tf.constant(0))


def _data_set_zipped(x: tf.Tensor, folder: str) -> Any:
    few = tf.data.Dataset.range(16).filter(lambda i: i < tf.cast(x // 16, i.dtype))
    return _iterated(tf.data.Dataset.zip((few, _written_by_data_set(folder))))


def _after_switch(x: tf.Tensor, folder: str) -> Any:
    _, on = tf.raw_ops.Switch(data=tf.constant(0), pred=x > 100)
    with tf.control_dependencies([on]):
        return _write(folder, "switch")


WAYS_OUT: dict[str, Callable[[tf.Tensor, str], Any]] = {
    "write_file": lambda x, folder: _write(folder, "x", tf.strings.as_string(x)),
    "file name": lambda x, folder: tf.io.write_file(
        tf.strings.join([folder, "/", tf.strings.as_string(x)]), "x"
    ),
    "print": lambda x, folder: tf.print(x),
    "assert": lambda x, folder: tf.debugging.Assert(x > 100, ["small"]),
    "assert's message": lambda x, folder: tf.debugging.Assert(
        tf.equal(tf.size(tf.shape(x)), 1), [x]
    ),
    "py_function": lambda x, folder: tf.py_function(lambda y: print(y), [x], []),
    "numpy_function": lambda x, folder: tf.numpy_function(
        lambda y: print(y), [x], [], stateful=True
    ),
    "checkpoint": _save,
    "cache file": _cache_file,
    "snapshot": _snapshot,
    "saved data set": _saved_data_set,
    "records": _records,
    "summary": _summary,
    "queue": _queue,
    "barrier": _barrier,
    "stage": _stage,
    "debug": _debug,
    "device": _elsewhere,
    "serialised graph": _serialised_graph,
    "looked for": _named_file,
    "written in branch": _written_in_branch,
    "printed in branch": _printed_in_branch,
    "written in case": _written_in_case,
    "written in loop": _written_in_loop,
    "elements that write": _number_of_elements_that_write,
    "data set in branch": _data_set_read_in_branch,
    "zipped data set": _data_set_zipped,
    "after switch": _after_switch,
}
"""Operations that let the world know of an int32."""


ONE_WAY = (
    "write_file",
    "file name",
    "print",
    "assert",
    "assert's message",
    "checkpoint",
    "written in branch",
    "printed in branch",
    "written in case",
    "written in loop",
    "elements that write",
    "data set in branch",
    "zipped data set",
)
"""Ways out that bring nothing in. The others are refused whatever they tell."""

UNSEEN = frozenset(
    (
        "queue,barrier,stage,debug,device,serialised graph,looked for,"
        "summary,snapshot,saved data set"
    ).split(",")
)
"""Ways out that show in no result, file, print or error where a case is run alone, or whose
files hold the time or names drawn at random."""


# --- Combinations ------------------------------------------------------------------

# Those that a data set's function, or an eager trace, cannot hold.
_NOT_IN_FUNCTIONS = frozenset({"switch and merge", "which came", "after switch"})


class Case(NamedTuple):
    """A computation.

    Attributes:
      name: its parts.
      body: from what is given to a result; whatever else it does is in it too.
    """

    name: str
    body: Callable[[Given], tf.Tensor]


def leaks_by_result() -> Iterator[Case]:
    """Source, carrier and place; the result tells."""
    for source, carrier, place in itertools.product(SOURCES, CARRIERS, PLACES):
        if place != "straight" and carrier in _NOT_IN_FUNCTIONS:
            continue
        yield Case(
            f"{source}, {carrier}, {place}",
            functools.partial(_result, SOURCES[source], carrier, place),
        )


def leaks_by_the_way() -> Iterator[Case]:
    """Source, place and way out; the result is a constant."""
    for source, way, place in itertools.product(SOURCES, WAYS_OUT, PLACES):
        if place != "straight" and way in _NOT_IN_FUNCTIONS:
            continue
        yield Case(
            f"{source}, {place}, {way}",
            functools.partial(_by_the_way, SOURCES[source], way, place),
        )


def harmless() -> Iterator[Case]:
    """A public number by the same carriers and places, beside the key at work."""
    for carrier, place in itertools.product(CARRIERS, PLACES):
        if place != "straight" and carrier in _NOT_IN_FUNCTIONS:
            continue
        yield Case(f"{carrier}, {place}", functools.partial(_work, carrier, place))


def harmless_by_the_way() -> Iterator[Case]:
    """A public number is told to the world, which is no leak."""
    for way, place in itertools.product(ONE_WAY, PLACES):
        yield Case(f"{way}, {place}", functools.partial(_tell, way, place))


def _result(
    source: Callable[[Given], tf.Tensor], carrier: str, place: str, given: Given
) -> tf.Tensor:
    def body() -> tf.Tensor:
        secret = tf.ensure_shape(tf.cast(source(given), tf.int32), [])
        carried = CARRIERS[carrier](secret)
        return tf.ensure_shape(carried, [])

    return PLACES[place](body, given)


def _by_the_way(
    source: Callable[[Given], tf.Tensor], way: str, place: str, given: Given
) -> tf.Tensor:
    def body() -> tf.Tensor:
        secret = tf.cast(source(given), tf.int32)
        return _after(WAYS_OUT[way](secret, given.folder))

    return PLACES[place](body, given)


def _work(carrier: str, place: str, given: Given) -> tf.Tensor:
    """Encrypts what the carrier made of the public number, and gives that out too."""

    def body() -> tf.Tensor:
        made = tf.ensure_shape(CARRIERS[carrier](given.public), [])
        hidden = CIPHER.encrypt(given.key, row_of(made))
        return made + tf.size(hidden)

    return PLACES[place](body, given)


def _tell(way: str, place: str, given: Given) -> tf.Tensor:
    def body() -> tf.Tensor:
        hidden = CIPHER.encrypt(given.key, row_of(given.public))
        return _after(WAYS_OUT[way](given.public, given.folder), tf.size(hidden))

    return PLACES[place](body, given)


class Finding(NamedTuple):
    """What the analysis says of a case.

    Attributes:
      result: secrets in its result.
      exports: operations by which secrets leave.
      kept: secrets in what stays for the next computation of the same party.
    """

    result: frozenset
    exports: frozenset
    kept: frozenset

    @property
    def leaks(self) -> bool:
        return bool(self.result or self.exports)


@functools.cache
def trusted_functions() -> CipherOps:
    return CipherOps.of(CIPHER)


def graph_of(case: Case, folder: str = "/nowhere") -> Any:
    """The case as a graph, fed with `key`, `upload` and `public`."""
    with tf.Graph().as_default() as graph:
        given = Given(
            tf.compat.v1.placeholder(tf.string, [], "key"),
            tf.compat.v1.placeholder(tf.string, [1], "upload"),
            tf.compat.v1.placeholder(tf.int32, [], "public"),
            folder,
        )
        # Rewriting Python code would take most of the time.
        traced = tf.autograph.experimental.do_not_convert(case.body)
        tf.identity(traced(given), "result")
    return graph.as_graph_def()


def analyse(case: Case) -> Finding:
    """Labels the case's graph."""
    taint = GraphTaint(graph_of(case), trusted_functions(), Kept())
    feeds = {"key": KEY, "upload": UPLOAD, "public": ORDINARY}
    (result,) = taint.outputs(feeds, ["result:0"])
    return Finding(
        result & SECRET,
        frozenset(site.op for site, _ in taint.exports),
        (taint.kept.heap | taint.kept.drawn) & SECRET,
    )


def runs_alone(case: Case) -> bool:
    """Whether two runs of a leaking case can be told apart by what they leave."""
    parts = {part.strip() for part in case.name.split(",")}
    return not parts & (UNSEEN | _NOT_IN_FUNCTIONS)


def observe(case: Case, key: bytes, upload: bytes, folder: str) -> dict[str, Any]:
    """Runs the case: its result or error, and the names and contents of files."""

    @tf.function(autograph=False)
    def run(key: tf.Tensor, upload: tf.Tensor, public: tf.Tensor) -> tf.Tensor:
        return case.body(Given(key, upload, public, folder))

    seen: dict[str, Any] = {}
    try:
        result = run(tf.constant(key), tf.constant([upload]), tf.constant(3))
        seen["result"] = result.numpy()
    except tf.errors.OpError as error:
        # Without the names of traced functions, which are numbered.
        seen["error"] = re.sub(r"__\w+|\d+_\d+", "", str(error))
    for path, _, files in sorted(os.walk(folder)):
        for name in sorted(files):
            place = os.path.join(path, name)
            with open(place, "rb") as file:
                seen[os.path.relpath(place, folder)] = file.read()
    return seen


class Pair(NamedTuple):
    """Two keys and an upload under each, of which all sources differ much."""

    keys: tuple[bytes, bytes]
    uploads: tuple[bytes, bytes]


def draw_pair() -> Pair:
    """Draws keys whose sources give 128 to 199, and less than 64."""

    def small(key: bytes) -> bool:
        return max(_numbers(key)) < 64

    def large(key: bytes) -> bool:
        return all(128 <= number < 200 for number in _numbers(key))

    large_key = next(filter(large, _keys()))
    apart = (
        key
        for key in filter(small, _keys())
        if all(
            (a - b) % 7 for a, b in zip(_numbers(key), _numbers(large_key), strict=True)
        )
    )
    keys = (large_key, next(apart))
    uploads = tuple(
        CIPHER.encrypt(key, row_of(_numbers(key)[0]))[0].numpy() for key in keys
    )
    return Pair(keys, uploads)


def _keys() -> Iterator[bytes]:
    while True:
        yield CIPHER.keygen().numpy()


def _numbers(key: bytes) -> tuple[int, int]:
    hashed = tf.strings.to_hash_bucket_strong(tf.constant(key), 256, [1, 2])
    return key[PLACE_IN_KEY], int(hashed)
