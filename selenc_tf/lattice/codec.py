"""Fixed-point codec: between real vectors and the integers that are encrypted.

The bound is an argument, not a part of the codec: it may differ from tensor to tensor
and from round to round. `scales.py` says how a cohort comes to one.
"""

import dataclasses
import functools
import hashlib
import json
from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from selenc_tf import validation
from selenc_tf.lattice import groups

MIN_BOUND = 1e-30
"""The smallest bound; below it a step could fall among float32's denormals."""

MAX_BOUND = 1e30
"""The largest bound; it leaves room for the sum of 10^8 values in float32."""

ROUNDINGS = ("nearest", "stochastic")
"""The ways to round."""

_MAX_BITS_IN_FLOAT32 = 16
_COUNTED_AT_A_TIME = 1 << 18
_FLOAT32_ROUNDOFF = 2.0**-24
_BOUND = (
    f"`bound` must be positive and finite, between {MIN_BOUND} and {MAX_BOUND}, but "
    "at least one bound is not. Check where the bounds of this round come from."
)
_VALUES = (
    "`values`, the vector to encrypt, must be finite, but an entry is NaN or "
    "infinite. Check the client's data and learning rate."
)


@dataclasses.dataclass(frozen=True)
class FixedPointCodec:
    """Rounds to multiples of a public step; sums of codes decode to sums of values.

    With the largest code Q = 2^(bits - 1) - 1, a value x becomes round(x Q / bound), and
    a sum S of codes becomes S bound / Q. Values beyond the bound saturate: they become
    Q or -Q, and `saturated` counts them.

    Weighted means need no multiplication under encryption: a client multiplies its
    values by its weight before `encode`, the bound covers weight times value, and the
    decoded sum is divided by the sum of weights.

    Example: bound 1.0 and 8 bits give a step of 1/127.

    >>> codec = FixedPointCodec(bits=8)
    >>> codes = codec.encode(tf.constant([0.25, -3.0]), 1.0)
    >>> codes.numpy().tolist()
    [32, -127]
    >>> round(float(codec.decode(codes + codes, 1.0)[0]), 5)  # 64 / 127
    0.50394

    Attributes:
      bits: Bits of one signed code, 2 to 32.
      rounding: "nearest" (half a step of error at most, ties to even), or "stochastic"
        (up or down by chance: a step of error at most, and none on average, which
        matters where the errors of many rounds would add up).
    """

    bits: int
    rounding: str = "nearest"

    def __post_init__(self) -> None:
        """Checks the two attributes.

        Raises:
          ValueError: If the bits are out of range or the rounding is unknown.
        """
        validation.check_in("bits", self.bits, range(2, 33))
        validation.check_in("rounding", self.rounding, ROUNDINGS)

    @property
    def max_abs_code(self) -> int:
        """Q, the largest magnitude of one code."""
        return int((1 << (self.bits - 1)) - 1)

    def digest(self) -> str:
        """A fingerprint (16 hex digits) that names this codec in messages.

        The bounds are not in it: they belong to a round.
        """
        text = json.dumps(dataclasses.asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def step(self, bound: float) -> float:
        """The distance between two neighbouring values, in the units of the values.

        Args:
          bound: The bound of the values, MIN_BOUND to MAX_BOUND.

        Returns:
          bound / Q.

        Raises:
          ValueError: If the bound is out of range.
        """
        return check_bound("bound", bound) / self.max_abs_code

    def max_abs_error(self, bound: float, summands: int) -> float:
        """The largest error of a decoded sum of values within the bound.

        For each summand half a step (a whole one if rounding is stochastic), and what
        floating-point arithmetic loses: up to 16 bits it is done in float32, where that
        is below 6 roundings of the bound (at most 1.2% of a step); above, in float64,
        where only the result is rounded to float32.

        Args:
          bound: The bound of the values, MIN_BOUND to MAX_BOUND.
          summands: The number of codes that were added, at least 1.

        Returns:
          An error in the units of the values.

        Raises:
          ValueError: If an argument is out of range.
        """
        validation.check_at_least("summands", summands, 1)
        rounding = self.step(bound) * (0.5 if self.rounding == "nearest" else 1.0)
        # In float32: two roundings in `encode` (Q / bound, the product), three in
        # `decode` (the sum, bound / Q, the product), and the bound's own to float32,
        # which shifts the first term by less than another. In float64 all of these
        # together are less than 1% of the one to float32 at the end.
        roundings = 6.0 if self._real == tf.float32 else 1.01
        return summands * (rounding + roundings * _FLOAT32_ROUNDOFF * bound)

    def encode(
        self, values: tf.Tensor, bound: tf.Tensor | float, seed: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Rounds to multiples of the step, saturating at the bound.

        Runs on: client. Sees: its own vector.

        The seed of stochastic rounding is no secret: the codes are encrypted anyway, and
        who knows the seed learns no more from a published sum than if all codes had been
        rounded to nearest. But draw another seed for each client and round (and chunk,
        if a vector is encoded in chunks): equal seeds make equal errors, which then add
        up instead of cancelling.

        Args:
          values: float32 [m].
          bound: float32 [] or [m], MIN_BOUND to MAX_BOUND, the same for all clients; a
            float64 is rounded to float32. It is public and must not come from this
            client's data.
          seed: int32 or int64 [2]; only for stochastic rounding.

        Returns:
          int64 [m] in [-Q, Q].

        Raises:
          ValueError: If rounding is stochastic and there is no seed, or the bound has
            more than one dimension.
          InvalidArgumentError: When run, if a value is NaN or infinite or a bound is out
            of range. The message holds no value.
        """
        if self.rounding == "stochastic" and seed is None:
            raise ValueError(
                '`seed` must be two integers when `rounding` is "stochastic", got None. '
                "Draw one for each client and round."
            )
        return self.rounded(_finite(values), _checked(bound), seed)

    def rounded(
        self, values: tf.Tensor, bound: tf.Tensor | float, seed: tf.Tensor | None = None
    ) -> tf.Tensor:
        """What `encode` does, for who has checked, by `can_be_encoded`.

        Of others the codes are any.

        Runs on: client, also inside of what XLA compiles, where no check can fail.

        Args:
          values: As for `encode`, and the next two.
          bound: Likewise.
          seed: Likewise.

        Returns:
          int64 [m] in [-Q, Q], of what is finite.
        """
        largest = tf.constant(self.max_abs_code, self._real)
        # One division for each bound, and one multiplication for each value.
        codes_per_unit = largest / tf.cast(bound, self._real)
        scaled = tf.cast(values, self._real) * codes_per_unit
        clipped = tf.clip_by_value(scaled, -largest, largest)
        if self.rounding == "nearest":
            return tf.cast(tf.round(clipped), tf.int64)
        below = tf.floor(clipped)
        # Compared with the fraction, not added to the value before the floor: in
        # float32 that sum would itself be rounded, mostly to the side of larger codes.
        # Philox by name, so that a seed means the same on every device.
        chance = tf.random.stateless_uniform(tf.shape(clipped), seed, alg="philox")
        up = chance < tf.cast(clipped - below, tf.float32)
        return tf.cast(below + tf.cast(up, self._real), tf.int64)

    def saturated(self, values: tf.Tensor, bound: tf.Tensor | float) -> tf.Tensor:
        """Counts the values beyond the bound.

        Runs on: client. The count of hidden values is private; encrypt it with them.

        Args:
          values: float32 [m].
          bound: As for `encode`.

        Returns:
          int64 scalar.

        Raises:
          InvalidArgumentError: When run, if a bound is out of range.
        """
        limit, size = _checked(bound), _COUNTED_AT_A_TIME
        each = None if limit.shape.rank == 0 else limit
        whole = _counter(size, each is not None)

        def one_more(first: tf.Tensor, so_far: tf.Tensor) -> tuple[tf.Tensor, ...]:
            part = values[first : first + size]
            limits = limit if each is None else each[first : first + size]
            found = tf.cond(
                first + size <= tf.size(values),
                lambda: whole(
                    tf.ensure_shape(part, [size]),
                    limits if each is None else tf.ensure_shape(limits, [size]),
                ),
                lambda: _count_above(part, limits),
            )
            return first + size, so_far + tf.cast(found, tf.int64)

        # In pieces: as integers the answers take as much memory as the values.
        _, total = tf.while_loop(
            lambda first, _: first < tf.size(values),
            one_more,
            (tf.constant(0), tf.constant(0, tf.int64)),
        )
        return total

    def decode(self, codes: tf.Tensor, bound: tf.Tensor | float) -> tf.Tensor:
        """The inverse of `encode`, for a code or a sum of codes.

        Runs on: client, after decryption; server, once the sum is published.

        Args:
          codes: int64 [m].
          bound: As the codes were encoded with.

        Returns:
          float32 [m].

        Raises:
          InvalidArgumentError: When run, if a bound is out of range.
        """
        step = tf.cast(_checked(bound), self._real) / self.max_abs_code
        return tf.cast(tf.cast(codes, self._real) * step, tf.float32)

    @property
    def _real(self) -> tf.DType:
        # float32 moves half the memory, but has no place for a code of 32 bits.
        return tf.float32 if self.bits <= _MAX_BITS_IN_FLOAT32 else tf.float64


class Encodable(NamedTuple):
    """Whether values can be encoded: two booleans.

    Attributes:
      finite: No value is NaN or infinite.
      in_range: All bounds are between MIN_BOUND and MAX_BOUND.
    """

    finite: tf.Tensor
    in_range: tf.Tensor


def can_be_encoded(values: tf.Tensor, bound: tf.Tensor) -> Encodable:
    """What `encode` checks, for who calls `rounded`; XLA can compile it.

    Args:
      values: float32 [m].
      bound: float32 [] or [m].
    """
    # Not `check_numerics`: that kernel runs on one thread and took half of the time.
    finite = tf.reduce_all(tf.math.is_finite(values))
    # A NaN fails both comparisons. The limits are those of `check_bound`, as float32
    # has them, so what passes there passes here.
    in_range = tf.reduce_all((bound >= MIN_BOUND) & (bound <= MAX_BOUND))
    return Encodable(finite, in_range)


def must_be_encodable(found: Encodable, codes: tf.Tensor) -> tf.Tensor:
    """The codes, if the values that they were made of could be encoded.

    Args:
      found: Of `can_be_encoded`.
      codes: Of any shape.

    Raises:
      InvalidArgumentError: When run, as `encode`.
    """
    return _require(found.finite, _require(found.in_range, codes, _BOUND), _VALUES)


def check_bound(name: str, bound: float) -> float:
    """Returns `bound` if a codec can use it.

    Args:
      name: Of the argument, for the message.
      bound: The number to check.

    Returns:
      The same number.

    Raises:
      ValueError: If it is not in [MIN_BOUND, MAX_BOUND].
    """
    if not MIN_BOUND <= bound <= MAX_BOUND:
        raise ValueError(
            f"`{name}` must be positive and finite, between {MIN_BOUND} and {MAX_BOUND},"
            f" got {bound!r}. It is the largest magnitude that is encoded faithfully."
        )
    return bound


def _checked(bound: tf.Tensor | float) -> tf.Tensor:
    """The bound as float32, with a check that runs where it is used."""
    bound32 = tf.cast(bound, tf.float32)
    if bound32.shape.rank not in (None, 0, 1):
        raise ValueError(
            "`bound` must be a scalar or a vector with one bound for each value, got "
            f"shape {bound32.shape}."
        )
    found = can_be_encoded(tf.zeros([]), bound32)
    return _require(found.in_range, bound32, _BOUND)


def _finite(values: tf.Tensor) -> tf.Tensor:
    """The values, with a check that none is NaN or infinite."""
    found = can_be_encoded(values, tf.ones([]))
    return _require(found.finite, values, _VALUES)


@functools.cache
def _counter(size: int, bound_each: bool) -> Callable[..., tf.Tensor]:
    """`_count_above` of so many values, compiled: one pass over them."""
    values = tf.TensorSpec([size], tf.float32)
    limit = values if bound_each else tf.TensorSpec([], tf.float32)
    return groups.compiled(_count_above, values, limit)


def _count_above(values: tf.Tensor, limit: tf.Tensor) -> tf.Tensor:
    """How many are beyond the limit: int32."""
    return tf.reduce_sum(tf.cast(tf.abs(values) > limit, tf.int32))


def _require(condition: tf.Tensor, tensor: tf.Tensor, message: str) -> tf.Tensor:
    """The tensor, after a check; the message is all that a failed check shows."""
    check = tf.debugging.Assert(condition, [message])
    # Run eagerly, the check has raised or is None.
    with tf.control_dependencies([check] if check is not None else []):
        return tf.identity(tensor)
