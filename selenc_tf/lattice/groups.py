"""Work on blocks in groups of one shape, for which XLA compiles once a process."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from selenc_tf.lattice import chunks


def compiled(
    function: Callable[..., Any], *signature: tf.TensorSpec
) -> Callable[..., Any]:
    """The function compiled by XLA; traced once, so that it is compiled once."""
    # Outside of whatever graph is being traced.
    with tf.init_scope():
        traced = tf.function(
            function, input_signature=signature, autograph=False, jit_compile=True
        )
        return traced.get_concrete_function()  # type: ignore[no-any-return]


def in_groups(
    function: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
    size: int,
    blocks: tf.Tensor,
    of_a_block: tf.TensorSpec,
) -> tf.Tensor:
    """Applies a function of groups to any number of blocks.

    Args:
      function: Of a group, [size, ...], and its number, int32; gives [size, ...].
      size: Blocks of a group. The last one is filled with zeros, or empty strings.
      blocks: [b, ...].
      of_a_block: What the function makes of one block.

    Returns:
      [b, ...], what was made of each block.
    """
    b = tf.shape(blocks)[0]
    number_of_groups = -(-b // size)
    missing = [[number_of_groups * size - b], tf.shape(blocks)[1:]]
    # Whole groups are not copied.
    filled = tf.cond(
        tf.equal(number_of_groups * size, b),
        lambda: blocks,
        lambda: tf.concat(
            [blocks, tf.zeros(tf.concat(missing, axis=0), blocks.dtype)], axis=0
        ),
    )

    def of_one(index: tf.Tensor) -> tf.Tensor:
        part = filled[index * size : (index + 1) * size]
        return function(tf.ensure_shape(part, [size, *blocks.shape[1:]]), index)

    return _of_all(of_one, size, b, of_a_block)


def of_group(
    function: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
    size: int,
    blocks: tf.Tensor,
    index: tf.Tensor,
) -> tf.Tensor:
    """What `in_groups` makes of one group, of which not all blocks need be there.

    Args:
      function: As there.
      size: Blocks of a group.
      blocks: [b, ...].
      index: int32 scalar, the number of the group.

    Returns:
      [as many as there are, ...].
    """
    part = blocks[index * size : (index + 1) * size]
    there = tf.shape(part)[0]
    missing = tf.concat([[size - there], tf.shape(blocks)[1:]], axis=0)
    filled = tf.concat([part, tf.zeros(missing, blocks.dtype)], axis=0)
    whole = tf.ensure_shape(filled, [size, *blocks.shape[1:]])
    return function(whole, index)[:there]


def folded(
    function: Callable[..., tuple[tf.Tensor, ...]],
    initial: tuple[tf.Tensor, ...],
    finish: Callable[..., Any],
    size: int,
    ciphertexts: tf.Tensor,
    of_a_block: Any,
) -> Any:
    """Adds ciphertexts up, a group of their blocks at a time.

    Every string is copied once: they are as long as all that is added.

    Args:
      function: `(*so_far, string [size])` to what is so far, of one ciphertext more.
      initial: What is so far of none.
      finish: `(*so_far)` to tensors [size, ...].
      size: Blocks of a group. The last one is filled with empty strings.
      ciphertexts: string [k, b].
      of_a_block: What is made of one block: a `tf.TensorSpec`, or several.

    Returns:
      What is made of all, [b, ...].
    """
    k, b = tf.unstack(tf.shape(ciphertexts))

    def of_one(index: tf.Tensor) -> Any:
        first = index * size
        there = tf.minimum(size, b - first)

        def one_more(number: tf.Tensor, *so_far: tf.Tensor) -> tuple[tf.Tensor, ...]:
            part = ciphertexts[number, first : first + there]
            filled = tf.cond(
                tf.equal(there, size),
                lambda: part,
                lambda: tf.concat([part, tf.fill([size - there], "")], axis=0),
            )
            return number + 1, *function(*so_far, tf.ensure_shape(filled, [size]))

        _, *total = tf.while_loop(
            lambda number, *_: number < k,
            one_more,
            (tf.constant(0), *initial),
            parallel_iterations=1,
        )
        return finish(*total)

    return _of_all(of_one, size, b, of_a_block)


def _of_all(
    of_one: Callable[[tf.Tensor], Any], size: int, b: tf.Tensor, of_a_block: Any
) -> Any:
    """Joins what is made of each group: of its number, int32, to [size, ...]."""
    made = tf.map_fn(
        of_one,
        tf.range(-(-b // size)),
        fn_output_signature=tf.nest.map_structure(
            lambda one: tf.TensorSpec([size, *one.shape], one.dtype), of_a_block
        ),
        parallel_iterations=chunks.CHUNKS_AT_ONCE,
    )
    return tf.nest.map_structure(
        lambda one, of: tf.reshape(one, [-1, *of.shape])[:b], made, of_a_block
    )
