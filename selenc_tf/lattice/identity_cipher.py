"""A cipher that encrypts nothing: the oracle of the tests and the measure of overhead."""

import tensorflow as tf

from selenc_tf.lattice import cipher

_WORD_BYTES = 8


def build_identity_cipher_INSECURE(block_size: int, max_summands: int) -> cipher.Cipher:
    """Builds a "cipher" whose ciphertext is the plaintext in little-endian int64.

    Args:
      block_size: Values in a block, so that splitting behaves as with a real cipher.
      max_summands: As for a real cipher; int64 itself adds far more.

    Returns:
      The cipher. It protects nothing.
    """

    def keygen() -> tf.Tensor:
        return tf.constant(b"no key")

    def encrypt(secret_key: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
        del secret_key
        return _join(tf.pad(values, [[0, -tf.size(values) % block_size]]))

    def add(ciphertexts: tf.Tensor) -> tf.Tensor:
        check = tf.debugging.assert_less_equal(
            tf.shape(ciphertexts)[0], max_summands, "More summands than `max_summands`"
        )
        with tf.control_dependencies([check]):
            return _join(tf.reduce_sum(tf.io.decode_raw(ciphertexts, tf.int64), axis=0))

    def split(ciphertext: tf.Tensor, parts: tf.Tensor) -> tf.Tensor:
        bytes_a_block = block_size * _WORD_BYTES
        blocks = tf.strings.length(ciphertext) // bytes_a_block
        cuts = cipher.part_boundaries(blocks, parts) * bytes_a_block
        return tf.map_fn(
            lambda part: tf.strings.substr(
                ciphertext, cuts[part], cuts[part + 1] - cuts[part]
            ),
            tf.range(parts),
            fn_output_signature=tf.TensorSpec([], tf.string),
        )

    def decrypt(secret_key: tf.Tensor, ciphertext: tf.Tensor) -> tf.Tensor:
        del secret_key
        return tf.io.decode_raw(ciphertext, tf.int64)

    return cipher.Cipher(
        name="identity_INSECURE",
        digest="identity",
        block_size=block_size,
        max_abs_sum=2**62,
        max_summands=max_summands,
        keygen=keygen,
        encrypt=encrypt,
        add=add,
        split=split,
        decrypt=decrypt,
    )


def _join(values: tf.Tensor) -> tf.Tensor:
    """int64 [s] to one string of 8 s bytes, little-endian."""
    octets = tf.reshape(tf.bitcast(values, tf.uint8), [-1])
    table = tf.constant([bytes([octet]) for octet in range(256)])
    return tf.strings.reduce_join(tf.gather(table, tf.cast(octets, tf.int32)))
