"""A cipher that encrypts nothing: the oracle of tests and the measure of overhead."""

import hashlib

import tensorflow as tf

from selenc_tf import validation
from selenc_tf.lattice import block_checks, block_tails, cipher, traced_once
from selenc_tf.lattice.parameters import Parameters

_WORD_BYTES = 8


def of_sizes_INSECURE(parameters: Parameters) -> cipher.Cipher:
    """Builds the cipher with the sizes of a real one's parameters.

    Args:
      parameters: The parameter set.

    Returns:
      The cipher. It protects nothing.
    """
    return build_identity_cipher_INSECURE(
        parameters.num_slots, parameters.plaintext_modulus, parameters.max_summands
    )


def build_identity_cipher_INSECURE(
    num_slots: int, plaintext_modulus: int, max_summands: int
) -> cipher.Cipher:
    """Builds a "cipher" whose blocks are the plaintext in little-endian int64.

    Args:
      num_slots: N, the integers of one block.
      plaintext_modulus: t, odd, below 2^62; sums are reduced modulo it, as those of a
        real cipher are.
      max_summands: As for a real cipher.

    Returns:
      The cipher. It protects nothing, and has but one key.

    Raises:
      ValueError: If a number is out of range.

    Example: with t = 7 the slots 3 and 1 add up to 4 = -3 mod 7.
    """
    validation.check_at_least("num_slots", num_slots, 1)
    validation.check_at_least("max_summands", max_summands, 1)
    if not (3 <= plaintext_modulus < 1 << 62 and plaintext_modulus % 2):
        raise ValueError(
            "`plaintext_modulus` must be odd, at least 3 and below 2^62, got "
            f"{plaintext_modulus}. Take that of the real cipher's parameters."
        )
    text = f"identity {num_slots} {plaintext_modulus} {max_summands}"
    digest = hashlib.sha256(text.encode()).hexdigest()
    plain_bytes = num_slots * _WORD_BYTES
    tails = block_tails.BlockTails(
        digest[: block_tails.DIGEST_DIGITS], plain_bytes, max_summands
    )
    no_key = tails.digest + "0" * block_tails.KEY_ID_BYTES
    key_spec = tf.TensorSpec([], tf.string)

    def residues(integers: tf.Tensor) -> tf.Tensor:
        return tf.math.floormod(integers, plaintext_modulus)

    def centred(integers: tf.Tensor) -> tf.Tensor:
        reduced = residues(integers)
        above = reduced > plaintext_modulus // 2
        return tf.where(above, reduced - plaintext_modulus, reduced)

    def read(blocks: tf.Tensor) -> tf.Tensor:
        """From string [...] to int64 [..., N]."""
        return tf.io.decode_raw(blocks, tf.int64, fixed_length=plain_bytes)

    def write(integers: tf.Tensor) -> tf.Tensor:
        """int64 [b, N] to string [b]."""
        serialised = tf.map_fn(
            tf.io.serialize_tensor,
            centred(integers),
            fn_output_signature=tf.TensorSpec([], tf.string),
        )
        # A serialised tensor ends with its content.
        return tf.strings.substr(serialised, -plain_bytes, plain_bytes)

    @traced_once.traced_once([])
    def keygen() -> tf.Tensor:
        return tf.constant(no_key)

    @traced_once.traced_once([key_spec, tf.TensorSpec([None, num_slots], tf.int64)])
    def encrypt(secret_key: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
        del secret_key
        return tails.of_one(tf.constant(no_key), write(values))

    @traced_once.traced_once([tf.TensorSpec([None, None], tf.string)])
    def add(ciphertexts: tf.Tensor) -> tf.Tensor:
        counted = block_checks.check_lengths(
            "Every block",
            block_checks.check_summands(ciphertexts, max_summands),
            tails.upload_bytes,
        )
        # Reduced after every addition: the sum of many residues may not fit into int64.
        total = tf.foldl(
            lambda so_far, blocks: residues(so_far + residues(read(blocks))),
            counted[1:],
            initializer=residues(read(counted[0])),
        )
        return tails.of_sum(counted, write(total))

    @traced_once.traced_once([key_spec, tf.TensorSpec([None], tf.string)])
    def decrypt(secret_key: tf.Tensor, blocks: tf.Tensor) -> tf.Tensor:
        del secret_key
        readable = tails.readable(tf.constant(no_key), blocks)
        return tf.ensure_shape(centred(read(readable)), [None, num_slots])

    return cipher.Cipher(
        name="identity_INSECURE",
        digest=digest[:16],
        num_slots=num_slots,
        plaintext_modulus=plaintext_modulus,
        max_abs_plaintext=plaintext_modulus // 2,
        max_summands=max_summands,
        upload_bytes=tails.upload_bytes,
        sum_bytes=tails.sum_bytes,
        keygen=keygen,
        encrypt=encrypt,
        add=add,
        decrypt=decrypt,
    )
