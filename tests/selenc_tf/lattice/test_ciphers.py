"""What every cipher has to do; each test runs with all of them."""

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from selenc_tf.lattice import (
    block_tails,
    device_cipher,
    device_per_client,
    identity_cipher,
    parameters,
    shell_cipher,
)
from tests.selenc_tf.lattice import ciphers, either

SUMMANDS = 4
BITS = {"tf_shell_bgv": 32, "identity_INSECURE": 32}
PARAMETERS = parameters.choose_parameters(num_summands=SUMMANDS, quantisation_bits=32)
CIPHERS = ciphers.of_catalogue(SUMMANDS, BITS)
SHELL = ciphers.shell(SUMMANDS, 32)
IDENTITY = ciphers.named("identity_INSECURE", SUMMANDS, 32)
DEVICE = ciphers.device(SUMMANDS, 16)
PAD = ciphers.pad(SUMMANDS, 16)
PER_CLIENT = ciphers.per_client(SUMMANDS, 16)
WITH_XLA = (
    "test_what_is_declared",
    "test_round_trip",
    "test_sums_are_exact_modulo_t",
    "test_other_lengths_are_not_opened_nor_added",
    "test_lengths_that_even_out",
)
N = SHELL.num_slots


def integers(cipher, seed, blocks):
    """All plaintexts are equally likely."""
    largest = cipher.max_abs_plaintext
    return np.random.default_rng(seed).integers(
        -largest, largest + 1, [blocks, cipher.num_slots]
    )


def centred(cipher, values):
    """The representatives in [-t / 2, t / 2)."""
    t = cipher.plaintext_modulus
    return (np.asarray(values) + t // 2) % t - t // 2


def sent(cipher, key, rows):
    """Messages of [k, b, N]: string [k, b] and what is released, int32 [k, r]."""
    return tf.map_fn(
        lambda row: either.encrypted(cipher, key, row),
        rows if tf.is_tensor(rows) else np.stack(rows),
        fn_output_signature=(
            tf.TensorSpec([None], tf.string),
            tf.TensorSpec([either.released_size(cipher)], tf.int32),
        ),
    )


def whole_way(cipher, key, rows):
    """Encrypts each of [k, b, N], adds them up, and opens the sum."""
    messages, released = sent(cipher, key, rows)
    sums = tf.reduce_sum(released, axis=0)
    return either.opened(cipher, key, sums, cipher.add(messages))


def test_what_is_declared(cipher, key):
    assert cipher.max_summands == SUMMANDS
    assert len(bytes.fromhex(cipher.digest)) == 8
    t, largest = cipher.plaintext_modulus, cipher.max_abs_plaintext
    if t % 2:
        assert cipher.num_slots == N and largest == t // 2
        assert t == PARAMETERS.plaintext_modulus
        assert cipher.sum_bytes == cipher.upload_bytes
    else:
        assert SUMMANDS * largest < t // 2 <= SUMMANDS * (largest + 1)
        # A seed in the place of what sums have: without a key neither is sent.
        assert (cipher.sum_bytes > cipher.upload_bytes) == either.has_key(cipher)
    assert key.shape == () and key.dtype == tf.string


def test_bytes_of_a_block():
    assert SHELL.upload_bytes == PARAMETERS.block_bytes + block_tails.NUM_BYTES
    chosen = device_cipher.of_sums(SUMMANDS, 16)
    half = chosen.bytes_per_value * DEVICE.num_slots
    assert DEVICE.upload_bytes == half + 32 + block_tails.NUM_BYTES
    assert DEVICE.sum_bytes == 2 * half + block_tails.NUM_BYTES
    chosen = device_per_client.of_sums(SUMMANDS, 16)
    half = chosen.bytes_per_value * PER_CLIENT.num_slots
    assert PER_CLIENT.upload_bytes == half + block_tails.NUM_BYTES
    assert PER_CLIENT.sum_bytes == PER_CLIENT.upload_bytes
    words = 18 * PAD.num_slots // 8
    assert PAD.upload_bytes == words + 32 + block_tails.NUM_BYTES
    assert PAD.sum_bytes == words + SUMMANDS * 32 + block_tails.NUM_BYTES


def test_only_the_insecure_one_says_so():
    assert [cipher.name for cipher in CIPHERS if "INSECURE" in cipher.name] == [
        "identity_INSECURE"
    ]
    assert len({cipher.digest for cipher in CIPHERS}) == len(CIPHERS)


@pytest.mark.parametrize("blocks", [1, 2, 7])
def test_round_trip(cipher, key, blocks):
    values = integers(cipher, blocks, blocks)
    encrypted, released = either.encrypted(cipher, key, values)
    assert encrypted.dtype == tf.string and encrypted.shape == (blocks,)
    assert {len(block) for block in encrypted.numpy()} == {cipher.upload_bytes}
    found = either.opened(cipher, key, released, encrypted)
    assert found.dtype == tf.int64
    np.testing.assert_array_equal(found, values)


def bodies(cipher, key, value):
    """What four messages of two blocks of this value are, without the tails: bytes [8]."""
    row = np.full([2, cipher.num_slots], value)
    made = [either.encrypted(cipher, key, row)[0].numpy() for _ in range(4)]
    return [block[: -block_tails.NUM_BYTES] for block in np.concatenate(made)]


def test_nothing_of_a_message_is_there_twice(cipher, key):
    found = bodies(cipher, key, 5)
    pieces = [body[i : i + 64] for body in found for i in range(0, len(body) - 63, 64)]
    # The identity hides nothing.
    alone = 1 if cipher is IDENTITY else len(pieces)
    assert len(set(pieces)) == alone


def test_plaintexts_do_not_show(cipher, key):
    texts = [bodies(cipher, key, value) for value in (0, cipher.max_abs_plaintext)]
    counts = [
        np.bincount(np.frombuffer(b"".join(text), np.uint8), minlength=256)
        for text in texts
    ]
    seen = np.array(counts)[:, np.sum(counts, axis=0) > 0]
    shows = scipy.stats.chi2_contingency(seen).pvalue < 1e-7
    # The identity hides nothing.
    assert shows == (cipher is IDENTITY)


def test_the_whole_range_comes_back(cipher, key):
    values, largest = (
        np.zeros([1, cipher.num_slots], np.int64),
        cipher.max_abs_plaintext,
    )
    values[0, :5] = [largest, -largest, largest - 1, 1 - largest, -1]
    encrypted, released = either.encrypted(cipher, key, values)
    found = either.opened(cipher, key, released, encrypted)
    np.testing.assert_array_equal(found, values)


def test_plaintexts_are_taken_modulo_an_odd_t(keys):
    for cipher in (SHELL, IDENTITY):
        values, largest = np.zeros([1, N], np.int64), cipher.max_abs_plaintext
        values[0, :2] = [largest + 1, -largest - 1]
        key = keys[cipher.name]
        found = cipher.decrypt(key, cipher.encrypt(key, values)).numpy()
        np.testing.assert_array_equal(found[0, :3], [-largest, largest, 0])


def test_slots_do_not_mix(cipher, key):
    one_hot = np.zeros([1, cipher.num_slots], np.int64)
    one_hot[0, 3] = 7
    found = whole_way(cipher, key, np.stack([one_hot, one_hot[:, ::-1]]))
    np.testing.assert_array_equal(found, one_hot + one_hot[:, ::-1])


@settings(max_examples=10, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    blocks=st.integers(0, 4),
    k=st.integers(1, SUMMANDS),
    largest=st.booleans(),
)
def test_sums_are_exact_modulo_t(cipher, keys, seed, blocks, k, largest):
    rows = [integers(cipher, seed + i, blocks) for i in range(k)]
    if largest:
        most = cipher.max_abs_plaintext
        rows = [np.full([blocks, cipher.num_slots], most) for _ in range(k)]
    key = keys[either.name_of(cipher)]
    messages, released = sent(cipher, key, rows)
    total = cipher.add(messages)
    assert {len(block) for block in total.numpy()} <= {cipher.sum_bytes}
    found = either.opened(cipher, key, tf.reduce_sum(released, axis=0), total)
    np.testing.assert_array_equal(found, centred(cipher, np.sum(rows, axis=0)))


def test_sums_can_be_added(cipher, key):
    rows = [integers(cipher, seed, 2) for seed in range(4)]
    parts, released = sent(cipher, key, rows)
    halves = [cipher.add(parts[:2]), cipher.add(parts[2:])]
    total = either.opened(
        cipher, key, tf.reduce_sum(released, axis=0), cipher.add(tf.stack(halves))
    )
    np.testing.assert_array_equal(total, centred(cipher, np.sum(rows, axis=0)))


def test_blocks_can_be_opened_alone_and_in_any_order(cipher, key):
    values = integers(cipher, 0, 3)
    encrypted, released = either.encrypted(cipher, key, values)
    for at in (2, 0):
        found = either.opened(cipher, key, released, encrypted[at : at + 1], at)
        np.testing.assert_array_equal(found, values[at : at + 1])
    together = either.opened(cipher, key, released, tf.gather(encrypted, [2, 0]))
    if either.has_key(cipher):
        np.testing.assert_array_equal(together, values[[2, 0]])
    else:  # The a of a block is that of its place in the round.
        assert np.mean(together != values[[2, 0]]) > 0.999


def test_nothing_to_encrypt(cipher, key):
    values = np.zeros([0, cipher.num_slots], np.int64)
    nothing, released = either.encrypted(cipher, key, values)
    assert nothing.shape == (0,)
    for k in (1, 2):
        assert cipher.add(tf.stack([nothing] * k)).shape == (0,)
    found = either.opened(cipher, key, released, nothing)
    assert found.shape == (0, cipher.num_slots)


def test_too_few_or_too_many_summands(cipher, key):
    one, _ = either.encrypted(cipher, key, integers(cipher, 0, 1))
    for k in (0, SUMMANDS + 1):
        with pytest.raises(tf.errors.InvalidArgumentError, match="max_summands"):
            cipher.add(tf.repeat(one[tf.newaxis], k, axis=0))


@pytest.mark.parametrize("k", [1, 2])
@pytest.mark.parametrize("change", [-1, 1, None])
def test_other_lengths_are_not_opened_nor_added(cipher, key, k, change):
    blocks, released = either.encrypted(cipher, key, integers(cipher, 0, 2))
    good = blocks.numpy()
    wrong = bytes(cipher.upload_bytes + change) if change else b""
    opened = either.opened(cipher, key, released, [good[0], wrong])
    np.testing.assert_array_equal(
        opened, [integers(cipher, 0, 2)[0], np.zeros(cipher.num_slots)]
    )
    message = f"must have {cipher.upload_bytes} (or {cipher.sum_bytes} )?bytes"
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        cipher.add([good] * (k - 1) + [[good[0], wrong]])


def test_lengths_that_even_out(cipher, key):
    # Taken together these have the bytes of two blocks.
    pair = [bytes(cipher.upload_bytes - 20), bytes(cipher.upload_bytes + 20)]
    with pytest.raises(tf.errors.InvalidArgumentError, match="must have"):
        cipher.add([pair])
    released = tf.ones([either.released_size(cipher)], tf.int32)
    assert not np.any(either.opened(cipher, key, released, pair))


def test_any_bytes_are_safe(cipher, key):
    rng = np.random.default_rng(0)
    size = cipher.upload_bytes
    garbage = [rng.bytes(size) for _ in range(300)]
    garbage += [b"\xff" * size, bytes(size), b"\x80" * size, b"\x12\x80\x6c" * size]
    garbage = [block[:size] for block in garbage]
    count = len(garbage)
    block, released = either.encrypted(cipher, key, integers(cipher, 0, 1))
    good = np.repeat(block, count)

    def opened(blocks):
        return either.opened(cipher, key, released, blocks)

    for call, shape in (
        (lambda: opened(garbage), (count, cipher.num_slots)),
        (lambda: cipher.add([garbage, good]), (count,)),
        (lambda: cipher.add([garbage] * SUMMANDS), (count,)),
        (lambda: opened(cipher.add([garbage, good])), (count, cipher.num_slots)),
    ):
        try:
            assert call().shape == shape
        except tf.errors.InvalidArgumentError:
            pass
    # And nothing is broken afterwards.
    np.testing.assert_array_equal(opened(good[:1]), integers(cipher, 0, 1))


SHAPES = [(1, 1), (3, 2), (2, 0), (SUMMANDS, 4)]


def test_in_a_graph_with_unknown_shapes(cipher, key):
    traced = tf.function(
        lambda key, rows: whole_way(cipher, key, rows),
        input_signature=[
            tf.TensorSpec([], tf.string),
            tf.TensorSpec([None, None, cipher.num_slots], tf.int64),
        ],
        autograph=False,
    )
    for k, blocks in SHAPES:
        rows = integers(cipher, k, k * blocks).reshape([k, blocks, cipher.num_slots])
        np.testing.assert_array_equal(
            traced(key, rows), centred(cipher, rows.sum(axis=0))
        )


def test_step_by_step(cipher, key):
    tf.config.run_functions_eagerly(True)
    try:
        # Not without blocks: TensorFlow's eager loops cannot collect no variants.
        for k, blocks in (shape for shape in SHAPES if shape[1]):
            rows = integers(cipher, k, k * blocks).reshape(
                [k, blocks, cipher.num_slots]
            )
            np.testing.assert_array_equal(
                whole_way(cipher, key, tf.constant(rows)),
                centred(cipher, rows.sum(axis=0)),
            )
    finally:
        tf.config.run_functions_eagerly(False)


def test_in_a_graph_that_was_serialised(cipher, key):
    with tf.Graph().as_default() as graph:
        inputs = [
            tf.compat.v1.placeholder(tf.string, [], "key"),
            tf.compat.v1.placeholder(tf.int64, [None, None, cipher.num_slots], "rows"),
        ]
        tf.identity(whole_way(cipher, *inputs), "result")
    text = graph.as_graph_def().SerializeToString()

    def imported(key, rows):
        graph_def = tf.compat.v1.GraphDef.FromString(text)
        (result,) = tf.graph_util.import_graph_def(
            graph_def, {"key": key, "rows": rows}, ["result:0"], name=""
        )
        return result

    function = tf.compat.v1.wrap_function(
        imported,
        [
            tf.TensorSpec([], tf.string),
            tf.TensorSpec([None, None, cipher.num_slots], tf.int64),
        ],
    )
    for k, blocks in SHAPES:
        rows = integers(cipher, k, k * blocks).reshape([k, blocks, cipher.num_slots])
        found = function(key, tf.constant(rows))
        np.testing.assert_array_equal(found, centred(cipher, rows.sum(axis=0)))


def test_built_while_a_graph_is_traced(key):
    @tf.function(autograph=False)
    def build():
        identity_cipher.build_identity_cipher_INSECURE(N, 17, SUMMANDS)
        return shell_cipher.build_shell_cipher(
            parameters.choose_parameters(num_summands=2, quantisation_bits=8)
        ).keygen()

    assert build().dtype == tf.string


@pytest.mark.parametrize(
    "changes",
    [
        {"num_slots": 0},
        {"max_summands": 0},
        {"plaintext_modulus": 16},
        {"plaintext_modulus": 1},
        {"plaintext_modulus": 2**62 + 1},
    ],
)
def test_the_identity_checks_its_numbers(changes):
    numbers = {"num_slots": 4, "plaintext_modulus": 17, "max_summands": 2} | changes
    (name,) = changes
    with pytest.raises(ValueError, match=name):
        identity_cipher.build_identity_cipher_INSECURE(**numbers)


def test_the_identity_hides_nothing():
    small = identity_cipher.build_identity_cipher_INSECURE(2, 7, 2)
    (block,) = small.encrypt("", [[3, -1]]).numpy()
    assert block[: -block_tails.NUM_BYTES] == np.array([3, -1], "<i8").tobytes()
    # 3 + 1 = 4 = -3 modulo 7.
    total = small.add([[block], small.encrypt("", [[1, 1]])[0:1]])
    np.testing.assert_array_equal(small.decrypt("", total), [[-3, 0]])
