"""Additive ring-LWE under one shared key as a `Cipher`: `device_rlwe`.

A block is one polynomial, v N integers in the fields of its coefficients. An upload is

    c, its residues packed | the seed of a, 32 bytes | tail

and a sum, whose a is the sum of many and has no seed,

    c, its residues packed | a, likewise | tail

Blocks are worked on in groups of one shape, for which XLA compiles once a process. What is
not for XLA stays outside: strings, and the operating system's randomness, which is drawn
inside of `encrypt`. Nobody who calls it can give it a seed: no two blocks have the same a
under one key, nor the same noise. Both roots of a call are fresh, and every block takes its
own part of what they expand to.

    roots of this call (OS) -> seed of every block -> a      (public)
                            -> noise of every block          (secret)
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from selenc_tf.lattice import block_checks, block_tails, chunks, cipher, traced_once
from selenc_tf.lattice.device import blocks as blocks_lib
from selenc_tf.lattice.device import entropy, parameters, rlwe

_HOST = "/device:CPU:0"
_WORD_BYTES = 4
_SEED_BYTES = _WORD_BYTES * entropy.SEED_WORDS
_GROUP_BLOCKS = 8


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
    polynomials = tf.TensorSpec([*shape, chosen.columns], tf.uint32)
    residues = tf.TensorSpec(shape, tf.uint32)
    words = tf.TensorSpec([chosen.columns, half_words], tf.uint32)
    seed = tf.TensorSpec([entropy.SEED_WORDS], tf.uint32)
    seeds = tf.TensorSpec([chosen.columns, entropy.SEED_WORDS], tf.uint32)
    integers = tf.TensorSpec([chosen.columns, slots], tf.int64)
    number = tf.TensorSpec([], tf.int32)
    flags = tf.TensorSpec([chosen.columns], tf.bool)
    text = tf.TensorSpec([], tf.string)
    # In every graph: by it the analysis of key flow finds the parameters.
    spelled = chosen.text()

    encrypt_group = _compiled(groups.encrypt, residues, seed, seed, number, integers)
    open_group = _compiled(groups.open, residues, polynomials, words)
    expand = _compiled(groups.mixed, seeds, flags, words)
    unpack = _compiled(groups.unpack, words)
    pack = _compiled(groups.pack, polynomials)
    add_polynomials = _compiled(scheme.add, polynomials, polynomials)
    # Compiled: its thousands of operations on a few words take long one by one.
    mix = _compiled(entropy.mix_words, tf.TensorSpec([entropy.DRAWN_WORDS], tf.uint32))

    def secret_in(secret_key: tf.Tensor) -> tf.Tensor:
        """The secret of a key that is one of these parameters: uint32 [P, N].

        Others fail, by an index (an assertion would see the key, and is waited for by all
        that is in the graph) whose name says why.
        """
        front = block_tails.KEY_FRONT_BYTES
        num_bytes = front + key_words * _WORD_BYTES
        surplus = tf.strings.length(secret_key) - num_bytes
        name = f"the_secret_key_must_have_{num_bytes}_bytes_but_differs_by"
        whole = tf.gather([secret_key], surplus, name=name)
        digest = tf.strings.substr(whole, 0, block_tails.DIGEST_DIGITS)
        others = tf.cast(tf.not_equal(digest, tails.digest), tf.int32)
        name = "the_secret_key_must_be_of_the_same_parameters_but_is_of_others"
        checked = tf.gather([whole], others, name=name)
        written = tf.strings.substr(checked, front, key_words * _WORD_BYTES)
        return tf.reshape(_words_in(written, key_words), shape)

    def publics_of(blocks: tf.Tensor) -> tf.Tensor:
        """The a of a group of blocks, whatever they are: uint32 [P, N, B]."""
        uploaded = tf.equal(tf.strings.length(blocks), tails.upload_bytes)
        behind = _part(blocks, half_bytes, half_bytes)
        sent = _words_in(behind, half_words)
        return tf.cond(
            tf.reduce_any(uploaded),
            lambda: expand(_words_in(behind, entropy.SEED_WORDS), uploaded, sent),
            lambda: unpack(sent),
        )

    def in_groups(
        function: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
        blocks: tf.Tensor,
        of_a_block: tf.TensorSpec,
    ) -> tf.Tensor:
        """Applies a function of a group and its number to [b, ...], whatever b is."""
        b, size = tf.shape(blocks)[0], chosen.columns
        number_of_groups = -(-b // size)
        missing = [[number_of_groups * size - b], tf.shape(blocks)[1:]]
        nothing = tf.zeros(tf.concat(missing, axis=0), blocks.dtype)
        filled = tf.concat([blocks, nothing], axis=0)

        def of_one(index: tf.Tensor) -> tf.Tensor:
            part = filled[index * size : (index + 1) * size]
            return function(tf.ensure_shape(part, [size, *blocks.shape[1:]]), index)

        made = tf.map_fn(
            of_one,
            tf.range(number_of_groups),
            fn_output_signature=tf.TensorSpec(
                [size, *of_a_block.shape], of_a_block.dtype
            ),
            parallel_iterations=chunks.CHUNKS_AT_ONCE,
        )
        return tf.reshape(made, [-1, *of_a_block.shape])[:b]

    # Functions: they run as fast when called eagerly as inside of a graph.
    @traced_once.traced_once([])
    def keygen() -> tf.Tensor:
        with tf.device(_HOST):
            tf.constant(spelled)
            coefficients = scheme.secret_coefficients(entropy.draw_seed())
            secret = tf.reshape(scheme.secret_values(coefficients), [1, key_words])
            drawn = entropy.draw_seed()[tf.newaxis]
            return tails.new_key(_text_of(secret)[0], _text_of(drawn)[0])

    @traced_once.traced_once([key_spec, tf.TensorSpec([None, slots], tf.int64)])
    def encrypt(secret_key: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
        with tf.device(_HOST):
            tf.constant(spelled)
            secret = secret_in(secret_key)
            root, noise_seed = mix(entropy.draw_words()), mix(entropy.draw_words())

            def group(part: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
                made = encrypt_group(secret, root, noise_seed, index, part)
                return _text_of(tf.concat(made, axis=1))

            ciphertexts = in_groups(group, values, text)
            return tails.of_one(secret_key, ciphertexts)

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

            def group(part: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
                del index

                def one_more(
                    total: tuple[tf.Tensor, tf.Tensor], blocks: tf.Tensor
                ) -> tuple[tf.Tensor, tf.Tensor]:
                    masked = unpack(_words_in(blocks, half_words))
                    return (
                        add_polynomials(total[0], masked),
                        add_polynomials(total[1], publics_of(blocks)),
                    )

                zeros = tf.zeros(polynomials.shape, polynomials.dtype)
                rows = tf.ensure_shape(tf.transpose(part), [None, chosen.columns])
                total = tf.foldl(one_more, rows, (zeros, zeros), parallel_iterations=1)
                return _text_of(tf.concat([pack(one) for one in total], axis=1))

            sums = in_groups(group, tf.transpose(counted), text)
            return tails.of_sum(counted, sums)

    @traced_once.traced_once([key_spec, tf.TensorSpec([None], tf.string)])
    def decrypt(secret_key: tf.Tensor, blocks: tf.Tensor) -> tf.Tensor:
        with tf.device(_HOST):
            tf.constant(spelled)
            secret = secret_in(secret_key)

            def group(part: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
                del index
                masked = _words_in(part, half_words)
                return open_group(secret, publics_of(part), masked)

            readable = tails.readable(secret_key, blocks)
            return in_groups(group, readable, tf.TensorSpec([slots], tf.int64))

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
        group_blocks=chosen.columns,
    )


def _compiled(
    function: Callable[..., Any], *signature: tf.TensorSpec
) -> Callable[..., Any]:
    """The function compiled by XLA; traced once, so that it is compiled once."""
    # Outside of whatever graph is being traced.
    with tf.init_scope():
        traced = tf.function(
            function, input_signature=signature, autograph=False, jit_compile=True
        )
        return traced.get_concrete_function()  # type: ignore[no-any-return]


def _part(texts: tf.Tensor, begin: int, num_bytes: int) -> tf.Tensor:
    """Bytes of each string, as many as there are: string [b]."""
    begins = tf.minimum(tf.strings.length(texts), begin)
    return tf.strings.substr(texts, begins, tf.fill(tf.shape(texts), num_bytes))


def _words_in(texts: tf.Tensor, count: int) -> tf.Tensor:
    """The first words of each string, of which missing ones are zeros.

    Args:
      texts: string [...].
      count: w.

    Returns:
      uint32 [..., w].
    """
    raw = tf.io.decode_raw(texts, tf.int32, fixed_length=count * _WORD_BYTES)
    return tf.bitcast(raw, tf.uint32)


def _text_of(words: tf.Tensor) -> tf.Tensor:
    """The inverse of `_words_in`: uint32 [b, w] to string [b]."""
    num_bytes = words.shape[1] * _WORD_BYTES
    serialised = tf.map_fn(
        tf.io.serialize_tensor,
        tf.bitcast(words, tf.int32),
        fn_output_signature=tf.TensorSpec([], tf.string),
    )
    # A serialised tensor ends with its content.
    return tf.strings.substr(serialised, -num_bytes, num_bytes)
