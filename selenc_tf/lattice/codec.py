"""Fixed-point codec: between real vectors and the integers that are encrypted."""

import dataclasses

import tensorflow as tf

from selenc_tf import validation


@dataclasses.dataclass(frozen=True)
class FixedPointCodec:
    """Rounds to multiples of a public step; sums of codes decode to sums of values.

    Example: bound 1.0 and 8 bits give a step of 1/127; 0.25 becomes 32, and two such
    codes add up to 64, which decodes to 64/127 = 0.50394.

    Attributes:
      bound: The largest magnitude that is encoded faithfully, in the units of the
        values. It is public and must not be taken from private data.
      bits: Bits of one signed code, 2 to 32.
    """

    bound: float
    bits: int

    def __post_init__(self) -> None:
        """Checks the two numbers.

        Raises:
          ValueError: If the bound is not positive or the bits are out of range.
        """
        validation.check_positive("bound", self.bound)
        validation.check_in("bits", self.bits, range(2, 33))

    @property
    def max_abs_code(self) -> int:
        """The largest magnitude of one code."""
        return (1 << (self.bits - 1)) - 1

    @property
    def step(self) -> float:
        """The distance between two neighbouring values, in the units of the values."""
        return self.bound / self.max_abs_code

    def max_abs_error(self, summands: int) -> float:
        """The largest error of a decoded sum of values within the bound.

        Half a step for each summand, and the rounding of the result to float32.

        Args:
          summands: The number of codes that were added.

        Returns:
          A bound in the units of the values.
        """
        return summands * (self.step / 2 + self.bound * 2.0**-24)

    def encode(self, values: tf.Tensor) -> tf.Tensor:
        """Rounds to the nearest multiple of the step, saturating at the bound.

        Runs on: client. Sees: its own vector.

        Args:
          values: float32 [m].

        Returns:
          int64 [m] in [-max_abs_code, max_abs_code].

        Raises:
          InvalidArgumentError: When run, if a value is NaN or infinite.
        """
        finite = tf.debugging.check_numerics(
            values, "The vector to encrypt must be finite; check the client's update"
        )
        clipped = tf.clip_by_value(tf.cast(finite, tf.float64), -self.bound, self.bound)
        # float64: float32 could not hold a 32-bit code.
        return tf.cast(tf.round(clipped / self.step), tf.int64)

    def saturated(self, values: tf.Tensor) -> tf.Tensor:
        """Counts the values beyond the bound: int64 scalar.

        Runs on: client. The count of hidden values is private; encrypt it with them.
        """
        return tf.math.count_nonzero(tf.abs(values) > self.bound)

    def decode(self, codes: tf.Tensor) -> tf.Tensor:
        """The inverse of `encode`, for a code or a sum of codes.

        Runs on: client, after decryption.

        Args:
          codes: int64 [m].

        Returns:
          float32 [m].
        """
        return tf.cast(tf.cast(codes, tf.float64) * self.step, tf.float32)
