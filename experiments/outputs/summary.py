"""From records to rows: what leaks and what it costs."""

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from experiments.outputs import statistic
from experiments.outputs.records import ATTACKERS, AttackRecord, Record, RoundRecord
from experiments.outputs.statistic import Statistic

PLAIN_RELEASE = "plain"
"""The release of rounds that know nothing of encryption."""


class Context(NamedTuple):
    """What all rows of one table have in common.

    Attributes:
      dataset: What the data really is.
      model: The architecture's name.
      release: The release mode.
      num_clients: k.
      target: What was attacked; "" for training without attacks.
      batch_size: Examples behind the attacked gradient; 0 without attacks.
    """

    dataset: str
    model: str
    release: str
    num_clients: int
    target: str
    batch_size: int

    @property
    def title(self) -> str:
        """One line for people."""
        clients = f"{self.num_clients} client{'s' if self.num_clients > 1 else ''}"
        attacked = f", attack on the {self.target}, batch {self.batch_size}"
        return (
            f"{self.dataset}, {self.model}, {self.release}, {clients}"
            f"{attacked if self.target else ''}"
        )


class SummaryRow(NamedTuple):
    """One policy at one encryption ratio; None where nothing was measured.

    A sample of the leakage is one example under one seed. Where several attacks were
    made on it, the best of them counts (highest PSNR): the defence gets no credit for
    an attack that failed while another did not.

    Attributes:
      context: What the rows of one table share.
      policy: What chooses the hidden entries.
      agreement: How the clients come to one mask.
      encryption_ratio: m / n.
      hidden: m.
      parameters: n.
      psnr_naive: dB, the best attack that takes hidden entries for zeros.
      psnr_mask_aware: dB, the best attack that knows the mask.
      psnr_strongest: dB, the best of all.
      ssim_strongest: Of the reconstructions behind `psnr_strongest`.
      strongest: The attack and attacker with the highest median PSNR.
      label_accuracy: Share of the strongest reconstructions whose label was recovered.
      diverged: Number of attacks that ended without a number; they count nowhere else.
      attack_seconds: Of one attack.
      relative_bytes: Traffic of a round in both directions, relative to the plain one.
      relative_upload_bytes: The same, client to server only.
      relative_seconds: Time of a round relative to the plain one.
      round_bytes: Traffic of a round in both directions.
      round_seconds: Time of a round, the first of each session left out (it compiles).
      accuracy: Test accuracy after the last measured round, over seeds.
    """

    context: Context
    policy: str
    agreement: str
    encryption_ratio: float
    hidden: int
    parameters: int
    psnr_naive: Statistic | None = None
    psnr_mask_aware: Statistic | None = None
    psnr_strongest: Statistic | None = None
    ssim_strongest: Statistic | None = None
    strongest: str = ""
    label_accuracy: float | None = None
    diverged: int = 0
    attack_seconds: Statistic | None = None
    relative_bytes: float | None = None
    relative_upload_bytes: float | None = None
    relative_seconds: float | None = None
    round_bytes: Statistic | None = None
    round_seconds: Statistic | None = None
    accuracy: Statistic | None = None


class _Setting(NamedTuple):
    """A cell without its seed, over which is summarised."""

    dataset: str
    model: str
    release: str
    num_clients: int
    policy: str
    agreement: str
    encryption_ratio: float


class _Work(NamedTuple):
    """What makes the cost of a training the cost that belongs to an attacked setting.

    A message is attacked in a round of its own (one client, a blind server), the cost is
    that of training rounds; what is hidden, and by which policy, is the same in both.
    """

    dataset: str
    model: str
    policy: str
    encryption_ratio: float


class _Cost(NamedTuple):
    relative_bytes: float | None
    relative_upload_bytes: float | None
    relative_seconds: float | None
    round_bytes: Statistic | None
    round_seconds: Statistic | None
    accuracy: Statistic | None


def summarise(records: Iterable[Record]) -> tuple[SummaryRow, ...]:
    """Aggregates the records of a run over examples, rounds and seeds.

    "Plain" is the rounds of the release `PLAIN_RELEASE`, or else those with nothing
    hidden, of the same data set, model and number of clients; without such rounds the
    relative costs are None. An attacked setting that was not trained itself gets the
    cost of the one training with the same data set, model, policy and ratio.

    Args:
      records: Of one run or of several.

    Returns:
      The rows, sorted by context, encryption ratio and policy; plain ones come first.
    """
    attacks: dict[tuple[_Setting, Context], list[AttackRecord]] = {}
    rounds: dict[_Setting, list[RoundRecord]] = {}
    for record in records:
        setting = _setting(record)
        if isinstance(record, AttackRecord):
            context = _context(setting, record.target, record.batch_size)
            attacks.setdefault((setting, context), []).append(record)
        else:
            rounds.setdefault(setting, []).append(record)
    costs = {
        setting: _cost(group, _baseline(setting, rounds))
        for setting, group in rounds.items()
    }
    rows = [
        _with_cost(_leakage(setting, context, group), _cost_of(setting, costs))
        for (setting, context), group in attacks.items()
    ]
    attacked = {_work(setting) for setting, _ in attacks}
    rows += [
        _with_cost(
            SummaryRow(
                _home(setting, rows),
                setting.policy,
                setting.agreement,
                setting.encryption_ratio,
                group[0].hidden,
                group[0].parameters,
            ),
            costs[setting],
        )
        for setting, group in rounds.items()
        if _work(setting) not in attacked
    ]
    return tuple(
        sorted(
            rows,
            key=lambda r: (
                # The attacks on single clients are the main table.
                r.context.target != "client",
                r.context,
                r.encryption_ratio,
                r.policy != PLAIN_RELEASE,
                r.policy,
                r.agreement,
            ),
        )
    )


def _setting(record: Record) -> _Setting:
    cell = record.cell
    return _Setting(
        cell.dataset,
        cell.model,
        cell.release,
        cell.num_clients,
        cell.policy,
        cell.agreement,
        cell.encryption_ratio,
    )


def _work(setting: _Setting) -> _Work:
    return _Work(
        setting.dataset, setting.model, setting.policy, setting.encryption_ratio
    )


def _cost_of(setting: _Setting, costs: Mapping[_Setting, _Cost]) -> _Cost:
    """The cost of the same setting, or of the only training that did the same work."""
    if setting in costs:
        return costs[setting]
    same = [cost for other, cost in costs.items() if _work(other) == _work(setting)]
    return same[0] if len(same) == 1 else _Cost(None, None, None, None, None, None)


def _home(setting: _Setting, rows: Sequence[SummaryRow]) -> Context:
    """Where the row of a training without attacks belongs.

    Beside the attacks on single clients of the same data and model, if there is one
    such table: the plain training is what its costs are relative to.
    """
    tables = {
        row.context
        for row in rows
        if row.context.target == "client"
        and (row.context.dataset, row.context.model) == setting[:2]
    }
    return tables.pop() if len(tables) == 1 else _context(setting, "", 0)


def _context(setting: _Setting, target: str, batch_size: int) -> Context:
    return Context(*setting[:4], target, batch_size)


def _best(group: Iterable[AttackRecord]) -> list[AttackRecord]:
    """The record with the highest PSNR of each example and seed; NaN loses."""
    best: dict[tuple[int, int], AttackRecord] = {}
    for record in group:
        sample = (record.image_index, record.cell.seed)
        if math.isnan(record.psnr_db):
            continue
        if sample not in best or record.psnr_db > best[sample].psnr_db:
            best[sample] = record
    return list(best.values())


def _psnr(group: Iterable[AttackRecord]) -> Statistic | None:
    return statistic.summarise(record.psnr_db for record in _best(group))


def _leakage(
    setting: _Setting, context: Context, group: Sequence[AttackRecord]
) -> SummaryRow:
    by_attacker = {
        name: [record for record in group if record.attacker == name]
        for name in ATTACKERS
    }
    methods: dict[str, list[AttackRecord]] = {}
    for record in group:
        attacker = {"mask_aware": "aware"}.get(record.attacker, record.attacker)
        methods.setdefault(f"{record.attack} {attacker}", []).append(record)
    medians = {name: _psnr(of_method) for name, of_method in methods.items()}
    known = {name: value for name, value in medians.items() if value is not None}
    strongest = max(known, key=lambda name: known[name].median, default="")
    best = _best(group)
    labels = [r.label_correct for r in best if r.label_correct is not None]
    return SummaryRow(
        context,
        setting.policy,
        setting.agreement,
        setting.encryption_ratio,
        group[0].hidden,
        group[0].parameters,
        psnr_naive=_psnr(by_attacker["naive"]),
        psnr_mask_aware=_psnr(by_attacker["mask_aware"]),
        psnr_strongest=_psnr(group),
        ssim_strongest=statistic.summarise(r.ssim for r in best if r.ssim is not None),
        strongest=strongest,
        label_accuracy=sum(labels) / len(labels) if labels else None,
        diverged=sum(math.isnan(record.psnr_db) for record in group),
        attack_seconds=statistic.summarise(record.seconds for record in group),
    )


def _both_bytes(record: RoundRecord) -> float:
    return record.client_to_server_bytes + record.server_to_client_bytes


def _steady(group: Sequence[RoundRecord]) -> list[RoundRecord]:
    """Leaves out the first round of each session, which compiles, if others remain."""
    first: dict[tuple[int, int], int] = {}
    for record in group:
        session = (record.cell.seed, record.session)
        first[session] = min(record.round, first.get(session, record.round))
    steady = [r for r in group if r.round != first[(r.cell.seed, r.session)]]
    return steady or list(group)


def _baseline(
    setting: _Setting, rounds: Mapping[_Setting, list[RoundRecord]]
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
        for record in _steady(comparable[other])
        if record.hidden == 0
    ]


def _with_agreement(group: Sequence[RoundRecord]) -> list[RoundRecord]:
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


def _cost(group: Sequence[RoundRecord], plain: Sequence[RoundRecord]) -> _Cost:
    steady = _steady(_with_agreement(group))

    def relative(measure: Callable[[RoundRecord], float]) -> float | None:
        if not plain:
            return None
        base = float(np.median([measure(record) for record in plain]))
        ours = float(np.median([measure(record) for record in steady]))
        return ours / base if base > 0 else None

    last: dict[int, RoundRecord] = {}
    for record in group:
        previous = last.get(record.cell.seed)
        if record.accuracy is not None and (
            previous is None or record.round > previous.round
        ):
            last[record.cell.seed] = record
    return _Cost(
        relative(_both_bytes),
        relative(lambda record: record.client_to_server_bytes),
        relative(lambda record: record.round_seconds),
        statistic.summarise(_both_bytes(record) for record in steady),
        statistic.summarise(record.round_seconds for record in steady),
        statistic.summarise(
            r.accuracy for r in last.values() if r.accuracy is not None
        ),
    )


def _with_cost(row: SummaryRow, cost: _Cost) -> SummaryRow:
    return row._replace(**cost._asdict())
