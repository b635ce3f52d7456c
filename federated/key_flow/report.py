"""What the analysis of key flow reports: crossings, violations, sources."""

import dataclasses

from federated.key_flow.labels import Label, Labels, Site
from federated.runtime.tap import Direction


@dataclasses.dataclass(frozen=True)
class Field:
    """One tensor (or sequence) of a value that crosses.

    Attributes:
      name: path in the value, e.g. `"ciphertext"`; empty for a lone tensor.
      type: its TFF type, with shape.
      labels: what may have gone into it, of `labels.SHOWN`.
    """

    name: str
    type: str
    labels: Labels


@dataclasses.dataclass(frozen=True)
class Crossing:
    """A value that crosses between the parties, for every client of a round.

    Attributes:
      direction: who sends.
      intrinsic: URI of the TFF intrinsic that moves it.
      type: its TFF type.
      fields: its tensors.
    """

    direction: Direction
    intrinsic: str
    type: str
    fields: tuple[Field, ...]


@dataclasses.dataclass(frozen=True)
class Violation:
    """A secret in the wrong place.

    Attributes:
      label: KEY, ENTROPY, OPENED_OWN or OWN_SECRET.
      place: where it was found, in words.
      field: name of the offending field; empty for a lone tensor.
      type: TFF type of that field.
      path: how it came there, step by step.
    """

    label: Label
    place: str
    field: str
    type: str
    path: tuple[str, ...]

    def __str__(self) -> str:
        """One sentence."""
        what = f"field `{self.field}` ({self.type})" if self.field else self.type
        return f"{self.label.value} in {what} {self.place}: {' -> '.join(self.path)}"


@dataclasses.dataclass(frozen=True)
class Source:
    """An operation that brings secret material in.

    Attributes:
      placement: `"clients"`, `"server"` or `"unplaced"`.
      site: the operation.
    """

    placement: str
    site: Site


@dataclasses.dataclass(frozen=True)
class KeyFlowReport:
    """What the analysis found.

    Attributes:
      violations: the leaks, each where it happens first; empty: none was found.
      to_server: what crosses CLIENTS -> SERVER, in order.
      to_clients: what crosses SERVER -> CLIENTS, in order.
      sources: where keys are read, or may be. If there is none, nothing was shown
        about a key.
      reads_key_path: whether the computation names the key's file, if one was given.
    """

    violations: tuple[Violation, ...]
    to_server: tuple[Crossing, ...]
    to_clients: tuple[Crossing, ...]
    sources: tuple[Source, ...]
    reads_key_path: bool

    def raise_if_leaking(self) -> None:
        """Raises if there is a violation.

        Raises:
          KeyLeakError: Naming everything that leaks.
        """
        if self.violations:
            raise KeyLeakError(self.violations)


class KeyLeakError(ValueError):
    """A computation gives a secret to the server.

    Attributes:
      violations: what leaks.
    """

    def __init__(self, violations: tuple[Violation, ...]):
        """Names what leaks."""
        lines = "\n".join(f"- {violation}" for violation in violations)
        super().__init__(
            f"Expected a computation whose secrets stay at the clients; found:\n{lines}\n"
            "What the analysis does not know to be harmless (files, clocks, Python code) "
            "counts as a key: compute that outside, and pass it as an argument."
        )
        self.violations = violations
