"""Peak memory of encrypting a vector, in a process of its own.

What XLA takes for compiling a program is no part of a message: it is the same however long
the vector is, and comes once a process. So of our sides there are two peaks: of the first
long vector, in which programs for full chunks are compiled, and of a later one.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from experiments.suites import memory
from experiments.suites.lattice import ours, per_client, tenseal
from experiments.suites.lattice.side import BOUND, PER_CLIENT, Setting, Side

_TINY = 5000
_WARM = 300_000
"""More than a full chunk of any cipher: what is compiled for full chunks is there then."""


class Memory(NamedTuple):
    """What encrypting one vector needs.

    Attributes:
      num_values: n.
      peak_bytes: Resident memory at its peak, beyond what was there with the vector; the
        message is in it.
      message_bytes: The message.
      first_peak_bytes: The peak of the first long vector in a process, in which XLA
        compiles.
    """

    num_values: int
    peak_bytes: int
    message_bytes: int
    first_peak_bytes: int


def measure(side: Side, num_values: int) -> Memory:
    """Encrypts one vector of n values in fresh processes, where the side is built anew.

    Raises:
      RuntimeError: If a process fails.
    """

    def in_process(warmed_by: int) -> list[int]:
        arguments = side.bits, side.setting, num_values, side.cipher, warmed_by
        peaks: list[int] = memory.in_fresh_process(f"{__name__}:peak", *arguments)
        return peaks

    first = in_process(_TINY)
    # TenSEAL compiles nothing.
    later = first if side.setting is not None else in_process(_WARM)
    return Memory(num_values, later[0], later[1], first[0])


def peak(
    bits: int,
    setting: Sequence[Any] | None,
    num_values: int,
    cipher: str = "tf_shell_bgv",
    warmed_by: int = _TINY,
) -> tuple[int, int]:
    """Encrypts one vector in this process, after one of `warmed_by` values.

    All else is a side's. Right in a fresh process only: see `suites.memory`.

    Returns:
      The peak and the message, in bytes.
    """
    if cipher == PER_CLIENT:
        side = per_client.build("", bits)
    elif setting is None:
        side = ours.build("", bits, cipher)
    else:
        degree, primes, *others = setting
        side = tenseal.build("", Setting(degree, tuple(primes), *others))
    side.seal(tf.fill([warmed_by], BOUND / 2))
    values = tf.fill([num_values], BOUND / 2)
    found = memory.of_call(lambda: side.seal(values))
    return found.peak_bytes, side.count_bytes(found.result)
