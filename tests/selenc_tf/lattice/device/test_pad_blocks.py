"""Groups of padded blocks: the pads are those of single chunks, of a seed each."""

import numpy as np
import pytest
import tensorflow as tf

from selenc_tf.lattice.device import pad, pad_blocks
from selenc_tf.lattice.device.pad_parameters import PadParameters

KEY = tf.constant(np.arange(8) + 3, tf.uint32)
SEEDS = tf.constant(np.random.default_rng(0).integers(0, 2**32, [3, 8]), tf.uint32)
NARROW, WIDE = (PadParameters(bits, 64, 8, group_blocks=3) for bits in (16, 32))


@pytest.mark.parametrize("chosen", [NARROW, WIDE], ids=["uint32", "uint64"])
def test_pads_are_those_of_chunks(chosen):
    found = pad_blocks.PadBlocks(chosen).pads(KEY, SEEDS)
    for place, seed in enumerate(tf.unstack(SEEDS)):
        expected = chosen.scheme.pads(pad.message_key(KEY, seed), tf.constant(0))
        np.testing.assert_array_equal(found[place], expected)
