"""Peak memory of encrypting a vector, in a process of its own."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from experiments.suites import memory
from experiments.suites.lattice import ours, per_client, tenseal
from experiments.suites.lattice.side import BOUND, PER_CLIENT, Setting, Side

_TINY = 5000


class Memory(NamedTuple):
    """What encrypting one vector needs.

    Attributes:
      num_values: n.
      peak_bytes: Resident memory at its peak, beyond what was there with the vector; the
        message is in it.
      message_bytes: The message.
    """

    num_values: int
    peak_bytes: int
    message_bytes: int


def measure(side: Side, num_values: int) -> Memory:
    """Encrypts one vector of n values in a fresh process, where the side is built anew.

    Raises:
      RuntimeError: If the process fails.
    """
    arguments = side.bits, side.setting, num_values, side.cipher
    return Memory(*memory.in_fresh_process(f"{__name__}:peak", *arguments))


def peak(
    bits: int,
    setting: Sequence[Any] | None,
    num_values: int,
    cipher: str = "tf_shell_bgv",
) -> Memory:
    """Encrypts one vector in this process, after a tiny one; all else is a side's.

    Right in a fresh process only: see `suites.memory`.
    """
    if cipher == PER_CLIENT:
        side = per_client.build("", bits)
    elif setting is None:
        side = ours.build("", bits, cipher)
    else:
        degree, primes, *others = setting
        side = tenseal.build("", Setting(degree, tuple(primes), *others))
    side.seal(tf.fill([_TINY], BOUND / 2))
    values = tf.fill([num_values], BOUND / 2)
    found = memory.of_call(lambda: side.seal(values))
    return Memory(num_values, found.peak_bytes, side.count_bytes(found.result))
