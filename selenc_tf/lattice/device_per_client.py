"""Additive ring-LWE with a secret for every message: `device_rlwe` without a shared key.

Block j of every message of a round has the same a_j, which everybody makes of what is
known of the round; a message has one secret s_i and noise e_ij of its own:

    c_ij = a_j s_i + t e_ij + m_ij,    of which the sum over i is opened with sum_i s_i.

So a block is c with its tail alone, uploads and sums are equally long, and the server has
no a to add. The sum of the s_i opens the sum of the messages, and tells no more than that
sum and the sums of the noises (`device/parameters.py` on what these give away).

    what is known of the round -> round seed -> a_0, a_1, ...          (public, anybody)
    root of this call (OS)     -> secret of the message
    root of this call (OS)     -> noise of the message

A round seed that comes again does no harm: under one a, two messages of two secrets are as
many samples of ring-LWE as under two. Two messages of one secret would give their
difference away; `encrypt` draws a secret in each run and takes a message as a whole.

Reference: Stevens, Skalka, Vincent, Ring, Clark, Near, "Efficient differentially private
secure aggregation for federated learning via hardness of learning with errors", USENIX
Security 2022.
"""

import tensorflow as tf

from selenc_tf.lattice import (
    block_checks,
    block_tails,
    message,
    traced_once,
    word_strings,
)
from selenc_tf.lattice import groups as groups_lib
from selenc_tf.lattice.device import blocks as blocks_lib
from selenc_tf.lattice.device import chacha20, entropy, parameters, rlwe
from selenc_tf.lattice.header import Context
from selenc_tf.lattice.per_client import PerClientCipher

KNOWN = len(Context._fields)
"""The numbers that are known of a round."""

MIN_CLIENTS = 2
"""Whatever a caller says: the sum of one secret is that secret."""

_HOST = "/device:CPU:0"
_GROUP_BLOCKS = 8
# What a round seed is for, and so that the words are a multiple of four.
_ROUND = (0x524F554E, 0x44)  # "ROUN", "D"


def of_sums(num_summands: int, quantisation_bits: int) -> parameters.RlweParameters:
    """The cheapest parameters for sums, in the groups that are computed here.

    Args:
      num_summands: k.
      quantisation_bits: b.

    Returns:
      A checked parameter set; secrets and noises have twice the variance.

    Raises:
      ValueError: If nothing fits.
    """
    return parameters.choose_parameters(
        num_summands, quantisation_bits, per_client=True, columns=_GROUP_BLOCKS
    )


def round_seed(known: tf.Tensor) -> tf.Tensor:
    """The public seed of a round: int64 [9] to uint32 [8].

    ChaCha20 under a key that everybody knows: here its walk is a hash.
    """
    words = tf.reshape(tf.bitcast(known, tf.uint32), [2 * KNOWN])
    spoken = tf.concat([words, tf.constant(_ROUND, tf.uint32)], axis=0)
    return chacha20.derive(tf.zeros([chacha20.KEY_WORDS], tf.uint32), spoken)


def build_per_client_cipher(chosen: parameters.RlweParameters) -> PerClientCipher:
    """Builds the cipher for checked parameters.

    Args:
      chosen: The parameter set; its `columns` are the blocks of a group.

    Returns:
      The cipher.

    Raises:
      ValueError: If the variance is too small for sums of secrets that become known.
      RuntimeError: If the operating system has no source of randomness for graphs.
    """
    if chosen.variance < parameters.PER_CLIENT_VARIANCE:
        raise ValueError(
            f"`chosen.variance` must be at least {parameters.PER_CLIENT_VARIANCE} where "
            f"the sum of the clients' secrets becomes known, got {chosen.variance}. Take "
            "`choose_parameters(..., per_client=True)`."
        )
    entropy.check_source()
    groups = blocks_lib.Blocks(rlwe.Rlwe(chosen))
    scheme, half_words, slots = groups.scheme, groups.half_words, groups.num_slots
    degree, size, largest = chosen.degree, chosen.columns, 2 * chosen.variance
    tails = block_tails.BlockTails(
        chosen.digest(block_tails.DIGEST_DIGITS),
        half_words * word_strings.WORD_BYTES,
        chosen.max_summands,
    )
    stream = tf.TensorSpec([entropy.STREAM_WORDS], tf.uint32)
    drawn = tf.TensorSpec([entropy.DRAWN_WORDS], tf.uint32)
    code_dtype = tf.int16 if chosen.max_abs_plaintext <= tf.int16.max else tf.int32
    polynomials = tf.TensorSpec([size, len(chosen.primes), degree], tf.uint32)
    residues = tf.TensorSpec([len(chosen.primes), degree], tf.uint32)
    words = tf.TensorSpec([size, half_words], tf.uint32)
    seed = tf.TensorSpec([entropy.SEED_WORDS], tf.uint32)
    codes = tf.TensorSpec([size, slots], code_dtype)
    secret_spec = tf.TensorSpec([degree], tf.int32)
    known_spec = tf.TensorSpec([KNOWN], tf.int64)
    number = tf.TensorSpec([], tf.int32)
    text = tf.TensorSpec([], tf.string)
    # In every graph: by it the analysis of key flow finds the parameters.
    spelled = chosen.text()

    compiled = groups_lib.compiled
    # Secret seeds are cut out inside: outside they would be short pieces of memory.
    encrypt_group = compiled(
        lambda secret, of_round, made, *others: groups.encrypt_in_round(
            secret, of_round, entropy.two_seeds(made)[0], *others
        ),
        *(residues, seed, stream, number, codes),
    )
    open_group = compiled(groups.open_in_round, residues, seed, number, words)
    pack = compiled(groups.pack, polynomials)
    add_words = compiled(groups.add, polynomials, words)
    new_coefficients = compiled(
        lambda drawn: scheme.secret_coefficients(entropy.mix_words(drawn)), drawn
    )
    values_of = compiled(scheme.secret_values, secret_spec)
    seed_of = compiled(round_seed, known_spec)
    noise_stream = compiled(entropy.stream, drawn)

    def front_of(of_round: tf.Tensor) -> tf.Tensor:
        """What stands for a key in the tails: there is none, its id is the round's."""
        octets = word_strings.text_of(of_round[tf.newaxis])[0]
        return tails.new_key(tf.constant(""), octets)

    # Functions: they run as fast when called eagerly as inside of a graph.
    @traced_once.traced_once([known_spec, tf.TensorSpec([None, slots], code_dtype)])
    def encrypt(known: tf.Tensor, values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.device(_HOST):
            tf.constant(spelled)
            known = tf.ensure_shape(known, [KNOWN])
            of_round = seed_of(known)
            coefficients = new_coefficients(entropy.draw_words())
            noise = noise_stream(entropy.draw_words())
            secret, front = values_of(coefficients), front_of(of_round)

            def group(part: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
                made = encrypt_group(secret, of_round, noise, index, part)
                # At once: tails of all blocks together would be one more message.
                return tails.of_one(front, word_strings.text_of(made))

            made = message.in_chunks(
                lambda index: groups_lib.of_group(group, size, values, index),
                -(-tf.shape(values)[0] // size),
                Context(*tf.unstack(known)),
            )
            return made, coefficients

    @traced_once.traced_once([tf.TensorSpec([None, None], tf.string)])
    def add(ciphertexts: tf.Tensor) -> tf.Tensor:
        with tf.device(_HOST):
            tf.constant(spelled)
            counted = block_checks.check_lengths(
                "Every block",
                block_checks.check_summands(ciphertexts, chosen.max_summands),
                tails.sum_bytes,
            )

            def one_more(total: tf.Tensor, blocks: tf.Tensor) -> tuple[tf.Tensor]:
                return (add_words(total, word_strings.words_in(blocks, half_words)),)

            zeros = tf.zeros(polynomials.shape, polynomials.dtype)
            sums = groups_lib.folded(
                one_more,
                (zeros,),
                lambda total: word_strings.text_of(pack(total)),
                size,
                counted,
                text,
            )
            return tails.of_sum(counted, sums)

    @traced_once.traced_once(
        [
            secret_spec,
            tf.TensorSpec([], tf.int64),
            tf.TensorSpec([None], tf.int64),
            number,
        ]
    )
    def release(
        secret: tf.Tensor, nonce: tf.Tensor, cohort: tf.Tensor, min_clients: tf.Tensor
    ) -> tf.Tensor:
        with tf.device(_HOST):
            tf.constant(spelled)
            # Tracing takes whatever does not say its rank.
            secret = tf.ensure_shape(secret, [degree])
            nonce, cohort = tf.ensure_shape(nonce, []), tf.ensure_shape(cohort, [None])
            min_clients = tf.ensure_shape(min_clients, [])
            times = tf.math.count_nonzero(tf.equal(cohort, nonce))
            # As strings, which XLA has none of, and those that differ: what a caller
            # says of the cohort's size does not count.
            clients = tf.size(tf.unique(tf.strings.as_string(cohort)).y)
            enough = clients >= tf.maximum(min_clients, MIN_CLIENTS)
            refused = ~enough | tf.not_equal(clients, tf.size(cohort))
            # As an index: an assertion would see the secret.
            name = "a_cohort_must_have_min_clients_and_each_nonce_once_but_has_not"
            whole = tf.gather([secret], tf.cast(refused, tf.int32), name=name)
            # XLA takes the nearest index there is, and fails nowhere.
            there = tf.equal(times, 1) & ~refused
            return tf.ensure_shape(tf.where(there, whole + largest, 0), [degree])

    @traced_once.traced_once(
        [known_spec, secret_spec, number, number, tf.TensorSpec([None], tf.string)]
    )
    def open_sum(
        known: tf.Tensor,
        released: tf.Tensor,
        clients: tf.Tensor,
        first_block: tf.Tensor,
        blocks: tf.Tensor,
    ) -> tf.Tensor:
        with tf.device(_HOST):
            tf.constant(spelled)
            known = tf.ensure_shape(known, [KNOWN])
            of_round = seed_of(known)
            # Whatever was released: below 2^30 in magnitude.
            most = largest * chosen.max_summands
            moved = tf.clip_by_value(released - largest * clients, -most, most)
            secret = values_of(moved)

            def group(part: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
                sums = word_strings.words_in(part, half_words)
                opened = open_group(secret, of_round, first_block + index * size, sums)
                # What is not readable has no tail any more; its c would be zero, but the
                # round's a is not.
                ours = tf.equal(tf.strings.length(part), tails.sum_bytes)
                return tf.where(ours[:, tf.newaxis], opened, 0)

            readable = tails.readable(front_of(of_round), blocks)
            row = tf.TensorSpec([slots], tf.int64)
            return groups_lib.in_groups(group, size, readable, row)

    return PerClientCipher(
        name="device_rlwe",
        digest=chosen.digest(),
        num_slots=slots,
        plaintext_modulus=1 << chosen.width,
        max_abs_plaintext=chosen.max_abs_plaintext,
        max_summands=chosen.max_summands,
        upload_bytes=tails.upload_bytes,
        sum_bytes=tails.sum_bytes,
        secret_size=degree,
        secret_bits=(2 * largest).bit_length(),
        encrypt=encrypt,
        add=add,
        release=release,
        open=open_sum,
        code_dtype=code_dtype,
        group_blocks=size,
    )
