"""No seed is frozen or shown: in graphs, what is saved, and what XLA compiles."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from selenc_tf.lattice.device import entropy, pad, parameters, rlwe

RLWE = rlwe.Rlwe(
    parameters.RlweParameters(11, (134176769, 134111233), 16, 16, columns=1)
)
PAD = pad.Pad(16, 64, columns=64)
# Every bit of a ciphertext of zeros under a known key is then the seeds'.
KEY = tf.cast(tf.range(8), tf.uint32)
compiled = functools.partial(tf.function, jit_compile=True, autograph=False)


@compiled
def rlwe_chunk(secret_seed, public_seed, noise_seed):
    secret = RLWE.secret_values(RLWE.secret_coefficients(secret_seed))
    public = RLWE.public(public_seed, 0)
    chosen = RLWE.parameters
    zeros = tf.zeros([chosen.fields, chosen.degree, chosen.columns], tf.int32)
    return RLWE.pack(RLWE.encrypt(secret, public, noise_seed, 0, zeros))


@compiled
def pad_chunk(shared_key, seed):
    zeros = tf.zeros([PAD.rows, PAD.columns], tf.int32)
    return PAD.encrypt(pad.message_key(shared_key, seed), tf.constant(0), zeros)


def rlwe_message(key):
    """Words, and the seeds as a test may know them: public, noise."""
    public, noise = entropy.draw_seed(), entropy.draw_seed()
    return rlwe_chunk(key, public, noise), tf.stack([public, noise])


def pad_message(key):
    seed = entropy.draw_seed()
    return pad_chunk(key, seed), seed[tf.newaxis]


def pad_key(key):
    """Of nothing but a secret: what a graph must not show."""
    del key
    secret = entropy.draw_seed()
    return pad_chunk(secret, entropy.draw_seed()), secret[tf.newaxis]


MESSAGES = (rlwe_message, pad_message, pytest.param(pad_key, marks=pytest.mark.slow))
each = pytest.mark.parametrize("message", MESSAGES, ids=lambda one: one.__name__)


@functools.cache
def twice(message):
    """Two messages in one graph, of the same plaintext under the same key."""
    signature = [tf.TensorSpec([8], tf.uint32)]
    return tf.function(
        lambda key: (*message(key), *message(key)), signature, autograph=False
    )


def all_differ(arrays):
    texts = [np.asarray(one).tobytes() for one in arrays]
    return len(set(texts)) == len(texts) > 1


@pytest.mark.slow
@each
def test_no_two_messages_are_alike(message):
    calls = [twice(message)(KEY) for _ in range(2)]
    assert all_differ([words for call in calls for words in call[::2]])
    assert all_differ([row for call in calls for seeds in call[1::2] for row in seeds])


@pytest.mark.slow
@each
def test_not_after_saving_either(message, tmp_path):
    module = tf.Module()
    module.message = twice(message)
    before = twice(message)(KEY)
    tf.saved_model.save(module, str(tmp_path))
    calls = [tf.saved_model.load(str(tmp_path)).message(KEY) for _ in range(2)]
    assert all_differ([words for call in (*calls, before) for words in call[::2]])
    texts = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    shown = [seeds for call in (*calls, before) for seeds in call[1::2]]
    assert not any(stands_in(word, text) for word in words_of(shown) for text in texts)


def words_of(seeds):
    return {int(word) for one in seeds for word in np.ravel(one)}


def stands_in(word, text):
    """As four bytes in either order, or as a number."""
    octets = word.to_bytes(4, "little")
    return any(one in text for one in (octets, octets[::-1], str(word).encode()))


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["hlo", "optimized_hlo"])
def test_no_seed_in_the_compiled_program(stage):
    seeds = [entropy.draw_seed() for _ in range(3)]
    for function, arguments in ((rlwe_chunk, seeds), (pad_chunk, seeds[:2])):
        function(*arguments)
        program = function.experimental_get_compiler_ir(*arguments)(stage=stage)
        assert "ENTRY" in program
        assert not any(stands_in(w, program.encode()) for w in words_of(seeds))


def test_a_frozen_seed_would_be_found():
    seed = entropy.draw_seed().numpy()
    frozen = compiled(lambda: pad_chunk(KEY, tf.constant(seed)))
    program = frozen.experimental_get_compiler_ir()(stage="hlo").encode()
    assert all(stands_in(word, program) for word in words_of([seed]))
