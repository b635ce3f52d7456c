"""What protection costs: the training rounds of a setting beside those without it."""

import dataclasses
import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from experiments.outputs import chance_accuracy, ciphers, statistic
from experiments.outputs.records import Cell, RoundRecord
from experiments.outputs.statistic import Statistic

PLAIN_RELEASE = "plain"
"""The release of rounds that know nothing of encryption."""

_CHANCE = 0.05
"""What is less likely than that by chance counts as a difference."""


class Setting(NamedTuple):
    """A cell without its seed, over which is summarised."""

    dataset: str
    model: str
    release: str
    num_clients: int
    metric: str
    agreement: str
    encryption_ratio: float


class Work(NamedTuple):
    """What makes the cost of a training the cost that belongs to an attacked setting.

    A message is attacked in a round of its own (one client, a blind server), the cost is
    that of training rounds; what is hidden, and by which metric, is the same in both.
    """

    dataset: str
    model: str
    metric: str
    encryption_ratio: float


class Cost(NamedTuple):
    """What the training rounds of one setting give; None where nothing was measured.

    Attributes:
      relative_bytes: Traffic of a round in both directions, relative to the plain one;
        of rounds that hide what was asked (`as_asked`).
      relative_upload_bytes: The same, client to server only.
      relative_seconds: Time of a round relative to the plain one.
      seconds_unsure: Whether the times may differ by chance (`differ`): then that ratio is
        no measured difference.
      round_bytes: Traffic of such a round in both directions, in bytes; the first of each
        session left out, as in the next.
      round_seconds: Time of a round, the first of each session left out (it compiles).
      accuracy: Test accuracy after the last measured round, over seeds.
      accuracy_by_guess: What always naming the most frequent class has right, where the
        accuracy is no better than that (`chance_accuracy`): then it shows no cost. None
        elsewhere.
      test_loss: Loss on the test set after the last measured round, over seeds.
      measures: What else the model's meters say after the last measured round, each with
        its name and its median over seeds.
      saturated_share: Of the hidden entries of all clients and rounds, those beyond the
        codec's bound, which were cut off at it.
      refused: Uploads that the server refused in all rounds.
      relative_mean_upload_bytes: Uploads relative to the plain ones on the mean over all
        rounds, where some round was encrypted completely though less was asked for (one
        without a previous aggregate); such a first round is in no other number but the
        next. None elsewhere.
      relative_first_upload_bytes: Uploads of such a first round, relative to the plain
        ones; None elsewhere.
      trained_agreement: How clients came to one mask in the trainings that the costs are
        of, where that is not as in the attacked setting; "" elsewhere.
      trained_release: What those trainings publish of a round, where that is not as in the
        attacked setting; "" elsewhere.
      ciphertext_bytes: Of all uploads of a round, the median.
      clear_bytes: The other bytes of them.
    """

    relative_bytes: float | None = None
    relative_upload_bytes: float | None = None
    relative_seconds: float | None = None
    round_bytes: Statistic | None = None
    round_seconds: Statistic | None = None
    accuracy: Statistic | None = None
    test_loss: Statistic | None = None
    measures: tuple[str, ...] = ()
    saturated_share: float | None = None
    refused: int | None = None
    relative_mean_upload_bytes: float | None = None
    relative_first_upload_bytes: float | None = None
    trained_agreement: str = ""
    trained_release: str = ""
    seconds_unsure: bool = False
    ciphertext_bytes: float | None = None
    clear_bytes: float | None = None
    accuracy_by_guess: float | None = None


def setting_of(cell: Cell) -> Setting:
    """The cell without its seed."""
    return Setting(*(getattr(cell, name) for name in Setting._fields))


def work_of(setting: Setting) -> Work:
    """The work that a setting stands for."""
    return Work(*(getattr(setting, name) for name in Work._fields))


def summarise(
    rounds: Mapping[Setting, Sequence[RoundRecord]],
) -> dict[Setting, Cost]:
    """Aggregates the rounds of each setting over rounds and seeds.

    Costs are relative to the plain rounds of the same data set, model and number of
    clients: those of the release `PLAIN_RELEASE`, or else those that hide nothing.
    """
    return {
        setting: _cost(group, _baseline(setting, rounds))
        for setting, group in rounds.items()
    }


def cost_of(setting: Setting, costs: Mapping[Setting, Cost]) -> Cost:
    """The cost of the same setting, or of the only training that did the same work.

    All None if there is no such training, or several. The masks of that training may
    come from another agreement, as a client that is attacked alone agrees with nobody,
    and it may publish something else of a round: the cost says so.
    """
    if setting in costs:
        return costs[setting]
    same = [other for other in costs if work_of(other) == work_of(setting)]
    if len(same) != 1:
        return Cost()
    agreement, release = same[0].agreement, same[0].release
    return costs[same[0]]._replace(
        trained_agreement="" if agreement == setting.agreement else agreement,
        trained_release="" if release == setting.release else release,
    )


def encrypts_completely(group: Collection[RoundRecord]) -> bool:
    """Whether some of these rounds hide everything though others do not."""
    return len(as_asked(group)) < len(group)


def as_asked(group: Collection[RoundRecord]) -> list[RoundRecord]:
    """The rounds by which the bytes of a setting are counted, everywhere.

    One without a mask to go by is encrypted completely: where others are not it is told
    apart, as there is one in a training of any length.
    """
    partly = [one for one in group if one.hidden < one.parameters]
    return partly or list(group)


def completely(group: Collection[RoundRecord]) -> list[RoundRecord]:
    """The other rounds of the same setting."""
    kept = as_asked(group)
    return [one for one in group if one not in kept]


def _both_bytes(record: RoundRecord) -> float:
    return record.client_to_server_bytes + record.server_to_client_bytes


def _upload_bytes(record: RoundRecord) -> float:
    return record.client_to_server_bytes


def steady(group: Sequence[RoundRecord]) -> list[RoundRecord]:
    """Leaves out the first round of each session, which compiles, if others remain."""
    first: dict[tuple[int, int], int] = {}
    for record in group:
        session = (record.cell.seed, record.session)
        first[session] = min(record.round, first.get(session, record.round))
    later = [r for r in group if r.round != first[(r.cell.seed, r.session)]]
    return later or list(group)


def _baseline(
    setting: Setting, rounds: Mapping[Setting, Sequence[RoundRecord]]
) -> list[RoundRecord]:
    """Rounds without any part of ours if there are some, else those hiding nothing."""
    comparable = {
        other: group
        for other, group in rounds.items()
        if (other.dataset, other.model, other.num_clients)
        == (setting.dataset, setting.model, setting.num_clients)
        and group[0].hidden == 0
    }
    plain = [other for other in comparable if other.release == PLAIN_RELEASE]
    return [
        record
        for other in plain or comparable
        for record in comparable[other]
        if record.hidden == 0
    ]


def with_agreement(group: Sequence[RoundRecord]) -> list[RoundRecord]:
    """Shares out what a round of agreement before the training cost, over its rounds."""

    def share(name: str) -> float:
        return sum(float(r.details.get(name, 0)) for r in group) / len(group)

    return [
        dataclasses.replace(
            record,
            round_seconds=record.round_seconds + share("agreement_seconds"),
            client_to_server_bytes=record.client_to_server_bytes
            + round(share("agreement_up_bytes")),
            server_to_client_bytes=record.server_to_client_bytes
            + round(share("agreement_down_bytes")),
        )
        for record in group
    ]


def _cost(group: Sequence[RoundRecord], plain: Sequence[RoundRecord]) -> Cost:
    everyone = with_agreement(group)
    settled, sent, whole = steady(everyone), as_asked(everyone), completely(everyone)
    settled_plain = steady(plain)
    encrypts = ciphers.encrypts(ciphers.of(group))

    def relative(
        measure: Callable[[RoundRecord], float],
        ours: Sequence[RoundRecord] = sent,
        others: Sequence[RoundRecord] = plain,
        middle: Callable[[Sequence[float]], Any] = np.median,
    ) -> float | None:
        if not others or not ours or not encrypts:
            return None
        base = float(np.median([measure(record) for record in others]))
        return (
            float(middle([measure(record) for record in ours])) / base
            if base > 0
            else None
        )

    last: dict[int, RoundRecord] = {}
    for record in group:
        previous = last.get(record.cell.seed)
        if (record.measures or record.accuracy is not None) and (
            previous is None or record.round > previous.round
        ):
            last[record.cell.seed] = record
    return Cost(
        relative(_both_bytes),
        relative(_upload_bytes),
        relative(lambda record: record.round_seconds, settled, settled_plain),
        statistic.summarise(_both_bytes(record) for record in as_asked(settled)),
        statistic.summarise(record.round_seconds for record in settled),
        statistic.summarise(
            r.accuracy for r in last.values() if r.accuracy is not None
        ),
        _measure("loss", last.values()),
        _further_measures(last.values()),
        _saturated_share(group),
        sum(int(r.details.get("refused", 0)) for r in group),
        relative(_upload_bytes, everyone, middle=np.mean) if whole else None,
        relative(_upload_bytes, whole),
        seconds_unsure=_may_be_chance(settled, settled_plain),
        ciphertext_bytes=float(np.median([r.ciphertext_bytes for r in sent]))
        if encrypts
        else None,
        clear_bytes=float(np.median([r.plaintext_bytes for r in sent]))
        if encrypts
        else None,
        accuracy_by_guess=chance_accuracy.of(last.values()),
    )


def differ(
    ours: Mapping[int, Sequence[float]], others: Mapping[int, Sequence[float]]
) -> bool:
    """Whether the times of two kinds of rounds differ by more than chance.

    They do if in each seed all rounds of one kind are slower than all of the other, the
    same kind each time, and if that would come about in at most 5 % of the orders in which
    the rounds of a seed can stand: the most extreme outcome of the test of ranks (Mann and
    Whitney, 1947) in each seed. With one seed that takes four rounds of each kind, or five
    and three.

    Args:
      ours: Seconds of the rounds by seed.
      others: As `ours`.

    Returns:
      Whether they do.
    """
    seeds = ours.keys() & others.keys()
    orders = [
        math.comb(len(ours[one]) + len(others[one]), len(ours[one])) for one in seeds
    ]
    return not overlap(ours, others) and 2 / math.prod(orders) <= _CHANCE


def overlap(
    ours: Mapping[int, Sequence[float]], others: Mapping[int, Sequence[float]]
) -> bool:
    """Whether the ranges of two kinds of rounds overlap in some seed, or change sides."""
    seeds = ours.keys() & others.keys()
    slower = all(min(ours[one]) > max(others[one]) for one in seeds)
    faster = all(max(ours[one]) < min(others[one]) for one in seeds)
    return not seeds or not (slower or faster)


def seconds_by_seed(rounds: Iterable[RoundRecord]) -> dict[int, list[float]]:
    """Seconds of rounds, by the seed of their training."""
    found: dict[int, list[float]] = {}
    for one in rounds:
        found.setdefault(one.cell.seed, []).append(one.round_seconds)
    return found


def _may_be_chance(ours: Sequence[RoundRecord], plain: Sequence[RoundRecord]) -> bool:
    if not plain or setting_of(ours[0].cell) == setting_of(plain[0].cell):
        return False
    return not differ(seconds_by_seed(ours), seconds_by_seed(plain))


def _measure(name: str, last: Iterable[RoundRecord]) -> Statistic | None:
    return statistic.summarise(r.measures[name] for r in last if name in r.measures)


def _further_measures(last: Collection[RoundRecord]) -> tuple[str, ...]:
    names = dict.fromkeys(name for record in last for name in record.measures)
    found = {
        name: _measure(name, last) for name in names if name not in ("loss", "accuracy")
    }
    return tuple(f"{name} {value.median:.4g}" for name, value in found.items() if value)


def _saturated_share(group: Sequence[RoundRecord]) -> float | None:
    hidden = sum(r.hidden * r.cell.num_clients for r in group)
    saturated = sum(int(r.details.get("saturated", 0)) for r in group)
    return saturated / hidden if hidden else None
