"""Addition on the coefficients, against tf-shell's own and Python's integers."""

import functools

import numpy as np
import pytest
import tensorflow as tf
from tf_shell.python import shell_ops

from selenc_tf.lattice import (
    block_tails,
    coefficient_sum,
    shell_cipher,
    shell_context,
)
from selenc_tf.lattice import parameters as parameters_lib
from selenc_tf.lattice.parameters import Parameters
from tests.selenc_tf.lattice import numpy_bgv

SMALL = parameters_lib.choose_parameters(num_summands=8, quantisation_bits=4)
USUAL = parameters_lib.choose_parameters(num_summands=64, quantisation_bits=16)
# Sums of so many of these coefficients do not fit into 63 bits: they are added one by one.
WIDE = parameters_lib.choose_parameters(num_summands=2**12, quantisation_bits=32)
# The widest coefficients, some of which lie in nine bytes.
WIDEST = parameters_lib.choose_parameters(num_summands=64, quantisation_bits=4)
# Two primes of different widths, with which tf-shell does not encrypt here.
SEVERAL = Parameters(13, (68719230977, 35184371613697), 65537, 3)


@functools.cache
def cipher_of(parameters):
    return shell_cipher.build_shell_cipher(parameters)


def sum_of_tf_shell(parameters, ciphertexts):
    layout = shell_cipher._learn_layouts(parameters).block
    context = shell_context.make(parameters)
    parsed = [layout.frame_all(blocks) for blocks in ciphertexts]
    add = functools.partial(shell_ops.add_ct_ct64, context)
    return layout.strip_all(functools.reduce(add, parsed))


def without_tails(blocks):
    found = [block[: -block_tails.NUM_BYTES] for block in blocks.numpy()]
    # NumPy's own strings would end before zeros.
    return np.array(found, object)


SETS = {"small": SMALL, "usual": USUAL, "wide": WIDE, "widest": WIDEST}
EVERY_DAY = (("small", 33),)
"""Two chunks; the widest coefficients are in `test_any_bytes`."""


@pytest.mark.parametrize(
    ("name", "summands", "blocks"),
    [
        pytest.param(
            name,
            summands,
            blocks,
            marks=[] if (name, blocks) in EVERY_DAY else [pytest.mark.slow],
        )
        for name in SETS
        for summands, blocks in [(2, 1), (3, 33)]
    ],
)
def test_the_bytes_are_those_of_tf_shell(name, summands, blocks):
    parameters = SETS[name]
    cipher = cipher_of(parameters)
    key = cipher.keygen()
    half = parameters.plaintext_modulus // (2 * summands + 1)
    values = np.random.default_rng(0).integers(
        -half, half, [summands, blocks, cipher.num_slots]
    )
    ciphertexts = tf.stack([cipher.encrypt(key, one) for one in values])
    total = cipher.add(ciphertexts)
    expected = sum_of_tf_shell(parameters, ciphertexts)
    np.testing.assert_array_equal(without_tails(total), expected)
    np.testing.assert_array_equal(cipher.decrypt(key, total), values.sum(axis=0))


def test_these_parameters_are_what_they_are_for():
    def fits(parameters):
        (modulus,) = parameters.ciphertext_moduli
        return parameters.max_summands * 2 ** modulus.bit_length() < 2**63

    assert fits(SMALL)
    assert fits(USUAL)
    assert not fits(WIDE)
    assert WIDEST.ciphertext_moduli[0].bit_length() == 62
    assert len({q.bit_length() for q in SEVERAL.ciphertext_moduli}) == 2


@pytest.mark.parametrize("parameters", [SMALL, WIDE, WIDEST, SEVERAL])
@pytest.mark.parametrize("octet", [b"\xff", b"\x00", None])
def test_any_bytes(parameters, octet):
    # The largest coefficients that bytes can mean are above the primes.
    size, summands = parameters.block_bytes, min(parameters.max_summands, 9)
    random = np.random.default_rng(1)
    blocks = [octet * size if octet else random.bytes(size) for _ in range(summands)]
    total = coefficient_sum.add(parameters, tf.constant(blocks)[:, tf.newaxis])
    half = size // 2
    for part in (slice(0, half), slice(half, size)):
        exact = sum(
            np.array(coefficients(block[part], parameters), object) for block in blocks
        )
        found = coefficients(total[0].numpy()[part], parameters)
        primes = np.repeat(
            np.array(parameters.ciphertext_moduli, object), parameters.num_slots
        )
        np.testing.assert_array_equal(found, exact % primes)


def coefficients(text, parameters):
    found = []
    for modulus in parameters.ciphertext_moduli:
        length = parameters.num_slots * modulus.bit_length() // 8
        found.extend(map(int, numpy_bgv.unpack(text[:length], modulus.bit_length())))
        text = text[length:]
    return found


def test_one_and_none():
    cipher = cipher_of(SMALL)
    zeros = np.zeros([2, cipher.num_slots], np.int64)
    blocks = cipher.encrypt(cipher.keygen(), zeros)
    alone = coefficient_sum.add(SMALL, blocks[tf.newaxis])
    np.testing.assert_array_equal(alone, without_tails(blocks))
    nothing = tf.zeros([3, 0], tf.string)
    assert coefficient_sum.add(SMALL, nothing).shape == (0,)
    traced = tf.function(
        lambda blocks: coefficient_sum.add(SMALL, blocks), autograph=False
    )
    assert traced(nothing).shape == (0,)
