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
def per_client_named(name, num_summands, bits):
    """As `named`, without a shared key."""
    return catalog.per_client_cipher(name, num_summands, bits)


def per_client(num_summands, bits):
    return per_client_named("device_rlwe", num_summands, bits)


def of_catalogue(num_summands, bits):
    """All there are, without a shared key too; `bits` of those that are named there."""
    return (
        *(named(name, num_summands, bits.get(name, 16)) for name in catalog.CIPHERS),
        *(
            per_client_named(name, num_summands, bits.get(name, 16))
            for name, entry in catalog.CIPHERS.items()
            if entry.per_client
        ),
    )
