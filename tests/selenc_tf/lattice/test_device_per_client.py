"""`device_rlwe` without a shared key: exact sums, an oracle, no secret used twice."""

import dataclasses

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from selenc_tf import catalog
from selenc_tf.lattice import (
    block_tails,
    codec,
    device_cipher,
    device_per_client,
    message,
    per_client,
)
from selenc_tf.lattice import engine as engine_lib
from selenc_tf.lattice.device import entropy
from selenc_tf.lattice.refusal import Refusal
from tests.selenc_tf.lattice import ciphers
from tests.selenc_tf.lattice.device import numpy_rlwe, rfc8439

SUMMANDS = 4
CIPHER = ciphers.per_client(SUMMANDS, 16)
CHOSEN = device_per_client.of_sums(SUMMANDS, 16)
KNOWN = tf.constant([11, 22, 0, 0, 0, -33, 44, 5, 66], tf.int64)
COHORT = tf.constant([-7, 1, 8, 2**62], tf.int64)
BODY = CIPHER.upload_bytes - block_tails.NUM_BYTES


def codes(count, blocks, seed=0):
    """Of `count` messages, with both limits among them."""
    largest = CIPHER.max_abs_plaintext
    shape = [count, blocks, CIPHER.num_slots]
    drawn = np.random.default_rng(seed).integers(-largest, largest + 1, shape)
    drawn[:, :, 0], drawn[:, :, 1] = largest, -largest
    return drawn.astype(CIPHER.code_dtype.as_numpy_dtype)


def encrypted(rows, known=KNOWN):
    """Blocks and secrets of messages."""
    made = [CIPHER.encrypt(known, row) for row in rows]
    blocks = [message.blocks_of(sent) for sent, _ in made]
    return tf.stack(blocks), [secret for _, secret in made]


def released(secrets, cohort):
    """The sum of what a cohort releases."""
    parts = [
        CIPHER.release(secret, nonce, cohort, 2)
        for secret, nonce in zip(secrets, cohort, strict=True)
    ]
    return tf.add_n(parts)


class TestSums:
    # In one group of blocks, and in several of which the last is not full.
    @pytest.mark.parametrize("blocks", [1, pytest.param(19, marks=pytest.mark.slow)])
    def test_are_exact(self, blocks):
        rows = codes(SUMMANDS, blocks)
        messages, secrets = encrypted(rows)
        total = CIPHER.add(messages)
        opened = CIPHER.open(KNOWN, released(secrets, COHORT), SUMMANDS, 0, total)
        np.testing.assert_array_equal(opened, rows.astype(int).sum(axis=0))

    @pytest.mark.slow
    def test_sums_of_sums_opened_part_by_part(self):
        rows = codes(3, 19, seed=1)
        messages, secrets = encrypted(rows)
        total = CIPHER.add(tf.stack([CIPHER.add(messages[:2]), messages[2]]))
        sums = released(secrets, COHORT[:3])
        opened = [
            CIPHER.open(KNOWN, sums, 3, first, total[first:end])
            for first, end in ((0, 3), (3, 16), (16, 16), (16, 19))
        ]
        np.testing.assert_array_equal(
            tf.concat(opened, axis=0), rows.astype(int).sum(axis=0)
        )

    def test_a_message_without_blocks(self):
        sent, secret = CIPHER.encrypt(KNOWN, codes(1, 0)[0])
        assert sent.shape == (1,) and np.any(secret)

    @pytest.mark.slow
    def test_what_is_no_plaintext_is_the_nearest_one(self):
        rows = codes(2, 1) * 0
        rows[:, 0, :2] = np.iinfo(rows.dtype).max, np.iinfo(rows.dtype).min
        messages, secrets = encrypted(rows)
        sums = released(secrets, COHORT[:2])
        opened = CIPHER.open(KNOWN, sums, 2, 0, CIPHER.add(messages))
        largest = CIPHER.max_abs_plaintext
        assert opened[0, :3].numpy().tolist() == [2 * largest, -2 * largest, 0]


class TestWhatDoesNotOpen:
    ROWS = codes(3, 1, seed=2)

    def opened(self, messages, sums, clients=2, known=KNOWN):
        return CIPHER.open(known, sums, clients, 0, messages).numpy()

    def test_without_a_secret_nothing_shows(self):
        messages, secrets = encrypted(self.ROWS)
        sums = released(secrets[:2], COHORT[:2])
        found = self.opened(CIPHER.add(messages), sums, clients=3)
        assert (found != self.ROWS.astype(int).sum(axis=0)).mean() > 0.999
        counts, _ = np.histogram(found, bins=64)
        assert scipy.stats.chisquare(counts).pvalue > 1e-7

    def test_what_those_released_who_stayed_opens_their_sum(self):
        """So that the limit is known: a secure sum must see to it that they are enough."""
        messages, secrets = encrypted(self.ROWS)
        sums = released(secrets[:2], COHORT[:2])
        found = self.opened(CIPHER.add(messages[:2]), sums)
        np.testing.assert_array_equal(found, self.ROWS[:2].astype(int).sum(axis=0))

    def test_one_message_by_the_sum_of_two(self):
        messages, secrets = encrypted(self.ROWS[:2])
        found = self.opened(messages[0], released(secrets, COHORT[:2]))
        assert (found != self.ROWS[0]).mean() > 0.999

    def test_of_another_round_opens_to_nothing(self):
        other = KNOWN + tf.one_hot(7, 9, dtype=tf.int64)
        messages, secrets = encrypted(self.ROWS[:2])
        sums = released(secrets, COHORT[:2])
        assert not np.any(self.opened(CIPHER.add(messages), sums, known=other))
        mixed = tf.stack([messages[0], encrypted(self.ROWS[1:2], other)[0][0]])
        for known in (KNOWN, other):
            assert not np.any(self.opened(CIPHER.add(mixed), sums, known=known))

    def test_more_messages_than_the_parameters_bear(self):
        messages, secrets = encrypted(self.ROWS[:2])
        several = CIPHER.add(tf.repeat(messages[:1], 3, axis=0))
        total = CIPHER.add(tf.stack([several, CIPHER.add(messages)]))
        assert not np.any(self.opened(total, released(secrets, COHORT[:2])))
        with pytest.raises(tf.errors.InvalidArgumentError, match="max_summands"):
            CIPHER.add(tf.repeat(messages[:1], SUMMANDS + 1, axis=0))

    def test_other_lengths(self):
        messages, _ = encrypted(self.ROWS[:1])
        with pytest.raises(tf.errors.InvalidArgumentError, match="must have"):
            CIPHER.add(tf.strings.join([messages, "x"]))


class TestRelease:
    SECRET = tf.constant(
        np.random.default_rng(3).integers(-44, 45, CIPHER.secret_size), tf.int32
    )

    def test_in_the_cohort_the_secret_moved(self):
        found = CIPHER.release(self.SECRET, COHORT[1], COHORT, 3).numpy()
        np.testing.assert_array_equal(found, self.SECRET + 2 * CHOSEN.variance)
        assert found.min() >= 0 and found.max() < 2**CIPHER.secret_bits

    def test_the_largest_secret_fits_and_bits_are_few(self):
        most = tf.fill([CIPHER.secret_size], 2 * CHOSEN.variance)
        for secret in (most, -most):
            found = CIPHER.release(secret, COHORT[0], COHORT, 2)
            assert 0 <= found[0] < 2**CIPHER.secret_bits
        assert CIPHER.secret_bits == 7

    def test_outside_of_it_nothing(self):
        found = CIPHER.release(self.SECRET, tf.constant(0, tf.int64), COHORT, 2)
        assert not np.any(found)

    @pytest.mark.parametrize(
        ("cohort", "min_clients"),
        [
            ([-7, 1], 3),
            ([-7], 2),
            ([-7], 0),
            ([], 2),
            ([-7, -7, 1], 2),
            ([-7, 1, 1, 5, 5], 2),
        ],
        ids=["too few", "one", "one whoever asks", "none", "twice", "others twice"],
    )
    def test_from_others_it_is_kept(self, cohort, min_clients):
        cohort = tf.constant(cohort, tf.int64)
        with pytest.raises(tf.errors.InvalidArgumentError, match="a_cohort_must"):
            CIPHER.release(self.SECRET, COHORT[0], cohort, min_clients)

    def test_a_size_that_is_only_claimed_does_not_count(self):
        """A function's own arguments are not compared with what it says of them."""
        called = tf.compat.v1.wrap_function(
            lambda cohort: CIPHER.release(self.SECRET, COHORT[0], cohort, 2),
            [tf.TensorSpec([3], tf.int64)],
        )
        assert np.any(called(COHORT[:3]))
        with pytest.raises(tf.errors.InvalidArgumentError, match="a_cohort_must"):
            called(COHORT[:1])

    def test_xla_which_takes_the_nearest_index_has_no_program_for_it(self):
        compiled = tf.function(
            lambda cohort: CIPHER.release(self.SECRET, COHORT[0], cohort, 3),
            autograph=False,
            jit_compile=True,
        )
        with pytest.raises(tf.errors.InvalidArgumentError, match="AsString"):
            compiled(COHORT[:1])


def of_any_rank(tensor):
    """What tracing takes for a tensor of whatever shape somebody wants."""
    (same,) = tf.while_loop(
        lambda _: tf.constant(False),
        lambda one: (one,),
        [tensor],
        shape_invariants=[tf.TensorShape(None)],
    )
    return same


class TestHiddenRanks:
    """Somebody from outside had a cohort of one so: its size was of all axes."""

    SECRET = tf.constant(0, tf.int32, [CIPHER.secret_size])

    @pytest.mark.parametrize(
        ("nonce", "cohort", "min_clients"),
        [
            (COHORT[0], COHORT[tf.newaxis, :2, tf.newaxis], 2),
            (COHORT[0], COHORT[:2, tf.newaxis], 2),
            (COHORT[0, tf.newaxis, tf.newaxis], COHORT[:2], 2),
            (COHORT[0], COHORT[:2], [2]),
        ],
    )
    def test_release_takes_a_vector_and_one_nonce(self, nonce, cohort, min_clients):
        @tf.function(autograph=False)
        def call():
            given = (self.SECRET, nonce, cohort, tf.constant(min_clients))
            return CIPHER.release(*map(of_any_rank, given))

        with pytest.raises(tf.errors.InvalidArgumentError, match="not compatible"):
            call()

    def test_encrypt_takes_the_numbers_of_one_round(self):
        @tf.function(autograph=False)
        def call():
            return CIPHER.encrypt(of_any_rank(KNOWN[tf.newaxis]), codes(1, 1)[0])

        with pytest.raises(tf.errors.InvalidArgumentError, match="not compatible"):
            call()


class TestFreshness:
    def test_no_two_messages_have_one_secret(self):
        """In one graph, in its loops, and in runs of it; nor the same blocks."""
        rows = codes(1, 1)[0]

        @tf.function(autograph=False)
        def several():
            looped = tf.map_fn(
                lambda _: CIPHER.encrypt(KNOWN, rows),
                tf.range(3),
                fn_output_signature=(
                    tf.TensorSpec([None], tf.string),
                    tf.TensorSpec([CIPHER.secret_size], tf.int32),
                ),
            )
            beside = [CIPHER.encrypt(KNOWN, rows) for _ in range(2)]
            return [
                tf.concat([loop, tf.stack(two)], axis=0)
                for loop, two in zip(looped, zip(*beside, strict=True), strict=True)
            ]

        found = [several() for _ in range(2)]
        secrets = np.concatenate([secret.numpy() for _, secret in found])
        blocks = np.ravel([sent.numpy()[:, 1:] for sent, _ in found])
        assert len(secrets) == len(blocks) == 10
        assert len({one.tobytes() for one in secrets}) == 10
        # Not one piece of a block stands anywhere else.
        pieces = {one[i : i + 64] for one in blocks for i in range(0, BODY, 64)}
        assert len(pieces) == 10 * -(-BODY // 64)
        # They are as good as independent: of some thousand coefficients each.
        close = np.corrcoef(secrets) - np.eye(10)
        assert np.abs(close).max() < 6 / np.sqrt(CIPHER.secret_size)

    def test_nobody_can_give_a_secret_or_a_seed(self):
        given = CIPHER.encrypt.input_signature
        assert [spec.dtype for spec in given] == [tf.int64, CIPHER.code_dtype]
        assert given[0].shape == KNOWN.shape

    def test_secrets_have_the_variance_that_two_clients_need(self):
        assert CHOSEN.variance == 2 * device_cipher.of_sums(4, 16).variance
        rows = codes(1, 0)[0]
        secrets = np.ravel([CIPHER.encrypt(KNOWN, rows)[1] for _ in range(8)])
        law = scipy.stats.binom(4 * CHOSEN.variance, 0.5)
        values = np.arange(-15, 16)
        expected = law.pmf(values + 2 * CHOSEN.variance) * secrets.size
        observed = [(secrets == value).sum() for value in values]
        rest = secrets.size - np.sum(observed), secrets.size - expected.sum()
        found = scipy.stats.chisquare([*observed, rest[0]], [*expected, rest[1]])
        assert found.pvalue > 1e-7

    def test_with_a_smaller_one_nothing_is_built(self):
        small = device_cipher.of_sums(4, 16)
        with pytest.raises(ValueError, match="at least 22 where the sum"):
            device_per_client.build_per_client_cipher(small)

    def test_nor_without_a_source(self, monkeypatch):
        monkeypatch.setattr(entropy.check_source, "__defaults__", ("/nowhere",))
        with pytest.raises(RuntimeError, match="new random numbers"):
            device_per_client.build_per_client_cipher(CHOSEN)


def seed_by_the_definition(known):
    """Of what is known of a round, by the generator of RFC 8439 alone."""
    words = np.frombuffer(np.asarray(known, "<i8").tobytes(), "<u4").tolist()
    words += [0x524F554E, 0x44]
    key = [0] * 8
    for first in range(0, len(words), 4):
        counter, *nonce = words[first : first + 4]
        key = rfc8439.stream(key, nonce, counter, 16)[:8]
    return key


def unpacked(text):
    """Residues of the packed words of one block: int64 [P, N, 1]."""
    bits, count, degree = CHOSEN.prime_bits, len(CHOSEN.primes), CHOSEN.degree
    words = np.frombuffer(text, "<u4").astype(object)
    columns = words.reshape(bits, count, degree // 32)
    whole = sum(columns[j] << (32 * j) for j in range(bits))
    fields = [(whole >> (bits * i)) & ((1 << bits) - 1) for i in range(32)]
    return np.concatenate(fields, axis=1).astype(np.int64)[..., np.newaxis]


@pytest.mark.slow
def test_uploads_and_their_sum_opened_by_the_definition():
    """By NumPy and Python's integers, from the bytes and the secrets alone."""
    one = dataclasses.replace(CHOSEN, columns=1)
    rows = codes(2, 2, seed=4)
    messages, secrets = encrypted(rows)
    total = CIPHER.add(messages).numpy()
    sums = released(secrets, COHORT[:2]).numpy().astype(object)
    sums = sums - 2 * 2 * CHOSEN.variance
    np.testing.assert_array_equal(sums, secrets[0].numpy() + secrets[1].numpy())
    seed = seed_by_the_definition(KNOWN)
    for place in range(2):
        public = numpy_rlwe.public(seed, place, one)
        noises = []
        for row, sent, secret in zip(rows, messages.numpy(), secrets, strict=True):
            s = secret.numpy().astype(object)
            text = sent[place][:BODY]
            found, noise = numpy_rlwe.opened(unpacked(text), public, s, one)
            np.testing.assert_array_equal(found.ravel(), row[place])
            assert np.abs(noise).max() <= 2 * CHOSEN.variance and np.any(noise)
            noises.append(noise)
        assert np.any(noises[0] != noises[1])
        text = total[place][:BODY]
        found, noise = numpy_rlwe.opened(unpacked(text), public, sums, one)
        np.testing.assert_array_equal(
            found.ravel(), rows[:, place].astype(int).sum(axis=0)
        )
        np.testing.assert_array_equal(noise, sum(noises))


class TestWhatIsSent:
    def test_a_block_is_c_and_its_tail(self):
        assert CIPHER.upload_bytes == CIPHER.sum_bytes
        assert BODY == CHOSEN.bytes_per_value * CIPHER.num_slots

    @pytest.mark.slow
    def test_bytes_a_value(self):
        chosen = ciphers.per_client(64, 16)
        assert chosen.upload_bytes / chosen.num_slots < 3.4
        # What a client adds to them: as integers, and in the bits that they have.
        assert (chosen.secret_size, chosen.secret_bits) == (4096, 7)

    def test_the_id_of_a_tail_is_that_of_the_round(self):
        (block,) = encrypted(codes(1, 1))[0][0].numpy()
        seed = np.array(seed_by_the_definition(KNOWN), "<u4").tobytes()
        written = tf.io.encode_base64(seed[-24:]).numpy()
        front = CHOSEN.digest(64).encode() + written
        assert block[BODY:] == front + b"u000000001"


@pytest.mark.parametrize("name", ["encrypt", "add", "release", "open"])
def test_parameters_stand_in_every_function(name):
    """Or the analysis of key flow would not know the cipher."""
    graph = getattr(CIPHER, name).get_concrete_function().graph.as_graph_def()
    assert CHOSEN.text().encode() in graph.SerializeToString()


ENGINE = engine_lib.Engine(codec.FixedPointCodec(16), CIPHER).with_number()
SEED = tf.constant([1, 2], tf.int64)
MASK = tf.constant([7, 7], tf.uint8)


def context_of(m, round_number=3):
    return ENGINE.context(per_client.PerClientKeys(), MASK, round_number, m, run=9)


def sealed(vectors, context):
    """Messages of float32 vectors, with numbers 1.5, 2.5, ... behind them."""
    return [
        engine_lib.seal_own(
            ENGINE,
            tf.constant(vector, tf.float32),
            tf.constant(1.0),
            context,
            SEED,
            ENGINE.number_codes(1.5 + index),
        )
        for index, vector in enumerate(vectors)
    ]


def added(messages, context):
    blocks = CIPHER.add(tf.stack([message.blocks_of(one) for one in messages]))
    return message.assemble(context, len(messages), tf.constant(0), blocks)


class TestThroughTheEngine:
    # One block, and several of which the last is not full.
    @pytest.mark.parametrize("m", [5, pytest.param(30_000, marks=pytest.mark.slow)])
    def test_a_sum_opens_to_the_sum_of_the_codes(self, m):
        vectors = np.random.default_rng(5).uniform(-1.2, 1.2, [3, m])
        context = context_of(m)
        made = sealed(vectors, context)
        for one in made:
            verdict = engine_lib.judge(
                ENGINE, one.message, context, 1, 0, ENGINE.num_blocks(context.values)
            )
            assert Refusal(int(verdict)) is Refusal.ACCEPTED
        sums = released([one.secret for one in made], COHORT[:3])
        found = engine_lib.open_released(
            ENGINE, sums, added([one.message for one in made], context), context, 3
        )
        expected = ENGINE.codec.encode(tf.constant(vectors, tf.float32), 1.0)
        np.testing.assert_array_equal(found[:m], tf.reduce_sum(expected, axis=0))
        assert ENGINE.count_saturated(found, m) == (np.abs(vectors) > 1).sum() > 0
        assert ENGINE.number_of(found, m) == 7.5

    def test_without_one_secret_nothing_is_given_out(self):
        context = context_of(5)
        made = sealed(np.ones([3, 5]), context)
        sums = released([one.secret for one in made[:2]], COHORT[:2])
        total = added([one.message for one in made], context)
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"SECRET_MISSING: .*"):
            engine_lib.open_released(ENGINE, sums, total, context, 3)

    def test_with_nothing_to_encrypt_there_is_no_message(self):
        found = engine_lib.seal_own(
            ENGINE,
            tf.constant([np.nan] * 5),
            tf.constant(1.0),
            context_of(5),
            SEED,
            ENGINE.number_codes(1.0),
            there=tf.constant(False),
        )
        assert found.message.shape == (0,) and found.secret.shape == (4096,)

    def test_it_has_no_key(self):
        assert ENGINE.own_cipher is CIPHER
        with pytest.raises(TypeError, match=r"secrets of their own"):
            engine_lib.seal(ENGINE, "", [1.0], tf.constant(1.0), context_of(1), SEED)
        shared = engine_lib.Engine(codec.FixedPointCodec(16), ciphers.shell(64, 16))
        with pytest.raises(TypeError, match=r"tf_shell_bgv with a shared one"):
            engine_lib.seal_own(shared, [1.0], tf.constant(1.0), context_of(1), SEED)


class TestCatalogue:
    def test_narrow_codes_where_they_are_enough(self):
        assert CIPHER.code_dtype == tf.int16
        chosen = catalog.cipher_parameters("device_rlwe", 4, 17, per_client=True)
        assert chosen.max_abs_plaintext > 2**15 and chosen.variance == 22

    @pytest.mark.parametrize("name", ["tf_shell_bgv", "identity_INSECURE"])
    def test_other_ciphers_need_a_shared_key(self, name):
        with pytest.raises(ValueError, match=r"without a shared key .* as device_rlwe"):
            catalog.per_client_cipher(name, 4, 16)
