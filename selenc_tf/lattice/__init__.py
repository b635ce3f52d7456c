"""Lattice encryption of integer vectors: parameters, codec, keys and ciphers."""
