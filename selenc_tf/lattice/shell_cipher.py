"""tf-shell's symmetric BGV as a `Cipher`, but for the addition (`coefficient_sum.py`).

The kernels run on the host (tf-shell has no others). Randomness comes from a generator
that the operating system seeds anew for every encryption (`shell_context.py`).
"""

import functools
from typing import NamedTuple

import tensorflow as tf
from tf_shell.python import shell_ops

from selenc_tf.lattice import (
    block_checks,
    block_tails,
    cipher,
    coefficient_sum,
    framing,
    shell_context,
    traced_once,
)
from selenc_tf.lattice.parameters import Parameters

_HOST = "/device:CPU:0"


def build_shell_cipher(parameters: Parameters) -> cipher.Cipher:
    """Builds the cipher for checked parameters.

    Args:
      parameters: The parameter set.

    Returns:
      The cipher. A block holds the coefficients modulo q of the two components of a BGV
      ciphertext, bit-packed as tf-shell does it, and its tail (`block_tails.py`); a key
      what stands in front of it and the coefficients of the secret polynomial.

    Raises:
      ValueError: If tf-shell cannot compute with the parameters.
      RuntimeError: If this version of tf-shell lays out ciphertexts in another way than
        expected.
    """
    _check_one_modulus(parameters)
    slots = parameters.num_slots
    layouts = _learn_layouts(parameters)
    tails = block_tails.BlockTails(
        parameters.digest(block_tails.DIGEST_DIGITS),
        layouts.block.num_bytes,
        parameters.max_summands,
    )
    key_spec = tf.TensorSpec([], tf.string)

    # Functions: they run as fast when called eagerly as inside of a graph.
    @traced_once.traced_once([])
    def keygen() -> tf.Tensor:
        with tf.device(_HOST):
            context = shell_context.make(parameters, shell_context.unmergeable_zero())
            key = shell_ops.key_gen64(context)
            zeros = tf.zeros([1, slots], tf.int64)
            spare = layouts.block.strip(_encrypt(context, key, zeros)[0])
            return tails.new_key(layouts.key.strip(key), spare)

    @traced_once.traced_once([key_spec, tf.TensorSpec([None, slots], tf.int64)])
    def encrypt(secret_key: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
        with tf.device(_HOST):
            zero = shell_context.unmergeable_zero()
            context = shell_context.make(parameters, zero)
            # A key belongs to the context that it was first used with, a ciphertext points
            # into that one, and keeps alive only the one that it was encrypted with. So
            # the key must not be merged with that of another encryption either.
            checked = layouts.check_key(secret_key, tails.digest, zero)
            key = layouts.read_key(checked)
            ciphertexts = layouts.block.strip_all(_encrypt(context, key, values))
            return tails.of_one(checked, ciphertexts)

    @traced_once.traced_once([tf.TensorSpec([None, None], tf.string)])
    def add_ciphertexts(ciphertexts: tf.Tensor) -> tf.Tensor:
        with tf.device(_HOST):
            counted = block_checks.check_lengths(
                "Every block",
                block_checks.check_summands(ciphertexts, parameters.max_summands),
                tails.upload_bytes,
            )
            return tails.of_sum(counted, coefficient_sum.add(parameters, counted))

    @traced_once.traced_once([key_spec, tf.TensorSpec([None], tf.string)])
    def decrypt(secret_key: tf.Tensor, blocks: tf.Tensor) -> tf.Tensor:
        with tf.device(_HOST):
            # Merged with the key of another decryption, it is of these parameters too.
            checked = layouts.check_key(secret_key, tails.digest, tf.constant(0))
            columns = shell_ops.decrypt64(
                context=shell_context.make(parameters),
                key=layouts.read_key(checked),
                val=layouts.block.frame_all(tails.readable(checked, blocks)),
                runtime_batching_dim=slots,
                dtype=tf.int64,
                batching_dim=slots,
                scaling_factor=1.0,
            )
            return tf.ensure_shape(tf.transpose(columns), [None, slots])

    return cipher.Cipher(
        name="tf_shell_bgv",
        digest=parameters.digest(),
        num_slots=slots,
        plaintext_modulus=parameters.plaintext_modulus,
        max_abs_plaintext=parameters.plaintext_modulus // 2,
        max_summands=parameters.max_summands,
        upload_bytes=tails.upload_bytes,
        sum_bytes=tails.sum_bytes,
        keygen=keygen,
        encrypt=encrypt,
        add=add_ciphertexts,
        decrypt=decrypt,
    )


class _Layouts(NamedTuple):
    """How tf-shell lays out what crosses the boundaries of its operations."""

    key: framing.Framing
    block: framing.Framing

    def check_key(
        self, secret_key: tf.Tensor, digest: str, zero: tf.Tensor
    ) -> tf.Tensor:
        """Gives a key, if it is one of the parameters.

        Args:
          secret_key: string scalar, the key with what stands in front of it.
          digest: Of the parameters.
          zero: 0; what is merged with other uses of the key depends on where it is from.

        Returns:
          The key.

        Raises:
          InvalidArgumentError: When run, if the key does not have the right length: a
            foreign one could end the process, and an empty one would be all zeros. Or
            if it was made for other parameters: its secret would not be small in these.
        """
        # Not an assertion, which would be a stateful operation that sees the key: all
        # results of a function wait for those. Picking element 0 of 1 fails for any
        # other index, and the message holds the name.
        num_bytes = block_tails.KEY_FRONT_BYTES + self.key.num_bytes
        surplus = tf.strings.length(secret_key) - num_bytes + zero
        name = f"the_secret_key_must_have_{num_bytes}_bytes_but_differs_by"
        whole = tf.gather([secret_key], surplus, name=name)
        others = tf.not_equal(tf.strings.substr(whole, 0, len(digest)), digest)
        name = "the_secret_key_must_be_of_the_same_parameters_but_is_of_others"
        return tf.gather([whole], tf.cast(others, tf.int32), name=name)

    def read_key(self, checked: tf.Tensor) -> tf.Tensor:
        """A key of `check_key` as tf-shell has it: string scalar to variant scalar."""
        front = block_tails.KEY_FRONT_BYTES
        return self.key.frame(tf.strings.substr(checked, front, self.key.num_bytes))


@functools.cache
def _learn_layouts(parameters: Parameters) -> _Layouts:
    """Learns from keys, which are thrown away, and their ciphertexts."""
    lengths = [
        parameters.num_slots * modulus.bit_length() // 8
        for modulus in parameters.ciphertext_moduli
    ]
    # Eagerly, even if the cipher is built while a graph is being traced.
    with tf.init_scope(), tf.device(_HOST):
        context = shell_context.make(parameters)
        zeros = tf.zeros([1, parameters.num_slots], tf.int64)
        keys = [shell_ops.key_gen64(context) for _ in range(2)]
        blocks = [_encrypt(context, key, zeros)[0] for key in keys]
        key_samples = [tf.io.serialize_tensor(key).numpy() for key in keys]
        block_samples = [tf.io.serialize_tensor(block).numpy() for block in blocks]
    return _Layouts(
        key=framing.learn(key_samples, lengths),
        block=framing.learn(block_samples, lengths + lengths),
    )


def _encrypt(context: tf.Tensor, key: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """From int64 [b, N] to variant [b]."""
    # tf-shell's first axis is the slots.
    columns = tf.transpose(values)
    plaintexts = shell_ops.polynomial_import64(
        context, columns, scaling_factor=1.0, random_round=False
    )
    return shell_ops.encrypt64(context, key, plaintexts)


def _check_one_modulus(parameters: Parameters) -> None:
    """What several moduli decrypt to may be wrong, and then tells of key and noise."""
    count = len(parameters.ciphertext_moduli)
    if count > 1:
        raise ValueError(
            "`ciphertext_moduli` must be a single prime, because tf-shell 0.5.0 decrypts "
            "what is encrypted with several to wrong slots where the plaintext modulus is "
            f"not far below each, got {count}. `choose_parameters` takes one."
        )
