"""Several small signed integers in one slot of a ciphertext.

A slot holds an integer modulo t, and t is far larger than a quantised value. So v values
share a slot, in fields of `field_bits` bits each:

    slot = c_0 + c_1 * 2^f + ... + c_(v-1) * 2^(f (v-1)),   f = field_bits

f is chosen so that a field holds the *sum* of `max_summands` codes with its sign. Then
adding slots adds the fields, and no field ever runs over into its neighbour.

Example: codes up to 3 in magnitude and 2 summands give sums up to 6, so f = 4. The slots
are 3 - 16 = -13 and 3 + 32 = 35.

>>> packing = Packing(max_abs_code=3, max_summands=2, plaintext_modulus=257)
>>> slots = packing.pack(tf.constant([3, -1, 3, 2], tf.int64))
>>> slots.numpy().tolist()
[-13, 35]
>>> packing.unpack(tf.reduce_sum(slots, keepdims=True)).numpy().tolist()
[6, 1]
"""

import dataclasses

import tensorflow as tf

from selenc_tf import validation

# Slots are int64, and sums of fields with their offset must stay positive there.
_MAX_PACKED_BITS = 62


@dataclasses.dataclass(frozen=True)
class Packing:
    """How codes share a slot; constructing one checks that at least one fits.

    Attributes:
      max_abs_code: The largest magnitude of one code.
      max_summands: The number of slots that may be added before unpacking.
      plaintext_modulus: t of the cipher.
    """

    max_abs_code: int
    max_summands: int
    plaintext_modulus: int

    def __post_init__(self) -> None:
        """Checks that a slot holds at least one field.

        Raises:
          ValueError: If it does not; the message says how many bits are missing.
        """
        validation.check_at_least("max_abs_code", self.max_abs_code, 1)
        validation.check_at_least("max_summands", self.max_summands, 1)
        validation.check_at_least("plaintext_modulus", self.plaintext_modulus, 2)
        missing = self.field_bits - self._slot_bits
        if missing > 0:
            raise ValueError(
                f"`plaintext_modulus` must be at least 2^{self.field_bits} (and "
                f"{self.field_bits} at most {_MAX_PACKED_BITS}) to hold sums of "
                f"{self.max_summands} codes up to {self.max_abs_code}, got "
                f"{self.plaintext_modulus}. Quantise to {missing} bits fewer, add fewer "
                "clients, or take a larger `plaintext_modulus`."
            )

    @property
    def field_bits(self) -> int:
        """The bits of one field: the largest sum and a sign."""
        return (self.max_abs_code * self.max_summands).bit_length() + 1

    @property
    def values_per_slot(self) -> int:
        """v: the fields that fit into a slot."""
        return self._slot_bits // self.field_bits

    @property
    def max_abs_slot(self) -> int:
        """The largest magnitude of a slot of one message."""
        places = (self.field_bits * index for index in range(self.values_per_slot))
        return sum(self.max_abs_code << place for place in places)

    @property
    def _slot_bits(self) -> int:
        """The largest b <= 62 with 2^b <= t."""
        return min(self.plaintext_modulus.bit_length() - 1, _MAX_PACKED_BITS)

    def pack(self, codes: tf.Tensor) -> tf.Tensor:
        """Puts v codes into each slot; code j goes to field j % v of slot j // v.

        Runs on: client.

        Args:
          codes: int64 [s * v], each within +-`max_abs_code`. A larger one would spill
            into the next field, so saturate before.

        Returns:
          int64 [s], each within +-(t - 1) / 2.
        """
        fields = tf.reshape(codes, [-1, self.values_per_slot])
        packed = fields[:, self.values_per_slot - 1]
        for index in reversed(range(self.values_per_slot - 1)):
            packed = packed * (1 << self.field_bits) + fields[:, index]
        return packed

    def unpack(self, sums: tf.Tensor) -> tf.Tensor:
        """Takes sums of up to `max_summands` slots apart again.

        Runs on: client.

        Args:
          sums: int64 [s], the representative of each sum in +-(t - 1) / 2.

        Returns:
          int64 [s * v], the sum of the codes at each place.
        """
        places = [self.field_bits * index for index in range(self.values_per_slot)]
        half = 1 << (self.field_bits - 1)
        # With `half` added in every field no field is negative, so none borrows from
        # its neighbour, and plain shifts and masks separate them.
        shifted = tf.expand_dims(sums + sum(half << place for place in places), 1)
        fields = tf.bitwise.right_shift(shifted, tf.constant(places, tf.int64))
        mask = tf.constant((1 << self.field_bits) - 1, tf.int64)
        return tf.reshape(tf.bitwise.bitwise_and(fields, mask) - half, [-1])
