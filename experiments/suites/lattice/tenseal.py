"""TenSEAL's side of the lattice suite, at the setting of its users and at its best.

Vectors are cut into pieces of N / 2 values, one ciphertext each, and handed over as plain
tensors. Of the public ways to encrypt (lists, arrays, plain tensors; pieces, a whole
vector, `CKKSTensor`) none is faster, and `CKKSTensor` is slower. All of them work on one
thread, whatever `n_threads` says, and hold Python's lock while they do, so threads of
one's own do not help either.
"""

import importlib
import importlib.util
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from experiments.suites.lattice.side import (
    ADDED,
    BOUND,
    SUMMANDS,
    Message,
    Setting,
    Side,
)
from selenc_tf.lattice.codec import FixedPointCodec

BITS = 16
"""CKKS has no bits of a value; it must be as accurate as so many of ours."""

PEERS_SETTING = Setting(8192, (60, 40, 40, 60), 40.0)
"""From TenSEAL's own tutorials; what projects that encrypt gradients with it use."""

# The scale is as large as the sum allows: |sum| * scale must stay below q / 2, with q a
# little below 2^bits; half a bit is spare for the noise.
_BITS_ABOVE_SCALE = SUMMANDS.bit_length() - 1 + 1.5

# Additions need one prime; the second, for key switching, is there because TenSEAL makes
# no context without. Around the sizes that just suffice, then up to the largest; all
# within the 128-bit bound on the sum (54 bits for N = 2048, 109 for 4096, 218 for 8192).
_MODULI = (
    (2048, (30, 24)),
    (2048, (31, 23)),
    (2048, (32, 22)),
    (2048, (34, 20)),
    (4096, (31, 31)),
    (4096, (32, 32)),
    (4096, (33, 54)),
    (4096, (36, 36)),
    (4096, (40, 40)),
    (4096, (54, 54)),
    (8192, (32, 32)),
    (8192, (60, 60)),
)
CANDIDATES = tuple(
    Setting(degree, primes, primes[0] - _BITS_ABOVE_SCALE, symmetric)
    for degree, primes in _MODULI
    for symmetric in (False, True)
)
"""Settings among which the best is looked for."""

# Half of it are values at the bound, whose sum is the largest there is.
_SEARCH_VALUES = 8192
_SAME_BYTES = 1.01


class Tried(NamedTuple):
    """What a candidate gave.

    Attributes:
      setting: The candidate.
      max_error: Of the sum of `SUMMANDS` vectors; infinite if it does not even encrypt.
      allowed_error: What ours may be off.
      bytes_per_value: Of a message.
      cpu_seconds: Of the client's first stage, for a million values.
    """

    setting: Setting
    max_error: float
    allowed_error: float
    bytes_per_value: float
    cpu_seconds: float

    @property
    def accurate(self) -> bool:
        """Whether it is as accurate as ours."""
        return self.max_error <= self.allowed_error


def is_installed() -> bool:
    """Whether TenSEAL is there."""
    return importlib.util.find_spec("tenseal") is not None


def build(name: str, setting: Setting) -> Side:
    """Builds a TenSEAL side with fresh keys.

    Args:
      name: Of the side.
      setting: Of the context.

    Returns:
      The side.

    Raises:
      ValueError: If TenSEAL refuses the setting.
    """
    tenseal = _import_tenseal()
    context = _make_context(tenseal, setting)
    size = setting.poly_modulus_degree // 2

    def pieces(values: tf.Tensor) -> Iterator[bytes]:
        array = np.asarray(values)
        for first in range(0, array.size, size):
            piece = tenseal.plain_tensor(array[first : first + size])
            yield tenseal.ckks_vector(context, piece).serialize()

    def add(messages: Sequence[Message], num_values: int) -> Message:
        del num_values  # A ciphertext knows.
        added = []
        for parts in zip(*messages, strict=True):
            total = tenseal.ckks_vector_from(context, parts[0])
            for part in parts[1:]:
                total += tenseal.ckks_vector_from(context, part)
            added.append(total.serialize())
        return added

    def open_(message: Message, num_values: int, summands: int) -> NDArray[np.float32]:
        del summands
        values = np.empty([num_values], np.float32)
        for index, part in enumerate(message):
            first = index * size
            values[first : first + size] = tenseal.ckks_vector_from(
                context, part
            ).decrypt()
        return values

    return Side(
        name=name,
        details=str(setting),
        setting=setting,
        bits=BITS,
        max_error=FixedPointCodec(BITS).max_abs_error(BOUND, ADDED),
        seal=lambda values: list(pieces(values)),
        seal_and_count=lambda values: sum(map(len, pieces(values))),
        add=add,
        open=open_,
        count_bytes=lambda message: sum(map(len, message)),
    )


def search(
    candidates: Sequence[Setting], progress: Callable[[str], None]
) -> tuple[Tried, ...]:
    """Tries settings on a small vector, and tells `progress` which."""
    results = []
    for setting in candidates:
        progress(f"TenSEAL, {setting}")
        results.append(_try(setting))
    return tuple(results)


def best(tried: Sequence[Tried]) -> Tried:
    """The accurate one with the fewest bytes, and of those within 1 % the fastest.

    Args:
      tried: From `search`.

    Returns:
      One of them.

    Raises:
      ValueError: If none is accurate.
    """
    accurate = [item for item in tried if item.accurate]
    if not accurate:
        raise ValueError(
            "`tried` must hold a setting that is accurate enough, but none of these is: "
            f"{'; '.join(str(item.setting) for item in tried)}. Add larger primes."
        )
    least = min(item.bytes_per_value for item in accurate)
    return min(
        (item for item in accurate if item.bytes_per_value <= _SAME_BYTES * least),
        key=lambda item: item.cpu_seconds,
    )


def _try(setting: Setting) -> Tried:
    allowed = FixedPointCodec(BITS).max_abs_error(BOUND, SUMMANDS)
    generator = np.random.default_rng(0)
    try:
        side = build("", setting)
        expected = np.zeros([_SEARCH_VALUES], np.float64)
        messages, seconds = [], []
        for _ in range(SUMMANDS):
            values = generator.uniform(-BOUND, BOUND, _SEARCH_VALUES)
            values[: _SEARCH_VALUES // 2] = BOUND
            expected += values
            began = time.process_time()
            messages.append(side.seal(values))
            seconds.append(time.process_time() - began)
        total = side.add(messages, _SEARCH_VALUES)
        error = np.abs(side.open(total, _SEARCH_VALUES, SUMMANDS) - expected).max()
    except (ValueError, RuntimeError):
        # TenSEAL says so of primes that it does not find or a scale too large for them.
        return Tried(setting, np.inf, allowed, np.inf, np.inf)
    return Tried(
        setting,
        float(error),
        allowed,
        side.count_bytes(messages[0]) / _SEARCH_VALUES,
        statistics.median(seconds) / _SEARCH_VALUES * 1e6,
    )


def _import_tenseal() -> Any:
    """The package, with its own protocol buffers."""
    flags = sys.getdlopenflags()
    # TensorFlow makes its symbols known to all libraries that are loaded later. TenSEAL
    # would take another version of protocol buffers from there, and crash.
    sys.setdlopenflags(os.RTLD_NOW | os.RTLD_DEEPBIND)
    try:
        return importlib.import_module("tenseal")
    finally:
        sys.setdlopenflags(flags)


def _make_context(tenseal: Any, setting: Setting) -> Any:
    kinds = tenseal.ENCRYPTION_TYPE
    context = tenseal.context(
        tenseal.SCHEME_TYPE.CKKS,
        poly_modulus_degree=setting.poly_modulus_degree,
        coeff_mod_bit_sizes=list(setting.coeff_mod_bit_sizes),
        encryption_type=kinds.SYMMETRIC if setting.symmetric else kinds.ASYMMETRIC,
        # As many as TensorFlow takes; TenSEAL would count cores that we may not use.
        n_threads=len(os.sched_getaffinity(0)),
    )
    context.global_scale = 2.0**setting.log2_scale
    return context
