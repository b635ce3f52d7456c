"""tf-shell's contexts: tables that follow from public parameters, and a random generator.

Making a context takes longer than adding or decrypting a block, so those two share one
that is made once. Encryption and key generation make their own each time. They draw from
the generator inside of the context, which the operating system seeds when the context is
made; a kept one would go on from its state, and a copy of the process (a fork, a restored
snapshot) would go on from the same state, encrypting other values with the same
randomness.
"""

import tensorflow as tf
from tf_shell.python import shell_ops

from selenc_tf.lattice.parameters import Parameters

SHARED_NAME_PREFIX = "selenc_tf_lattice_context_"
"""How the names of the variables begin that hold the shared contexts."""


def shared(parameters: Parameters) -> tf.Tensor:
    """The context of a parameter set, for work without randomness; made once.

    It is kept in a variable that is found by its name, so that every graph that needs it
    finds it, also one that was serialised and imported. No key ever goes in. Two runs at
    the same time may both make it; one of the two stays.

    Args:
      parameters: The parameter set.

    Returns:
      variant scalar.
    """
    handle = tf.raw_ops.VarHandleOp(
        dtype=tf.variant,
        shape=[],
        shared_name=SHARED_NAME_PREFIX + parameters.digest(),
    )

    def known() -> tf.Tensor:
        return tf.raw_ops.ReadVariableOp(resource=handle, dtype=tf.variant)

    def first() -> tf.Tensor:
        context = _make(parameters, tf.constant(0, tf.uint64))
        kept = tf.raw_ops.AssignVariableOp(resource=handle, value=context)
        # Eagerly there is no operation to wait for.
        with tf.control_dependencies([] if kept is None else [kept]):
            return known()

    return tf.cond(tf.raw_ops.VarIsInitializedOp(resource=handle), known, first)


def fresh(parameters: Parameters) -> tf.Tensor:
    """A context whose random generator nothing else has: for one use.

    tf-shell's operations are not marked as stateful. TensorFlow takes two encryptions of
    one tensor for the same computation, does it once, and hands out one ciphertext twice;
    an encryption of constants it may do ahead of time, once for all runs. What is computed
    with this context depends on a random operation, which is stateful and new at every
    place where this is called, so no optimiser can know two of them to be the same.

    Args:
      parameters: The parameter set.

    Returns:
      variant scalar.
    """
    # Always 0. It is not what makes ciphertexts random; the seed is only there because
    # TensorFlow refuses random operations without one in its deterministic mode.
    zero = tf.raw_ops.RandomUniformInt(
        shape=tf.zeros([0], tf.int32), minval=0, maxval=1, seed=1, seed2=1
    )
    return _make(parameters, tf.cast(zero, tf.uint64))


def _make(parameters: Parameters, zero: tf.Tensor) -> tf.Tensor:
    return shell_ops.context_import64(
        log_n=parameters.log_n + zero,
        main_moduli=list(parameters.ciphertext_moduli),
        aux_moduli=[],
        plaintext_modulus=parameters.plaintext_modulus,
        noise_variance=parameters.noise_variance,
        # With a seed, every context would generate the same numbers.
        seed="",
    ).shell_context
