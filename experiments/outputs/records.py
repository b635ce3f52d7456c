"""What is measured: one record per attacked example and one per training round."""

import dataclasses
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias, TypeVar

import numpy as np

from attacks import words
from experiments.outputs import files, hidden_share
from experiments.outputs.pictures import flat_records
from selenc_tf import validation

Target: TypeAlias = Literal["client", "aggregate", "cohort"]

ATTACKERS = words.MODES
TARGETS: tuple[Target, ...] = ("client", "aggregate", "cohort")

OWN_MASK = "own"
"""The agreement of a lone client that chooses its mask itself."""


@dataclasses.dataclass(frozen=True, order=True)
class Cell:
    """One point of the grid that a run walks through.

    Attributes:
      dataset: What the data really is (`Dataset.name`).
      model: The architecture's name.
      metric: What chooses the hidden entries.
      agreement: How the clients come to one mask.
      encryption_ratio: m / n in [0, 1].
      release: The release mode.
      num_clients: k.
      seed: Of weights, data and attack.
    """

    dataset: str
    model: str
    metric: str
    agreement: str
    encryption_ratio: float
    release: str
    num_clients: int
    seed: int

    def __post_init__(self) -> None:
        """Checks the ranges.

        Raises:
          ValueError: If the ratio is outside [0, 1] or there is no client.
        """
        validation.check_fraction("encryption_ratio", self.encryption_ratio)
        validation.check_at_least("num_clients", self.num_clients, 1)


class AttackKey(NamedTuple):
    """What makes an `AttackRecord` the same piece of work as another.

    Attributes:
      cell: The point of the grid.
      image_index: Which example of the data set.
      attack: The method.
      attacker: "naive" or "mask_aware".
      target: "client", "aggregate" or "cohort".
      batch_size: Examples behind the attacked gradient.
    """

    cell: Cell
    image_index: int
    attack: str
    attacker: str
    target: str
    batch_size: int


class RoundKey(NamedTuple):
    """What makes a `RoundRecord` the same piece of work as another.

    Attributes:
      cell: The point of the grid.
      round: Number of the round, from 1.
    """

    cell: Cell
    round: int


@dataclasses.dataclass(frozen=True)
class MemberRecord:
    """What one of the attacks behind "strongest" made of one example.

    Attributes:
      name: The attack.
      status: How it ended: "ok", "does_not_apply", "failed", or "not_run" where another
        one was exact.
      reason: Why it has no result, or no rehearsal; "" if all went well.
      measures: Of its own reconstruction; empty without one.
      visible_error: How well it explains what is visible, 0 for a perfect match; None
        without a reconstruction, or where nothing is visible.
      rehearsal: Its mean score on messages that the attacker made itself; None if it
        was not rehearsed.
      seconds: Wall-clock time, rehearsals included.
      stop: Why its search ended (`attacks.knowledge.Reconstruction.stop`); "" without a
        reconstruction, and in records of versions that did not say.
      iterations: Its own steps, of all starts together, without rehearsals.
      label_correct: Whether its label is the true one; None where it names none, was told
        it, or records do not say.
      label_source: Where it has it from (`attacks.knowledge.Reconstruction`).
      details: What else was measured of its reconstruction, as in `AttackRecord.details`.
    """

    name: str
    status: words.Status
    reason: str
    measures: Mapping[str, Any]
    visible_error: float | None
    rehearsal: float | None
    seconds: float
    stop: str = ""
    iterations: int = 0
    label_correct: bool | None = None
    label_source: str = ""
    details: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Checks the word that other code compares.

        Raises:
          ValueError: If `status` is unknown.
        """
        validation.check_in("status", self.status, words.STATUSES)


@dataclasses.dataclass(frozen=True)
class AttackRecord:
    """What one attack made of one example.

    An attack without a reconstruction has a status, a reason, and None for everything
    that is measured on one: no number is made up for it.

    Attributes:
      cell: The point of the grid, with the asked encryption ratio.
      image_index: Which example of the data set.
      label: Its true label, or None for an example without one.
      hidden: m, the number of encrypted entries: `hidden_share` is what was really
        hidden of what `cell.encryption_ratio` asked for.
      parameters: n.
      attack: The method.
      attacker: "naive" treats hidden entries as zeros; "mask_aware" knows the mask.
      target: "client" (one client's message), "aggregate" (the published average) or
        "cohort" (all messages of a round and its average together).
      batch_size: Examples behind the attacked gradient.
      measures: What the modality measured on the reconstruction, by name: numbers, which
        are NaN if the attack diverged, and truth values (`outputs/pictures/leaks.py`
        says which of pictures). Empty without a reconstruction.
      recovered_label: The attacker's label, or None if it had no say in it.
      label_correct: Whether that is the true one, or None.
      objective: The attacker's own loss at the end, or None.
      iterations: Its steps, of all restarts together.
      seconds: Wall-clock time of the attack.
      session: Index into the sessions of `config.json`: which device and versions.
      status: How the attack ended: "ok" with a reconstruction; "does_not_apply", because
        it does not fit the model, the target or the knowledge; "failed", because its
        numbers or the machine's memory gave out.
      reason: Why there is no reconstruction; "" if there is one.
      chosen: Of an attack that is made of several: the one that it believed, else None.
      chosen_by: What decided: "rehearsal", "criterion", "prior" or "order", else None.
      members: Of the same: what each of them made of the example, in their order.
      weights_after_rounds: Rounds of averaging behind the weights of the attacked round;
        0 for the first weights.
      modality: Whose measures these are.
      details: Further numbers of this attack.
    """

    cell: Cell
    image_index: int
    label: int | None
    hidden: int
    parameters: int
    attack: str
    attacker: words.Mode
    target: Target
    batch_size: int
    measures: Mapping[str, Any]
    recovered_label: int | None
    label_correct: bool | None
    objective: float | None
    iterations: int
    seconds: float
    session: int = 0
    status: words.Status = "ok"
    reason: str = ""
    chosen: str | None = None
    chosen_by: words.ChosenBy | None = None
    members: tuple[MemberRecord, ...] = ()
    weights_after_rounds: int = 0
    modality: str = flat_records.MODALITY
    details: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Checks the words that other code compares.

        Raises:
          ValueError: If `attacker`, `target` or `status` is unknown, or a record
            without a reconstruction has a number or no reason.
        """
        validation.check_in("attacker", self.attacker, words.MODES)
        validation.check_in("target", self.target, TARGETS)
        validation.check_in("status", self.status, words.STATUSES)
        numbers = bool(self.measures) or self.objective is not None
        if self.status != "ok" and (numbers or not self.reason):
            raise ValueError(
                f"A record of status {self.status!r} must have a `reason` and no number "
                f"of a reconstruction, got {self.reason!r}, {dict(self.measures)} and "
                f"{self.objective}."
            )

    @property
    def key(self) -> AttackKey:
        """Identifies the work."""
        return AttackKey(
            self.cell,
            self.image_index,
            self.attack,
            self.attacker,
            self.target,
            self.batch_size,
        )

    @property
    def percent(self) -> str:
        """The share that is hidden, in percent, in words."""
        return hidden_share.percent(
            self.cell.encryption_ratio, self.hidden, self.parameters
        )

    def number(self, key: str) -> float:
        """A measure; NaN where there is none, as if the attack had diverged."""
        return float(self.measures.get(key, math.nan))

    @property
    def hidden_share(self) -> float:
        """The share of the entries that was really hidden, in [0, 1]."""
        return self.hidden / self.parameters


@dataclasses.dataclass(frozen=True)
class RoundRecord:
    """What one round of training cost and gave. Bytes are counted on the wire.

    Attributes:
      cell: The point of the grid.
      round: Number of the round, from 1.
      hidden: m, the number of encrypted entries.
      parameters: n.
      loss: Mean training loss of the round, or None if not measured.
      accuracy: Test accuracy in [0, 1] after the round, or None if not measured.
      round_seconds: Wall-clock time of the round.
      client_to_server_bytes: Of all clients together.
      server_to_client_bytes: To all clients together.
      plaintext_bytes: The part of the uploads that is in the clear.
      ciphertext_bytes: The part of the uploads that is encrypted.
      hidden_bytes: What the hidden entries would take as float32, of all clients.
      session: Index into the sessions of `config.json`: which device and versions.
      measures: What the model's meters say on the test set after the round, by name,
        the loss among them; empty in records of versions that measured accuracy alone.
      details: Further numbers of this round.
    """

    cell: Cell
    round: int
    hidden: int
    parameters: int
    loss: float | None
    accuracy: float | None
    round_seconds: float
    client_to_server_bytes: int
    server_to_client_bytes: int
    plaintext_bytes: int
    ciphertext_bytes: int
    hidden_bytes: int
    session: int = 0
    measures: Mapping[str, float] = dataclasses.field(default_factory=dict)
    details: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def key(self) -> RoundKey:
        """Identifies the work."""
        return RoundKey(self.cell, self.round)


Record: TypeAlias = AttackRecord | RoundRecord
Key: TypeAlias = AttackKey | RoundKey

_Kind = TypeVar("_Kind")

_KINDS: Mapping[str, type[AttackRecord] | type[RoundRecord]] = {
    "attack": AttackRecord,
    "round": RoundRecord,
}


def to_dict(record: Record) -> dict[str, Any]:
    """A record as one flat mapping: "kind", the cell's fields, then its own.

    Args:
      record: The record.

    Returns:
      What `files.to_json` can write, if `details` is.
    """
    kind = next(name for name, cls in _KINDS.items() if isinstance(record, cls))
    own = {
        field.name: getattr(record, field.name)
        for field in dataclasses.fields(record)
        if field.name != "cell"
    }
    if isinstance(record, AttackRecord):
        own["members"] = [dataclasses.asdict(one) for one in record.members]
    return {"kind": kind, **dataclasses.asdict(record.cell), **flat_records.flat(own)}


def from_dict(values: Mapping[str, Any]) -> Record:
    """The inverse of `to_dict`, also after a passage through strict JSON.

    Args:
      values: A flat mapping. What has a default may be missing, so that runs of earlier
        versions can be read and go on.

    Returns:
      The record.

    Raises:
      ValueError: If other fields are missing or one is unknown, as in a file of
        another version.
    """
    rest = dict(values)
    kind = validation.check_in("kind", rest.pop("kind", None), tuple(_KINDS))
    record_class = _KINDS[str(kind)]
    point = {
        field.name: rest.pop(field.name)
        for field in dataclasses.fields(Cell)
        if field.name in rest
    }
    cell = _made_of(Cell, point)
    if record_class is AttackRecord:
        rest = flat_records.nested(rest)
        rest["members"] = tuple(
            _made_of(MemberRecord, one) for one in rest.get("members", ())
        )
    return _made_of(record_class, {"cell": cell, **rest})


def _made_of(kind: type[_Kind], values: Mapping[str, Any]) -> _Kind:
    """A dataclass of decoded values; what has a default may be missing."""
    own = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    optional = {name for name, field in own.items() if _has_default(field)}
    missing = own.keys() - optional - values.keys()
    unknown = values.keys() - own.keys()
    if missing or unknown:
        raise ValueError(
            f"Of {kind.__name__} the fields {sorted(missing)} are missing and "
            f"{sorted(unknown)} are unknown: another version of selenc-tf wrote it. Use "
            "that version, or start a new run with another `--run_name`."
        )
    floats = {name for name, field in own.items() if "float" in str(field.type)}
    decoded = {
        name: files.number_from_json(value) if name in floats else value
        for name, value in values.items()
    }
    if "measures" in values:
        decoded["measures"] = {
            name: files.number_from_json(value)
            for name, value in values["measures"].items()
        }
    return kind(**decoded)


def _has_default(field: dataclasses.Field[Any]) -> bool:
    missing = dataclasses.MISSING
    return field.default is not missing or field.default_factory is not missing


def after(rounds: int) -> str:
    """What titles say of weights that have so many rounds behind them."""
    return f", after {rounds} round{'s' if rounds > 1 else ''}" if rounds else ""


def cell_names(cells: Iterable[Cell]) -> dict[Cell, str]:
    """Short names for curves: metric, ratio, and only what else differs in a run.

    Args:
      cells: All points of the grid of a run, in any order; the names of a run that is
        resumed are then the same.

    Returns:
      A file name for each cell, no two alike.
    """
    distinct = sorted(set(cells))
    names = distinguishing_names(
        [dataclasses.asdict(cell) for cell in distinct],
        always=("metric", "encryption_ratio"),
    )
    return dict(zip(distinct, names, strict=True))


def distinguishing_names(
    settings: Sequence[Mapping[str, Any]], always: Sequence[str]
) -> list[str]:
    """Names that say what `always` is and what else tells the settings apart.

    Args:
      settings: Mappings with the same keys.
      always: Keys that every name starts with.

    Returns:
      A file name for each mapping, for example "random_0.05_seed=1".
    """
    telling = telling_keys(settings, always)
    return [
        path_name(
            "_".join(
                [
                    *(_text(setting[key]) for key in always),
                    *(
                        value if isinstance(value, str) else f"{key}={_text(value)}"
                        for key, value in setting.items()
                        if key in telling and key not in always and value != ""
                    ),
                ]
            )
        )
        for setting in settings
    ]


def telling_keys(
    settings: Sequence[Mapping[str, Any]], always: Sequence[str]
) -> tuple[str, ...]:
    """The keys that tell settings apart: what others already say is left out.

    Args:
      settings: Mappings with the same keys, the most telling ones first.
      always: Keys that are kept in any case.

    Returns:
      `always`, and every further key without which two settings would look the same.
    """
    kept = list(always)
    for key in settings[0] if settings else ():
        without = {tuple(setting[name] for name in kept) for setting in settings}
        with_key = {
            tuple(setting[name] for name in (*kept, key)) for setting in settings
        }
        if key not in kept and len(with_key) > len(without):
            kept.append(key)
    return tuple(kept)


def path_name(text: str) -> str:
    """Replaces what does not belong into a file name by "-"."""
    return re.sub(r"[^A-Za-z0-9._=+-]+", "-", text)


def _text(value: Any) -> str:
    """A float without an exponent, so that names sort as their numbers do."""
    if isinstance(value, float):
        return np.format_float_positional(value, trim="-")
    return str(value)
