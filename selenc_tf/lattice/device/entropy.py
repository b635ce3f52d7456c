"""Seeds from the operating system, drawn anew in every run of a graph.

TensorFlow's random operations are no source of secrets: their generators are made for
simulations, and their seeds stand in the graph. A file that `read_file` reads may become a
constant when a graph is optimised. A data set of lines is opened anew in every run and at
every place; the kernel's file below then says another random number (122 bits of it).
Some of these are mixed to one seed.

A seed determines what is made of it, and is short: pieces of up to 1 KB stay in memory as
they are when they are freed (`memory.py`), but for their first 16 octets, where the C
library keeps its own. So a seed is made, and used, inside of what XLA compiles, whose
buffers are one piece; what goes from one program to the next is longer than 1 KB; and of
each line alone, which is 36 octets, so much is lost that those of all cannot be guessed.

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

# 122 random bits each, 52 of them in the first 16 octets. So five of which no more than
# the rest is left have as many bits as a seed; one or two may be in use as they are.
_LINES = 8
_LINE_BYTES = 36
_ROOM_BYTES = 320
_WORD_BYTES = 4
_LINE_WORDS, _ROOM_WORDS = _LINE_BYTES // _WORD_BYTES, _ROOM_BYTES // _WORD_BYTES
DRAWN_WORDS = _LINES * _ROOM_WORDS
"""Of `draw_words`."""

STREAM_WORDS = 512
"""Of `stream`."""

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
    """A new seed for others to know, at every place in a graph and in every run of it.

    It stays in memory, and so does what it is made of: for secrets let XLA compile
    `mix_words` or `stream` together with what is made of the seed.

    Runs on: anybody, on the host; inside or outside of a graph, but not inside of what XLA
    compiles. TensorFlow may not merge or precompute it.

    Args:
      source: The operating system's file.

    Returns:
      uint32 [8], uniform.

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
      uint32 [640], with more than 256 random bits. Nobody else has it.

    Raises:
      RuntimeError: Where the graph is built, if there is no such source.
      NotFoundError: When run, if there is none where it runs.
      InvalidArgumentError: When run, if the source says the same twice.
    """
    check_source(source)
    with tf.device(_HOST):
        # A larger buffer takes half again the time. Its octets are a line's, in its order.
        files = tf.data.TextLineDataset([os.fspath(source)] * _LINES, buffer_size=64)
        lines = tf.ensure_shape(files.batch(_LINES).get_single_element(), [_LINES])
        # As an index: an assertion would be waited for by all that is in the graph.
        again = _LINES - tf.size(tf.unique(lines).y)
        name = "the_operating_system_must_give_other_random_numbers_but_repeats_them"
        return words_of(tf.gather([lines], again, name=name))


def words_of(lines: tf.Tensor) -> tf.Tensor:
    """The words that lines consist of, each in a room of its own of 80 words.

    Args:
      lines: string [l], of 36 bytes each.

    Returns:
      uint32 [80 l], zeros behind each line.
    """
    raw = tf.io.decode_raw(lines, tf.int32, fixed_length=_ROOM_BYTES)
    words = tf.bitcast(raw, tf.uint32)
    return tf.reshape(words, [lines.shape[0] * _ROOM_WORDS])


def mix_words(spoken: tf.Tensor) -> tf.Tensor:
    """One seed of several lines: each four of their words choose the next key.

    Args:
      spoken: uint32 [80 l], as `words_of` makes them, with 256 random bits in all or more.

    Returns:
      uint32 [8]. For a secret only inside of what XLA compiles.
    """
    lines = tf.reshape(spoken, [-1, _ROOM_WORDS])[:, :_LINE_WORDS]
    words = tf.reshape(lines, [-1])
    missing = -words.shape[0] % chacha20.INPUT_WORDS
    # From a key that everybody knows: here the walk is a hash, not a secret function.
    return chacha20.derive(
        tf.zeros([chacha20.KEY_WORDS], tf.uint32), tf.pad(words, [[0, missing]])
    )


def stream(spoken: tf.Tensor) -> tf.Tensor:
    """The key stream of a seed of several lines, in a nonce of its own.

    Parts of it are seeds that say nothing of each other: to draw twice takes twice as long.
    It is 2 KB long, so that it is overwritten when it is freed.

    Args:
      spoken: As of `mix_words`.

    Returns:
      uint32 [512].
    """
    nonce = tf.constant([_TWO, 0, 0], tf.uint32)
    return chacha20.keystream(mix_words(spoken), nonce, 0, STREAM_WORDS)


def two_seeds(made: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The first two seeds of a `stream`: of uint32 [512] two of uint32 [8].

    For secrets only inside of what XLA compiles.
    """
    return made[:SEED_WORDS], made[SEED_WORDS : 2 * SEED_WORDS]
