"""tf-shell's symmetric BGV as a `Cipher`.

The kernels run on the host (tf-shell has no others). Randomness comes from the operating
system because no context is ever given a seed.
"""

import tensorflow as tf
import tf_shell

from selenc_tf.lattice import cipher
from selenc_tf.lattice.parameters import Parameters


def build_shell_cipher(parameters: Parameters) -> cipher.Cipher:
    """Builds the cipher for checked parameters.

    Args:
      parameters: The parameter set.

    Returns:
      The cipher. A ciphertext is a serialised vector of one BGV ciphertext for each
      block of N values; entry i of the plaintext is slot i % N of block i // N.
    """
    slots = parameters.num_slots

    def keygen() -> tf.Tensor:
        key = tf_shell.create_key64(_context(parameters))
        return tf.io.serialize_tensor(key._raw_keys_at_level)

    def encrypt(secret_key: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
        blocks = -(-tf.size(values) // slots)
        padded = tf.pad(values, [[0, blocks * slots - tf.size(values)]])
        columns = tf.transpose(tf.reshape(padded, [blocks, slots]))
        encrypted = tf_shell.to_encrypted(
            columns, _key(secret_key), _context(parameters)
        )
        return tf.io.serialize_tensor(encrypted._raw_tensor)

    def add(ciphertexts: tf.Tensor) -> tf.Tensor:
        summands = tf.shape(ciphertexts)[0]
        check = tf.debugging.assert_less_equal(
            summands,
            parameters.max_summands,
            "More ciphertexts than `max_summands` were to be added: the sum would not "
            "decrypt. Choose parameters for this many clients",
        )
        with tf.control_dependencies([op for op in (check,) if op is not None]):
            counted = tf.identity(ciphertexts)
        # tf-shell's addition does not survive empty vectors of ciphertexts.
        return tf.cond(
            tf.equal(tf.shape(_parse(counted[0]))[0], 0),
            lambda: counted[0],
            lambda: _add_blocks(counted, _context(parameters)),
        )

    def split(ciphertext: tf.Tensor, parts: tf.Tensor) -> tf.Tensor:
        raw = _parse(ciphertext)
        cuts = cipher.part_boundaries(tf.shape(raw)[0], parts)
        return tf.map_fn(
            lambda part: tf.io.serialize_tensor(raw[cuts[part] : cuts[part + 1]]),
            tf.range(parts),
            fn_output_signature=tf.TensorSpec([], tf.string),
        )

    def decrypt(secret_key: tf.Tensor, ciphertext: tf.Tensor) -> tf.Tensor:
        encrypted = _tensor(_parse(ciphertext), _context(parameters))
        columns = tf_shell.to_tensorflow(encrypted, _key(secret_key))
        return tf.reshape(tf.transpose(columns), [-1])

    return cipher.Cipher(
        name="tf_shell_bgv",
        digest=parameters.digest(),
        block_size=slots,
        max_abs_sum=parameters.max_abs_sum,
        max_summands=parameters.max_summands,
        keygen=keygen,
        encrypt=encrypt,
        add=add,
        split=split,
        decrypt=decrypt,
    )


def _add_blocks(ciphertexts: tf.Tensor, context: tf_shell.ShellContext64) -> tf.Tensor:
    """Adds serialised ciphertexts of at least one block, one after the other."""
    _, total = tf.while_loop(
        lambda index, _: index < tf.shape(ciphertexts)[0],
        lambda index, so_far: (
            index + 1,
            _add_two(so_far, _parse(ciphertexts[index]), context),
        ),
        (tf.constant(1), _parse(ciphertexts[0])),
        shape_invariants=(tf.TensorShape([]), tf.TensorShape([None])),
        parallel_iterations=1,
    )
    return tf.io.serialize_tensor(total)


def _add_two(
    left: tf.Tensor, right: tf.Tensor, context: tf_shell.ShellContext64
) -> tf.Tensor:
    return (_tensor(left, context) + _tensor(right, context))._raw_tensor


def _context(parameters: Parameters) -> tf_shell.ShellContext64:
    # No `seed`: with one, every encryption would reuse the same randomness.
    return tf_shell.create_context64(
        log_n=parameters.log_n,
        main_moduli=list(parameters.ciphertext_moduli),
        plaintext_modulus=parameters.plaintext_modulus,
        noise_variance=parameters.noise_variance,
    )


def _key(serialised: tf.Tensor) -> tf_shell.ShellKey64:
    return tf_shell.ShellKey64(
        _raw_keys_at_level=tf.io.parse_tensor(serialised, tf.variant)
    )


def _parse(ciphertext: tf.Tensor) -> tf.Tensor:
    return tf.ensure_shape(tf.io.parse_tensor(ciphertext, tf.variant), [None])


def _tensor(raw: tf.Tensor, context: tf_shell.ShellContext64) -> tf_shell.ShellTensor64:
    return tf_shell.ShellTensor64(
        _raw_tensor=raw,
        _context=context,
        _level=context.level,
        _num_mod_reductions=0,
        _underlying_dtype=tf.int64,
        _scaling_factor=1.0,
        _is_enc=True,
    )
