"""The parts of selective encryption that nobody named."""

import atexit
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

from selenc_tf import catalog
from selenc_tf.lattice import (
    key_folders,
    key_store,
    scales,
)
from selenc_tf.lattice.cipher import Cipher
from selenc_tf.lattice.codec import FixedPointCodec
from selenc_tf.lattice.key_store import KeySet
from selenc_tf.lattice.per_client import PerClientCipher, PerClientKeys
from selenc_tf.masks import agreement, always_hide, policy
from selenc_tf.masks.agreement import MaskAgreement

BITS = 16
"""Of an encrypted value."""

CIPHER = "tf_shell_bgv"
"""Of the catalogue; `cipher=catalog.cipher("device_rlwe", 64, 16)` takes another."""

PER_CLIENT_CIPHER = "device_rlwe"
"""Likewise, where clients have secrets of their own: `keys=PerClientKeys()`."""

CLIENTS = 64
"""The largest cohort for which lattice parameters are chosen."""

INITIAL_BOUND = 4.0
"""Of the first round's entries, for a client of weight one; later ones follow."""


class Asked(NamedTuple):
    """What a caller said in short; None where he said nothing.

    Attributes:
      ratio: m / n.
      significance: A metric of the catalogue that looks at the gradient or at nothing.
      hide: Selectors of the catalogue, hidden whatever the scores.
      bits: Of a value.
      max_clients: The largest cohort.
    """

    ratio: float | None = None
    significance: str | None = None
    hide: Sequence[str] | None = None
    bits: int | None = None
    max_clients: int | None = None


_DECIDED_BY = {
    "ratio": "agreement",
    "significance": "agreement",
    "hide": "agreement",
    "bits": "codec",
    "max_clients": "cipher",
}
"""The part that decides what an argument says in short."""


class Parts(NamedTuple):
    """What a default fills in."""

    agreement: MaskAgreement
    codec: FixedPointCodec
    scales: scales.ScalePolicy
    cipher: Cipher | PerClientCipher
    keys: KeySet | PerClientKeys


def parts(asked: Asked, given: dict[str, Any]) -> Parts:
    """Fills in what is not given.

    Args:
      asked: What was said in short.
      given: Parts by name, which replace the defaults.

    Returns:
      All parts.

    Raises:
      TypeError: If something is said in short beside the part that decides it.
      ValueError: If there is neither a ratio nor an agreement, or a metric needs more
        than the previous aggregate.
    """
    for name, part in _DECIDED_BY.items():
        if getattr(asked, name) is not None and part in given:
            raise TypeError(
                f"`{name}` would do nothing beside `{part}`, which decides it. Leave one "
                "of them out."
            )
    chosen = given.get("agreement") or _agreement(asked)
    codec = given.get("codec") or FixedPointCodec(
        bits=BITS if asked.bits is None else asked.bits
    )
    clients = CLIENTS if asked.max_clients is None else asked.max_clients
    keys = given.get("keys")
    cipher = given.get("cipher") or _cipher(keys, clients, codec.bits)
    return Parts(
        chosen,
        codec,
        given.get("scales") or scales.previous_aggregate(INITIAL_BOUND),
        cipher,
        keys or _keys_of_this_process(cipher),
    )


def _agreement(asked: Asked) -> MaskAgreement:
    if asked.ratio is None:
        raise ValueError(
            "`ratio` must be given, the share of the entries to encrypt, in [0, 1]: for "
            "example federated.selective_encryption(ratio=0.1)."
        )
    chosen = policy.top_fraction(asked.ratio)
    if asked.hide:
        chosen = always_hide.always_hide(chosen, *map(catalog.selector, asked.hide))
    significance = asked.significance or "magnitude"
    metric = catalog.metric(significance)
    needs = catalog.METRICS[significance].needs
    if needs <= {"seed"}:
        return agreement.public_seed(metric, chosen, seed=(0, 0))
    if needs <= {"seed", "gradient"}:
        return agreement.previous_aggregate(metric, chosen, seed=(0, 0))
    raise ValueError(
        f"`significance` must score what the server publishes, but {significance!r} looks "
        f"at {', '.join(sorted(needs))}. Agree on a mask in a round of its own "
        "(`federated/mask_rounds.py`) and pass it as `agreement`."
    )


def _cipher(
    keys: KeySet | PerClientKeys | None, clients: int, bits: int
) -> Cipher | PerClientCipher:
    """That of the default, or of secrets of the clients' own if these were asked for."""
    if isinstance(keys, PerClientKeys):
        return catalog.per_client_cipher(PER_CLIENT_CIPHER, clients, bits)
    return catalog.cipher(CIPHER, clients, bits)


def _keys_of_this_process(
    cipher: Cipher | PerClientCipher,
) -> KeySet | PerClientKeys:
    """A key for a simulation, deleted when the process ends; none where none is needed."""
    if isinstance(cipher, PerClientCipher):
        return PerClientKeys()
    folder = key_folders.make()
    atexit.register(folder.delete)
    warnings.warn(
        f"A new key lies in {folder.path} until this process ends: enough for a "
        "simulation. In a deployment the key holder makes one and gives it to the "
        "clients (`python -m experiments.keys`); pass `keys`.",
        stacklevel=4,
    )
    return key_store.create(folder.path / "client.key", cipher)
