"""Shows that no secret key reaches the server, for a TFF computation, or finds what may.

    report = key_flow.check(process.next)      # or `analyse`, which does not raise

The computation is brought to the form in which the runtime executes it and evaluated on
labels instead of tensors:

    graphs        operation by operation                             (`graph_taint.py`)
    intrinsics    what is placed where, and what crosses       (`taint_intrinsics.py`)
    blocks        in the order of the run                            (`taint_walk.py`)

A leak is a value labelled KEY, ENTROPY, OPENED_OWN (a decryption of anything but a sum)
or OWN_SECRET (the secret of a message, where clients share no key) that

- goes from the clients to the server: into an aggregation, a secure sum, the keys of a
  `federated_select`;
- is computed at the server or without a placement (the server drives the computation),
  be it only a field that nobody reads;
- leaves through an operation with effects outside of the graph, as its input, or because
  it decides whether or how often the operation runs;
- is a result of the computation, at whatever place: whoever drives the computation gets
  it, and may give it back as an argument.

An OWN_SECRET may go one way: as it was drawn, released by the cipher to a cohort that the
server told to all clients, once, into `federated_secure_sum_bitwidth`.

Nothing is taken for harmless that is not known to be: an operation on none of our lists
(`pure_ops.py`, `op_kinds.py`) counts as a key that comes in and as a way out, and ciphers
are known by the bodies of their functions (`cipher_ops.py`). So a computation that passes
leaks no key and no opened single message through what it computes: the server gets
ciphertexts, and sums of 1 to `max_summands` encrypted messages, which depend on nothing
but these messages. That holds as far as

- operations do what TensorFlow documents, and files that are read as `key_store.read`
  reads a key are key files, written neither by the computation nor by a stranger;
- arguments hold no secret: a key that somebody put into one, or wrote into the computation
  as a constant, is no secret any more. Keys of the files that the computation reads are
  looked for among its constants where `check` may read these files;
- the cipher is sound: a ciphertext tells nothing. That a sum tells no more than the sum
  is arithmetic: the noise budget is one for the worst case, and what is no sum within it
  opens to zeros (`selenc_tf/lattice/parameters.py`, `block_tails.py`).

Not shown, because it is not in what is computed: how many clients a sum has (of one client
it is that client's vector, and the same message may be added twice, or two sums be taken of
which one has a client more; clients refuse cohorts below `min_clients` and messages whose
check value is not that of so many summands; where they share no key, whether the nonce
that a client compares with the cohort is its own, so that its secret may be the only one in
a sum); what sums of secrets tell of the noise (`device/parameters.py`); time; memory;
whether the computation fails, and the text of the error.
"""

import os
from typing import Any

import tensorflow_federated as tff

from federated.key_flow import key_files, literals, well_formed
from federated.key_flow.cipher_ops import CipherOps
from federated.key_flow.graph_taint import NOTHING_KEPT
from federated.key_flow.labels import Label
from federated.key_flow.literals import contains_bytes
from federated.key_flow.report import (
    Crossing,
    Field,
    KeyFlowReport,
    KeyLeakError,
    Source,
    Violation,
)
from federated.key_flow.taint_walk import Walk, graph_of
from federated.runtime import interpreter
from selenc_tf.lattice import key_files as files_lib

__all__ = (
    "CipherOps",
    "Crossing",
    "Field",
    "KeyFlowReport",
    "KeyLeakError",
    "Source",
    "Violation",
    "analyse",
    "check",
    "contains_bytes",
)

_LITERAL = (Violation(Label.KEY, "standing in the computation", "", "Const", ()),)


def check(
    computation: Any,
    key_path: str | os.PathLike[str] | None = None,
    ops: CipherOps | None = None,
) -> KeyFlowReport:
    """Shows that a computation leaks no key, or says what may leak.

    Args:
      computation: As for `analyse`.
      key_path: The key file, or the folder of a series, that the computation must read;
        None if any will do.
      ops: As for `analyse`.

    Returns:
      The report, without violations.

    Raises:
      KeyLeakError: If there is a violation.
      ValueError: If nothing in the computation reads a key, or not from this file.
      NotImplementedError: As by `analyse`.
    """
    report = analyse(computation, key_path, ops)
    report.raise_if_leaking()
    if not report.sources:
        raise ValueError(
            "Expected `computation` to read a key; found no operation that does, so "
            "there is nothing to check. Pass the `next` of an encrypted process."
        )
    if key_path is not None and not report.reads_key_path:
        raise ValueError(
            f"Expected `computation` to read the key at `key_path`, {key_path}; it does "
            "not name this file. Pass the path that the process was built with."
        )
    return report


def analyse(
    computation: Any,
    key_path: str | os.PathLike[str] | None = None,
    ops: CipherOps | None = None,
) -> KeyFlowReport:
    """Follows secrets through a TFF computation.

    Args:
      computation: any `tff.Computation`, e.g. the `next` of a `tff.learning` process.
        Its own arguments count as free of secrets.
      key_path: whether the computation names this file is reported. Whatever is read
        from files counts as a key, whichever they are.
      ops: the functions of the cipher; those of our ciphers by default, with whatever
        secure parameters. `CipherOps.of(cipher)` are those of another.

    Returns:
      The report.

    Raises:
      NotImplementedError: If the computation holds something that the analysis does not
        know. It never guesses.
    """
    block = interpreter.native_form(computation)
    blocks = _blocks_in(block)
    _check_names(blocks)
    graphs = [graph_of(inner) for inner in blocks]
    for inner, graph in zip(blocks, graphs, strict=True):
        well_formed.check(inner.proto.tensorflow, graph, inner.type_signature.parameter)
    known = CipherOps.in_graphs(graphs) if ops is None else ops
    keys = set().union(*map(key_files.names_of_keys, graphs))
    if len(keys) > 1:
        raise NotImplementedError(
            "The analysis tells a key from what is known, but not two keys from each "
            f"other; found that the computation reads keys from {len(keys)} files. Let all "
            "its parts share one: give the same aggregator to `metrics_aggregator=`, the "
            "same `keys=` to every encryption; or make a computation for each key."
        )
    path = None if key_path is None else os.fsencode(files_lib.absolute(key_path))
    named = path is None or any(path in name for name in keys)
    names = set().union(*keys) | ({path} if path else set())
    literal = literals.stands_in(computation, names)
    kept = NOTHING_KEPT
    while True:
        walk = Walk(known, kept)
        walk.run(block)
        if walk.kept == kept:
            return walk.report(named, _LITERAL if literal else ())
        kept = walk.kept


def _blocks_in(block: Any) -> list[Any]:
    """All TensorFlow computations in a computation."""
    blocks = []

    def collect(inner: Any) -> tuple[Any, bool]:
        if isinstance(inner, tff.framework.CompiledComputation):
            blocks.append(inner)
        return inner, False

    tff.framework.transform_postorder(block, collect)
    return blocks


def _check_names(blocks: list[Any]) -> None:
    """Refuses blocks that an executor may take for each other.

    Raises:
      NotImplementedError: If two have one key for caches, and are not the same.
    """
    known: dict[int, bytes] = {}
    for block in blocks:
        message = block.proto.tensorflow
        content = message.SerializeToString(deterministic=True)
        name = message.cache_key.id
        if name and known.setdefault(name, content) != content:
            raise NotImplementedError(
                "The analysis takes every block for what it says; found two different "
                f"ones with the `cache_key` {name}, under which an executor may run one "
                "for the other. Build the computation by TFF's own decorators."
            )
