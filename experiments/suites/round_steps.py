"""What a round does beside training, step by step, on vectors of the model's length."""

import contextlib
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TextIO

import numpy as np
import tensorflow as tf

from experiments.outputs import text_tables
from federated.round import announcement, client
from federated.round.announcement import Announcement
from federated.round.collecting import Rules
from selenc_tf.lattice import engine as engine_lib
from selenc_tf.lattice import key_store, memory, message
from selenc_tf.lattice.engine import Engine
from selenc_tf.lattice.key_store import KeySet
from selenc_tf.masks import wire


class Step(NamedTuple):
    """One step of a graph.

    Attributes:
      graph: The graph that it is a part of, by its name.
      name: What it does.
      times: How often a round does it.
      seconds: Of one time, of every repetition.
      as_it_is: The same where memory is left as it was freed, in turn.
    """

    graph: str
    name: str
    times: int
    seconds: tuple[float, ...]
    as_it_is: tuple[float, ...]


class Request(NamedTuple):
    """What a round is of.

    Attributes:
      engine: Makes the messages.
      keys: Of the round.
      num_values: n.
      ratio: The part of them that is encrypted.
      num_clients: k.
      repetitions: Of each step; one more comes first and does not count.
    """

    engine: Engine
    keys: KeySet
    num_values: int
    ratio: float
    num_clients: int
    repetitions: int


def profile(asked: Request) -> tuple[Step, ...]:
    """Times the steps one by one.

    A graph runs what does not depend on each other at once, so steps need not add up to
    their graph.

    Args:
      asked: What a round is of.

    Returns:
      The steps in the order of a round.
    """
    n, k, engine = asked.num_values, asked.num_clients, asked.engine
    generator = np.random.default_rng(0)
    mask = tf.constant(generator.random(n) < asked.ratio)
    vector = tf.constant(generator.uniform(-1.0, 1.0, n), tf.float32)
    rules = Rules(engine, asked.keys, (n,), fail=False)
    announced = Announcement(
        wire.pack(mask),
        tf.constant(1, tf.int64),
        tf.constant(0, tf.int64),
        tf.ones([1]),
    )
    check = key_store.read_check(asked.keys, announced.round)
    terms = announcement.terms_of(announced, rules, check)
    key = key_store.read(asked.keys, engine.keyed_cipher, announced.round)
    hidden, plain = client.split(vector, mask)
    seed = tf.zeros([2], tf.int64)
    m = tf.size(hidden)
    blocks = engine.num_blocks(terms.context.values)
    slots = tf.zeros([int(blocks), engine.cipher.num_slots], tf.int64)
    encrypted = engine.keyed_cipher.encrypt(key, slots)
    sealed = engine_lib.seal(engine, key, hidden, terms.bound, terms.context, seed)
    upload = client.sealed_upload(
        plain, sealed, tf.constant(1.0), tf.constant(1, tf.int64), tf.constant(True)
    )
    many = tf.stack([encrypted] * k)
    total = engine.cipher.add(many)
    share = -(-int(blocks) // k)
    part = total[:share]
    codes = tf.zeros([int(terms.context.values)], client.sum_dtype(engine))
    steps: Sequence[tuple[str, str, int, Callable[..., Any], tuple[tf.Tensor, ...]]] = (
        (
            "protect",
            "mask from its bits, count",
            k,
            lambda packed: announcement.terms_of(
                announced._replace(packed_mask=packed), rules, check
            ),
            (announced.packed_mask,),
        ),
        (
            "protect",
            "entries to hide and to show",
            k,
            client.split,
            (vector, mask),
        ),
        (
            "protect",
            "all finite",
            k,
            lambda x: tf.reduce_all(tf.math.is_finite(x)),
            (vector,),
        ),
        (
            "protect",
            "count saturated",
            k,
            lambda x: engine.codec.saturated(x, terms.bound),
            (hidden,),
        ),
        (
            "protect",
            "encrypt and serialise",
            k,
            engine.keyed_cipher.encrypt,
            (key, slots),
        ),
        (
            "protect",
            "fingerprints, header, join",
            k,
            lambda x: message.assemble(
                terms.context, tf.constant(1), tf.constant(0), x
            ),
            (encrypted,),
        ),
        (
            "protect",
            "all from the hidden entries to the message",
            k,
            lambda x: engine_lib.seal(engine, key, x, terms.bound, terms.context, seed),
            (hidden,),
        ),
        (
            "protect",
            "checksum",
            k,
            lambda x: client.checksum(upload._replace(plain=x)),
            (plain,),
        ),
        (
            "collect",
            "judge an upload",
            k,
            lambda x: engine_lib.judge(
                engine, x, terms.context, 1, 0, blocks, upload=True
            ),
            (sealed,),
        ),
        ("collect", f"add {k} messages", 1, engine.cipher.add, (many,)),
        (
            "open_share",
            "decrypt a share",
            k,
            engine.keyed_cipher.decrypt,
            (key, part),
        ),
        (
            "finish",
            "codes to values",
            1,
            lambda x: engine.codec.decode(tf.cast(x[:m], tf.int64), terms.bound),
            (codes,),
        ),
        ("finish", "merge with what was shown", 1, client.merge, (plain, hidden, mask)),
        ("announce", "mask to bits", 1, wire.pack, (mask,)),
    )
    return tuple(
        Step(
            graph, name, times, *_time(tf.function(step), arguments, asked.repetitions)
        )
        for graph, name, times, step, arguments in steps
    )


def print_table(steps: Sequence[Step], stream: TextIO) -> None:
    """Prints milliseconds, and what overwriting memory takes of them.

    Args:
      steps: What was timed.
      stream: Where to.
    """
    rows = [
        (
            step.graph,
            step.name,
            str(step.times),
            text_tables.spread([1e3 * one for one in step.seconds], ".1f"),
            f"{1e3 * step.times * statistics.median(step.seconds):.0f}",
            f"{_ratio(step):.2f}",
        )
        for step in steps
    ]
    headings = (
        "graph",
        "step",
        "times in a round",
        "milliseconds of one (min, max)",
        "of a round",
        "x without overwriting memory",
    )
    title = "steps of the graphs that encrypt, each by itself"
    text_tables.show(text_tables.Table(title, headings, rows), stream)


def _ratio(step: Step) -> float:
    pairs = zip(step.seconds, step.as_it_is, strict=True)
    return statistics.median(zeroed / as_it_is for zeroed, as_it_is in pairs)


def _time(
    step: Callable[..., Any], arguments: Sequence[tf.Tensor], repetitions: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Seconds as in a round, and where memory is left as it is."""
    ways: tuple[Callable[[], contextlib.AbstractContextManager[None]], ...] = (
        memory.zeroed,
        contextlib.nullcontext,
    )
    seconds: tuple[list[float], ...] = ([], [])
    for _ in range(repetitions + 1):
        for way, taken in zip(ways, seconds, strict=True):
            with way():
                began = time.perf_counter()
                made = step(*arguments)
                taken.append(time.perf_counter() - began)
                del made
    return tuple(seconds[0][1:]), tuple(seconds[1][1:])
