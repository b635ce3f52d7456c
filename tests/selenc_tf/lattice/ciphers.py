"""Ciphers that many test modules share: tracing one takes half a second."""

import functools

from selenc_tf import catalog


@functools.cache
def named(name, num_summands, bits):
    """The cipher of the catalogue whose parameters are chosen for this."""
    return catalog.cipher(name, num_summands, bits)


def shell(num_summands, bits):
    return named("tf_shell_bgv", num_summands, bits)


def device(num_summands, bits):
    return named("device_rlwe", num_summands, bits)


def pad(num_summands, bits):
    return named("additive_pad", num_summands, bits)


COMPILED = ("device_rlwe", "additive_pad")
"""By XLA, which takes seconds, once a process."""


@functools.cache
def per_client(num_summands, bits):
    """The cipher without a shared key."""
    return catalog.per_client_cipher("device_rlwe", num_summands, bits)
