"""A process that encrypts, and says what was drawn and made: `python -m ... NAME`.

What XLA compiles is written where `XLA_FLAGS` says, which a process reads once.
"""

import sys

import numpy as np
import tensorflow as tf

from selenc_tf import catalog
from selenc_tf.lattice import block_tails
from selenc_tf.lattice.device import entropy
from tests.selenc_tf.lattice import either

SUMMANDS = 4
BITS = 16
SEED_BYTES = 4 * entropy.SEED_WORDS


def built(name):
    """The cipher of the catalogue by `either.name_of`, anew."""
    own = name.endswith("_per_client")
    build = catalog.per_client_cipher if own else catalog.cipher
    return build(name.removesuffix("_per_client"), SUMMANDS, BITS)


def twice(cipher):
    """Two messages of zeros in one graph: a function of the key, and of their length."""

    @tf.function(autograph=False)
    def both(key, blocks):
        made = [
            either.encrypted(
                cipher, key, tf.zeros([blocks, cipher.num_slots], tf.int64)
            )
            for _ in range(2)
        ]
        return tuple(zip(*made, strict=True))

    return both


def bodies(messages):
    """What stands before the tails, of each block."""
    return [
        block[: -block_tails.NUM_BYTES] for one in messages for block in np.asarray(one)
    ]


def _told(draw):
    """Draws, and says what."""

    def drawn(*given):
        words = draw(*given)
        said = tf.print("drawn", words, summarize=-1, output_stream=sys.stdout)
        with tf.control_dependencies([said]):
            return tf.identity(words)

    return drawn


def main(name):
    entropy.draw_words = _told(entropy.draw_words)
    cipher = built(name)
    key, both = either.new_key(cipher), twice(cipher)
    for _ in range(2):
        messages, released = both(key, 2)
        for body in bodies(messages):
            print("seed", np.frombuffer(body[-SEED_BYTES:], "<u4").tolist())
    # All else that is compiled, too.
    sums = cipher.add(tf.stack(messages))
    assert not np.any(either.opened(cipher, key, tf.add_n([*released]), sums))


if __name__ == "__main__":
    main(sys.argv[1])
