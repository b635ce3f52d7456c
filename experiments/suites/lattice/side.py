"""What the lattice suite compares: one way from a vector to a sum of encrypted ones."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

BOUND = 1.0
"""The largest magnitude of a value."""

SUMMANDS = 64
"""The number of messages whose sum must decrypt."""

ADDED = 10
"""The number of messages that the server adds while it is timed."""

OURS_16 = "selenc-tf, 16 bits"
OURS_8 = "selenc-tf, 8 bits"
OURS_DEVICE = "selenc-tf, device_rlwe, 16 bits"
OURS_PAD = "selenc-tf, additive_pad, 16 bits"
OURS_PER_CLIENT = "selenc-tf, device_rlwe, per-client secrets, 16 bits"
PER_CLIENT = "device_rlwe, per-client secrets"
"""Of a side's cipher, where it has no shared key."""
PEERS = "TenSEAL, peers' setting"
BEST = "TenSEAL, best setting"

Message: TypeAlias = Any
"""The bytes on the wire, in pieces: a string tensor, or a list of bytes."""


class Setting(NamedTuple):
    """A TenSEAL CKKS context.

    Attributes:
      poly_modulus_degree: N; a ciphertext holds N / 2 values.
      coeff_mod_bit_sizes: Bits of the primes; the last is for key switching only and
        does not appear in ciphertexts.
      log2_scale: Of the values.
      symmetric: Whether clients encrypt under the secret key, as ours do, instead of a
        public one.
    """

    poly_modulus_degree: int
    coeff_mod_bit_sizes: tuple[int, ...]
    log2_scale: float
    symmetric: bool = False

    def __str__(self) -> str:
        """As tables show it."""
        primes = ",".join(map(str, self.coeff_mod_bit_sizes))
        kind = "secret" if self.symmetric else "public"
        return (
            f"N={self.poly_modulus_degree} [{primes}], scale 2^{self.log2_scale:g}, "
            f"{kind} key"
        )


class Side(NamedTuple):
    """One way of doing the work.

    Attributes:
      name: One of the names above.
      details: The parameters, for people.
      setting: TenSEAL's, or None if the side is ours.
      bits: Of a value.
      max_error: What the decrypted sum of `ADDED` vectors may be off, at most.
      seal: The client's first stage: float32 [n] to a message.
      seal_and_count: The same, giving only the message's bytes; a side that makes its
        message piece by piece may drop each piece.
      add: The server's stage: `ADDED` messages of n values to the message of their sum.
      open: The client's second stage: `(message, n, summands)` to float32 [n].
      count_bytes: The length of a message.
      cipher: Ours, by its name in the catalogue, or `PER_CLIENT`.
    """

    name: str
    details: str
    setting: Setting | None
    bits: int
    max_error: float
    seal: Callable[[tf.Tensor], Message]
    seal_and_count: Callable[[tf.Tensor], int]
    add: Callable[[Sequence[Message], int], Message]
    open: Callable[[Message, int, int], NDArray[np.float32]]
    count_bytes: Callable[[Message], int]
    cipher: str = "tf_shell_bgv"
