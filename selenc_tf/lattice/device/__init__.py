"""Ciphers of plain TensorFlow operations, which XLA compiles for whatever device is there.

Everything here is a pure function of tensors, and all shapes are known when a graph is
built. Integer operations only: none depends on a secret in how long it takes, as far as
the processor's own additions, multiplications and shifts do not.
"""
