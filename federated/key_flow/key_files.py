"""Recognises how a key is read: the operations of `key_store.read`, one by one.

A key file holds a few public records and, behind them, the key. What is known is

    file name -> TFRecordDataset -> batch(b) -> single element -> [b] -> [i]
    file name -> TFRecordDataset -> take(p) -> batch(p) -> single element -> [p] -> [i]

with constants i, b of all records and p of the public ones, and the buffer that TensorFlow
takes by itself: one of up to 1 KB would be freed with a piece of the key in it, which
nothing overwrites (`selenc_tf/lattice/memory.py`). Record i of the file is public if it
stands before the key; it is the key, unchanged, if it stands in its place. A file that is
read in this way is taken for a key file. Any other way of reading a file gives raw key
material.
"""

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

import tensorflow as tf

from selenc_tf.lattice import key_files as files_lib
from selenc_tf.lattice import key_store

PUBLIC_RECORDS = len(key_store._RECORDS) - 1
"""The records before the key."""

_MASKS = ("shrink_axis", "begin", "ellipsis", "new_axis")

_BUFFER = -1
"""Of `tf.data.TFRecordDataset` where nobody says another: TensorFlow chooses."""

_READERS = frozenset({"TFRecordDataset", "TFRecordDatasetV2"})

_CARRY = frozenset("Reshape StridedSlice ExpandDims Identity".split())
"""Operations between a name and the data set of it, which give it on as it is."""

_NUMBERS = frozenset({tf.int32.as_datatype_enum, tf.int64.as_datatype_enum})

_SERIES = (os.sep.encode(), files_lib.SUFFIX.encode())
"""What stands in the name of a series' file behind the folder and the number."""

_AROUND = frozenset({"Const", "Identity", "NoOp"})


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
        return _source(of, index, by_name)

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
    size = PUBLIC_RECORDS + 1
    shape = [dim.size for dim in shaped.attr["shape"].shape.dim]
    if read.op == "TakeDataset":
        nodes.append(read)
        size = PUBLIC_RECORDS
        if number(read, 1) != size:
            return None
        read = source(read)
    if number(batch, 1) != size or shape != [size] or not -size <= place < size:
        return None
    reader = None if read is None else _reader_of(read, library)
    if reader is None:
        return None
    names = frozenset(one.name for one in [*nodes, read])
    return Record(place % size, names, read, reader)


def names_of_keys(graph_def: tf.compat.v1.GraphDef) -> set[tuple[bytes, ...]]:
    """For each key that a graph reads, the constants that its file's name is made of.

    Raises:
      NotImplementedError: If a name is anything but one constant, or the folder of a
        series with the number of a round: which file is read would not be known, and so
        neither whether its key stands in the computation, nor whether it is another key.
    """
    library = {one.signature.name: one for one in graph_def.library.function}
    names = set()
    for nodes in (graph_def.node, *(one.node_def for one in library.values())):
        by_name = {node.name: node for node in nodes}
        for node in nodes:
            record = find_record(node, by_name, library)
            if record is None:
                continue
            # Of public records too: what is in another file may be no public record.
            name = _name_of(record.start, by_name)
            if record.number == PUBLIC_RECORDS:
                names.add(name)
    return names


def _name_of(start: Any, by_name: Mapping[str, Any]) -> tuple[bytes, ...]:
    """The texts of the name that a data set of files begins with."""
    # Data sets in between could read any other file.
    names = _source(start, 0, by_name)
    slices = names is not None and names.op == "TensorSliceDataset"
    node = _source(names, 0, by_name) if slices and len(names.input) == 1 else None
    while node is not None and node.op in _CARRY:
        node = _source(node, 0, by_name)
    if node is not None and node.op == "Const":
        texts = _constant(node) or []
        if len(texts) == 1 and _is_plain(texts[0]):
            return (texts[0],)
    if node is not None and node.op == "StringJoin" and not node.attr["separator"].s:
        parts = [_source(node, place, by_name) for place in range(len(node.input))]
        if len(parts) == len(_SERIES) + 2:
            folder, between, number, behind = parts
            known = [_constant(one) for one in (folder, between, behind)]
            texts = [one[0] for one in known if one is not None and len(one) == 1]
            series = texts[1:] == list(_SERIES) and _is_plain(texts[0])
            if series and _is_number(number):
                return (texts[0],)
    raise NotImplementedError(
        "The analysis must know which key file is read; found a name that is no constant "
        "and not the folder of a series with the number of a round. Read keys by "
        "`key_store.read`, of a file that `key_store.find` has named."
    )


def _is_plain(text: Any) -> bool:
    """Whether TensorFlow and Python take a text for the same file, wherever they are."""
    try:
        name = text.decode()
    except (AttributeError, UnicodeDecodeError):
        return False
    plain = os.path.isabs(name) and os.path.normpath(name) == name
    return plain and "\0" not in name and not name.startswith("//")


def _is_number(node: Any) -> bool:
    """Whether a text is a number with the digits of a series' file names."""
    if node is None or node.op != "AsString" or node.attr["T"].type not in _NUMBERS:
        return False
    form = node.attr["width"].i, node.attr["fill"].s, node.attr["precision"].i
    plain = not node.attr["scientific"].b and not node.attr["shortest"].b
    return plain and form == (files_lib.DIGITS, b"0", -1)


def _source(node: Any, place: int, by_name: Mapping[str, Any]) -> Any:
    data = [name for name in node.input if not name.startswith("^")]
    return by_name.get(data[place].split(":")[0]) if place < len(data) else None


def _of_kind(node: Any, op: str, source: Any) -> Any:
    return source(node) if node is not None and node.op == op else None


def _reader_of(node: Any, library: Mapping[str, Any]) -> str | None:
    """The reader, of a data set of all records of files and nothing else."""
    if node.op in _READERS:
        return None  # Whoever reads by itself says where to begin, too.
    function = library.get(node.attr["f"].func.name)
    if node.op != "FlatMapDataset" or function is None or len(node.input) != 1:
        return None
    by_name = {inner.name: inner for inner in function.node_def}
    arguments = [argument.name for argument in function.signature.input_arg]
    results = [*function.ret.values()]
    if len(arguments) != 1 or len(results) != 1:
        return None
    reader = by_name.get(results[0].split(":")[0])
    while reader is not None and reader.op == "Identity":
        reader = by_name.get(reader.input[0].split(":")[0])
    if reader is None or reader.op not in _READERS:
        return None
    data = [name for name in reader.input if not name.startswith("^")]
    file_name, *rest = [name.split(":")[0] for name in data]
    settings = [_constant(by_name.get(name)) for name in rest]
    # No compression, and of the second version no places to begin at.
    whole = (
        len(settings) >= 2
        and settings[:2] == [[b""], [_BUFFER]]
        and all(each == [] for each in settings[2:])
    )
    others = {inner.op for inner in function.node_def} - _READERS - _AROUND
    readers = [inner for inner in function.node_def if inner.op in _READERS]
    plain = file_name == arguments[0] and len(readers) == 1 and not others
    return str(reader.op) if plain and whole else None


def _constant(node: Any) -> list[Any] | None:
    """The numbers or texts of a constant, None if the node is none."""
    if node is None or node.op != "Const":
        return None
    found: list[Any] = tf.make_ndarray(node.attr["value"].tensor).reshape([-1]).tolist()
    return found


def _integer(node: Any) -> int | None:
    """The value of a constant of one integer."""
    if node is None or node.op != "Const":
        return None
    value = tf.make_ndarray(node.attr["value"].tensor)
    return int(value.reshape([])) if value.size == 1 else None
