"""tf-shell's contexts: tables that follow from public parameters, and a random generator.

Making a context takes longer than decrypting a block. In a graph of constants TensorFlow
makes it when it optimises the graph, once for all runs (constant folding); that is what
decryption relies on.

Encryption and key generation must not. They draw from the generator inside of the
context, which the operating system seeds when the context is made; a kept one would go on
from its state, and a copy of the process (a fork, a restored snapshot) would go on from
the same state, encrypting other values with the same randomness. So they make a context
of their own in every run, with `unmergeable_zero`.
"""

import tensorflow as tf
from tf_shell.python import shell_ops

from selenc_tf.lattice.parameters import Parameters


def make(parameters: Parameters, zero: tf.Tensor | int = 0) -> tf.Tensor:
    """A context.

    Args:
      parameters: The parameter set.
      zero: The number 0, from `unmergeable_zero` if the context is for one run only.

    Returns:
      variant scalar.
    """
    return shell_ops.context_import64(
        log_n=tf.cast(parameters.log_n + zero, tf.uint64),
        main_moduli=list(parameters.ciphertext_moduli),
        aux_moduli=[],
        plaintext_modulus=parameters.plaintext_modulus,
        noise_variance=parameters.noise_variance,
        # With a seed, every context would generate the same numbers.
        seed="",
    ).shell_context


def unmergeable_zero() -> tf.Tensor:
    """The number 0, such that what is computed with it is computed anew.

    tf-shell's operations are not marked as stateful. TensorFlow takes two encryptions of
    one tensor for the same computation, does it once, and hands out one ciphertext twice;
    an encryption of constants it may do ahead of time, once for all runs. This number
    comes from a random operation, which is stateful and new at every place where this is
    called, so no optimiser can know two of them to be the same.

    Returns:
      int32 scalar.
    """
    # It is not what makes ciphertexts random. The seed is only there because TensorFlow
    # refuses random operations without one in its deterministic mode.
    return tf.raw_ops.RandomUniformInt(
        shape=tf.zeros([0], tf.int32), minval=0, maxval=1, seed=1, seed2=1
    )
