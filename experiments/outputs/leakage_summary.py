"""What leaked in a setting: the best that attackers made of each example."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from attacks.metrics import success
from attacks.metrics.success import Rate
from experiments.outputs import statistic
from experiments.outputs.records import ATTACKERS, AttackRecord
from experiments.outputs.statistic import Statistic


class Leakage(NamedTuple):
    """The part of a `SummaryRow` that attacks give, with its names and units."""

    psnr_naive: Statistic | None
    psnr_mask_aware: Statistic | None
    psnr_strongest: Statistic | None
    ssim_strongest: Statistic | None
    perceptual_strongest: Statistic | None
    feature_mse_strongest: Statistic | None
    success_20db: Rate | None
    success_25db: Rate | None
    success_30db: Rate | None
    identified: Rate | None
    strongest: str
    label_accuracy: float | None
    diverged: int
    without_result: str
    attack_seconds: Statistic | None


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


def _without_result(records: Iterable[AttackRecord]) -> str:
    """The attacks that have no reconstruction, each reason once; "" if all have one."""
    reasons = {
        f"{_name(record)} {record.status.replace('_', ' ')}: {record.reason}": None
        for record in records
        if record.status != "ok"
    }
    return "; ".join(reasons)


def _name(record: AttackRecord) -> str:
    """The attack and attacker."""
    attacker = {"mask_aware": "aware"}.get(record.attacker, record.attacker)
    return f"{record.attack} {attacker}"
