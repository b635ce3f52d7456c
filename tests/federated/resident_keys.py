"""Prints where in its own memory keys lie, step by step, as JSON.

    python -m tests.federated.resident_keys FOLDER

What is looked for is never there in the clear: another process reads the key file and
hands the octets over masked, and memory is masked before it is searched. `held` is the
control: there the key is.
"""

import gc
import json
import pathlib
import re
import resource
import subprocess
import sys
import time
from collections.abc import Iterator

import numpy as np

import federated  # noqa: F401 - It must come before the first tensor.
from selenc_tf.lattice import block_tails

MASK = 0x5A
_PIECES, _LENGTH = 6, 16
_FRONT = block_tails.KEY_FRONT_BYTES
_AT_A_TIME = 1 << 24
_LOOKS, _MOMENT = 2, 1.0
_STACK_BYTES = resource.getrlimit(resource.RLIMIT_STACK)[0]

# Run by the other process: pieces of the last record, the key, from all over it, and the
# first of its secret, which may be no longer.
_READ = f"""
import pathlib, struct, sys
rest = pathlib.Path(sys.argv[1]).read_bytes()
while rest:
    (size,) = struct.unpack("<Q", rest[:8])
    key, rest = rest[12 : 12 + size], rest[16 + size :]
places = [len(key) * (2 * part + 1) // (2 * {_PIECES}) for part in range({_PIECES})]
for at in places + [{_FRONT}, {_FRONT + _LENGTH}]:
    print(bytes(octet ^ {MASK} for octet in key[at : at + {_LENGTH}]).hex())
"""


def masked_pieces(path: str) -> list[bytes]:
    """Pieces of a key file's key, masked."""
    line = [sys.executable, "-c", _READ, path]
    done = subprocess.run(line, check=True, stdout=subprocess.PIPE, text=True)
    return [bytes.fromhex(one) for one in done.stdout.split()]


def stays_of(pieces: list[bytes]) -> int:
    """`found_of`, but for what a thread frees a moment later."""
    found = found_of(pieces)
    for _ in range(_LOOKS):
        if not found:
            break
        time.sleep(_MOMENT)
        found = found_of(pieces)
    return found


def found_of(pieces: list[bytes], *, stacks: bool = True) -> int:
    """How many of the pieces lie anywhere in this process, or but for threads' stacks."""
    gc.collect()
    seen = set()
    for octets in _memory(stacks):
        masked = np.bitwise_xor(octets, np.uint8(MASK)).tobytes()
        seen |= {one for one in pieces if one in masked}
    return len(seen)


def _memory(stacks: bool) -> Iterator[np.ndarray]:
    overlap, guard = _LENGTH - 1, ""
    with open("/proc/self/mem", "rb", buffering=0) as memory:
        for line in pathlib.Path("/proc/self/maps").read_text().splitlines():
            begin, end, mode = re.match(r"(\w+)-(\w+) (\S+)", line).groups()
            # Of a thread: so long, behind pages that nobody may touch.
            stack = begin == guard and int(end, 16) - int(begin, 16) == _STACK_BYTES
            guard = end if mode.startswith("---") else ""
            if not stacks and (stack or line.endswith("[stack]")):
                continue
            if not mode.startswith("rw") or line.endswith("[vvar]"):
                continue
            at, last = int(begin, 16), int(end, 16)
            while at < last:
                try:
                    memory.seek(at)
                    octets = memory.read(min(_AT_A_TIME + overlap, last - at))
                except OSError:  # What cannot be read is nobody's.
                    break
                yield np.frombuffer(octets, np.uint8)
                at += _AT_A_TIME


def main(folder: pathlib.Path) -> None:
    """Makes, names, hands out and uses a key, and looks after each step."""
    from federated import aggregators, key_flow, processes, runtime
    from selenc_tf.lattice import key_copies, key_store, scales
    from tests.federated import rounds

    holder = folder / "cohort.key"
    key_store.create(holder, rounds.CIPHER)
    pieces = masked_pieces(str(holder))
    found = {"made": stays_of(pieces)}
    keys = key_store.find(holder)
    found["found"] = stays_of(pieces)
    keys, _ = key_copies.hand_out(holder, folder / "client")
    found["handed out"] = stays_of(pieces)
    between: list[int] = []
    runtime.install(observers=[lambda crossing: between.append(stays_of(pieces))])
    encryption = aggregators.SelectiveEncryption(
        rounds.HISTORY,
        rounds.CODEC,
        scales.public_bound(rounds.BOUND),
        rounds.CIPHER,
        keys,
    )
    model = rounds.small_model()
    made = processes.build_reveal_round(
        model, aggregators.selective_encryption(encryption)
    )
    key_flow.check(made.next, keys.path)
    found["checked"] = stays_of(pieces)
    state = made.initialize()
    made.next(state, model.initial_weights, rounds.batches(2, 3))
    found["between the graphs of a round"] = max(between)
    found["after the round"] = stays_of(pieces)
    held = key_store.read(keys, rounds.CIPHER).numpy()
    found["held"] = found_of(pieces)
    assert len(held) > _PIECES * _LENGTH
    print(json.dumps(found))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
