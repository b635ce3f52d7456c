"""What `device_rlwe` sends, and that nothing of it is ever there twice."""

import dataclasses
import math

import numpy as np
import pytest
import tensorflow as tf

from selenc_tf.lattice import block_tails, device_cipher
from selenc_tf.lattice.device import entropy, parameters
from tests.selenc_tf.lattice import ciphers
from tests.selenc_tf.lattice.device import numpy_rlwe

CIPHER = ciphers.device(4, 16)
CHOSEN = device_cipher.of_sums(4, 16)
HALF = (CIPHER.sum_bytes - block_tails.NUM_BYTES) // 2
SECRET_BYTES = 4 * len(CHOSEN.primes) * CHOSEN.degree


@pytest.fixture(scope="module")
def key():
    return CIPHER.keygen()


def zeros(blocks):
    return tf.zeros([blocks, CIPHER.num_slots], tf.int64)


def parts_of(block):
    """The packed c and the seed of a, as bytes."""
    return block[:HALF], block[HALF : HALF + 32]


def all_differ(blocks):
    """Whether no two blocks share any of c, by 64 bytes, or the seed."""
    seeds = {parts_of(block)[1] for block in blocks}
    pieces = {block[i : i + 64] for block in blocks for i in range(0, HALF, 64)}
    return len(seeds) == len(blocks) and len(pieces) == len(blocks) * math.ceil(
        HALF / 64
    )


class TestFreshness:
    def test_blocks_of_a_message_and_of_several_groups(self, key):
        assert all_differ(CIPHER.encrypt(key, zeros(19)).numpy())

    def test_messages_of_one_graph_and_of_its_runs(self, key):
        @tf.function(autograph=False)
        def several():
            looped = tf.map_fn(
                lambda _: CIPHER.encrypt(key, zeros(1)),
                tf.range(3),
                fn_output_signature=tf.TensorSpec([None], tf.string),
            )
            beside = [CIPHER.encrypt(key, zeros(2)) for _ in range(2)]
            return tf.concat([*beside, tf.reshape(looped, [-1])], axis=0)

        found = [*several().numpy(), *several().numpy()]
        assert len(found) == 14 and all_differ(found)

    def test_keys(self):
        keys = [CIPHER.keygen().numpy() for _ in range(4)]
        pieces = {key[i : i + 32] for key in keys for i in range(64, len(keys[0]), 32)}
        assert len(pieces) == 4 * ((len(keys[0]) - 64) // 32)

    def test_no_seed_can_be_given(self):
        """A second message under one `a` would show the difference of the two."""
        assert len(CIPHER.encrypt.input_signature) == 2
        assert all(spec.dtype != tf.uint32 for spec in CIPHER.encrypt.input_signature)

    def test_without_a_source_nothing_is_built(self, monkeypatch):
        monkeypatch.setattr(entropy.check_source, "__defaults__", ("/nowhere",))
        with pytest.raises(RuntimeError, match="tf_shell_bgv"):
            device_cipher.build_device_cipher(CHOSEN)


def unpacked(text):
    """Residues of the packed words of one block: int64 [P, N, 1]."""
    bits, count, degree = CHOSEN.prime_bits, len(CHOSEN.primes), CHOSEN.degree
    words = np.frombuffer(text, "<u4").astype(object)
    columns = words.reshape(bits, count, degree // 32)
    whole = sum(columns[j] << (32 * j) for j in range(bits))
    fields = [(whole >> (bits * i)) & ((1 << bits) - 1) for i in range(32)]
    return np.concatenate(fields, axis=1).astype(np.int64)[..., np.newaxis]


def secret_of(key):
    """The secret's coefficients, from its transform in Montgomery form."""
    words = np.frombuffer(key[-SECRET_BYTES:], "<u4").astype(object)
    values = words.reshape(len(CHOSEN.primes), CHOSEN.degree, 1)
    prime = CHOSEN.primes[0]
    plain = (values[0] * pow(2, -32, prime) % prime).astype(np.int64)
    found = numpy_rlwe.interpolated(plain, prime, CHOSEN.log_n)[:, 0]
    return np.where(found > prime // 2, found - prime, found).astype(object)


@pytest.mark.slow
def test_an_upload_and_a_sum_opened_by_the_definition(key):
    """By NumPy and Python's integers, from the bytes alone."""
    one = dataclasses.replace(CHOSEN, columns=1)
    rng = np.random.default_rng(0)
    values = rng.integers(-32767, 32768, [2, CIPHER.num_slots])
    uploads = CIPHER.encrypt(key, values).numpy()
    secret = secret_of(key.numpy())
    assert np.abs(secret).max() <= 2 * CHOSEN.variance and np.any(secret)
    publics, phases = [], []
    for row, block in zip(values, uploads, strict=True):
        text, seed = parts_of(block)
        publics.append(numpy_rlwe.public(np.frombuffer(seed, "<u4").tolist(), 0, one))
        found, noise = numpy_rlwe.opened(unpacked(text), publics[-1], secret, one)
        np.testing.assert_array_equal(found.ravel(), row)
        assert np.abs(noise).max() <= 2 * CHOSEN.variance and np.any(noise)
        phases.append(noise)
    assert np.any(phases[0] != phases[1])
    (total,) = CIPHER.add(uploads[:, np.newaxis]).numpy()
    found, noise = numpy_rlwe.opened(unpacked(total[:HALF]), sum(publics), secret, one)
    np.testing.assert_array_equal(found.ravel(), values.sum(axis=0))
    np.testing.assert_array_equal(noise, sum(phases))


class TestWhatIsSent:
    @pytest.mark.slow
    def test_bytes_a_value(self):
        """Seed and tail included."""
        chosen = ciphers.device(64, 16)
        assert chosen.upload_bytes / chosen.num_slots < 3.14

    def test_a_secret_is_longer_than_what_stays_in_memory(self, key):
        """Pieces of up to 1 KB are not overwritten when they are freed."""
        assert len(key.numpy()) == block_tails.KEY_FRONT_BYTES + SECRET_BYTES
        assert SECRET_BYTES > 1024

    @pytest.mark.slow
    def test_sums_of_uploads_and_sums(self, key):
        rows = np.random.default_rng(1).integers(-99, 100, [4, 9, CIPHER.num_slots])
        a, b, c, d = (CIPHER.encrypt(key, row) for row in rows)
        # Block by block either kind may come first.
        two = tf.where(tf.range(9) % 2 == 0, CIPHER.add([a, b]), a)
        rest = tf.where(tf.range(9) % 2 == 0, c, CIPHER.add([b, c]))
        total = CIPHER.add(tf.stack([two, rest, d]))
        np.testing.assert_array_equal(CIPHER.decrypt(key, total), rows.sum(axis=0))

    @pytest.mark.parametrize("change", [b"", b"x"])
    def test_a_key_of_another_length_is_refused(self, key, change):
        wrong = key.numpy()[: -1 if not change else None] + change
        for use in (
            lambda: CIPHER.encrypt(wrong, zeros(1)),
            lambda: CIPHER.decrypt(wrong, CIPHER.encrypt(key, zeros(1))),
        ):
            with pytest.raises(tf.errors.InvalidArgumentError, match="must_have"):
                use()

    def test_a_key_of_garbage_opens_garbage(self, key):
        front = key.numpy()[: block_tails.KEY_FRONT_BYTES]
        garbage = front + np.random.default_rng(0).bytes(SECRET_BYTES)
        for block in CIPHER.encrypt(key, zeros(1)), CIPHER.encrypt(garbage, zeros(1)):
            assert CIPHER.decrypt(garbage, block).shape == (1, CIPHER.num_slots)


class TestSpelledParameters:
    def test_forth_and_back(self):
        assert parameters.RlweParameters.from_text(CHOSEN.text()) == CHOSEN

    @pytest.mark.parametrize("name", ["keygen", "encrypt", "add", "decrypt"])
    def test_they_stand_in_every_function(self, name):
        """Or the analysis of key flow would not know the cipher."""
        graph = getattr(CIPHER, name).get_concrete_function().graph.as_graph_def()
        assert CHOSEN.text().encode() in graph.SerializeToString()

    @pytest.mark.parametrize(
        "text",
        [
            "device_rlwe ",
            "device_rlwe []",
            "device_rlwe {}",
            'device_rlwe {"primes": 5}',
            CHOSEN.text() + " ",
            CHOSEN.text().replace('"log_n": ', '"log_n": 1'),
            CHOSEN.text().replace('"variance": 11', '"variance": 1'),
            CHOSEN.text().replace('"columns": 8', '"columns": 8.0'),
            CHOSEN.text().replace('"columns": 8', '"columns": "8"'),
            CHOSEN.text().replace("}", ', "more": 1}'),
        ],
    )
    def test_what_is_none_is_refused(self, text):
        assert text != CHOSEN.text()
        with pytest.raises(ValueError, match=r".+"):
            parameters.RlweParameters.from_text(text)


@pytest.mark.parametrize("summands", [4, pytest.param(3, marks=pytest.mark.slow)])
def test_what_is_no_plaintext_opens_to_what_depends_on_no_noise(summands):
    """Or sums of it would tell of noise and key, one after the other."""
    cipher = ciphers.device(summands, 16)
    odd = [2**63 - 1, -(2**63), 2**31, -(2**31), 2**32 + 5, 70_000, -70_000, 2**22, 1]
    row = np.zeros([1, cipher.num_slots], np.int64)
    row[0, : 50 * len(odd)] = np.repeat(odd, 50)
    largest = cipher.max_abs_plaintext
    expected = summands * np.clip(row, -largest, largest)
    for _ in range(2):
        key = cipher.keygen()
        one = cipher.encrypt(key, row)
        opened = cipher.decrypt(key, cipher.add(tf.stack([one] * summands)))
        np.testing.assert_array_equal(opened, expected)
