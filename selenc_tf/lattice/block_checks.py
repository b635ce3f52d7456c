"""Checks that every cipher makes of the strings it is given, inside the graph."""

import functools

import tensorflow as tf


def check_lengths(name: str, strings: tf.Tensor, *num_bytes: int) -> tf.Tensor:
    """Returns the strings if each of them has a right length.

    Args:
      name: What one of them is, for the message.
      strings: string [any shape].
      *num_bytes: The right lengths.

    Returns:
      The strings.

    Raises:
      InvalidArgumentError: When run, if one is shorter or longer.
    """
    lengths = tf.strings.length(strings)
    right = functools.reduce(
        tf.logical_or, [tf.equal(lengths, length) for length in num_bytes]
    )
    expected = " or ".join(str(length) for length in dict.fromkeys(num_bytes))
    check = tf.debugging.Assert(
        tf.reduce_all(right),
        [
            f"{name} must have {expected} bytes; it may be damaged or belong to other "
            "lattice parameters. Check that all parties use the same. Lengths found:",
            lengths,
        ],
        summarize=8,
    )
    # Eagerly there is no operation to wait for.
    with tf.control_dependencies([] if check is None else [check]):
        return tf.identity(strings)


def check_summands(ciphertexts: tf.Tensor, max_summands: int) -> tf.Tensor:
    """Returns the ciphertexts if there are at least one and not too many.

    Args:
      ciphertexts: string [k, b].
      max_summands: The largest k whose sum decrypts.

    Returns:
      The ciphertexts.

    Raises:
      InvalidArgumentError: When run, if k is 0 or more than `max_summands`.
    """
    summands = tf.shape(ciphertexts)[0]
    check = tf.debugging.Assert(
        tf.logical_and(summands >= 1, summands <= max_summands),
        [
            f"From 1 to `max_summands` = {max_summands} ciphertexts can be added: a sum "
            "of more would not decrypt. Choose parameters for so many clients. Found:",
            summands,
        ],
    )
    with tf.control_dependencies([] if check is None else [check]):
        return tf.identity(ciphertexts)
