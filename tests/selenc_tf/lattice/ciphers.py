"""Ciphers that many test modules share: tracing one takes half a second."""

import functools

from selenc_tf.lattice import parameters, shell_cipher


@functools.cache
def shell(num_summands, bits):
    """The tf-shell cipher whose parameters are chosen for this."""
    return shell_cipher.build_shell_cipher(
        parameters.choose_parameters(num_summands, bits)
    )
