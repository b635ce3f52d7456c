"""Prints what of the seeds of a cipher lies in its own memory, as JSON.

    python -m tests.federated.resident_seeds NAME

What the operating system said is told by a function beside the graph, masked, and so is
all that is made of it. Threads' stacks are left out: a seed may lie there (see
docs/threat-model.md). `held` is the control: a seed that somebody holds is found.
"""

import base64
import json
import re
import sys
from collections.abc import Iterable, Iterator

import numpy as np
import tensorflow as tf

import federated  # noqa: F401 - It must come before the first tensor.
from selenc_tf.lattice import block_tails, memory
from selenc_tf.lattice.device import entropy
from tests.federated import resident_keys
from tests.selenc_tf.lattice import either, encrypting
from tests.selenc_tf.lattice.device import rfc8439

_MASK = np.uint8(resident_keys.MASK)
_WORD = resident_keys.MASK * 0x01010101
_HALF = 16
_LINE = 36


def masked(octets: bytes) -> bytes:
    return (np.frombuffer(octets, np.uint8) ^ _MASK).tobytes()


class Telling:
    """Draws as `entropy.draw_words` does, and keeps what was drawn, masked."""

    def __init__(self):
        self.draw = entropy.draw_words
        self.said = []

    def __call__(self, *given):
        words = self.draw(*given)
        told = tf.numpy_function(self._keep, [words], tf.int32)
        with tf.control_dependencies([told]):
            return tf.identity(words)

    def _keep(self, words):
        self.said.append(masked(words.tobytes()))
        return np.int32(0)


def lines_of(said: bytes) -> list[bytes]:
    """The lines of a drawing, masked as it is."""
    blank = masked(bytes(1))
    return [one for one in re.split(re.escape(blank) + b"+", said) if one]


def words_of(octets: bytes) -> list[int]:
    """Their words, unmasked; as numbers, of which no two lie beside each other."""
    return [word ^ _WORD for word in np.frombuffer(octets, "<u4").tolist()]


def octets_of(words: Iterable[int]) -> bytes:
    """The inverse."""
    return np.array([word ^ _WORD for word in words], "<u4").tobytes()


def made_of(said: bytes) -> Iterator[bytes]:
    """All that the seed is made of and that is made of it, masked: 32 octets each."""
    words = words_of(b"".join(lines_of(said)))
    key = [0] * 8
    for place in range(0, len(words), 4):
        counter, *nonce = words[place : place + 4]
        key = rfc8439.block(key, nonce, counter)[:8]
        # The first ones are known but for what few lines say.
        if place >= 16:
            yield octets_of(key)
    two = rfc8439.block(key, [0x54574F53, 0, 0], 0)
    yield octets_of(two[:8])
    yield octets_of(two[8:])


def id_of(said: bytes) -> bytes:
    """What a key would be called by a drawing: its seed's end."""
    *_, seed, _, _ = made_of(said)
    return base64.urlsafe_b64encode(masked(seed)[8:])


def halves(octets: Iterable[bytes]) -> list[bytes]:
    return [one[at : at + _HALF] for one in octets for at in (0, _HALF)]


def main(name: str) -> None:
    """Makes a key, encrypts, and looks for seeds after each."""
    entropy.draw_words = telling = Telling()
    found = {}

    def there(pieces: list[bytes]) -> int:
        return resident_keys.found_of(pieces, stacks=False)

    def look(step: str, drawings: list[bytes]) -> None:
        lines = [lines_of(one) for one in drawings]
        assert lines and {len(line) for one in lines for line in one} == {_LINE}
        found[step] = {
            "seeds": there(halves(part for one in drawings for part in made_of(one))),
            # Across the end of what is lost: who has that has more than the end.
            "not whole": min(
                len(one) - there([line[8 : 8 + _HALF] for line in one]) for one in lines
            ),
        }

    with memory.zeroed():
        cipher = encrypting.built(name)
        key = either.new_key(cipher)
        if either.has_key(cipher):
            # Of the two drawings one is of the id, which everybody sees.
            front = key.numpy()[: block_tails.KEY_FRONT_BYTES]
            secret = [one for one in telling.said if id_of(one) not in front]
            assert len(secret) == len(telling.said) - 1 == 1
            look("key made", secret)
        made = len(telling.said)
        both = encrypting.twice(cipher)
        for _ in range(2):
            both(key, 2)
        look("encrypted", telling.said[made:])
        held = entropy.draw_seed()
        found["held"] = there(halves([masked(held.numpy().tobytes())]))
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
