"""From records to rows: what leaks and what it costs."""

import statistics
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from experiments.outputs import (
    blind,
    ciphers,
    cost_summary,
    hidden_share,
    leakage_summary,
    message_bytes,
)
from experiments.outputs import records as records_lib
from experiments.outputs.cost_summary import PLAIN_RELEASE as PLAIN_RELEASE
from experiments.outputs.cost_summary import Cost, Setting
from experiments.outputs.leakage_summary import Leakage
from experiments.outputs.leaks import Leaks
from experiments.outputs.pictures.leaks import PICTURES
from experiments.outputs.records import AttackRecord, Record, RoundRecord


class Context(NamedTuple):
    """What all rows of one table have in common.

    Attributes:
      dataset: What the data really is.
      model: The architecture's name.
      release: The release mode.
      num_clients: k.
      target: What was attacked; "" for training without attacks.
      batch_size: Examples behind the attacked gradient; 0 without attacks.
      weights_after_rounds: Rounds behind the attacked weights.
    """

    dataset: str
    model: str
    release: str
    num_clients: int
    target: str
    batch_size: int
    weights_after_rounds: int = 0

    @property
    def title(self) -> str:
        """One line for people."""
        clients = f"{self.num_clients} client{'s' if self.num_clients > 1 else ''}"
        attacked = f", attack on the {self.target}, batch {self.batch_size}"
        return (
            f"{self.dataset}, {self.model}{records_lib.after(self.weights_after_rounds)}, "
            f"{self.release}, {clients}"
            f"{attacked if self.target else ''}"
        )


class SummaryRow(NamedTuple):
    """One metric at one encryption ratio.

    Attributes:
      context: What the rows of one table share.
      metric: What chooses the hidden entries.
      agreement: How the clients come to one mask.
      encryption_ratio: The share of entries that was asked to be hidden.
      hidden: m, the entries that were hidden: the median over the attacked messages, or
        else over the rounds that the costs are of.
      parameters: n.
      hidden_share: m / n: more than was asked for where a mask hides whole rows, blocks
        or tensors, or some entries always.
      leakage: What attacks give.
      cost: What training rounds give; no factor where nothing was encrypted.
      cipher: Of the run; "" where that is not known.
      relative_message_bytes: Of a client's attacked message, by those of a clear one:
        the median; None where they were not counted.
    """

    context: Context
    metric: str
    agreement: str
    encryption_ratio: float
    hidden: int
    parameters: int
    hidden_share: float
    leakage: Leakage
    cost: Cost
    cipher: str = ""
    relative_message_bytes: float | None = None

    @property
    def percent(self) -> str:
        """The share that is hidden, in percent, in words."""
        return hidden_share.percent(self.encryption_ratio, self.hidden, self.parameters)


def summarise(
    records: Iterable[Record], leaks: Leaks = PICTURES
) -> tuple[SummaryRow, ...]:
    """Aggregates the records of a run over examples, rounds and seeds.

    "Plain" is the rounds of the release `PLAIN_RELEASE`, or else those with nothing
    hidden, of the same data set, model and number of clients; without such rounds the
    relative costs are None. An attacked setting that was not trained itself gets the
    cost of the one training with the same data set, model, metric and ratio.

    Args:
      records: Of one run or of several, of one modality.
      leaks: What is measured there.

    Returns:
      The rows, sorted by context, encryption ratio and metric; plain ones come first.
    """
    attacks: dict[tuple[Setting, Context], list[AttackRecord]] = {}
    rounds: dict[Setting, list[RoundRecord]] = {}
    found = list(records)
    told = blind.telling([one for one in found if isinstance(one, AttackRecord)])
    trained = [one for one in found if isinstance(one, RoundRecord)]
    kept: list[Record] = [*told, *trained]
    for record in kept:
        setting = cost_summary.setting_of(record.cell)
        if isinstance(record, AttackRecord):
            context = _context(setting, record.target, record.batch_size)._replace(
                weights_after_rounds=record.weights_after_rounds
            )
            attacks.setdefault((setting, context), []).append(record)
        else:
            rounds.setdefault(setting, []).append(record)
    costs = cost_summary.summarise(rounds)
    rows = [
        _row(
            context,
            setting,
            group,
            leakage_summary.summarise(group, leaks),
            cost_summary.cost_of(setting, costs),
        )
        for (setting, context), group in attacks.items()
    ]
    attacked = {cost_summary.work_of(setting) for setting, _ in attacks}
    rows += [
        _row(
            _home(setting, rows),
            setting,
            cost_summary.steady(group),
            Leakage(),
            costs[setting],
        )
        for setting, group in rounds.items()
        if cost_summary.work_of(setting) not in attacked
    ]
    return tuple(
        sorted(
            rows,
            key=lambda r: (
                # The attacks on single clients are the main table.
                r.context.target != "client",
                r.context,
                r.encryption_ratio,
                r.metric != PLAIN_RELEASE,
                r.metric,
                r.agreement,
            ),
        )
    )


def _row(
    context: Context,
    setting: Setting,
    group: Sequence[Record],
    leakage: Leakage,
    cost: Cost,
) -> SummaryRow:
    hidden = statistics.median_low(record.hidden for record in group)
    parameters = group[0].parameters
    return SummaryRow(
        context,
        setting.metric,
        setting.agreement,
        setting.encryption_ratio,
        hidden,
        parameters,
        hidden / parameters,
        leakage,
        cost,
        ciphers.of(group),
        message_bytes.relative([one for one in group if isinstance(one, AttackRecord)]),
    )


def _home(setting: Setting, rows: Sequence[SummaryRow]) -> Context:
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


def _context(setting: Setting, target: str, batch_size: int) -> Context:
    return Context(*setting[:4], target, batch_size)
