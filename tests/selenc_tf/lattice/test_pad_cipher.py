"""What `additive_pad` sends, that nothing of it is there twice, and no seed is chosen."""

import numpy as np
import pytest
import tensorflow as tf

from selenc_tf.lattice import block_tails, pad_cipher
from selenc_tf.lattice.device import entropy, pad_parameters
from tests.selenc_tf.lattice import ciphers
from tests.selenc_tf.lattice.device import rfc8439

SUMMANDS = 4
CIPHER = ciphers.pad(SUMMANDS, 16)
CHOSEN = pad_parameters.choose_parameters(SUMMANDS, 16)
SLOTS, WIDTH = CIPHER.num_slots, 18
WORDS_BYTES = WIDTH * SLOTS // 8
SEED, TAIL = 32, block_tails.NUM_BYTES


@pytest.fixture(scope="module")
def key():
    return CIPHER.keygen()


def zeros(blocks):
    return tf.zeros([blocks, SLOTS], tf.int64)


def drawn(blocks, seed=0):
    values = np.random.default_rng(seed).integers(-32767, 32768, [blocks, SLOTS])
    return tf.constant(values)


def opened(key, *blocks):
    return CIPHER.decrypt(key, tf.constant(blocks)).numpy()


def parts_of(block):
    """Words, seeds, tail."""
    return block[:WORDS_BYTES], block[WORDS_BYTES:-TAIL], block[-TAIL:]


def of_kind(kind, block):
    """What somebody who can write tails makes of a block: an upload, or a sum."""
    return block[:-10] + kind + block[-9:]


def all_differ(blocks):
    """Whether no two blocks share any of the words, by 64 bytes, or the seed."""
    parts = [parts_of(block) for block in blocks]
    seeds = {seed for _, seed, _ in parts}
    pieces = [
        words[i : i + 64] for words, _, _ in parts for i in range(0, WORDS_BYTES, 64)
    ]
    return len(seeds) == len(blocks) and len(set(pieces)) == len(pieces)


class TestFreshness:
    def test_blocks_of_a_message_and_of_several_groups(self, key):
        blocks = CIPHER.encrypt(key, zeros(2 * CIPHER.group_blocks + 3)).numpy()
        assert len(blocks) > 2 and all_differ(blocks)

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

    @pytest.mark.slow
    def test_traced_again(self, key):
        def make(blocks):
            return CIPHER.encrypt(key, tf.zeros([blocks, SLOTS], tf.int64))

        traced = tf.function(make, autograph=False)
        found = [*traced(1).numpy(), *traced(2).numpy(), *traced(1).numpy()]
        assert len(found) == 4 and all_differ(found)

    @pytest.mark.slow
    def test_saved(self, key, tmp_path):
        module = tf.Module()
        module.make = tf.function(
            lambda key: CIPHER.encrypt(key, zeros(2)),
            [tf.TensorSpec([], tf.string)],
            autograph=False,
        )
        found = [*module.make(key).numpy()]
        tf.saved_model.save(module, str(tmp_path))
        for _ in range(2):
            found += [*tf.saved_model.load(str(tmp_path)).make(key).numpy()]
        assert len(found) == 6 and all_differ(found)
        texts = [one.read_bytes() for one in tmp_path.rglob("*") if one.is_file()]
        pieces = [parts_of(block)[1][:8] for block in found]
        assert not any(piece in text for piece in pieces for text in texts)

    def test_keys(self):
        keys = [CIPHER.keygen().numpy() for _ in range(4)]
        front = block_tails.KEY_FRONT_BYTES
        assert len({key[front : front + SEED] for key in keys}) == 4
        assert len({key[64:front] for key in keys}) == 4

    def test_no_seed_can_be_given(self):
        """A second message under one seed would show the difference of the two."""
        assert len(CIPHER.encrypt.input_signature) == 2
        assert all(spec.dtype != tf.uint32 for spec in CIPHER.encrypt.input_signature)

    def test_without_a_source_nothing_is_built(self, monkeypatch):
        monkeypatch.setattr(entropy.check_source, "__defaults__", ("/nowhere",))
        with pytest.raises(RuntimeError, match="tf_shell_bgv"):
            pad_cipher.build_pad_cipher(CHOSEN)


def pad_by_definition(key, seed):
    """The packed words of a block's pad, by Python's integers."""
    front = block_tails.KEY_FRONT_BYTES
    now = np.frombuffer(key[front : front + SEED], "<u4").tolist()
    words = np.frombuffer(seed, "<u4").tolist()
    for part in (words[:4], words[4:]):
        now = rfc8439.block(now, part[1:], part[0])[:8]
    blocks = [
        rfc8439.block(now, [0x50414453, 0, 0], counter)
        for counter in range(WORDS_BYTES // 64)
    ]
    # Word by word, and of each the blocks in their order.
    return np.array(blocks, "<u4").T.tobytes()


def fields_of(words):
    """The packed integers of a block, as Python reads them: [32, columns]."""
    by_column = np.frombuffer(words, "<u4").reshape(WIDTH, CHOSEN.columns)
    whole = sum(by_column[j].astype(object) << (32 * j) for j in range(WIDTH))
    return np.array([(whole >> (WIDTH * i)) % (1 << WIDTH) for i in range(32)])


def test_uploads_and_a_sum_opened_by_the_definition(key):
    values = [drawn(1, seed) for seed in range(2)]
    blocks = [CIPHER.encrypt(key, row).numpy()[0] for row in values]
    (total,) = CIPHER.add(tf.constant(blocks)[:, tf.newaxis]).numpy()
    seeds = [parts_of(block)[1] for block in blocks]
    assert parts_of(total)[1] == b"".join(seeds) + bytes(2 * SEED)
    pads = [fields_of(pad_by_definition(key.numpy(), seed)) for seed in seeds]
    table = [row.numpy().reshape(32, CHOSEN.columns) for row in values]
    for block, pad, expected in (
        (blocks[0], pads[0], table[0]),
        (blocks[1], pads[1], table[1]),
        (total, pads[0] + pads[1], table[0] + table[1]),
    ):
        found = (fields_of(parts_of(block)[0]) - pad) % (1 << WIDTH)
        np.testing.assert_array_equal(found, expected % (1 << WIDTH))


class TestWhatIsSent:
    def test_bytes_a_value(self):
        """Seed and tail included."""
        chosen = ciphers.pad(64, 16)
        assert chosen.upload_bytes / chosen.num_slots < 1.01 * 2.75

    def test_a_key_is_longer_than_what_stays_in_memory(self, key):
        """Pieces of up to 1 KB are not overwritten when they are freed."""
        behind = key.numpy()[block_tails.KEY_FRONT_BYTES :]
        assert len(behind) > 1024
        # A part of a key that is found somewhere is a key's.
        pieces = {behind[i : i + 16] for i in range(0, len(behind), 16)}
        assert len(pieces) == len(behind) // 16

    @pytest.mark.slow
    def test_sums_of_uploads_and_sums(self, key):
        rows = tf.stack([drawn(9, seed) for seed in range(4)])
        a, b, c, d = (CIPHER.encrypt(key, row) for row in rows)
        # Block by block either kind may come first.
        two = tf.where(tf.range(9) % 2 == 0, CIPHER.add([a, b]), a)
        rest = tf.where(tf.range(9) % 2 == 0, c, CIPHER.add([b, c]))
        total = CIPHER.add(tf.stack([two, rest, d]))
        np.testing.assert_array_equal(
            CIPHER.decrypt(key, total), tf.reduce_sum(rows, axis=0)
        )

    def test_the_seeds_of_a_sum_are_those_of_its_summands_in_any_tree(self, key):
        blocks = [CIPHER.encrypt(key, zeros(1)) for _ in range(4)]
        seeds = [parts_of(block.numpy()[0])[1] for block in blocks]
        a, b, c, d = blocks
        for total in (
            CIPHER.add([CIPHER.add([a, b]), CIPHER.add([c, d])]),
            CIPHER.add([CIPHER.add([CIPHER.add([a]), b]), c, d]),
        ):
            assert parts_of(total.numpy()[0])[1] == b"".join(seeds)

    @pytest.mark.parametrize("change", [b"", b"x"])
    def test_a_key_of_another_length_is_refused(self, key, change):
        wrong = key.numpy()[: -1 if not change else None] + change
        for use in (
            lambda: CIPHER.encrypt(wrong, zeros(1)),
            lambda: CIPHER.decrypt(wrong, CIPHER.encrypt(key, zeros(1))),
        ):
            with pytest.raises(tf.errors.InvalidArgumentError, match="must_have"):
                use()

    @pytest.mark.slow
    def test_codes_of_more_than_32_bits_in_a_sum(self):
        wide = ciphers.pad(64, 32)
        key, largest = wide.keygen(), wide.max_abs_plaintext
        rows = np.random.default_rng(0).integers(
            -largest, largest + 1, [3, 2, wide.num_slots]
        )
        rows[:, :, 0], rows[:, :, 1] = largest, -largest
        total = wide.add(tf.stack([wide.encrypt(key, row) for row in rows]))
        np.testing.assert_array_equal(wide.decrypt(key, total), rows.sum(axis=0))


@pytest.fixture(scope="module")
def blocks(key):
    return CIPHER.encrypt(key, drawn(4, seed=5)).numpy().tolist()


@pytest.fixture(scope="module")
def sums(blocks):
    return {
        count: CIPHER.add(tf.constant(blocks[:count])[:, tf.newaxis]).numpy()[0]
        for count in range(1, SUMMANDS + 1)
    }


class TestNoSeedIsChosen:
    """Who has words of his own opened with somebody's seed gets that one's pad."""

    def nothing(self, key, block, blocks):
        """Neither alone nor as a summand, of as many as there may be or fewer."""
        assert not np.any(opened(key, block))
        if len(block) not in (CIPHER.upload_bytes, CIPHER.sum_bytes):
            return
        for others in ([], blocks[:1], blocks[:3]):
            for order in ([block, *others], [*others, block]):
                (total,) = CIPHER.add(tf.constant(order)[:, tf.newaxis]).numpy()
                assert int(total[-9:]) == 0
                assert not np.any(opened(key, total))

    def test_they_are_nothing_only_where_something_is_wrong(self, key, blocks, sums):
        for block in (blocks[0], *sums.values()):
            assert np.any(opened(key, block))

    @pytest.mark.parametrize("filler", [b"\0", b"x"])
    def test_octets_before_an_upload(self, key, blocks, filler):
        """A serialised upload has such: of a sum's length, with a true tail."""
        more = CIPHER.sum_bytes - CIPHER.upload_bytes
        assert more == (SUMMANDS - 1) * SEED
        longer = filler * more + blocks[0]
        self.nothing(key, longer, blocks)
        self.nothing(key, of_kind(b"s", longer), blocks)

    def test_a_serialised_upload_as_a_sum(self, key, blocks):
        for rank in range(8):
            text = tf.io.serialize_tensor(tf.fill([1] * rank, blocks[0])).numpy()
            longer = text.rjust(CIPHER.sum_bytes, b"\x0a")
            assert longer.endswith(blocks[0])
            self.nothing(key, longer, blocks)
            self.nothing(key, of_kind(b"s", longer), blocks)

    @pytest.mark.parametrize("count", range(1, SUMMANDS + 1))
    def test_the_end_of_a_sum_as_an_upload(self, key, blocks, sums, count):
        shorter = sums[count][-CIPHER.upload_bytes :]
        self.nothing(key, shorter, blocks)
        self.nothing(key, of_kind(b"u", shorter), blocks)

    @pytest.mark.parametrize("more", [1, 31, 32, 33, 64])
    def test_blocks_of_any_other_length(self, key, blocks, sums, more):
        for block in (blocks[0], sums[2]):
            self.nothing(key, bytes(more) + block, blocks)
            self.nothing(key, block[more:], blocks)
            words, seeds, tail = parts_of(block)
            self.nothing(key, words + seeds + bytes(more) + tail, blocks)

    @pytest.mark.parametrize("count", [0, 2, 3, 4, 5, 10**8])
    def test_an_upload_that_says_it_is_a_sum(self, key, blocks, count):
        forged = blocks[0][:-9] + b"%09d" % count
        self.nothing(key, forged, blocks)
        words, seeds, tail = parts_of(forged)
        longer = words + seeds + bytes(3 * SEED) + tail
        self.nothing(key, longer, blocks)
        self.nothing(key, of_kind(b"s", longer), blocks)

    def test_a_sum_of_other_than_its_seeds(self, key, blocks, sums):
        words, seeds, tail = parts_of(sums[3])
        a, b, c = (seeds[i * SEED : (i + 1) * SEED] for i in range(3))
        none = bytes(SEED)
        for wrong in (
            a + b + none + none,
            a + none + b + c,
            none + a + b + c,
            a + b + c + b"\0" * 31 + b"x",
            a + b + c + a,
            4 * none,
        ):
            self.nothing(key, words + wrong + tail, blocks)

    def test_no_pad_is_made_without_seeds(self, key, blocks):
        """The pad of zeros would be one that everybody can ask for."""
        words, _, tail = parts_of(blocks[0])
        self.nothing(key, words + bytes(SEED) + tail, blocks)

    def test_another_key_opens_nothing(self, blocks, sums):
        other = CIPHER.keygen()
        assert not np.any(opened(other, blocks[0], sums[3]))

    def test_which_block_is_opened_beside_it_does_not_matter(self, key, blocks, sums):
        together = opened(key, sums[4], b"", blocks[0], sums[2], b"x" * len(sums[1]))
        alone = [opened(key, one)[0] for one in (sums[4], blocks[0], sums[2])]
        np.testing.assert_array_equal(together[[0, 2, 3]], alone)
        assert not np.any(together[[1, 4]])


class TestSpelledParameters:
    def test_forth_and_back(self):
        assert pad_parameters.PadParameters.from_text(CHOSEN.text()) == CHOSEN

    @pytest.mark.parametrize("name", ["keygen", "encrypt", "add", "decrypt"])
    def test_they_stand_in_every_function(self, name):
        """Or the analysis of key flow would not know the cipher."""
        graph = getattr(CIPHER, name).get_concrete_function().graph.as_graph_def()
        assert CHOSEN.text().encode() in graph.SerializeToString()


@pytest.mark.parametrize("summands", [4, pytest.param(3, marks=pytest.mark.slow)])
def test_what_is_no_plaintext_is_taken_for_the_nearest(summands):
    cipher = ciphers.pad(summands, 16)
    odd = [2**63 - 1, -(2**63), 2**31, -(2**31), 2**32 + 5, 70_000, -70_000, 2**22, 1]
    row = np.zeros([1, cipher.num_slots], np.int64)
    row[0, : 50 * len(odd)] = np.repeat(odd, 50)
    largest = cipher.max_abs_plaintext
    key = cipher.keygen()
    one = cipher.encrypt(key, row)
    total = cipher.decrypt(key, cipher.add(tf.stack([one] * summands)))
    np.testing.assert_array_equal(total, summands * np.clip(row, -largest, largest))
