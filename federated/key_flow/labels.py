"""What the analysis of key flow says about a value: a set of labels.

Labels of the first kind say what *may* have gone into a value. Those of the second kind
say what a value is *not*: an ordinary value has them all, and only few operations give
out values without one. Sets are joined by union, so a value that is one thing on one path
and something else on another is what it is on neither: a mixture of the key and something
known is no key, a tensor of sums and of one client's ciphertext is no sum.
"""

import dataclasses
import enum
from collections.abc import Iterable
from typing import TypeAlias


class Label(enum.Enum):
    """What may have gone into a value, and what it is not."""

    KEY = "raw key material"
    ENTROPY = "secret randomness"
    OPENED_OWN = "a decrypted ciphertext that is not known to be a sum"
    OWN_SECRET = "the secret of a message, which only sums of may be told"
    CIPHERTEXT = "a client's own ciphertext"
    SUM = "the outcome of a server's aggregation"
    DECRYPTED = "a decrypted sum"
    SECRET_SUM = "a sum of secrets of messages"
    SIZE = "a shape in which a secret may show"
    DEFERRED = "a data set that does something when it is read"

    LOOSE = "not, or not only, a key as its declared reader gave it"
    UNADDED = "not, or not only, what the cipher's own adder made"
    FORGED = "not, or not only, what the cipher made"
    UNDRAWN = "not, or not only, the secret of one message as it was drawn"
    UNRELEASED = "not, or not only, what was released of one to a cohort"
    UNTOLD = "not, or not only, what the server told all clients"
    UNSUMMED = "not, or not only, a secure sum of what was released"
    HEAD = "as the other labels say but for its first element"


Labels: TypeAlias = frozenset[Label]

NONE: Labels = frozenset()

SECRET: Labels = frozenset(
    {Label.KEY, Label.ENTROPY, Label.OPENED_OWN, Label.OWN_SECRET}
)
"""What must not reach the server."""

NO_OWN: Labels = frozenset(
    {Label.UNDRAWN, Label.UNRELEASED, Label.UNTOLD, Label.UNSUMMED}
)
"""What has nothing to do with secrets of messages."""

ORDINARY: Labels = NO_OWN | {Label.LOOSE, Label.UNADDED, Label.FORGED}
"""What nobody made who is trusted."""

NEGATIVE: Labels = ORDINARY | {Label.HEAD}
"""Labels of the second kind."""

MAY: Labels = frozenset(Label) - NEGATIVE
"""Labels of the first kind."""

SHOWN: Labels = MAY - {Label.SIZE, Label.DEFERRED}
"""What reports show."""


@dataclasses.dataclass(frozen=True, order=True)
class Site:
    """An operation in a graph.

    Attributes:
      op: its kind, e.g. `ReadFile`.
      node: its name.
    """

    op: str
    node: str


def union(parts: Iterable[Labels]) -> Labels:
    """All labels of all parts."""
    return NONE.union(*parts)


def ordinary(*inputs: Labels) -> Labels:
    """The labels of something computed from the inputs."""
    return (union(inputs) & MAY) | ORDINARY
