"""Where our time and bytes go: printed when a bar is missed."""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from experiments.suites.lattice import ours, tenseal
from experiments.suites.lattice.side import ADDED, BOUND, SUMMANDS
from selenc_tf.lattice import engine as engine_lib
from selenc_tf.lattice import message as message_lib
from selenc_tf.lattice.engine import Engine


class Piece(NamedTuple):
    """One step of a stage.

    Attributes:
      stage: "client", "server" or "decryption".
      name: Of the step.
      seconds: The median.
    """

    stage: str
    name: str
    seconds: float


def profile(bits: int, num_values: int, repetitions: int) -> tuple[Piece, ...]:
    """Times the steps of our stages one by one, each on all values at once.

    The stages themselves work in chunks, two at a time, so the steps need not add up to
    them.

    Args:
      bits: Of a value.
      num_values: n.
      repetitions: Of each step; one more comes first and does not count.

    Returns:
      The steps in order.
    """
    engine = ours.build_engine(bits)
    key = engine.keyed_cipher.keygen()
    context = ours.round_context(engine, tf.constant(num_values, tf.int64))
    blocks = engine.num_blocks(context.values)
    generator = np.random.default_rng(0)
    values = tf.constant(generator.uniform(-BOUND, BOUND, num_values), tf.float32)
    codes = engine.codec.encode(values, BOUND)
    padding = int(blocks) * engine.codes_per_block - num_values
    padded = tf.pad(codes, [[0, padding]])
    # A slot in the place of each block's check value.
    rows = tf.pad(
        tf.reshape(engine.packing.pack(padded), [int(blocks), -1]), [[0, 0], [0, 1]]
    )
    encrypted = engine.keyed_cipher.encrypt(key, rows)
    sealed = message_lib.assemble(context, tf.constant(1), tf.constant(0), encrypted)
    ten = tf.stack([encrypted] * ADDED)
    total = engine.cipher.add(ten)
    slots = tf.reshape(engine.keyed_cipher.decrypt(key, total)[:, :-1], [-1])
    steps: Sequence[tuple[str, str, Callable[..., Any], tuple[tf.Tensor, ...]]] = (
        (
            "client",
            "round to codes",
            lambda x: engine.codec.encode(x, BOUND),
            (values,),
        ),
        (
            "client",
            "count saturated",
            lambda x: engine.codec.saturated(x, BOUND),
            (values,),
        ),
        ("client", "pack codes into slots", engine.packing.pack, (padded,)),
        ("client", "encrypt and serialise", engine.keyed_cipher.encrypt, (key, rows)),
        (
            "client",
            "fingerprints and header",
            lambda x: message_lib.assemble(context, tf.constant(1), tf.constant(0), x),
            (encrypted,),
        ),
        (
            "server",
            f"judge {ADDED} messages",
            lambda *messages: [
                engine_lib.judge(engine, x, context, 1, 0, blocks) for x in messages
            ],
            (sealed,) * ADDED,
        ),
        ("server", f"parse, add {ADDED}, serialise", engine.cipher.add, (ten,)),
        (
            "decryption",
            "judge the sum",
            lambda x: engine_lib.judge(engine, x, context, 1, 0, blocks),
            (sealed,),
        ),
        ("decryption", "parse and decrypt", engine.keyed_cipher.decrypt, (key, total)),
        ("decryption", "unpack slots", engine.packing.unpack, (slots,)),
        (
            "decryption",
            "codes to values",
            lambda x: engine.codec.decode(x, BOUND),
            (codes,),
        ),
    )
    return tuple(
        Piece(stage, name, _time(tf.function(step), arguments, repetitions))
        for stage, name, step, arguments in steps
    )


def bits_of_ours(engine: Engine) -> tuple[tuple[str, float], ...]:
    """What the bits that our messages spend on a value hold.

    Args:
      engine: The engine.

    Returns:
      Descriptions and bits, which add up to a value's share of a block.
    """
    values = engine.codes_per_block
    whole = 8 * engine.cipher.upload_bytes / values
    field = engine.packing.field_bits
    return (
        (
            f"the code ({engine.codec.bits}) and room for {SUMMANDS} summands",
            float(field),
        ),
        ("noise, and what is left of a slot", whole / 2 - field),
        ("the uniform polynomial `a`", whole / 2),
    )


def bits_of_tenseal(tried: tenseal.Tried) -> tuple[tuple[str, float], ...]:
    """The same of a TenSEAL setting.

    Args:
      tried: The setting and its bytes.

    Returns:
      Descriptions and bits, which add up to a value's share of a message.
    """
    setting = tried.setting
    primes = setting.coeff_mod_bit_sizes
    # The last prime is for key switching; there are two coefficients a value.
    half = 2.0 * sum(primes[:-1] if len(primes) > 1 else primes)
    return (
        ("two coefficients: N of them hold N / 2 values", half),
        ("the same of the uniform polynomial `a`", half),
        ("64-bit words, after compression", 8 * tried.bytes_per_value - 2 * half),
    )


def _time(
    step: Callable[..., Any], arguments: Sequence[tf.Tensor], repetitions: int
) -> float:
    seconds = []
    for _ in range(repetitions + 1):
        began = time.perf_counter()
        step(*arguments)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[1:])
