"""What `experiments.keys` does: each gives lines with public names, and no key."""

import pathlib
from collections.abc import Iterator

from selenc_tf import catalog
from selenc_tf.lattice import key_copies, key_files, key_store
from selenc_tf.lattice.cipher import Cipher


def make(
    path: str, cipher: str, max_clients: int, bits: int, rounds: int
) -> Iterator[str]:
    """Makes a key, or a series of so many if `rounds` is not 0."""
    target = key_files.absolute(path)
    chosen = _cipher(cipher, max_clients, bits)
    if rounds:
        key_store.create_series(target, chosen, rounds)
    else:
        key_store.create(target, chosen)
    yield from describe(path)


def hand_out(path: str, folder: str) -> Iterator[str]:
    """Copies what a client does not have yet into its folder."""
    keys, copied = key_copies.hand_out(path, folder)
    yield f"Copied {copied} of the key files to {keys.path}."
    yield from describe(keys.path)


def rotate(
    path: str, cipher: str, max_clients: int, bits: int, rounds: int
) -> Iterator[str]:
    """Adds keys for so many more rounds to a series."""
    keys = key_store.find(path)
    last = int(key_files.files_of(pathlib.Path(keys.path))[-1].stem)
    chosen = _cipher(cipher, max_clients, bits)
    key_store.create_series(keys.path, chosen, rounds, last + 1)
    yield from describe(path)


def forget(path: str, before_round: int) -> Iterator[str]:
    """Deletes keys of earlier rounds; all of it if `before_round` is 0."""
    count = (
        key_store.forget(key_store.find(path), before_round)
        if before_round
        else key_store.delete(path)
    )
    if not count:
        raise FileNotFoundError(
            f"`--keys` must have something to forget, but there is no such key at "
            f"{key_files.absolute(path)}."
        )
    yield f"Deleted {count} key files."
    if before_round and key_files.files_of(key_files.absolute(path)):
        yield from describe(path)


def describe(path: str) -> Iterator[str]:
    """The public name, and of a series its rounds."""
    keys = key_store.find(path)
    target = pathlib.Path(keys.path)
    yield f"{keys.path}: id {keys.key_id}"
    if keys.rotates:
        rounds = {int(one.stem) for one in key_files.files_of(target)}
        yield f"One key a round: {_ranges(rounds)}."
        unfinished = len(list(key_files.numbered(target))) - len(rounds)
    else:
        yield "One key for all rounds."
        unfinished = len(key_files.names_of(target)) - 1
    if unfinished:
        yield f"Unfinished files beside: {unfinished}. --action=forget deletes them too."


def _cipher(name: str, max_clients: int, bits: int) -> Cipher:
    return catalog.cipher(name, max_clients, bits)


def _ranges(numbers: set[int]) -> str:
    """Numbers in short: 0-3, 7."""
    starts = sorted(n for n in numbers if n - 1 not in numbers)
    ends = sorted(n for n in numbers if n + 1 not in numbers)
    pairs = zip(starts, ends, strict=True)
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in pairs)
