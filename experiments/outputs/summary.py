"""From records to rows: what leaks and what it costs."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from attacks.metrics.success import Rate
from experiments.outputs import cost_summary, leakage_summary
from experiments.outputs.cost_summary import PLAIN_RELEASE as PLAIN_RELEASE
from experiments.outputs.cost_summary import Setting
from experiments.outputs.records import AttackRecord, Record, RoundRecord
from experiments.outputs.statistic import Statistic


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
    an attack that failed while another did not. Intervals are of 95 %: of medians by the
    bootstrap over examples, of shares by Wilson's formula, which takes samples for
    independent and is too narrow where several seeds share an example.

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
      perceptual_strongest: Of the same, their distance in a fixed random network, which
        is not LPIPS; 0 = equal.
      feature_mse_strongest: Of the same, their mean squared difference in the model's
        logits.
      success_20db: Share of samples whose strongest reconstruction has at least 20 dB;
        a sample on which every attack diverged is a failure.
      success_25db: The same, 25 dB.
      success_30db: The same, 30 dB.
      identified: Share of samples whose strongest reconstruction is nearer in pixels to
        its original than to any other picture (`AttackRecord.identified`):
        identifiability precision.
      strongest: The attack and attacker with the highest median PSNR.
      label_accuracy: Share of the strongest reconstructions whose label was recovered.
      diverged: Number of attacks that ended without a number; they count as failures
        in the shares above, and not in the medians.
      without_result: Attacks that do not apply or failed, each with its reason; they
        enter no number above. "" if there are none.
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
    perceptual_strongest: Statistic | None = None
    feature_mse_strongest: Statistic | None = None
    success_20db: Rate | None = None
    success_25db: Rate | None = None
    success_30db: Rate | None = None
    identified: Rate | None = None
    strongest: str = ""
    label_accuracy: float | None = None
    diverged: int = 0
    without_result: str = ""
    attack_seconds: Statistic | None = None
    relative_bytes: float | None = None
    relative_upload_bytes: float | None = None
    relative_seconds: float | None = None
    round_bytes: Statistic | None = None
    round_seconds: Statistic | None = None
    accuracy: Statistic | None = None


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
    attacks: dict[tuple[Setting, Context], list[AttackRecord]] = {}
    rounds: dict[Setting, list[RoundRecord]] = {}
    for record in records:
        setting = cost_summary.setting_of(record.cell)
        if isinstance(record, AttackRecord):
            context = _context(setting, record.target, record.batch_size)
            attacks.setdefault((setting, context), []).append(record)
        else:
            rounds.setdefault(setting, []).append(record)
    costs = cost_summary.summarise(rounds)
    rows = [
        _row(context, setting, group[0])._replace(
            **leakage_summary.summarise(group)._asdict(),
            **cost_summary.cost_of(setting, costs)._asdict(),
        )
        for (setting, context), group in attacks.items()
    ]
    attacked = {cost_summary.work_of(setting) for setting, _ in attacks}
    rows += [
        _row(_home(setting, rows), setting, group[0])._replace(
            **costs[setting]._asdict()
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
                r.policy != PLAIN_RELEASE,
                r.policy,
                r.agreement,
            ),
        )
    )


def _row(context: Context, setting: Setting, record: Record) -> SummaryRow:
    """A row without measurements."""
    return SummaryRow(
        context,
        setting.policy,
        setting.agreement,
        setting.encryption_ratio,
        record.hidden,
        record.parameters,
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
