"""Where the time of encrypting goes: each part by itself, as the ciphers compute it."""

import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from experiments.outputs.table import Table
from experiments.suites.lattice import ours
from experiments.suites.lattice.side import BOUND
from selenc_tf.lattice import device_cipher, word_strings
from selenc_tf.lattice import engine as engine_lib
from selenc_tf.lattice import message as message_lib
from selenc_tf.lattice.device import (
    blocks,
    chacha20,
    entropy,
    pad_blocks,
    pad_parameters,
    rlwe,
    sampling,
)

BITS, SUMMANDS = 16, 64
_VALUES = 1_100_000
_SEED = (1, 2)
_CIPHERS = ("device_rlwe", "additive_pad")


class Part(NamedTuple):
    """A part of encrypting.

    Attributes:
      cipher: By its name in the catalogue.
      name: Of the part; indented if it is a part of the last one that is not.
      num_values: So many values need it once.
      work: Does it once, a `tf.function` of the arguments.
      arguments: Tensors.
    """

    cipher: str
    name: str
    num_values: int
    work: Callable[..., Any]
    arguments: tuple[tf.Tensor, ...]


def table(repetitions: int) -> Table:
    """Times all parts in alternation.

    Args:
      repetitions: Of each part.

    Returns:
      Milliseconds for a million values, less what calling an empty function takes.
    """
    parts = [part for cipher in _CIPHERS for part in _parts(cipher)]
    nothing = Part("", "", 1, tf.function(lambda x: x + 1), (tf.constant(1),))
    taken: list[list[tuple[float, float]]] = [[] for _ in [nothing, *parts]]
    for turn in range(repetitions + 1):
        for part, times in zip([nothing, *parts], taken, strict=True):
            began, cpu_began = time.perf_counter(), time.process_time()
            part.work(*part.arguments)
            wall, cpu = time.perf_counter() - began, time.process_time() - cpu_began
            if turn:  # The first one traces and compiles.
                times.append((wall, cpu))
    medians = [tuple(map(statistics.median, zip(*one, strict=True))) for one in taken]
    least = [tuple(map(min, zip(*one, strict=True))) for one in taken]
    rows = [
        (
            part.cipher,
            part.name,
            *(
                f"{max(1e9 * (found[kind] - empty[kind]) / part.num_values, 0):.2f}"
                for found, empty in ((middle, medians[0]), (low, least[0]))
                for kind in (0, 1)
            ),
        )
        for part, middle, low in zip(parts, medians[1:], least[1:], strict=True)
    ]
    title = f"Parts of encrypting, ms a million values; {repetitions} turns"
    return Table(title, ("", "", "median", "CPU", "least", "CPU"), rows)


def _parts(cipher: str) -> list[Part]:
    """The parts of one cipher."""
    engine = ours.build_engine(BITS, cipher)
    key = engine.keyed_cipher.keygen()
    context = ours.round_context(engine, tf.constant(_VALUES, tf.int64))
    generator = np.random.default_rng(0)
    values = tf.constant(generator.uniform(-BOUND, BOUND, _VALUES), tf.float32)
    size = engine.blocks_at_a_time
    drawn = generator.integers(-100, 100, (size, engine.cipher.num_slots))
    rows = tf.constant(drawn, tf.int64)
    texts = engine.keyed_cipher.encrypt(key, rows)
    many, chunk = _VALUES, size * engine.codes_per_block

    def seal(values: tf.Tensor) -> tf.Tensor:
        seed = tf.constant(_SEED, tf.int64)
        return engine_lib.seal(engine, key, values, tf.constant(BOUND), context, seed)

    inside, group = _of_rlwe(rows) if cipher == "device_rlwe" else _of_pad(rows)
    words = tf.zeros([size, engine.cipher.upload_bytes // 4], tf.uint32)
    found = [
        ("all of it", many, tf.function(seal), (values,)),
        ("quantise", many, _compiled(engine.codec.rounded), (values, BOUND)),
        (
            "count saturated",
            many,
            tf.function(lambda x: engine.codec.saturated(x, BOUND)),
            (values,),
        ),
        ("draw a seed", chunk, tf.function(entropy.draw_words), ()),
        *((name, group, _compiled(work), given) for name, work, given in inside),
        ("serialise", chunk, tf.function(word_strings.text_of), (words,)),
        (
            "header",
            chunk,
            tf.function(lambda x: message_lib.assemble(context, 1, 0, x)),
            (texts,),
        ),
    ]
    return [Part(cipher, *one) for one in found]


def _of_rlwe(rows: tf.Tensor) -> tuple[list[tuple[str, Any, Any]], int]:
    """What XLA compiles of `device_rlwe`, and the values of a group."""
    chosen = device_cipher.of_sums(SUMMANDS, BITS)
    groups, one = blocks.Blocks(rlwe.Rlwe(chosen)), rlwe.Rlwe(chosen)
    seed, part = entropy.draw_seed(), rows[: chosen.columns]
    secret = one.secret_values(one.secret_coefficients(seed))
    seeds = tf.reshape(chacha20.words(seed, _nonce(), 0, 8 * chosen.columns), [-1, 8])
    zeros = tf.zeros([chosen.columns, len(chosen.primes), chosen.degree], tf.uint32)
    lengths = (
        sampling.uniform_words(chosen.moduli) * chosen.degree,
        sampling.binomial_words(chosen.variance) * chosen.degree,
    )
    moduli = chosen.moduli

    def turned(given: tf.Tensor) -> tf.Tensor:
        masked = moduli.multiply(given, secret)[..., tf.newaxis]
        return chosen.transform.backward(masked)[..., 0]

    return [
        ("XLA, a group", groups.encrypt, (secret, seed, seed, tf.constant(0), part)),
        ("- a: ChaCha20", lambda x: _streams(x, lengths[0]), (seeds,)),
        ("- a: with sampling", groups.add_seeds, (zeros, seeds)),
        ("- noise: ChaCha20", lambda x: _streams(x, lengths[1]), (seeds,)),
        ("- product and transform", lambda x: tf.map_fn(turned, x), (zeros,)),
        ("- pack", groups.pack, (zeros,)),
    ], groups.num_slots * chosen.columns


def _of_pad(rows: tf.Tensor) -> tuple[list[tuple[str, Any, Any]], int]:
    """What XLA compiles of `additive_pad`, and the values of a group."""
    chosen = pad_parameters.choose_parameters(SUMMANDS, BITS)
    groups, size, scheme = (
        pad_blocks.PadBlocks(chosen),
        chosen.group_blocks,
        chosen.scheme,
    )
    seed, part = entropy.draw_seed(), rows[:size]
    seeds = tf.reshape(chacha20.words(seed, _nonce(), 0, 8 * size), [size, 8])
    chunks = tf.reshape(part, [size, scheme.rows, scheme.columns])
    return [
        ("XLA, a group", groups.encrypt, (seed, seed, tf.constant(0), part)),
        ("- pads: ChaCha20", groups.pads, (seed, seeds)),
        (
            "- pack",
            lambda x: tf.map_fn(scheme.packed, x, fn_output_signature=scheme.dtype),
            (chunks,),
        ),
    ], chosen.num_slots * size


def _streams(seeds: tf.Tensor, num_words: int) -> tf.Tensor:
    """A key stream of each seed."""
    return tf.map_fn(lambda one: chacha20.words(one, _nonce(), 0, num_words), seeds)


def _nonce() -> tf.Tensor:
    return tf.zeros([chacha20.NONCE_WORDS], tf.uint32)


def _compiled(function: Callable[..., Any]) -> Any:
    return tf.function(function, jit_compile=True, autograph=False)
