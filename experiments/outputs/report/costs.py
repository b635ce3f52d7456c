"""What protection costs, as far as records have it: bytes of messages, training rounds."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from experiments.outputs import chance_accuracy, ciphers, cost_summary, message_bytes
from experiments.outputs.cost_summary import PLAIN_RELEASE, Setting
from experiments.outputs.message_bytes import ENTRY_BYTES
from experiments.outputs.records import AttackRecord, Record, RoundRecord
from experiments.outputs.report import outcomes
from experiments.outputs.report.outcomes import Mask
from experiments.outputs.stages import Stage
from experiments.outputs.summary import Context

NOT_RECORDED = (
    "Bytes are counted, seconds are wall-clock; the first round of each start, which "
    "compiles, is left out of the seconds. A simulation runs one party after the other: "
    "the seconds of a stage are those of all clients, or of the server, added up, in "
    "training rounds. What crosses the wire is counted in bytes; no network is simulated. "
    "Quantising is inside encrypting. The stages of attacked messages are not timed; "
    "python -m experiments.benchmark measures stages by themselves: --suite=lattice, "
    "--suite=masks."
)


class Range(NamedTuple):
    """Several measurements of one quantity.

    Attributes:
      low: The smallest.
      median: Of all.
      high: The largest.
      n: How many.
    """

    low: float
    median: float
    high: float
    n: int

    @property
    def bytes(self) -> str:
        """Exact, as a whole number; from least to most where it differs."""
        if self.low == self.high:
            return f"{self.low:,.0f}"
        return f"{self.low:,.0f} to {self.high:,.0f}"

    @property
    def seconds(self) -> str:
        """The median and, of more than one, the ends; never an interval."""
        if self.n == 1:
            return f"{self.median:.3g} s (one round)"
        return (
            f"{self.median:.3g} s ({self.low:.3g} to {self.high:.3g}, {self.n} rounds)"
        )


class Message(NamedTuple):
    """The bytes of one client's attacked message.

    Attributes:
      ciphertext: As they were sent.
      clear: `ENTRY_BYTES` for each visible entry.
      plain: What the message takes with nothing encrypted.
      mask: What the client sends of its mask (`message_bytes.of_mask`).
    """

    ciphertext: Range
    clear: Range
    plain: int
    mask: int = 0

    @property
    def total(self) -> Range:
        """All parts; they grow together."""
        return Range(
            self.ciphertext.low + self.clear.low + self.mask,
            self.ciphertext.median + self.clear.median + self.mask,
            self.ciphertext.high + self.clear.high + self.mask,
            self.ciphertext.n,
        )


class Rounds(NamedTuple):
    """The training rounds of one setting, of all seeds.

    Attributes:
      setting: Which.
      share: What was really hidden of the last round, in [0, 1].
      entries: Of the gradient.
      up: Bytes of a round from all clients; these and all other bytes are of rounds that
        hide what was asked (`cost_summary.as_asked`), with what agreeing on a mask took
        before the training shared out over its rounds, as in the terminal's table.
      ciphertext: The encrypted part of them.
      clear: The other part.
      down: Bytes to all clients.
      seconds: Of a round, the first of each start left out, which compiles.
      by_seed: The same seconds by the seed of the training.
      agreement: Seconds of the round in which clients agreed on a mask, if there was one.
      stages: Seconds of each stage in a round, of all parties; empty in records of
        versions that did not time them.
      saturated: Entries beyond the codec's bound, of all clients and rounds.
      hidden: Entries that were encrypted, of all clients and rounds.
      first: Bytes up of a round that was encrypted completely though less was asked for;
        None where there was none.
      first_down: The same to all clients.
      refused: Uploads that the server refused, by reason.
      not_finite: Rounds whose loss is no number.
      learned: What the model's meters say on the test set after the last round, of each
        seed, by name.
      cipher: Of the run; "" where that is not known.
      accuracy_by_guess: As `Cost` has it: None where the model learned something.
    """

    setting: Setting
    share: float
    entries: int
    up: Range
    ciphertext: Range
    clear: Range
    down: Range
    seconds: Range
    by_seed: Mapping[int, Sequence[float]]
    agreement: Range | None
    stages: Mapping[Stage, Range]
    saturated: int
    hidden: int
    first: Range | None
    first_down: Range | None
    refused: Mapping[str, int]
    not_finite: int
    learned: Mapping[str, Range]
    cipher: str = ""
    accuracy_by_guess: float | None = None

    @property
    def total(self) -> float:
        """The median bytes of a round, in both directions."""
        return self.up.median + self.down.median

    def over(self, plain: "Rounds") -> tuple[float, float]:
        """Median bytes by those of plain rounds: up, and both ways together."""
        return self.up.median / plain.up.median, self.total / plain.total

    def first_over(self, plain: "Rounds") -> tuple[float, float] | None:
        """The same of the first round, where that was encrypted completely."""
        if self.first is None or self.first_down is None:
            return None
        total = self.first.median + self.first_down.median
        return self.first.median / plain.up.median, total / plain.total

    def time_over(self, plain: "Rounds") -> tuple[str, str]:
        """The median seconds by those of plain rounds, and how sure that is, in words."""
        times = f"{self.seconds.median / plain.seconds.median:.2g} x"
        if cost_summary.differ(self.by_seed, plain.by_seed):
            return times, ""
        if cost_summary.overlap(self.by_seed, plain.by_seed):
            return times, " (ranges overlap: not shown to differ)"
        counts = dict.fromkeys((self.seconds.n, plain.seconds.n))
        rounds_ = " and ".join(str(count) for count in counts)
        several = "" if set(counts) == {1} else "s"
        return times, f" ({rounds_} round{several} each, too few to exclude chance)"

    @property
    def hidden_in_words(self) -> str:
        """What was really hidden, and what was asked for if it is another."""
        asked = self.setting.encryption_ratio
        return outcomes.hidden_in_words(asked, self.share, self.share, self.entries)


def messages(
    records: Iterable[AttackRecord],
) -> dict[tuple[Context, str, str, float], Message]:
    """The bytes of a message, by what is attacked, metric, agreement and asked share.

    Records of versions that did not count ciphertexts have none, nor those that
    encrypt nothing.
    """
    groups: dict[tuple[Context, str, str, float], list[AttackRecord]] = {}
    for one in records:
        if message_bytes.are_counted(one):
            cell = one.cell
            place = (cell.metric, cell.agreement, cell.encryption_ratio)
            groups.setdefault((outcomes.context_of(one), *place), []).append(one)
    return {
        place: Message(
            spread([one.details["ciphertext_bytes"] for one in group]),
            spread([ENTRY_BYTES * (one.parameters - one.hidden) for one in group]),
            ENTRY_BYTES * group[0].parameters,
            message_bytes.of_mask(group[0]),
        )
        for place, group in groups.items()
    }


def rounds(records: Iterable[Record]) -> tuple[Rounds, ...]:
    """The costs of all trainings, the plain one first, then by metric and share."""
    groups: dict[Setting, list[RoundRecord]] = {}
    for one in records:
        if isinstance(one, RoundRecord):
            groups.setdefault(cost_summary.setting_of(one.cell), []).append(one)
    found = [_rounds(setting, group) for setting, group in groups.items()]
    return tuple(
        sorted(
            found,
            key=lambda one: (
                one.setting.release != PLAIN_RELEASE,
                one.setting.metric,
                one.setting.encryption_ratio,
            ),
        )
    )


def is_of(one: Rounds, context: Context, mask: Mask) -> bool:
    """Whether a training did the work of what was attacked under a mask."""
    setting = one.setting
    return (
        setting.dataset,
        setting.model,
        setting.metric,
        setting.encryption_ratio,
    ) == (context.dataset, context.model, mask.metric, mask.asked)


def plain_of(one: Rounds, everyone: Iterable[Rounds]) -> Rounds | None:
    """The rounds without encryption of the same data, model and number of clients.

    None of rounds that encrypt nothing: there is no cost to compare.
    """
    if not ciphers.encrypts(one.cipher):
        return None
    same = [
        other
        for other in everyone
        if other.setting.release == PLAIN_RELEASE
        and (other.setting.dataset, other.setting.model, other.setting.num_clients)
        == (one.setting.dataset, one.setting.model, one.setting.num_clients)
    ]
    return same[0] if len(same) == 1 else None


def spread(values: Sequence[float]) -> Range:
    """The range of at least one value."""
    return Range(min(values), statistics.median(values), max(values), len(values))


def _rounds(setting: Setting, made: Sequence[RoundRecord]) -> Rounds:
    group = cost_summary.with_agreement(made)
    sent = cost_summary.as_asked(group)
    whole = cost_summary.completely(group)
    agreed = [
        float(one.details["agreement_seconds"])
        for one in group
        if "agreement_seconds" in one.details
    ]
    refused: dict[str, int] = {}
    for one in group:
        for reason, count in one.details.get("refusals", {}).items():
            refused[reason] = refused.get(reason, 0) + int(count)
    return Rounds(
        setting=setting,
        share=group[-1].hidden / group[-1].parameters,
        entries=group[-1].parameters,
        up=spread([one.client_to_server_bytes for one in sent]),
        ciphertext=spread([one.ciphertext_bytes for one in sent]),
        clear=spread([one.plaintext_bytes for one in sent]),
        down=spread([one.server_to_client_bytes for one in sent]),
        seconds=spread([one.round_seconds for one in cost_summary.steady(group)]),
        by_seed=cost_summary.seconds_by_seed(cost_summary.steady(group)),
        agreement=spread(agreed) if agreed else None,
        stages=_stages(cost_summary.steady(group)),
        saturated=sum(int(one.details.get("saturated", 0)) for one in group),
        hidden=sum(one.hidden * one.cell.num_clients for one in group),
        first=spread([one.client_to_server_bytes for one in whole]) if whole else None,
        first_down=spread([one.server_to_client_bytes for one in whole])
        if whole
        else None,
        refused=refused,
        not_finite=sum(_not_finite(one) for one in group),
        learned=_learned(group),
        cipher=ciphers.of(group),
        accuracy_by_guess=chance_accuracy.of(_last(group)),
    )


def _stages(group: Sequence[RoundRecord]) -> dict[Stage, Range]:
    timed = [seconds for one in group if (seconds := one.details.get("stage_seconds"))]
    return {
        stage: spread([float(seconds.get(stage, 0.0)) for seconds in timed])
        for stage in Stage
        if timed
    }


def _last(group: Sequence[RoundRecord]) -> list[RoundRecord]:
    """The last round of each seed."""
    last: dict[int, RoundRecord] = {}
    for one in group:
        if one.cell.seed not in last or one.round > last[one.cell.seed].round:
            last[one.cell.seed] = one
    return list(last.values())


def _learned(group: Sequence[RoundRecord]) -> dict[str, Range]:
    values: dict[str, list[float]] = {}
    for one in _last(group):
        # Records of earlier versions have the accuracy alone.
        older = {} if one.accuracy is None else {"accuracy": one.accuracy}
        for name, value in (older | dict(one.measures)).items():
            values.setdefault(name, []).append(value)
    return {name: spread(each) for name, each in values.items()}


def _not_finite(one: RoundRecord) -> bool:
    values = [one.loss, *one.measures.values()]
    return any(value is not None and not abs(value) < float("inf") for value in values)
