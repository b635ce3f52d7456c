"""GGUF, the file format of llama.cpp: its header, and its tensors as float32.

(ggml-org/ggml, docs/gguf.md, versions 2 and 3; little-endian.) Numpy alone.
"""

import mmap
import pathlib
import struct
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

_NUMBERS: Mapping[int, str] = MappingProxyType(
    {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q"}
    | {12: "d"}
)
"""Of the header's values, as `struct` writes them."""
_STRING, _ARRAY = 8, 9
_BLOCK = 32
"""Weights that have one scale in a quantised tensor."""


class Tensor(NamedTuple):
    """Where a tensor stands.

    Attributes:
      shape: With the axis that runs fastest last, as in numpy.
      kind: Its type, GGUF's number.
      offset: In bytes, from the file's start.
    """

    shape: tuple[int, ...]
    kind: int
    offset: int


class Gguf(NamedTuple):
    """A file.

    Attributes:
      path: The file.
      metadata: The header's values.
      tensors: By name.
    """

    path: pathlib.Path
    metadata: Mapping[str, Any]
    tensors: Mapping[str, Tensor]

    def array(self, name: str) -> NDArray[np.float32]:
        """A tensor, its quantised weights multiplied out.

        Raises:
          ValueError: If there is none of that name, or its type is not known here.
        """
        if name not in self.tensors:
            raise ValueError(f"{self.path} must have the tensor {name!r}, but has not.")
        where = self.tensors[name]
        if where.kind not in _READERS:
            raise ValueError(
                f"Tensors of {self.path} must be of the types F32, F16, Q4_1 or Q8_0 "
                f"(GGUF's numbers {', '.join(map(str, _READERS))}), but {name!r} has the "
                f"number {where.kind}."
            )
        count = int(np.prod(where.shape))
        with (
            self.path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole,
        ):
            found = _READERS[where.kind](whole, where.offset, count)
        return found.reshape(where.shape)


def read(path: pathlib.Path) -> Gguf:
    """Reads a file's header.

    Args:
      path: The file.

    Returns:
      Its values and where its tensors are.

    Raises:
      ValueError: If it is no GGUF file of versions 2 or 3.
    """
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole,
    ):
        cursor = _Cursor(whole)
        magic, version = whole[:4], cursor.skip(4).number("I")
        if magic != b"GGUF" or version not in (2, 3):
            raise ValueError(
                f"{path} must be a GGUF file of version 2 or 3, but begins with "
                f"{bytes(magic)!r} and {version}."
            )
        tensor_count, value_count = cursor.number("Q"), cursor.number("Q")
        metadata = {}
        for _ in range(value_count):
            key = cursor.string()
            metadata[key] = cursor.value(cursor.number("I"))
        listed = []
        for _ in range(tensor_count):
            name = cursor.string()
            sizes = [cursor.number("Q") for _ in range(cursor.number("I"))]
            listed.append((name, sizes, cursor.number("I"), cursor.number("Q")))
        alignment = metadata.get("general.alignment", 32)
        start = -(-cursor.place // alignment) * alignment
    tensors = {
        name: Tensor(tuple(reversed(sizes)), kind, start + offset)
        for name, sizes, kind, offset in listed
    }
    return Gguf(path, MappingProxyType(metadata), MappingProxyType(tensors))


class _Cursor:
    """A place in a header."""

    def __init__(self, whole: Any):
        self.whole, self.place = whole, 0

    def skip(self, count: int) -> "_Cursor":
        self.place += count
        return self

    def number(self, kind: str) -> Any:
        (value,) = struct.unpack_from(f"<{kind}", self.whole, self.place)
        self.place += struct.calcsize(kind)
        return value

    def string(self) -> str:
        count = self.number("Q")
        found = bytes(self.whole[self.place : self.place + count])
        self.place += count
        return found.decode("utf-8")

    def value(self, kind: int) -> Any:
        if kind == _STRING:
            return self.string()
        if kind == _ARRAY:
            inner, count = self.number("I"), self.number("Q")
            return tuple(self.value(inner) for _ in range(count))
        return self.number(_NUMBERS[kind])


def _plain(dtype: str) -> Callable[[Any, int, int], NDArray[np.float32]]:
    def array(whole: Any, offset: int, count: int) -> NDArray[np.float32]:
        # A copy: the file is closed afterwards.
        return np.frombuffer(whole, dtype, count, offset).astype(np.float32)

    return array


def _q4_1(whole: Any, offset: int, count: int) -> NDArray[np.float32]:
    """Blocks of a scale, a minimum and 32 numbers of 4 bits: the low halves first."""
    block = np.dtype([("scale", "<f2"), ("least", "<f2"), ("codes", "u1", _BLOCK // 2)])
    blocks = np.frombuffer(whole, block, count // _BLOCK, offset).copy()
    codes = np.concatenate([blocks["codes"] & 15, blocks["codes"] >> 4], axis=1)
    scale = blocks["scale"].astype(np.float32)[:, np.newaxis]
    return codes * scale + blocks["least"].astype(np.float32)[:, np.newaxis]


def _q8_0(whole: Any, offset: int, count: int) -> NDArray[np.float32]:
    """Blocks of a scale and 32 numbers of 8 bits."""
    block = np.dtype([("scale", "<f2"), ("codes", "i1", _BLOCK)])
    blocks = np.frombuffer(whole, block, count // _BLOCK, offset).copy()
    return blocks["codes"] * blocks["scale"].astype(np.float32)[:, np.newaxis]


_READERS: Mapping[int, Callable[[Any, int, int], NDArray[np.float32]]] = (
    MappingProxyType({0: _plain("<f4"), 1: _plain("<f2"), 3: _q4_1, 8: _q8_0})
)
"""By GGUF's numbers: `(file, offset in bytes, number of weights) -> float32`."""
