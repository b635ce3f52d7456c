"""Nothing is opened but what says that it is a sum within the bounds, under the key."""

import base64
import contextlib
import dataclasses

import numpy as np
import pytest
import sympy
import tensorflow as tf

from selenc_tf.lattice import (
    block_tails,
    key_store,
    parameters,
    shell_cipher,
)
from tests.selenc_tf.lattice import ciphers, either

CHOSEN = parameters.choose_parameters(4, 16)
SHELL = ciphers.shell(4, 16)
DEVICE = ciphers.device(4, 16)
PAD = ciphers.pad(4, 16)
CIPHERS = ciphers.of_catalogue(4, {})
N = SHELL.num_slots
ROW = np.full([1, N], 3)


def row_of(cipher):
    return np.full([1, cipher.num_slots], 3)


@contextlib.contextmanager
def without_assertions():
    """Grappler takes all of them out of what is traced in here."""
    tf.config.optimizer.set_experimental_options({"debug_stripper": True})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({"debug_stripper": False})


def times(cipher, block, count):
    """The block added up so often, as often as may be at a time."""
    if count <= 4:
        return cipher.add(tf.tile(block[tf.newaxis], [count, 1]))
    parts = [times(cipher, block, count // 4)] * 4
    return cipher.add(tf.stack(parts)) if count % 4 == 0 else more(cipher, parts, block)


def more(cipher, parts, block):
    return cipher.add(tf.stack([cipher.add(tf.stack(parts)), block]))


def counted_as(block, count):
    """What somebody who can write tails makes of a block."""
    (text,) = block.numpy()
    return tf.constant([text[:-9] + b"%09d" % count])


def opened(cipher, key, block, released=None):
    """Of a message, or of a sum with what is released of all that it is of."""
    return either.opened(cipher, key, released, block).numpy()


def test_what_a_block_says(cipher, key):
    block, _ = either.encrypted(cipher, key, row_of(cipher))
    (text,) = block.numpy()
    tail = text[-block_tails.NUM_BYTES :].decode()
    assert len(text) == cipher.upload_bytes
    assert tail.startswith(cipher.digest)
    assert tail.endswith("u000000001")
    # Without one its place has the id of the round.
    assert not either.has_key(cipher) or tail[:96] == key.numpy()[:96].decode()
    (total,) = times(cipher, block, 3).numpy()
    assert len(total) == cipher.sum_bytes
    assert total[-106:-10] == text[-106:-10] and total[-10:] == b"s000000003"


def test_keys_have_ids_of_their_own():
    ids = {SHELL.keygen().numpy()[64:96] for _ in range(5)}
    assert len(ids) == 5
    # 24 random bytes: all values of all bytes are about as frequent.
    drawn = np.frombuffer(
        b"".join(base64.urlsafe_b64decode(text) for text in ids), np.uint8
    )
    assert drawn.size == 5 * 24 and len(np.unique(drawn)) > 60


@pytest.mark.parametrize("counts", [(1, 1), (1, 3), (2, 2), (2, 1, 1), (4,)])
def test_sums_of_sums_within_the_bound_open(cipher, key, counts):
    block, released = either.encrypted(cipher, key, row_of(cipher))
    total = cipher.add(tf.stack([times(cipher, block, count) for count in counts]))
    found = opened(cipher, key, total, sum(counts) * released)
    np.testing.assert_array_equal(found, sum(counts) * row_of(cipher))


@pytest.mark.parametrize("stripped", [False, True])
@pytest.mark.parametrize("count", [5, 8, 16, 17, 4**6])
def test_a_sum_of_too_many_opens_to_nothing(cipher, key, count, stripped):
    block, released = either.encrypted(cipher, key, row_of(cipher))
    with without_assertions() if stripped else contextlib.nullcontext():
        total = times(cipher, block, count)
        assert not np.any(opened(cipher, key, total, released))
        # And so does what it is added to.
        for others in ([total, block], [block, total], [total]):
            assert not np.any(
                opened(cipher, key, cipher.add(tf.stack(others)), released)
            )
    # Were it counted as one, it would not be nothing: that tells of the noise. (Where seeds
    # are counted, too, it may be nothing then.)
    assert cipher is PAD or np.any(opened(cipher, key, counted_as(total, 1), released))


def test_too_many_at_once_without_assertions(cipher, key):
    block, released = either.encrypted(cipher, key, row_of(cipher))
    five = tf.tile(block[tf.newaxis], [5, 1])
    with pytest.raises(tf.errors.InvalidArgumentError, match="max_summands"):
        cipher.add(five)
    with without_assertions():
        added = tf.function(lambda blocks: cipher.add(blocks), autograph=False)(five)
    assert not np.any(opened(cipher, key, added, released))


def test_a_forged_count_opens_within_the_bound_only(cipher, key):
    block, released = either.encrypted(cipher, key, row_of(cipher))
    believed = (1,) if cipher is PAD else (1, 4)
    for count in believed:
        found = opened(cipher, key, counted_as(block, count), released)
        assert np.all(found == row_of(cipher))
    for count in {0, 4, 5, 10**8} - {*believed}:
        assert not np.any(opened(cipher, key, counted_as(block, count), released))


def test_more_blocks_than_may_be_say_nothing():
    tails = block_tails.BlockTails("0" * 64, 0, 4)
    text = tails.digest + "A" * block_tails.KEY_ID_BYTES + "u000000001"
    for count in range(1, 8):
        (said,) = tails.of_sum(tf.fill([count, 1], text), tf.constant([""])).numpy()
        assert int(said[-9:]) == (count if count <= 4 else 0)


def test_no_total_wraps_around():
    """As many blocks as are believed, each of as many messages as is believed."""
    most = 10**9 - 1
    assert block_tails.BlockTails("0" * 64, 0, most).max_summands == most
    assert most**2 < 2**63


def test_another_key_opens_nothing(tmp_path):
    series = key_store.create_series(tmp_path / "keys", SHELL, 2)
    one, two = (key_store.read(series, SHELL, number) for number in range(2))
    block, other = SHELL.encrypt(one, ROW), SHELL.encrypt(two, ROW)
    for key in (two, SHELL.keygen()):
        assert not np.any(opened(SHELL, key, block))
    mixed = SHELL.add(tf.stack([block, other]))
    for key in (one, two):
        assert not np.any(opened(SHELL, key, mixed))
        further = SHELL.add(tf.stack([mixed, SHELL.encrypt(key, ROW)]))
        assert not np.any(opened(SHELL, key, further))


def other_modulus():
    step = 2 * N
    modulus = CHOSEN.plaintext_modulus - step
    while not sympy.isprime(modulus):
        modulus -= step
    return {"plaintext_modulus": modulus}


@pytest.mark.parametrize(
    "changes",
    [other_modulus(), pytest.param({"max_summands": 3}, marks=pytest.mark.slow)],
)
def test_other_parameters_open_nothing(keys, changes):
    key = keys[SHELL.name]
    chosen = dataclasses.replace(CHOSEN, **changes)
    other = shell_cipher.build_shell_cipher(chosen)
    block = SHELL.encrypt(key, ROW)
    # The length is right; with the digest too, what is opened would tell of the noise.
    digest = chosen.digest(block_tails.DIGEST_DIGITS).encode()
    renamed_key = tf.constant(digest + key.numpy()[64:])
    assert not np.any(opened(other, renamed_key, block))
    (text,) = block.numpy()
    renamed = tf.constant([text[:-106] + digest + text[-42:]])
    assert np.any(opened(other, renamed_key, renamed))
    foreign = other.encrypt(renamed_key, ROW)
    for added in (
        other.add(block[tf.newaxis]),
        other.add(tf.stack([block, foreign])),
        SHELL.add(tf.stack([block, foreign])),
    ):
        assert not np.any(opened(SHELL, key, added))
        assert not np.any(opened(other, renamed_key, added))


@pytest.mark.parametrize(
    "changes",
    [other_modulus(), pytest.param({"max_summands": 3}, marks=pytest.mark.slow)],
)
def test_a_key_is_for_its_parameters_only(keys, changes):
    """Also where assertions are taken out: what it was not made for gives nothing."""
    other = shell_cipher.build_shell_cipher(dataclasses.replace(CHOSEN, **changes))
    key = keys[SHELL.name]
    block = SHELL.encrypt(key, ROW)
    with without_assertions():
        for use in (
            lambda: other.encrypt(key, ROW),
            lambda: other.decrypt(key, block),
        ):
            with pytest.raises(tf.errors.InvalidArgumentError, match="same_parameters"):
                tf.function(use, autograph=False)()


def test_an_upload_as_long_as_a_sum_opens_to_nothing(keys):
    """With something in front of it: what stood there would be read as c."""
    key = keys[DEVICE.name]
    (text,) = DEVICE.encrypt(key, row_of(DEVICE)).numpy()
    long = bytes(DEVICE.sum_bytes - DEVICE.upload_bytes) + text
    assert not np.any(opened(DEVICE, key, tf.constant([long])))
    # Said to be a sum, it is opened: that tells of the key.
    said = long[:-10] + b"s" + long[-9:]
    assert np.any(opened(DEVICE, key, tf.constant([said])))


def test_a_sum_as_long_as_an_upload_opens_to_nothing(keys):
    key = keys[DEVICE.name]
    (text,) = DEVICE.add(DEVICE.encrypt(key, row_of(DEVICE))[tf.newaxis]).numpy()
    short = text[DEVICE.sum_bytes - DEVICE.upload_bytes :]
    assert not np.any(opened(DEVICE, key, tf.constant([short])))
    assert np.any(opened(DEVICE, key, tf.constant([short[:-10] + b"u" + short[-9:]])))


def test_damaged_tails_open_to_nothing(cipher, key):
    row = row_of(cipher)
    blocks, released = either.encrypted(cipher, key, np.repeat(row, 40, axis=0))
    text = blocks[0].numpy()
    damaged = [text + b"0", text[:-1], b"", text[:10], text[:-106], text[-106:]]
    for place in range(1, block_tails.NUM_BYTES + 1, 7):
        spoilt = bytearray(text)
        spoilt[-place] = ord(".")
        damaged.append(bytes(spoilt))
    for count in (b"       +1", b"       01", b"-00000001", b"1.0000000", b"00000001 "):
        damaged.append(text[:-9] + count)
    # Digits, but not ASCII's, and a line that ends before the end.
    damaged.append(text[:-9] + "\u0661".encode() * 4 + b"1")
    damaged.append(text[:-9] + b"00000001\n")
    damaged.append(text[:-107] + text[-106:] + b"\n")
    # Without a key a block opens in its place only.
    last = blocks[1 + len(damaged)].numpy()
    rows = opened(cipher, key, tf.constant([text, *damaged, last]), released)
    np.testing.assert_array_equal(rows[[0, -1]], np.repeat(row, 2, axis=0))
    assert not np.any(rows[1:-1])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"digest": "00"}, "must have 64 hex digits"),
        ({"max_summands": 0}, "at least 1"),
        ({"max_summands": 10**9}, "at most 9 digits"),
    ],
)
def test_what_does_not_fit_is_refused(changes, message):
    fields = {"digest": "0" * 64, "ciphertext_bytes": 8, "max_summands": 4}
    with pytest.raises(ValueError, match=message):
        block_tails.BlockTails(**(fields | changes))
