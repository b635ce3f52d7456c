"""Recognises how a key is read: the operations of `key_store.read`, one by one.

A key file holds a few public records and, behind them, the key. What is known is

    file name -> TFRecordDataset -> (take) -> batch(b) -> single element -> [b] -> [i]

with constants b and i. Record i of the file is public if it stands before the key; it is
the key, unchanged, if it stands in its place. A file that is read in this way is taken
for a key file. Any other way of reading a file gives raw key material.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import tensorflow as tf

from selenc_tf.lattice import key_store

PUBLIC_RECORDS = len(key_store._RECORDS) - 1
"""The records before the key."""

_MASKS = ("shrink_axis", "begin", "ellipsis", "new_axis")

_READERS = frozenset({"TFRecordDataset", "TFRecordDatasetV2"})


class Record(NamedTuple):
    """A record taken from a file.

    Attributes:
      number: its place in the file.
      nodes: names of the nodes that lead to it, itself not among them.
      start: the node that is given the file's name.
      reader: the operation that reads.
    """

    number: int
    nodes: frozenset[str]
    start: Any
    reader: str


def find_record(
    node: Any, by_name: Mapping[str, Any], library: Mapping[str, Any]
) -> Record | None:
    """The record that a node takes from a file, if it does exactly that.

    Args:
      node: of a graph or a function body.
      by_name: its nodes.
      library: functions by name.

    Returns:
      The record, or None.
    """
    masks = [node.attr[f"{name}_mask"].i for name in _MASKS]
    if node.op != "StridedSlice" or masks != [1, 0, 0, 0]:
        return None

    def source(of: Any, index: int = 0) -> Any:
        return by_name.get(of.input[index].split(":")[0])

    def number(of: Any, index: int) -> int | None:
        return _integer(source(of, index))

    place = number(node, 1)
    nodes = []
    shaped = source(node)
    element = (
        source(shaped) if shaped is not None and shaped.op == "EnsureShape" else None
    )
    batch = _of_kind(element, "DatasetToSingleElement", source)
    read = _of_kind(batch, "BatchDatasetV2", source)
    if place is None or read is None:
        return None
    nodes = [shaped, element, batch]
    size = number(batch, 1)
    shape = [dim.size for dim in shaped.attr["shape"].shape.dim]
    if read.op == "TakeDataset":
        nodes.append(read)
        taken = number(read, 1)
        read = source(read)
        if taken is None or size is None or taken < size:
            return None
    if size is None or shape != [size] or not -size <= place < size:
        return None
    reader = None if read is None else _reader_of(read, library)
    if reader is None:
        return None
    names = frozenset(one.name for one in [*nodes, read])
    return Record(place % size, names, read, reader)


def names_of_keys(graph_def: tf.compat.v1.GraphDef) -> set[tuple[bytes, ...]]:
    """For each key that a graph reads, the constants that its file's name is made of."""
    library = {one.signature.name: one for one in graph_def.library.function}
    names = set()
    for nodes in (graph_def.node, *(one.node_def for one in library.values())):
        by_name = {node.name: node for node in nodes}
        for node in nodes:
            record = find_record(node, by_name, library)
            if record is not None and record.number == PUBLIC_RECORDS:
                names.add(tuple(sorted(_texts_behind(record.start, by_name))))
    return names


def _texts_behind(node: Any, by_name: Mapping[str, Any]) -> set[bytes]:
    """All constant texts that a node is computed from."""
    texts: set[bytes] = set()
    seen: set[str] = set()
    waiting = list(node.input)
    while waiting:
        name = waiting.pop().removeprefix("^").split(":")[0]
        source = by_name.get(name)
        if source is None or name in seen:
            continue
        seen.add(name)
        waiting.extend(source.input)
        if source.op == "Const" and source.attr["dtype"].type == tf.string:
            value = tf.make_ndarray(source.attr["value"].tensor)
            texts.update(value.reshape([-1]).tolist())
    return texts


def _of_kind(node: Any, op: str, source: Any) -> Any:
    return source(node) if node is not None and node.op == op else None


def _reader_of(node: Any, library: Mapping[str, Any]) -> str | None:
    """The reader, of a data set of the records of files and nothing else."""
    if node.op in _READERS:
        return str(node.op)
    function = library.get(node.attr["f"].func.name)
    if node.op != "FlatMapDataset" or function is None:
        return None
    kinds = [inner.op for inner in function.node_def]
    readers = [kind for kind in kinds if kind in _READERS]
    others = set(kinds) - _READERS - {"Const", "Identity", "NoOp"}
    return readers[0] if len(readers) == 1 and not others else None


def _integer(node: Any) -> int | None:
    """The value of a constant of one integer."""
    if node is None or node.op != "Const":
        return None
    value = tf.make_ndarray(node.attr["value"].tensor)
    return int(value.reshape([])) if value.size == 1 else None
