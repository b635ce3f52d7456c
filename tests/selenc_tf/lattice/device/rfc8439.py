"""ChaCha20 in Python's integers, written from the RFC: an oracle that shares no code."""

import struct

_DIAGONALS = (
    (0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
    (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14),
)  # fmt: skip


def _turn(word, places):
    return (word << places | word >> (32 - places)) & 0xFFFFFFFF


def _quarter(state, a, b, c, d):
    for x, y, z, places in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        state[x] = (state[x] + state[y]) & 0xFFFFFFFF
        state[z] = _turn(state[z] ^ state[x], places)


def block(key, nonce, counter):
    """The sixteen words of a block; key and nonce are sequences of words."""
    begin = [*struct.unpack("<4I", b"expand 32-byte k"), *key, counter, *nonce]
    state = list(begin)
    for _ in range(10):
        for places in _DIAGONALS:
            _quarter(state, *places)
    return [(one + two) & 0xFFFFFFFF for one, two in zip(state, begin, strict=True)]


def stream(key, nonce, counter, num_words):
    """So many words of the key stream."""
    found = []
    while len(found) < num_words:
        found += block(key, nonce, counter + len(found) // 16)
    return found[:num_words]
