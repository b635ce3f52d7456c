"""The functions of a cipher that the analysis may trust, known by their bodies."""

import dataclasses
import enum
import functools
import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from federated.key_flow import bodies
from selenc_tf.lattice import (
    device_cipher,
    device_per_client,
    pad_cipher,
    parameters,
    shell_cipher,
)
from selenc_tf.lattice.cipher import Cipher
from selenc_tf.lattice.device import pad_parameters
from selenc_tf.lattice.device import parameters as device_parameters
from selenc_tf.lattice.per_client import PerClientCipher


class Role(enum.Enum):
    """What a trusted function does."""

    KEYGEN = "makes a key"
    ENTROPY = "draws secret randomness from the operating system"
    ENCRYPT = "encrypts"
    ADD = "adds ciphertexts"
    DECRYPT = "decrypts"
    SEAL = "draws a secret and encrypts under it"
    RELEASE = "gives a secret out for a secure sum over a cohort"
    OPEN = "opens by a sum of secrets"


@dataclasses.dataclass(frozen=True)
class Trusted:
    """A trusted function.

    Attributes:
      role: what it does.
      key: index of the argument that is the key, the secret or the sum of secrets; for
        all but KEYGEN, ENTROPY, ADD and SEAL.
      data: index of the argument that is encrypted, added, opened, or the cohort.
      bits: of RELEASE, how many a number of what it gives out has.
    """

    role: Role
    key: int = 0
    data: int = 0
    bits: int = 0


@dataclasses.dataclass(frozen=True)
class CipherOps:
    """All trusted functions of a computation.

    A function that draws secrets is declared here too, whatever it is made of. What it
    gives out is secret like a key, but nothing that is encrypted under it counts as
    hidden.

    Attributes:
      by_body: from the fingerprint of a function's body.
    """

    by_body: Mapping[str, Trusted] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, *ciphers: Cipher | PerClientCipher) -> "CipherOps":
        """The functions of ciphers, each a `tf.function` with an input signature."""
        found: dict[str, Trusted] = {}
        for cipher in ciphers:
            roles = _OWN_ROLES if isinstance(cipher, PerClientCipher) else _ROLES
            for name, trusted in roles.items():
                body = body_of(getattr(cipher, name))
                if isinstance(cipher, PerClientCipher) and name == "release":
                    trusted = dataclasses.replace(trusted, bits=cipher.secret_bits)
                if body is not None:
                    found[body] = trusted
        return cls(found)

    @property
    def secret_bits(self) -> int:
        """How many bits what is released of any of these ciphers may have."""
        return max((one.bits for one in self.by_body.values()), default=0)

    @classmethod
    def in_graphs(cls, graphs: Iterable[tf.compat.v1.GraphDef]) -> "CipherOps":
        """Those of our ciphers, for all parameters that the graphs may hold.

        What a graph says of its parameters is only a guess: the cipher is built with
        them, which refuses insecure ones, and the bodies of its functions are compared.
        """
        graphs = list(graphs)
        shells = map(_shell_cipher, sorted(_parameters_in(graphs), key=repr))
        spelled = map(_spelled_ciphers, sorted(_texts_in(graphs)))
        return cls.of(*shells, *itertools.chain.from_iterable(spelled))


_ROLES = {
    "keygen": Trusted(Role.KEYGEN),
    "encrypt": Trusted(Role.ENCRYPT, key=0, data=1),
    "add": Trusted(Role.ADD, data=0),
    "decrypt": Trusted(Role.DECRYPT, key=0, data=1),
}

_OWN_ROLES = {
    "encrypt": Trusted(Role.SEAL, data=1),
    "add": Trusted(Role.ADD, data=0),
    "release": Trusted(Role.RELEASE, key=0, data=2),
    "open": Trusted(Role.OPEN, key=1, data=4),
}


def body_of(function: Any) -> str | None:
    """The fingerprint of a `tf.function` with an input signature; None of others."""
    signature = getattr(function, "input_signature", None)
    if signature is None:
        return None
    with tf.Graph().as_default() as graph:
        function(*[tf.compat.v1.placeholder(s.dtype, s.shape) for s in signature])
    graph_def = graph.as_graph_def()
    library = {one.signature.name: one for one in graph_def.library.function}
    (call,) = [node for node in graph_def.node if "f" in node.attr]
    return bodies.fingerprint(call.attr["f"].func.name, library)


# Two uses of the same parameters are the rule: building takes a second.
@functools.lru_cache(maxsize=8)
def _shell_cipher(chosen: parameters.Parameters) -> Cipher:
    return shell_cipher.build_shell_cipher(chosen)


def _of_rlwe(text: str) -> tuple[Cipher | PerClientCipher, ...]:
    chosen = device_parameters.RlweParameters.from_text(text)
    shared = device_cipher.build_device_cipher(chosen)
    # Whether sums of secrets may become known.
    if chosen.variance < device_parameters.PER_CLIENT_VARIANCE:
        return (shared,)
    return shared, device_per_client.build_per_client_cipher(chosen)


def _of_pad(text: str) -> tuple[Cipher | PerClientCipher, ...]:
    chosen = pad_parameters.PadParameters.from_text(text)
    return (pad_cipher.build_pad_cipher(chosen),)


_BY_TEXT = {device_parameters.NAME: _of_rlwe, pad_parameters.NAME: _of_pad}
"""The ciphers that spell their parameters out in their graphs: how they read them."""


def _texts_in(graphs: Iterable[tf.compat.v1.GraphDef]) -> set[bytes]:
    """What may spell parameters out in functions of the graphs."""
    begins = tuple(f"{name} ".encode() for name in _BY_TEXT)
    return {
        text
        for graph in graphs
        for function in graph.library.function
        for node in function.node_def
        if node.op == "Const"
        for text in node.attr["value"].tensor.string_val
        if text.startswith(begins)
    }


@functools.lru_cache(maxsize=8)
def _spelled_ciphers(text: bytes) -> tuple[Cipher | PerClientCipher, ...]:
    """The ciphers of the parameters in a text, if they are some and are secure."""
    try:
        spelled = text.decode()
        return _BY_TEXT[spelled.split(" ", 1)[0]](spelled)
    except ValueError:
        return ()


def _parameters_in(
    graphs: Iterable[tf.compat.v1.GraphDef],
) -> set[parameters.Parameters]:
    """Parameters of which traces stand in the graphs."""
    rings: set[_Ring] = set()
    limits: set[int] = set()
    for graph in graphs:
        for function in graph.library.function:
            by_name = {node.name: node for node in function.node_def}
            for node in function.node_def:
                if node.op == "ContextImport64":
                    rings.add(_ring(node, by_name))
                if node.op == "LessEqual" and _may_be_a_ciphers(function):
                    limits.update(_integers(node.input[1], by_name))
    return {
        chosen
        for ring, limit in itertools.product(rings, limits or {1})
        for chosen in _valid(ring, limit)
    }


def _may_be_a_ciphers(function: Any) -> bool:
    """Whether a function has a context or could be an adder: these have the limit."""
    arguments = [*function.signature.input_arg, *function.signature.output_arg]
    adds = [one.type for one in arguments] == [tf.string.as_datatype_enum] * 2
    return adds or any(node.op == "ContextImport64" for node in function.node_def)


class _Ring(NamedTuple):
    """Constants that a context of tf-shell is made of."""

    log_n: tuple[int, ...]
    moduli: tuple[int, ...]
    plaintext: tuple[int, ...]
    noise: tuple[int, ...]


def _ring(node: Any, by_name: Mapping[str, Any]) -> _Ring:
    log_n, moduli, _, plaintext, noise, *_ = (
        _integers(name, by_name) for name in node.input
    )
    return _Ring(log_n, moduli, plaintext, noise)


def _valid(ring: _Ring, limit: int) -> Iterator[parameters.Parameters]:
    """The parameters, if they are some and are secure."""
    if not len(ring.log_n) == len(ring.plaintext) == len(ring.noise) == 1:
        return
    try:
        yield parameters.Parameters(
            *ring.log_n, ring.moduli, *ring.plaintext, limit, *ring.noise
        )
    except ValueError:
        return


def _integers(reference: str, by_name: Mapping[str, Any]) -> tuple[int, ...]:
    """The constant behind a tensor, but for a cast or a zero that is added to it."""
    node = by_name.get(reference.removeprefix("^").split(":")[0])
    while node is not None and node.op in ("AddV2", "Cast", "Identity"):
        node = by_name.get(node.input[0].split(":")[0])
    if node is None or node.op != "Const":
        return ()
    value = tf.make_ndarray(node.attr["value"].tensor)
    if not np.issubdtype(value.dtype, np.integer):
        return ()
    return tuple(int(number) for number in value.reshape([-1]))
