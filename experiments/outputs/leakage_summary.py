"""What leaked in a setting: the best that attackers made of each example."""

import math
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from attacks.metrics import success
from attacks.metrics.success import Rate
from experiments.outputs import blind, hindsight, statistic, units, why
from experiments.outputs.blind import Past
from experiments.outputs.hindsight import Best
from experiments.outputs.leaks import Leaks, Share
from experiments.outputs.records import ATTACKERS, AttackRecord, MemberRecord
from experiments.outputs.statistic import Statistic

_SHORT = {"mask_aware": "aware"}


class Leakage(NamedTuple):
    """What attacks on one setting give; None where nothing was measured.

    A sample is one example under one seed. Where several attacks were made on it, the
    best of them counts (`hindsight`). Intervals are of 95 %: of medians by order statistics
    (`statistic`), of shares the exact one; there is none where samples depend on
    each other (`units`), and none of a share over several seeds.

    Attributes:
      naive: The modality's main measure: of each example the best attack that takes
        hidden entries for zeros.
      mask_aware: The same of the attacks that know the mask.
      best: The same of all.
      blind: The same of the guess that is made without a gradient.
      blind_made_of: What that guess is made of, or why there is none; "" where records
        do not say.
      naive_past_blind: On how many examples something that naive attackers tried is
        better than it.
      mask_aware_past_blind: The same of those that know the mask.
      best_past_blind: The same of all.
      numbers: Of the reconstructions behind `best`, by `Number.name`: what else was
        measured. Of an attack that another one tried and did not believe that is less.
      shares: By `Share.name`; a sample on which every attack diverged is a failure.
      best_attack: The attacks and attackers behind `best`, and of how many examples
        each; an only one without a number.
      label_accuracy: Share of the reconstructions behind `best` whose label was recovered.
      labels: The same with its interval.
      diverged: Number of attacks that ended without a number; they count as failures
        in the shares above, and not in the medians.
      without_result: Attacks that do not apply or failed, and members that failed of
        those that are made of several, each with its reason; they enter no number above.
      attack_seconds: Of one attack.
    """

    naive: Statistic | None = None
    mask_aware: Statistic | None = None
    best: Statistic | None = None
    blind: Statistic | None = None
    blind_made_of: str = ""
    naive_past_blind: Past | None = None
    mask_aware_past_blind: Past | None = None
    best_past_blind: Past | None = None
    numbers: Mapping[str, Statistic] = MappingProxyType({})
    shares: Mapping[str, Rate] = MappingProxyType({})
    best_attack: str = ""
    label_accuracy: float | None = None
    labels: Rate | None = None
    diverged: int = 0
    without_result: tuple[str, ...] = ()
    attack_seconds: Statistic | None = None


def summarise(records: Sequence[AttackRecord], leaks: Leaks) -> Leakage:
    """Aggregates the attacks on one setting over examples and seeds.

    Attacks without a reconstruction enter no number: they are named.

    Args:
      records: Of one setting and one target, at least one.
      leaks: What is measured.

    Returns:
      The leakage.
    """
    group = [record for record in records if record.status == "ok"]
    by_attacker = {
        name: [record for record in records if record.attacker == name]
        for name in ATTACKERS
    }
    key = leaks.main.key
    best = hindsight.of_examples(records, key)
    finished = _finished(best, key)
    labelled = [
        one.record
        for one in finished
        if not one.is_member and one.record.label_correct is not None
    ]
    labels = _rate([bool(one.label_correct) for one in labelled], labelled)
    numbers = {one.name: _statistic(finished, one.key) for one in leaks.numbers}
    shares = {one.name: _share(best, one) for one in leaks.shares}
    return Leakage(
        naive=_main(by_attacker["naive"], key),
        mask_aware=_main(by_attacker["mask_aware"], key),
        best=_statistic(finished, key),
        blind=_blind(records, key),
        blind_made_of=blind.made_of(records),
        naive_past_blind=blind.past_of_any(by_attacker["naive"], leaks),
        mask_aware_past_blind=blind.past_of_any(by_attacker["mask_aware"], leaks),
        best_past_blind=blind.past_of_any(records, leaks),
        numbers={name: found for name, found in numbers.items() if found},
        shares={name: found for name, found in shares.items() if found},
        best_attack=hindsight.counted(
            [
                (f"{attack} {_SHORT.get(attacker, attacker)}", count)
                for (attack, attacker), count in hindsight.names(best, key)
            ]
        ),
        label_accuracy=labels and labels.rate,
        labels=labels,
        diverged=sum(math.isnan(record.number(key)) for record in group),
        without_result=_without_result(records),
        attack_seconds=statistic.summarise(record.seconds for record in group),
    )


def _finished(best: Iterable[Best], key: str) -> list[Best]:
    return [one for one in best if not math.isnan(one.number(key))]


def _main(group: Iterable[AttackRecord], key: str) -> Statistic | None:
    return _statistic(_finished(hindsight.of_examples(group, key), key), key)


def _blind(records: Iterable[AttackRecord], key: str) -> Statistic | None:
    guessed = blind.of_examples(records, key)
    of, independent = units.of_records(guessed)
    values = [blind.value(one, key) for one in guessed]
    return statistic.summarise(values, of, independent)


def _statistic(best: Iterable[Best], key: str) -> Statistic | None:
    """A measure of the best."""
    measured = [one for one in best if key in one.measures]
    of, independent = units.of_records([one.record for one in measured])
    return statistic.summarise([one.number(key) for one in measured], of, independent)


def _share(best: Sequence[Best], share: Share) -> Rate | None:
    """Of samples; one on which every attack diverged is none that succeeded."""
    if share.at_least is not None:
        found = [one.number(share.key) >= share.at_least for one in best]
    else:
        measured = [one.measures for one in best if share.key in one.measures]
        found = [bool(one[share.key]) for one in measured]
    return _rate(found, [one.record for one in best])


def _rate(found: Sequence[bool], records: Sequence[AttackRecord]) -> Rate | None:
    """A share of these records; with an interval where they are independent."""
    if not found:
        return None
    rate = success.rate(np.array(found))
    single = len({record.cell.seed for record in records}) == 1
    if single and units.of_records(records).independent:
        return rate
    return rate._replace(low=math.nan, high=math.nan)


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
            f"{name} {why.no_result(one.status, one.reason)}" for name, one in ended
        )
    )


def _name(record: AttackRecord) -> str:
    """The attack and attacker."""
    return f"{record.attack} {_SHORT.get(record.attacker, record.attacker)}"
