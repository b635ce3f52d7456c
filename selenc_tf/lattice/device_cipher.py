"""Additive ring-LWE under one shared key as a `Cipher`: `device_rlwe`.

A block is one polynomial, v N integers in the fields of its coefficients. An upload is

    c, its residues packed | the seed of a, 32 bytes | tail

and a sum, whose a is the sum of many and has no seed,

    c, its residues packed | a, likewise | tail

Blocks are worked on in groups of one shape, for which XLA compiles once a process. What is
not for XLA stays outside: strings, and the operating system's randomness, which is drawn
inside of `encrypt`. Nobody who calls it can give it a seed: no two blocks have the same a
under one key, nor the same noise. Every call draws a seed, of which its two roots are two
parts, and every block takes its own part of what these expand to.

    seed of this call (OS) -> root of the seeds -> seed of every block -> a   (public)
                           -> root of the noise -> noise of every block       (secret)
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
from selenc_tf.lattice.device import blocks as blocks_lib
from selenc_tf.lattice.device import entropy, parameters, rlwe

_HOST = "/device:CPU:0"
_WORD_BYTES = 4
_SEED_BYTES = _WORD_BYTES * entropy.SEED_WORDS
_GROUP_BLOCKS = 8
# Drawing a root takes as long as encrypting a block.
_GROUPS_AT_A_TIME = 4


def of_sums(num_summands: int, quantisation_bits: int) -> parameters.RlweParameters:
    """The cheapest parameters for sums, in the groups that are computed here.

    Args:
      num_summands: k.
      quantisation_bits: b.

    Returns:
      A checked parameter set.

    Raises:
      ValueError: If nothing fits.
    """
    return parameters.choose_parameters(
        num_summands, quantisation_bits, columns=_GROUP_BLOCKS
    )


def build_device_cipher(chosen: parameters.RlweParameters) -> cipher.Cipher:
    """Builds the cipher for checked parameters.

    Args:
      chosen: The parameter set; its `columns` are the blocks of a group.

    Returns:
      The cipher. A key is what stands in front of it (`block_tails.py`) and the transform
      of the secret polynomial.

    Raises:
      RuntimeError: If the operating system has no source of randomness for graphs.
    """
    entropy.check_source()
    groups = blocks_lib.Blocks(rlwe.Rlwe(chosen))
    scheme, half_words, slots = groups.scheme, groups.half_words, groups.num_slots
    half_bytes = half_words * _WORD_BYTES
    tails = block_tails.BlockTails(
        chosen.digest(block_tails.DIGEST_DIGITS),
        half_bytes + _SEED_BYTES,
        chosen.max_summands,
        2 * half_bytes,
    )
    count, shape = len(chosen.primes), [len(chosen.primes), chosen.degree]
    key_words = count * chosen.degree
    key_spec = tf.TensorSpec([], tf.string)
    polynomials = tf.TensorSpec([chosen.columns, *shape], tf.uint32)
    residues = tf.TensorSpec(shape, tf.uint32)
    words = tf.TensorSpec([chosen.columns, half_words], tf.uint32)
    stream = tf.TensorSpec([entropy.STREAM_WORDS], tf.uint32)
    seeds = tf.TensorSpec([chosen.columns, entropy.SEED_WORDS], tf.uint32)
    integers = tf.TensorSpec([chosen.columns, slots], tf.int64)
    number = tf.TensorSpec([], tf.int32)
    flags = tf.TensorSpec([chosen.columns], tf.bool)
    text = tf.TensorSpec([], tf.string)
    # In every graph: by it the analysis of key flow finds the parameters.
    spelled = chosen.text()

    # Seeds are cut out inside: outside they would be short pieces of memory.
    encrypt_group = groups_lib.compiled(
        lambda secret, made, *others: tf.concat(
            groups.encrypt(secret, *entropy.two_seeds(made), *others), axis=1
        ),
        *(residues, stream, number, integers),
    )
    open_group = groups_lib.compiled(groups.open, residues, polynomials, words)
    expand = groups_lib.compiled(groups.mixed, seeds, flags, words)
    unpack = groups_lib.compiled(groups.unpack, words)
    pack = groups_lib.compiled(groups.pack, polynomials)
    add_words = groups_lib.compiled(groups.add, polynomials, words)
    add_seeds = groups_lib.compiled(groups.add_seeds, polynomials, seeds)
    add_polynomials = groups_lib.compiled(
        groups.add_polynomials, polynomials, polynomials
    )
    # Compiled: its thousands of operations on a few words take long one by one.
    drawn = tf.TensorSpec([entropy.DRAWN_WORDS], tf.uint32)
    new_id = groups_lib.compiled(entropy.mix_words, drawn)
    two_roots = groups_lib.compiled(entropy.stream, drawn)
    new_secret = groups_lib.compiled(
        lambda drawn: scheme.secret_values(
            scheme.secret_coefficients(entropy.mix_words(drawn))
        ),
        drawn,
    )

    def secret_in(secret_key: tf.Tensor) -> tf.Tensor:
        """The secret of a key that is one of these parameters: uint32 [P, N]."""
        return tf.reshape(word_strings.secret_of(tails, secret_key, key_words), shape)

    def uploaded(blocks: tf.Tensor) -> tf.Tensor:
        """Which blocks have a seed: bool [B]."""
        return tf.equal(tf.strings.length(blocks), tails.upload_bytes)

    def seeds_in(blocks: tf.Tensor) -> tf.Tensor:
        """The seeds of uploads: uint32 [B, 8]."""
        behind = word_strings.part(blocks, half_bytes, _SEED_BYTES)
        return word_strings.words_in(behind, entropy.SEED_WORDS)

    def publics_of(blocks: tf.Tensor) -> tf.Tensor:
        """The a of a group of blocks, whatever they are: uint32 [B, P, N]."""
        behind = word_strings.part(blocks, half_bytes, half_bytes)
        sent, seeded = word_strings.words_in(behind, half_words), uploaded(blocks)
        return tf.cond(
            tf.reduce_any(seeded),
            lambda: expand(seeds_in(blocks), seeded, sent),
            lambda: unpack(sent),
        )

    # Functions: they run as fast when called eagerly as inside of a graph.
    @traced_once.traced_once([])
    def keygen() -> tf.Tensor:
        with tf.device(_HOST):
            tf.constant(spelled)
            secret = tf.reshape(new_secret(entropy.draw_words()), [1, key_words])
            # Of its id, which everybody sees.
            drawn = new_id(entropy.draw_words())[tf.newaxis]
            return tails.new_key(
                word_strings.text_of(secret)[0], word_strings.text_of(drawn)[0]
            )

    @traced_once.traced_once([key_spec, tf.TensorSpec([None, slots], tf.int64)])
    def encrypt(secret_key: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
        with tf.device(_HOST):
            tf.constant(spelled)
            secret = secret_in(secret_key)
            roots = two_roots(entropy.draw_words())

            def group(part: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
                made = encrypt_group(secret, roots, index, part)
                return tails.of_one(secret_key, word_strings.text_of(made))

            return groups_lib.in_groups(group, chosen.columns, values, text)

    @traced_once.traced_once([tf.TensorSpec([None, None], tf.string)])
    def add(ciphertexts: tf.Tensor) -> tf.Tensor:
        with tf.device(_HOST):
            tf.constant(spelled)
            counted = block_checks.check_lengths(
                "Every block",
                block_checks.check_summands(ciphertexts, chosen.max_summands),
                tails.upload_bytes,
                tails.sum_bytes,
            )

            def one_more(
                masked: tf.Tensor, publics: tf.Tensor, blocks: tf.Tensor
            ) -> tuple[tf.Tensor, tf.Tensor]:
                total = tf.cond(
                    tf.reduce_all(uploaded(blocks)),
                    lambda: add_seeds(publics, seeds_in(blocks)),
                    lambda: add_polynomials(publics, publics_of(blocks)),
                )
                return add_words(
                    masked, word_strings.words_in(blocks, half_words)
                ), total

            def finish(*total: tf.Tensor) -> tf.Tensor:
                return word_strings.text_of(tf.concat([*map(pack, total)], axis=1))

            zeros = tf.zeros(polynomials.shape, polynomials.dtype)
            sums = groups_lib.folded(
                one_more, (zeros, zeros), finish, chosen.columns, counted, text
            )
            return tails.of_sum(counted, sums)

    @traced_once.traced_once([key_spec, tf.TensorSpec([None], tf.string)])
    def decrypt(secret_key: tf.Tensor, blocks: tf.Tensor) -> tf.Tensor:
        with tf.device(_HOST):
            tf.constant(spelled)
            secret = secret_in(secret_key)

            def group(part: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
                del index
                masked = word_strings.words_in(part, half_words)
                return open_group(secret, publics_of(part), masked)

            readable = tails.readable(secret_key, blocks)
            return groups_lib.in_groups(
                group, chosen.columns, readable, tf.TensorSpec([slots], tf.int64)
            )

    return cipher.Cipher(
        name="device_rlwe",
        digest=chosen.digest(),
        num_slots=slots,
        plaintext_modulus=1 << chosen.width,
        max_abs_plaintext=chosen.max_abs_plaintext,
        max_summands=chosen.max_summands,
        upload_bytes=tails.upload_bytes,
        sum_bytes=tails.sum_bytes,
        keygen=keygen,
        encrypt=encrypt,
        add=add,
        decrypt=decrypt,
        group_blocks=_GROUPS_AT_A_TIME * chosen.columns,
    )
