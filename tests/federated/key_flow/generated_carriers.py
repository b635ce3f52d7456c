"""What makes another number of a number, by whatever detour."""

from collections.abc import Callable

import tensorflow as tf


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
