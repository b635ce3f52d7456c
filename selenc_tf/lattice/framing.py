"""From tf-shell's ciphertexts and keys to their bare coefficients, and back.

TensorFlow serialises a ciphertext as nested protocol buffers whose heads, for given
parameters, are the same in every ciphertext:

    head | coefficients | middle | coefficients | tail

with one stretch of coefficients for each component of the ciphertext and each prime of
its modulus; a key has one component. `learn` finds the constant pieces in samples. Only
the coefficients go onto the wire: ciphertexts differ elsewhere only by an estimate of
the noise in the tail, which nothing that we use reads.

`frame` writes every length itself. So if the caller sees to it that there are as many
bytes as there should be, they cannot reach beyond the coefficients, whatever they are.
"""

import dataclasses
from collections.abc import Sequence
from typing import NoReturn

import tensorflow as tf

# TensorProto { dtype: DT_VARIANT, tensor_shape {}, tensor_content: ... } of a scalar.
_SCALAR_VARIANT = b"\x08\x15\x12\x00\x22"

# The tag of a field of bytes that holds coefficients.
_COEFFICIENTS = b"\x12"

# How far heads and tails may reach.
_MAX_PIECE_BYTES = 96


@dataclasses.dataclass(frozen=True)
class Framing:
    """The constant pieces around the coefficients of one parameter set.

    Attributes:
      lengths: The bytes of each stretch of coefficients.
      pieces: What stands before each stretch, and after the last.
    """

    lengths: tuple[int, ...]
    pieces: tuple[bytes, ...]

    @property
    def num_bytes(self) -> int:
        """The bytes of all coefficients."""
        return sum(self.lengths)

    def strip(self, element: tf.Tensor) -> tf.Tensor:
        """The coefficients of one ciphertext or key.

        Args:
          element: variant scalar.

        Returns:
          string scalar of `num_bytes` bytes.
        """
        serialised = tf.io.serialize_tensor(element)
        stretches = []
        start = 0
        for piece, length in zip(self.pieces, self.lengths, strict=False):
            start += len(piece)
            stretches.append(tf.strings.substr(serialised, start, length))
            start += length
        return tf.strings.join(stretches)

    def frame(self, coefficients: tf.Tensor) -> tf.Tensor:
        """The ciphertext or key that has these coefficients.

        Args:
          coefficients: string scalar of `num_bytes` bytes, whatever they are.

        Returns:
          variant scalar.
        """
        parts: list[tf.Tensor | bytes] = [self.pieces[0]]
        start = 0
        for length, piece in zip(self.lengths, self.pieces[1:], strict=True):
            parts += [tf.strings.substr(coefficients, start, length), piece]
            start += length
        return tf.io.parse_tensor(tf.strings.join(parts), tf.variant)

    def strip_all(self, elements: tf.Tensor) -> tf.Tensor:
        """From variant [b] to string [b], as `strip`."""
        # One by one: iterations run in parallel, which one serialisation of a vector
        # would not, and one long string is neither limited to 2 GiB nor to be cut.
        return tf.map_fn(
            self.strip, elements, fn_output_signature=tf.TensorSpec([], tf.string)
        )

    def frame_all(self, coefficients: tf.Tensor) -> tf.Tensor:
        """From string [b] to variant [b], as `frame`."""
        return tf.map_fn(
            self.frame, coefficients, fn_output_signature=tf.TensorSpec([], tf.variant)
        )


def learn(samples: Sequence[bytes], lengths: Sequence[int]) -> Framing:
    """Finds the constant pieces in samples.

    Args:
      samples: Serialised scalar ciphertexts, or keys, at least two.
      lengths: The bytes of each stretch of coefficients in them.

    Returns:
      The framing.

    Raises:
      RuntimeError: If a sample is not laid out as expected, or they disagree.
    """
    pieces = {_pieces(sample, lengths) for sample in samples}
    if len(pieces) != 1:
        _refuse("samples differ outside of their coefficients")
    return Framing(tuple(lengths), pieces.pop())


def _pieces(sample: bytes, lengths: Sequence[int]) -> tuple[bytes, ...]:
    """What stands around the stretches of coefficients."""
    if not sample.startswith(_SCALAR_VARIANT):
        _refuse("it does not begin as a scalar of variants does")
    pieces = []
    end = 0
    for length in lengths:
        tag = _COEFFICIENTS + _varint(length)
        found = sample.find(tag, end, end + _MAX_PIECE_BYTES)
        if found < 0:
            _refuse(f"no {length} bytes of coefficients begin soon after byte {end}")
        start = found + len(tag)
        pieces.append(sample[end:start])
        end = start + length
    if not end < len(sample) <= end + _MAX_PIECE_BYTES:
        _refuse(f"{len(sample) - end} bytes follow the coefficients")
    return (*pieces, sample[end:])


def _varint(number: int) -> bytes:
    """Protocol buffers' variable-length integer: seven bits a byte, lowest first."""
    octets = []
    while number >= 0x80:
        octets.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*octets, number])


def _refuse(reason: str) -> NoReturn:
    raise RuntimeError(
        "A serialised ciphertext or key must be laid out as tf-shell 0.5.0 does it, "
        f"but {reason}. Install the versions that the lock file names."
    )
