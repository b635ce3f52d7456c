"""The additive pad under one shared key as a `Cipher`: `additive_pad`.

A block is a chunk of values with a pad of its own. An upload is

    padded words | the seed of this block, 32 bytes | tail

and a sum, which opens with the pads of all its summands, has room for all their seeds:

    sum of padded words | seeds of the summands, zeros behind them | tail

Blocks are worked on in groups of one shape, as those of `device_cipher.py`. Seeds come from
a root that is drawn inside of `encrypt`. Nobody who calls it can give it a seed, and no two
blocks share one. A seed that is sent is public; one that an adversary *chooses* is not
harmless: who has "words | seed" opened under the key, with the seed of somebody's upload
and words of his own, gets that upload's pad. The ways to such a block, and what closes
them:

  way | closed by
  --- | ---
  a string of another length | it is no block (`block_tails.py`): zeros, without a pad
  a tail of other parameters, another key, no message or too many | likewise
  a true tail behind shifted words, whose last octets would be taken for seeds: an upload
  with octets before it as a sum, the end of a sum as an upload | a block must have exactly
  as many seeds as its tail counts, none of them zero, and zeros behind them; an upload has
  one. The first has its seed where zeros must be; the other ends in the zeros of its unused
  seeds, or counts more than one
  the same in `add` | the same check: the tail of the sum then counts nothing, and so does
  that of every sum with it
  a seed given to `encrypt`, or drawn twice | it takes none, and draws in every call
  words of one block before seed and tail of another, cut and put together | nothing here:
  tails are not authenticated. The analysis of key flow follows whole strings that these
  functions made, and finds who opens others; who opens messages compares check values,
  which a stranger's pad does not have (`engine.py`)
"""

import tensorflow as tf

from selenc_tf.lattice import (
    block_checks,
    block_tails,
    cipher,
    traced_once,
    word_strings,
)
from selenc_tf.lattice import groups as groups_lib
from selenc_tf.lattice.device import chacha20, entropy, pad_blocks
from selenc_tf.lattice.device.pad_parameters import PadParameters

_HOST = "/device:CPU:0"
_SEED_WORDS = entropy.SEED_WORDS
_SEED_BYTES = _SEED_WORDS * word_strings.WORD_BYTES

# Drawing a root takes as long as encrypting a few blocks.
_GROUPS_AT_A_TIME = 4

KEY_WORDS = 288
"""Of a key: eight are the secret, and others follow. What is freed is overwritten in
memory only if it is longer than 1 KB (`memory.py`)."""


def build_pad_cipher(chosen: PadParameters) -> cipher.Cipher:
    """Builds the cipher for checked parameters.

    Args:
      chosen: The parameter set.

    Returns:
      The cipher. A key is what stands in front of it (`block_tails.py`), 32 bytes of
      secret, and random ones that nothing depends on.

    Raises:
      RuntimeError: If the operating system has no source of randomness for graphs.
    """
    entropy.check_source()
    groups = pad_blocks.PadBlocks(chosen)
    size, most, slots = chosen.group_blocks, chosen.max_summands, chosen.num_slots
    num_words, num_bytes = groups.num_words, groups.num_words * word_strings.WORD_BYTES
    tails = block_tails.BlockTails(
        chosen.digest(block_tails.DIGEST_DIGITS),
        num_bytes + _SEED_BYTES,
        most,
        num_bytes + most * _SEED_BYTES,
    )
    key_spec = tf.TensorSpec([], tf.string)
    text, flag = tf.TensorSpec([], tf.string), tf.TensorSpec([], tf.bool)
    key = tf.TensorSpec([KEY_WORDS], tf.uint32)
    random = tf.TensorSpec([entropy.DRAWN_WORDS], tf.uint32)
    number = tf.TensorSpec([], tf.int32)
    words = tf.TensorSpec([size, num_words], tf.uint32)
    seeds = tf.TensorSpec([size, most, _SEED_WORDS], tf.uint32)
    numbers = tf.TensorSpec([size], tf.int32)
    integers = tf.TensorSpec([size, slots], tf.int64)
    # In every graph: by it the analysis of key flow finds the parameters.
    spelled = chosen.text()

    # The secret is cut out of the key inside: outside it would be a short piece of memory.
    encrypt_group = groups_lib.compiled(
        lambda key, drawn, *others: tf.concat(
            groups.encrypt(
                key[: chacha20.KEY_WORDS], entropy.mix_words(drawn), *others
            ),
            axis=1,
        ),
        *(key, random, number, integers),
    )
    open_group = groups_lib.compiled(
        lambda key, *others: groups.open(key[: chacha20.KEY_WORDS], *others),
        *(key, words, seeds, numbers),
    )
    add_words = groups_lib.compiled(groups.add, words, words)
    # Compiled: its thousands of operations on a few words take long one by one.
    new_id = groups_lib.compiled(entropy.mix_words, random)
    # In one program: a seed of the key must not go from one to the next.
    new_secret = groups_lib.compiled(
        lambda drawn: chacha20.keystream(
            entropy.mix_words(drawn),
            tf.zeros([chacha20.NONCE_WORDS], tf.uint32),
            0,
            KEY_WORDS,
        ),
        random,
    )

    def seed_texts(blocks: tf.Tensor, counts: tf.Tensor) -> tf.Tensor:
        """The seeds of so many summands, as blocks have them: string [b]."""
        return word_strings.part(blocks, num_bytes, counts * _SEED_BYTES)

    def room_of(blocks: tf.Tensor) -> tf.Tensor:
        """How many seeds a block has room for: int32 [b]; 0 of what is none."""
        lengths = tf.strings.length(blocks)
        room = tf.where(tf.equal(lengths, tails.sum_bytes), most, 0)
        return tf.where(tf.equal(lengths, tails.upload_bytes), 1, room)

    def counts_of(blocks: tf.Tensor) -> tf.Tensor:
        """Of how many messages a block is the sum: int32 [b].

        0 if it says nothing, or if it has other than exactly so many seeds.
        """
        counts = tf.cast(tails.counts(blocks), tf.int32)
        written = word_strings.words_in(
            seed_texts(blocks, room_of(blocks)), most * _SEED_WORDS
        )
        each = tf.reshape(written, [-1, most, _SEED_WORDS])
        there = tf.reduce_any(tf.not_equal(each, 0), axis=2)
        expected = tf.range(most) < counts[:, tf.newaxis]
        exact = tf.reduce_all(tf.equal(there, expected), axis=1)
        return tf.where(exact, counts, 0)

    # Functions: they run as fast when called eagerly as inside of a graph.
    @traced_once.traced_once([])
    def keygen() -> tf.Tensor:
        with tf.device(_HOST):
            tf.constant(spelled)
            secret = new_secret(entropy.draw_words())
            drawn = new_id(entropy.draw_words())
            return tails.new_key(
                word_strings.text_of(secret[tf.newaxis])[0],
                word_strings.text_of(drawn[tf.newaxis])[0],
            )

    @traced_once.traced_once([key_spec, tf.TensorSpec([None, slots], tf.int64)])
    def encrypt(secret_key: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
        with tf.device(_HOST):
            tf.constant(spelled)
            secret = word_strings.secret_of(tails, secret_key, KEY_WORDS)
            # What the root is mixed of, in every group anew: that is less than a call.
            drawn = entropy.draw_words()

            def group(part: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
                made = encrypt_group(secret, drawn, index, part)
                return tails.of_one(secret_key, word_strings.text_of(made))

            return groups_lib.in_groups(group, size, values, text)

    @traced_once.traced_once([tf.TensorSpec([None, None], tf.string)])
    def add(ciphertexts: tf.Tensor) -> tf.Tensor:
        with tf.device(_HOST):
            tf.constant(spelled)
            counted = block_checks.check_lengths(
                "Every block",
                block_checks.check_summands(ciphertexts, most),
                tails.upload_bytes,
                tails.sum_bytes,
            )
            unused = tf.constant(bytes(most * _SEED_BYTES))

            def one_more(
                total: tf.Tensor, joined: tf.Tensor, whole: tf.Tensor, blocks: tf.Tensor
            ) -> tuple[tf.Tensor, ...]:
                counts = counts_of(blocks)
                return (
                    add_words(total, word_strings.words_in(blocks, num_words)),
                    tf.strings.join([joined, seed_texts(blocks, counts)]),
                    whole & (counts > 0),
                )

            def finish(
                total: tf.Tensor, joined: tf.Tensor, whole: tf.Tensor
            ) -> tuple[tf.Tensor, tf.Tensor]:
                # No more than there is room for, whatever they say.
                behind = tf.strings.join([joined, unused])
                room = tf.strings.substr(behind, 0, most * _SEED_BYTES)
                return tf.strings.join([word_strings.text_of(total), room]), whole

            nothing = (
                tf.zeros(words.shape, words.dtype),
                tf.fill([size], ""),
                tf.ones([size], tf.bool),
            )
            sums, whole = groups_lib.folded(
                one_more, nothing, finish, size, counted, (text, flag)
            )
            return tails.of_sum(counted, sums, whole)

    @traced_once.traced_once([key_spec, tf.TensorSpec([None], tf.string)])
    def decrypt(secret_key: tf.Tensor, blocks: tf.Tensor) -> tf.Tensor:
        with tf.device(_HOST):
            tf.constant(spelled)
            secret = word_strings.secret_of(tails, secret_key, KEY_WORDS)

            def group(part: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
                del index
                counts = counts_of(part)
                drawn = word_strings.words_in(
                    seed_texts(part, counts), most * _SEED_WORDS
                )
                return open_group(
                    secret,
                    word_strings.words_in(part, num_words),
                    tf.reshape(drawn, seeds.shape),
                    counts,
                )

            readable = tails.readable(secret_key, blocks)
            of_a_block = tf.TensorSpec([slots], tf.int64)
            return groups_lib.in_groups(group, size, readable, of_a_block)

    return cipher.Cipher(
        name="additive_pad",
        digest=chosen.digest(),
        num_slots=slots,
        plaintext_modulus=1 << chosen.width,
        max_abs_plaintext=chosen.max_abs_plaintext,
        max_summands=most,
        upload_bytes=tails.upload_bytes,
        sum_bytes=tails.sum_bytes,
        keygen=keygen,
        encrypt=encrypt,
        add=add,
        decrypt=decrypt,
        group_blocks=_GROUPS_AT_A_TIME * size,
    )
