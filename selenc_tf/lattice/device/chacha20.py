"""ChaCha20 (RFC 8439) in operations on uint32: the only generator of the device ciphers.

The state is a matrix of 4 x 4 words. A block is made of twenty rounds on it, and what was
in the beginning is added at the end, so that nobody can go back. Many blocks are made at
once, word by word, so that all arithmetic is on long vectors.

References:
  Bernstein, "ChaCha, a variant of Salsa20", 2008. Nir, Langley, "ChaCha20 and Poly1305
  for IETF Protocols", RFC 8439, 2018. Goldreich, Goldwasser, Micali, "How to construct
  random functions", J. ACM 33, 1986 (`derive`).
"""

import tensorflow as tf

KEY_WORDS = 8
NONCE_WORDS = 3
BLOCK_WORDS = 16
GROUP_BLOCKS = 4096
"""Whose state, 256 kB, stays in a cache of the second level while rounds are made."""
INPUT_WORDS = 4
"""Words of the counter and the nonce together."""

_CONSTANTS = (0x61707865, 0x3320646E, 0x79622D32, 0x6B206574)  # "expand 32-byte k"
_DOUBLE_ROUNDS = 10
_ROW = 4


def words(
    key: tf.Tensor,
    nonce: tf.Tensor,
    counter: tf.Tensor | int,
    num_words: int,
    groups_at_once: int = 1,
) -> tf.Tensor:
    """The key stream in the order in which it is made fastest, for who needs no other.

    Blocks are made in groups of 4096: of a group first the first words of all blocks, then
    the second words, and so on. What is asked for is cut from as many whole groups as are
    needed, or from as many blocks if that is less than a group.

    Args:
      key: uint32 [8].
      nonce: uint32 [3]. No nonce may be used twice with a key for other than the same
        words.
      counter: uint32 scalar, the number of the first block. The last must be below 2^32.
      num_words: n, at least 1.
      groups_at_once: How many groups are in the making together; the result is the same.
        One stays in the caches of a processor. A GPU wants all.

    Returns:
      uint32 [n].
    """
    num_blocks = -(-num_words // BLOCK_WORDS)
    size = min(num_blocks, GROUP_BLOCKS)
    num_groups = -(-num_blocks // size)
    together = min(groups_at_once, num_groups)
    first = tf.cast(counter, tf.uint32)

    def some_groups(number: tf.Tensor) -> tf.Tensor:
        begin = first + tf.cast(number * (size * together), tf.uint32)
        counters = begin + tf.cast(tf.range(size * together), tf.uint32)
        made = tf.reshape(blocks(key, nonce, counters), [BLOCK_WORDS, together, size])
        return tf.transpose(made, [1, 0, 2])

    turns = -(-num_groups // together)
    if turns == 1:
        made = some_groups(tf.constant(0))
    else:
        made = tf.map_fn(some_groups, tf.range(turns), fn_output_signature=tf.uint32)
    return tf.reshape(made, [-1])[:num_words]


def blocks(key: tf.Tensor, nonce: tf.Tensor, counters: tf.Tensor) -> tf.Tensor:
    """The blocks with given numbers: the block function of RFC 8439, section 2.3.

    Args:
      key: uint32 [8], or [8, b]: one of each block.
      nonce: uint32 [3], or [3, b].
      counters: uint32 [b].

    Returns:
      uint32 [16, b].
    """
    like = tf.zeros_like(counters)[tf.newaxis]
    constants = tf.constant(_CONSTANTS, tf.uint32)[:, tf.newaxis] + like
    keys = (key if key.shape.rank == 2 else key[:, tf.newaxis]) + like
    nonces = (nonce if nonce.shape.rank == 2 else nonce[:, tf.newaxis]) + like
    last = tf.concat([counters[tf.newaxis], nonces], axis=0)
    state = (constants, *tf.split(keys, 2), last)
    # A loop: written out, the rounds take many seconds to compile.
    _, *mixed = tf.while_loop(
        lambda done, *_: done < _DOUBLE_ROUNDS,
        lambda done, *rows: (done + 1, *_double_round(*rows)),
        (tf.constant(0), *state),
    )
    return tf.concat([one + two for one, two in zip(mixed, state, strict=True)], axis=0)


def keystream(
    key: tf.Tensor, nonce: tf.Tensor, counter: tf.Tensor | int, num_words: int
) -> tf.Tensor:
    """The key stream in the order of RFC 8439, section 2.4.

    Args:
      key: uint32 [8].
      nonce: uint32 [3].
      counter: uint32 scalar, the number of the first block.
      num_words: n, at least 1.

    Returns:
      uint32 [n]; the stream's bytes are these words', lowest first.
    """
    num_blocks = -(-num_words // BLOCK_WORDS)
    counters = tf.cast(counter, tf.uint32) + tf.cast(tf.range(num_blocks), tf.uint32)
    by_word = blocks(key, nonce, counters)
    return tf.reshape(tf.transpose(by_word), [-1])[:num_words]


def derive(key: tf.Tensor, inputs: tf.Tensor) -> tf.Tensor:
    """A key of its own for every input: a pseudorandom function of inputs of one length.

    Each four words of the input are counter and nonce of one block, half of which is the
    key for the next four: a walk down the tree of Goldreich, Goldwasser and Micali, whose
    proof it has.

    Args:
      key: uint32 [8].
      inputs: uint32 [4 i], with i at least 1. For one key always of the same length.

    Returns:
      uint32 [8].
    """
    return derive_all(key, inputs[:, tf.newaxis])[:, 0]


def derive_all(key: tf.Tensor, inputs: tf.Tensor) -> tf.Tensor:
    """`derive` of many inputs together.

    Args:
      key: uint32 [8].
      inputs: uint32 [4 i, b].

    Returns:
      uint32 [8, b].
    """
    steps, b = inputs.shape[0] // INPUT_WORDS, inputs.shape[1]
    parts = tf.reshape(inputs, [steps, INPUT_WORDS, b])
    begin = tf.broadcast_to(key[:, tf.newaxis], [KEY_WORDS, b])
    # A loop: a graph with every step written out takes a second to optimise.
    return tf.foldl(
        lambda now, part: blocks(now, part[1:], part[0])[:KEY_WORDS], parts, begin
    )


def quarter_round(
    a: tf.Tensor, b: tf.Tensor, c: tf.Tensor, d: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    """Section 2.1, on four tensors of uint32 of one shape."""
    a, d = _add_and_turn(a, b, d, 16)
    c, b = _add_and_turn(c, d, b, 12)
    a, d = _add_and_turn(a, b, d, 8)
    c, b = _add_and_turn(c, d, b, 7)
    return a, b, c, d


def _double_round(
    a: tf.Tensor, b: tf.Tensor, c: tf.Tensor, d: tf.Tensor
) -> tuple[tf.Tensor, ...]:
    """Section 2.3: on the columns of the matrix, given row by row, and on its diagonals."""
    a, b, c, d = quarter_round(a, b, c, d)
    b, c, d = _moved(b, 1), _moved(c, 2), _moved(d, 3)
    a, b, c, d = quarter_round(a, b, c, d)
    return a, _moved(b, 3), _moved(c, 2), _moved(d, 1)


def _moved(row: tf.Tensor, places: int) -> tf.Tensor:
    """The words of a row, moved to the left."""
    # Not as a concatenation of two parts, which XLA makes in half again the time.
    return tf.gather(row, [(word + places) % _ROW for word in range(_ROW)])


def _add_and_turn(
    one: tf.Tensor, other: tf.Tensor, turned: tf.Tensor, places: int
) -> tuple[tf.Tensor, tf.Tensor]:
    one = one + other
    mixed = tf.bitwise.bitwise_xor(turned, one)
    left = tf.bitwise.left_shift(mixed, tf.constant(places, tf.uint32))
    right = tf.bitwise.right_shift(mixed, tf.constant(32 - places, tf.uint32))
    return one, tf.bitwise.bitwise_or(left, right)
