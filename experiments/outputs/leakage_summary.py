"""What leaked in a setting: the best that attackers made of each example."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from attacks.metrics import success
from attacks.metrics.success import Rate
from experiments.outputs import statistic
from experiments.outputs.records import ATTACKERS, AttackRecord, MemberRecord
from experiments.outputs.statistic import Statistic


class Leakage(NamedTuple):
    """What attacks on one setting give; None where nothing was measured.

    A sample is one example under one seed. Where several attacks were made on it, the
    best of them counts (highest PSNR): the defence gets no credit for an attack that
    failed while another did not. Intervals are of 95 %: of medians by the bootstrap over
    examples, of shares by Wilson's formula, which takes samples for independent and is
    too narrow where several seeds share an example.

    Attributes:
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
      without_result: Attacks that do not apply or failed, and members that failed of
        those that are made of several, each with its reason; they enter no number above.
      attack_seconds: Of one attack.
    """

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
    without_result: tuple[str, ...] = ()
    attack_seconds: Statistic | None = None


def summarise(records: Sequence[AttackRecord]) -> Leakage:
    """Aggregates the attacks on one setting over examples and seeds.

    Attacks without a reconstruction enter no number: they are named.

    Args:
      records: Of one setting and one target, at least one.

    Returns:
      The leakage.
    """
    group = [record for record in records if record.status == "ok"]
    by_attacker = {
        name: [record for record in group if record.attacker == name]
        for name in ATTACKERS
    }
    best = _best(group)
    finished = _finished(best)
    labels = [r.label_correct for r in finished if r.label_correct is not None]
    # A sample on which every attack diverged is none that succeeded.
    rates = success.success_rates([_psnr_of(one) for one in best]) if best else {}
    return Leakage(
        psnr_naive=_psnr(by_attacker["naive"]),
        psnr_mask_aware=_psnr(by_attacker["mask_aware"]),
        psnr_strongest=_psnr(group),
        ssim_strongest=_statistic(finished, "ssim"),
        perceptual_strongest=_statistic(finished, "perceptual"),
        feature_mse_strongest=_statistic(finished, "feature_mse"),
        success_20db=rates.get(20.0),
        success_25db=rates.get(25.0),
        success_30db=rates.get(30.0),
        identified=_identified(best),
        strongest=_strongest(group),
        label_accuracy=sum(labels) / len(labels) if labels else None,
        diverged=sum(math.isnan(_psnr_of(record)) for record in group),
        without_result=_without_result(records),
        attack_seconds=statistic.summarise(record.seconds for record in group),
    )


def _best(group: Iterable[AttackRecord]) -> list[AttackRecord]:
    """The record with the highest PSNR of each example and seed; NaN loses."""
    best: dict[tuple[int, int], AttackRecord] = {}
    for record in group:
        sample = (record.image_index, record.cell.seed)
        if sample not in best or _order(record) > _order(best[sample]):
            best[sample] = record
    return list(best.values())


def _psnr_of(record: AttackRecord) -> float:
    return math.nan if record.psnr_db is None else record.psnr_db


def _order(record: AttackRecord) -> float:
    return -math.inf if math.isnan(_psnr_of(record)) else _psnr_of(record)


def _finished(best: Iterable[AttackRecord]) -> list[AttackRecord]:
    return [record for record in best if not math.isnan(_psnr_of(record))]


def _psnr(group: Iterable[AttackRecord]) -> Statistic | None:
    return _statistic(_finished(_best(group)), "psnr_db")


def _statistic(best: Iterable[AttackRecord], name: str) -> Statistic | None:
    """A field of the records; seeds of one picture depend on each other."""
    measured = [
        (value, record.image_index)
        for record in best
        if (value := getattr(record, name)) is not None
    ]
    return statistic.summarise(
        [value for value, _ in measured], of=[index for _, index in measured]
    )


def _identified(best: Iterable[AttackRecord]) -> Rate | None:
    found = [record.identified for record in best if record.identified is not None]
    return success.rate(np.array(found)) if found else None


def _strongest(group: Iterable[AttackRecord]) -> str:
    """The attack and attacker with the highest median PSNR, or "" if all diverged."""
    methods: dict[str, list[AttackRecord]] = {}
    for record in group:
        methods.setdefault(_name(record), []).append(record)
    medians = {name: _psnr(of_method) for name, of_method in methods.items()}
    known = {name: value for name, value in medians.items() if value is not None}
    return max(known, key=lambda name: known[name].median, default="")


def _without_result(records: Iterable[AttackRecord]) -> tuple[str, ...]:
    """What has no reconstruction, each reason once."""
    ended: list[tuple[str, AttackRecord | MemberRecord]] = []
    for record in records:
        name = _name(record)
        if record.status != "ok":
            ended.append((name, record))
        # Many members do not fit a victim; that one failed must be seen.
        failed = [member for member in record.members if member.status == "failed"]
        ended += [(f"{name}, {member.name}", member) for member in failed]
    return tuple(
        dict.fromkeys(
            f"{name} {one.status.replace('_', ' ')}: {one.reason}"
            for name, one in ended
        )
    )


def _name(record: AttackRecord) -> str:
    """The attack and attacker."""
    attacker = {"mask_aware": "aware"}.get(record.attacker, record.attacker)
    return f"{record.attack} {attacker}"
