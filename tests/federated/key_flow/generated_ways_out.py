"""What takes a number to where the server is, or the world."""

import os
from collections.abc import Callable
from typing import Any

import tensorflow as tf


def after(effect: Any, value: tf.Tensor | int = 0) -> tf.Tensor:
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
        x > 100, lambda: after(_write(folder, "branch")), lambda: tf.constant(0)
    )


def _printed_in_branch(x: tf.Tensor, folder: str) -> Any:
    del folder
    return tf.cond(x > 100, lambda: after(tf.print("large")), lambda: tf.constant(0))


def _written_in_case(x: tf.Tensor, folder: str) -> Any:
    return tf.switch_case(
        x // 128,
        [lambda n=n: after(_write(folder, f"case{n}")) for n in range(2)],
    )


def _written_in_loop(x: tf.Tensor, folder: str) -> Any:
    def body(i: tf.Tensor) -> list[tf.Tensor]:
        name = tf.strings.join([folder, "/loop", tf.strings.as_string(i)])
        return [after(tf.io.write_file(name, "x"), i + 1)]

    return tf.while_loop(lambda i: i < x // 16, body, [0])[0]


def _written_by_data_set(folder: str) -> tf.data.Dataset:
    def write(i: tf.Tensor) -> tf.Tensor:
        name = tf.strings.join([folder, "/element", tf.strings.as_string(i)])
        return after(tf.io.write_file(name, "x"), i)

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
