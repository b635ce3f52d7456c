"""Seeds from the operating system, drawn anew in every run of a graph.

TensorFlow's random operations are no source of secrets: their generators are made for
simulations, and their seeds stand in the graph. A file that `read_file` reads may become a
constant when a graph is optimised. A data set of lines is opened anew in every run and at
every place; the kernel's file below then says another random number (122 bits of it).
Some of these are mixed to one seed.

A process that is copied while it runs (a fork, a restored snapshot) has no seed in it
to draw twice.
"""

import os
import pathlib

import tensorflow as tf

from selenc_tf.lattice.device import chacha20

SEED_WORDS = 8
"""256 bits."""

SOURCE = "/proc/sys/kernel/random/uuid"
"""Linux gives a random UUID (RFC 9562, version 4), another one to each who opens it."""

# 122 random bits each: more than a seed has.
_LINES = 4
_LINE_BYTES = 36
_LINE_WORDS = _LINE_BYTES // 4
DRAWN_WORDS = _LINES * _LINE_WORDS
"""Of `draw_words`."""

_TWO = 0x54574F53  # "TWOS": what the key stream is for.
_HOST = "/device:CPU:0"


def check_source(source: str | os.PathLike[str] = SOURCE) -> None:
    """Checks that the operating system has the source: where a graph is built.

    Args:
      source: A file that gives another line to each who opens it.

    Raises:
      RuntimeError: If it cannot be read, or gives the same line again.
    """
    try:
        lines = {pathlib.Path(source).read_text().strip() for _ in range(_LINES)}
    except OSError as error:
        raise RuntimeError(
            f"Encryption needs a file of the operating system that gives new random "
            f"numbers, {source}, and it cannot be read ({error.strerror}). Run on Linux "
            "with /proc mounted, or take the cipher `tf_shell_bgv`, which needs no such "
            "file."
        ) from None
    if len(lines) < _LINES or {len(line) for line in lines} != {_LINE_BYTES}:
        raise RuntimeError(
            f"Encryption needs a file of the operating system that gives new random "
            f"numbers, {source}, but it gives no UUIDs, or one of them twice. Mount "
            "Linux's own /proc, or take the cipher `tf_shell_bgv`."
        )


def draw_seed(source: str | os.PathLike[str] = SOURCE) -> tf.Tensor:
    """A new seed, at every place in a graph and in every run of it.

    Runs on: whoever needs a secret, on the host; inside or outside of a graph, but not
    inside of what XLA compiles. TensorFlow may not merge or precompute it.

    Args:
      source: The operating system's file.

    Returns:
      uint32 [8], uniform. Nobody else has it.

    Raises:
      As `draw_words`.
    """
    return mix_words(draw_words(source))


def draw_words(source: str | os.PathLike[str] = SOURCE) -> tf.Tensor:
    """What a new seed is made of, by `mix_words`, which XLA can compile.

    Runs on: whoever needs a secret, on the host, likewise.

    Args:
      source: The operating system's file.

    Returns:
      uint32 [36], with more than 256 random bits. Nobody else has it.

    Raises:
      RuntimeError: Where the graph is built, if there is no such source.
      NotFoundError: When run, if there is none where it runs.
      InvalidArgumentError: When run, if the source says the same twice.
    """
    check_source(source)
    with tf.device(_HOST):
        # A larger buffer takes half again the time.
        files = tf.data.TextLineDataset([os.fspath(source)] * _LINES, buffer_size=64)
        lines = tf.ensure_shape(files.batch(_LINES).get_single_element(), [_LINES])
        # As an index: an assertion would be waited for by all that is in the graph.
        again = _LINES - tf.size(tf.unique(lines).y)
        name = "the_operating_system_must_give_other_random_numbers_but_repeats_them"
        return words_of(tf.gather([lines], again, name=name))


def words_of(lines: tf.Tensor) -> tf.Tensor:
    """The words that lines consist of.

    Args:
      lines: string [l], of 36 bytes each.

    Returns:
      uint32 [9 l].
    """
    raw = tf.io.decode_raw(lines, tf.int32, fixed_length=_LINE_BYTES)
    words = tf.bitcast(raw, tf.uint32)
    return tf.reshape(words, [lines.shape[0] * _LINE_WORDS])


def mix_words(spoken: tf.Tensor) -> tf.Tensor:
    """One seed of several lines: each four of their words choose the next key.

    Args:
      spoken: uint32 [4 i], with 256 random bits in all or more.

    Returns:
      uint32 [8].
    """
    # From a key that everybody knows: here the walk is a hash, not a secret function.
    return chacha20.derive(tf.zeros([chacha20.KEY_WORDS], tf.uint32), spoken)


def two_seeds(spoken: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Two seeds of several lines, which say nothing of each other.

    They are the key stream of `mix_words`, in a nonce of its own. To draw twice takes twice
    as long.

    Args:
      spoken: As of `mix_words`.

    Returns:
      Two of uint32 [8].
    """
    nonce = tf.constant([_TWO, 0, 0], tf.uint32)
    stream = chacha20.keystream(mix_words(spoken), nonce, 0, 2 * SEED_WORDS)
    return stream[:SEED_WORDS], stream[SEED_WORDS:]
