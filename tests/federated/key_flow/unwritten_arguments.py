"""Arguments for operations: drawn from their definitions, odd ones among them."""

import dataclasses
import random
from typing import Any

import numpy as np
import tensorflow as tf

from tests.federated.key_flow.unwritten_shapes import SHAPES_OF

_SHAPES: tuple[tuple[int, ...], ...] = (
    (), (), (0,), (1,), (2,), (4,), (20,), (0, 3), (3, 0), (3, 3), (1, 20), (4, 5),
    (5, 20), (0, 0), (2, 3, 4), (2, 0, 3), (2, 3, 3), (0, 4, 4, 3), (1, 4, 4, 3),
    (2, 5, 5, 3), (1, 4, 4, 0), (1, 4, 4, 4, 2), (0, 4, 4, 4, 2),
)  # fmt: skip
_TYPES = (tf.float32, tf.float32, tf.int32, tf.int64, tf.float64, tf.bool, tf.string)
_PREFERRED = {t.as_datatype_enum for t in _TYPES}
_SIZES = (0, 1, 1, 2, 3, 4, 5, 9)
_NUMBERS = (0, 1, 1, 2, 2, 3, 5, -1)
_WORDS = ("", "a", "1.5", "12", "aGVsbG8", "abcdefghijkl", "a b")


class Unknown(Exception):
    """There is no way to draw such an argument."""


@dataclasses.dataclass
class Call:
    """An operation's arguments, as `execute` takes them."""

    inputs: list[Any]
    attrs: tuple[Any, ...]
    num_outputs: int
    names: list[str]
    shown: dict[str, Any]


class Draw:
    """Draws arguments, the same ones for the same generator."""

    def __init__(self, rng: random.Random):
        """Prepares to draw from a generator."""
        self._rng = rng
        self._sizes: dict[str, int] = {}

    def call(self, definition: Any) -> Call:
        """Arguments for an operation, which it may refuse.

        Raises:
          Unknown: If it takes what nobody can make here.
        """
        choose = self._rng.choice
        known = dict(
            word.split("=", 1) if "=" in word else (word.split(":", 1)[0], word)
            for word in choose(SHAPES_OF.get(definition.name, ("",))).split()
        )
        if known and self._rng.random() < 0.1:
            known.pop(choose(list(known)))
        attrs = {a.name: self._attribute(a, known.get(a.name)) for a in definition.attr}
        common = choose((None, choose(_SHAPES), choose(_SHAPES)))
        inputs: list[Any] = []
        shown: dict[str, Any] = {}
        for argument in definition.input_arg:
            types = _types_of(argument, attrs)
            mine = [
                self._tensor(t, known.get(argument.name), common, argument.name)
                for t in types
            ]
            many = argument.number_attr or argument.type_list_attr
            # In `execute`, the tensors of all arguments stand in one row.
            inputs += mine
            shown[argument.name] = [_said(t) for t in mine] if many else _said(mine[0])
        names = []
        for argument in definition.output_arg:
            count = len(_types_of(argument, attrs))
            many = argument.number_attr or argument.type_list_attr
            names += [
                f"{argument.name}:{i}" if many else argument.name for i in range(count)
            ]
        flat = tuple(part for pair in attrs.items() for part in pair)
        return Call(inputs, flat, len(names), names, shown)

    def _size(self, symbol: str) -> int:
        if symbol.isdigit():
            return int(symbol)
        if symbol == "v":
            return 20
        if symbol not in self._sizes:
            low = (1, 1, 2, 3) if symbol in "hwdst" else _SIZES
            self._sizes[symbol] = self._rng.choice(low)
        return self._sizes[symbol]

    def _attribute(self, attribute: Any, known: str | None) -> Any:
        choose = self._rng.choice
        default = (
            attribute.default_value if attribute.HasField("default_value") else None
        )
        if attribute.name in ("seed", "seed2") and attribute.type == "int":
            return 3
        kind = attribute.type
        if known is not None:
            if kind == "string":
                return choose(known.split("|")).encode()
            if kind == "int":
                return int(choose(known.split("|")))
            if kind == "float":
                return float(choose(known.split("|")))
            if kind == "bool":
                return known == "1"
            if kind == "type":
                return tf.as_dtype(choose(known.split("|"))).as_datatype_enum
            if kind == "list(int)":
                return [self._size(symbol) for symbol in known]
            if kind == "list(float)":
                return [float(one) for one in known.split(",")]
            if kind == "list(type)":
                return [tf.as_dtype(one).as_datatype_enum for one in known.split(",")]
            if kind == "list(string)":
                return [one.encode() for one in known.split(",")]
        if kind == "type":
            allowed = list(attribute.allowed_values.list.type)
            preferred = [t for t in allowed if t in _PREFERRED]
            if default is not None and choose((True, False)):
                return default.type
            return choose(preferred or allowed or sorted(_PREFERRED))
        if kind == "bool":
            return choose((True, False))
        if kind == "int":
            numbers = [1, 1, 2, 3]
            if default is not None:
                numbers += [default.i] * 4
            if attribute.has_minimum:
                numbers = [attribute.minimum] + [
                    n for n in numbers if n >= attribute.minimum
                ]
            return choose(numbers)
        if kind == "float":
            return choose((default.f if default is not None else 1.0, 0.0, 1.0, 0.5))
        if kind == "string":
            if attribute.allowed_values.list.s:
                return choose(list(attribute.allowed_values.list.s))
            return default.s if default is not None else choose((b"", b"a", b"min"))
        if kind == "shape":
            return choose((None, [], [3], [2, 2]))
        if kind == "list(int)":
            if default is not None and choose((True, True, False)):
                return list(default.list.i)
            return choose(
                ([1] * 4, [1, 2, 2, 1], [1] * 5, [1, 2, 2, 2, 1], [], [1], [2, 2])
            )
        if kind == "list(float)":
            return list(default.list.f) if default is not None else choose(([], [1.0]))
        if kind == "list(type)":
            if attribute.allowed_values.list.type:
                types = list(attribute.allowed_values.list.type)
            else:
                types = sorted(_PREFERRED)
            return [choose(types)] * choose((1, 2, 3))
        if kind == "list(string)":
            return list(default.list.s) if default is not None else []
        if kind == "list(shape)":
            return choose(([], [[]], [[3]]))
        raise Unknown(kind)

    def _tensor(
        self, enum: int, known: str | None, common: Any, name: str
    ) -> tf.Tensor:
        choose = self._rng.choice
        dtype = tf.as_dtype(enum)
        if dtype == tf.resource:
            raise Unknown(dtype)
        if name == "encoded_ragged":
            splits = tf.constant([0, 2, 3], tf.int64)
            dense = tf.constant(self._values((3, 20), tf.float32))
            return tf.raw_ops.RaggedTensorToVariant(
                rt_nested_splits=[splits], rt_dense_values=dense, batched_input=False
            )
        if dtype == tf.variant:
            return self._list(choose((tf.float32, tf.float32, tf.int64)))
        if known is not None and ":" not in known:
            if known.startswith("*"):
                return tf.cast(self._size(known[1:]), dtype)
            if known.startswith("@"):
                parts = known[1:].split("/")
                return tf.constant(parts, dtype)
            if known.startswith("'"):
                return tf.constant(known[1:], dtype)
            if known.startswith("["):
                rows = [
                    [int(n) for n in r.split(",") if n] for r in known[1:].split(";")
                ]
                return tf.cast(tf.constant(rows), dtype)
            if known.startswith("#"):
                return tf.io.serialize_tensor(tf.zeros([self._size(known[1:])]))
            if known.startswith("n"):
                return tf.cast(int(known[1:]), dtype)
            if known.startswith("f"):
                return tf.cast(float(known[1:]), dtype)
            return tf.cast(tf.constant([self._size(s) for s in known], tf.int64), dtype)
        if known is not None:
            shape = tuple(self._size(s) for s in known.split(":")[1])
        elif name in _VECTORS:
            shape = (choose((1, 2, 3, 4)),)
        elif name in _SCALARS and choose((True, True, False)):
            shape = ()
        elif common is not None:
            shape = choose((common, common, common, choose(_SHAPES)))
        else:
            shape = choose(_SHAPES)
        return tf.constant(self._values(shape, dtype))

    def _list(self, dtype: tf.DType) -> tf.Tensor:
        """A list of tensors, with or without something in its places."""
        size = self._rng.choice(_SIZES)
        if self._rng.random() < 0.5:
            return tf.raw_ops.TensorListFromTensor(
                tensor=tf.constant(self._values((size, 20), dtype)), element_shape=[20]
            )
        return tf.raw_ops.TensorListReserve(
            element_shape=[20], num_elements=size, element_dtype=dtype
        )

    def _values(self, shape: tuple[int, ...], dtype: tf.DType) -> Any:
        choose = self._rng.choice
        numbers = np.random.default_rng(self._rng.getrandbits(32))
        if dtype == tf.string:
            words = choose((_WORDS, _WORDS, _WORDS[:2], ("1",)))
            return tf.constant(
                numbers.choice(np.array(words, object), shape).tolist(),
                tf.string,
                shape,
            )
        if dtype == tf.bool:
            return numbers.integers(0, 2, shape).astype(bool)
        count = int(np.prod(shape))
        if dtype.is_integer or dtype.is_quantized:
            values = choose(
                (
                    np.zeros(shape),
                    np.ones(shape),
                    np.arange(count).reshape(shape),
                    numbers.integers(0, 4, shape),
                    numbers.choice(_NUMBERS, shape),
                    numbers.choice(_NUMBERS, shape),
                    np.full(shape, choose(_NUMBERS)),
                )
            )
            if dtype.is_quantized or dtype.is_unsigned:
                values = np.abs(values)
        else:
            normal = numbers.normal(size=shape)
            values = choose(
                (
                    np.zeros(shape),
                    normal,
                    normal,
                    np.abs(normal),
                    -np.abs(normal),
                    normal * 1e30,
                    np.full(shape, np.nan),
                    np.full(shape, np.inf),
                    numbers.choice([0.0, 1.0, np.nan], shape),
                    numbers.uniform(0, 1, shape),
                )
            )
        with np.errstate(all="ignore"):
            if dtype.is_quantized:
                base = np.asarray(values).astype(np.int32)
                plain = {tf.qint8: tf.int8, tf.quint8: tf.uint8, tf.qint32: tf.int32}
                return tf.bitcast(tf.cast(base, plain.get(dtype, tf.int16)), dtype)
            return np.asarray(values).astype(dtype.as_numpy_dtype)


_VECTORS = frozenset(
    "shape dims size sizes strides begin end multiples block_shape fft_length seed "
    "axes perm counter".split()
)
_SCALARS = frozenset(
    "axis dim split_dim concat_dim dimension num_segments k depth num limit delta start "
    "max_output_size iou_threshold score_threshold min_range max_range input_min "
    "input_max alg n soft_nms_sigma contrast_factor scale num_samples lower upper "
    "output_dim0 dense_output_dim0 lo hi".split()
)


def _types_of(argument: Any, attrs: dict[str, Any]) -> list[int]:
    """The type of each tensor of an argument."""
    if argument.type_list_attr:
        return list(attrs[argument.type_list_attr])
    own = attrs[argument.type_attr] if argument.type_attr else argument.type
    return [own] * (attrs[argument.number_attr] if argument.number_attr else 1)


def _said(tensor: tf.Tensor) -> str:
    if tensor.dtype == tf.variant:
        return "list"
    values = f" {np.asarray(tensor.numpy()).reshape(-1)[:6].tolist()}"
    return f"{tensor.dtype.name}{tensor.shape.as_list()}{values}"
