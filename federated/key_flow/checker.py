"""Proves that the secret key stays with the clients, for any TFF computation.

    report = key_flow.check(process.next, key_path=...)  # or `analyse`: does not raise

The computation is brought to the form in which the runtime executes it and evaluated on
labels instead of tensors:

    graphs        operation by operation                             (`graph_taint.py`)
    intrinsics    what is placed where, and what crosses             (`taint_walk.py`)

A leak is a value labelled KEY, or OPENED_OWN (a decryption of anything but a sum), that

- goes from the clients to the server: into an aggregation, a secure sum, the keys of a
  `federated_select`;
- is computed at the server or without a placement (the server drives the computation),
  be it only a field that nobody reads;
- leaves through an operation with effects outside of the graph (printing, writing a
  file, Python code, ...);
- is a result of the computation (KEY only: clients may keep what they opened).

What it does not show: that an aggregation adds up all clients (one client's "sum" is
its own vector; `min_clients` refuses that when run), that the encryption is any good,
or anything about timing and the text of errors.
"""

from typing import Any

import tensorflow_federated as tff

from federated.key_flow.graph_taint import CipherOps, Labels
from federated.key_flow.report import (
    Crossing,
    Field,
    KeyFlowReport,
    KeyLeakError,
    Source,
    Violation,
)
from federated.key_flow.taint_walk import Walk
from federated.runtime import interpreter

__all__ = (
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


def check(computation: Any, key_path: str | None = None) -> KeyFlowReport:
    """Proves that a computation leaks no key, or says what leaks.

    Args:
      computation: As for `analyse`.
      key_path: As for `analyse`.

    Returns:
      The report, without violations.

    Raises:
      KeyLeakError: If there is a violation.
      ValueError: If nothing in the computation reads a key.
    """
    report = analyse(computation, key_path)
    report.raise_if_leaking()
    if not report.sources:
        raise ValueError(
            "Expected `computation` to read a key; found no operation that does, so "
            "there is nothing to prove. Pass the `next` of an encrypted process."
        )
    return report


def analyse(
    computation: Any, key_path: str | None = None, ops: CipherOps | None = None
) -> KeyFlowReport:
    """Follows secret keys through a TFF computation.

    Args:
      computation: any `tff.Computation`, e.g. the `next` of a `tff.learning` process.
        Its own arguments count as free of secrets.
      key_path: the key file. Files that are read count as keys anyway; with the path,
        so does whatever is computed from the path.
      ops: the cipher's operations; tf-shell's by default.

    Returns:
      The report.

    Raises:
      NotImplementedError: If the computation holds something that the analysis does not
        know. It never guesses.
    """
    block = interpreter.native_form(computation)
    heaps: dict[str, Labels] = {}
    while True:
        walk = Walk(ops or CipherOps(), key_path, dict(heaps))
        walk.run(block)
        if walk.heaps == heaps:
            return walk.report()
        heaps = walk.heaps


def contains_bytes(computation: Any, secret: bytes, window: int = 16) -> bool:
    """Whether a part of a secret stands in a computation's serialised form.

    Args:
      computation: any `tff.Computation`.
      secret: e.g. the content of a key file.
      window: length of the parts looked for; a copy of twice that length is found
        wherever it starts. Parts of fewer than `window / 2` distinct bytes are not
        looked for: runs of zeros say nothing.

    Returns:
      True if one of the parts was found.
    """
    text = tff.framework.serialize_computation(computation).SerializeToString()
    parts = (secret[at : at + window] for at in range(0, len(secret), window))
    return any(
        part in text
        for part in parts
        if len(part) == window and len(set(part)) >= window // 2
    )
