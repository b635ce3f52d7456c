"""What leaked in a setting: the best that attackers made of each example."""

import math
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from attacks.metrics import success
from attacks.metrics.success import Rate
from experiments.outputs import (
    at_limit,
    blind,
    hindsight,
    labels,
    statistic,
    units,
    why,
)
from experiments.outputs.blind import Past
from experiments.outputs.columns import Columns
from experiments.outputs.hindsight import BLIND
from experiments.outputs.leaks import Leaks, Share
from experiments.outputs.records import ATTACKERS, AttackRecord, MemberRecord
from experiments.outputs.statistic import Statistic
from experiments.outputs.tries import Try

ALL_EXACT = "all exact: "
"""In front of attacks that recover the same examples exactly."""

_SHORT = {"mask_aware": "aware"}


class Leakage(NamedTuple):
    """What attacks on one setting give; None where nothing was measured.

    A sample is one example under one seed. Where several attacks were made on it, the
    best of them counts (`hindsight`). Intervals are of 95 %: of medians by order statistics
    (`statistic`), of shares the exact one; there is none where samples depend on
    each other (`units`), and none of a share over several seeds.

    Attributes:
      naive: The modality's main measure: of each example the best attack that takes
        hidden entries for zeros; as published, also with nothing hidden.
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
      shares: By `Share.name`; a sample on which every attack diverged is a failure, and
        so is one of which only something similar was looked up.
      best_attack: The attacks and attackers behind `best`, and of how many examples
        each; an only one without a number. Those that are no better than a blind guess
        stand together as `hindsight.BLIND`. Where all that is better is exact: everyone
        who has that, behind `ALL_EXACT`, as none of them is the best.
      better_by: By what they are better than the guess, where that is not the main
        measure alone (`Leaks.seen`), with medians.
      columns: What the attack that reads single columns of rows best has of them; None of
        other examples, or where nothing is visible.
      label_accuracy: Share of the examples whose label the best attack on labels names:
        of all of which one was to be named.
      labels: The same with its interval; None also where no attack reads a label.
      labels_unread: Of how many of them it reads none.
      label_numbers: Whether what was to be named is numbers, and no class.
      label_within: How far off those may be to be right, in words; "" of classes.
      label_by: That attack and its attacker; `labels.NONE` where no attack reads a label,
        `labels.NOT_TRIED` where nothing is visible, "" where none was to be named.
      label_by_chance: How likely guesses name as many (`labels.by_chance`); None where no
        label is read, or how often a guess is right is not known.
      label_examples_to_decide: Of how many examples it could be told whether as many are
        guesses, where these are too few (`labels.would_decide`); None elsewhere.
      label_images_to_decide: The same as `--num_images`.
      label_guess: How often a guess is right: the share of the most frequent class among
        the attacker's public examples, or of their targets that one number for all has
        right; None without any, or where records do not say.
      label_classes: Among how many classes they name it: of a uniform guess one in so
        many is right; None where records do not say.
      diverged: Number of attacks that ended without a number; they count as failures
        in the shares above, and not in the medians.
      without_result: Attacks that do not apply or failed, and members that failed of
        those that are made of several, each with its reason; they enter no number above.
      seeds: Of how many seeds the samples are; of several the numbers are medians of
        each one's median, and of shares of all samples.
      attack_seconds: Of one attack.
      searches_at_limit: Share of the searches that their limit ended: what those found is
        the least that leaks.
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
    better_by: tuple[str, ...] = ()
    columns: Columns | None = None
    label_accuracy: float | None = None
    labels: Rate | None = None
    labels_unread: int = 0
    label_numbers: bool = False
    label_within: str = ""
    label_by: str = ""
    label_by_chance: float | None = None
    label_examples_to_decide: int | None = None
    label_images_to_decide: int | None = None
    label_guess: float | None = None
    label_classes: int | None = None
    diverged: int = 0
    without_result: tuple[str, ...] = ()
    seeds: int = 0
    attack_seconds: Statistic | None = None
    searches_at_limit: float | None = None


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
    best = hindsight.of_examples(records, leaks)
    finished = _finished(best, key)
    reader = labels.best(group)
    right = reader and _rate(reader.right, list(labels.asked(group).values()))
    classes = max(
        (one.details[labels.CLASSES] for one in group if labels.CLASSES in one.details),
        default=None,
    )
    guess = labels.guess(group) or (1 / classes if classes else None)
    decide = labels.would_decide(reader, guess, group) if reader and guess else None
    numbers = {one.name: _statistic(finished, one.key, leaks) for one in leaks.numbers}
    shares = {one.name: _share(best, one, leaks) for one in leaks.shares}
    return Leakage(
        naive=_main(by_attacker["naive"], leaks),
        mask_aware=_main(by_attacker["mask_aware"], leaks),
        best=_statistic(finished, key, leaks),
        blind=_blind(records, leaks),
        blind_made_of=blind.made_of(records),
        naive_past_blind=blind.past_of_any(by_attacker["naive"], leaks),
        mask_aware_past_blind=blind.past_of_any(by_attacker["mask_aware"], leaks),
        best_past_blind=blind.past_of_any(records, leaks),
        numbers={name: found for name, found in numbers.items() if found},
        shares={name: found for name, found in shares.items() if found},
        best_attack=_best_attack(records, best, leaks),
        better_by=tuple(
            short
            for _, short in blind.seen(
                [hindsight.decided(one, leaks) for one in best], leaks
            )
            if short
        ),
        columns=blind.columns(records, leaks),
        label_accuracy=right and right.rate,
        labels=right,
        labels_unread=reader.unread if reader else 0,
        label_numbers=labels.are_numbers(group),
        label_within=labels.within(group) if labels.are_numbers(group) else "",
        label_by=_label_by(reader, group),
        label_by_chance=labels.by_chance(reader, guess) if reader and guess else None,
        label_examples_to_decide=decide and decide[0],
        label_images_to_decide=decide and decide[1],
        label_guess=labels.guess(group),
        label_classes=classes,
        diverged=sum(math.isnan(record.number(key)) for record in group),
        without_result=_without_result(records),
        seeds=len({one.record.cell.seed for one in finished}),
        attack_seconds=statistic.summarise(record.seconds for record in group),
        searches_at_limit=at_limit.of(group).share,
    )


def _best_attack(
    records: Sequence[AttackRecord], best: Sequence[Try], leaks: Leaks
) -> str:
    equal = hindsight.exact_by(records, best, leaks)
    names = hindsight.names(best, leaks)
    listed = hindsight.counted(
        [
            (f"{attack} {_SHORT.get(attacker, attacker)}".strip(), count)
            for (attack, attacker), count in equal or names
        ]
    )
    blind_ = [f"{name} ({count})" for (name, _), count in names if name == BLIND]
    return ", ".join([f"{ALL_EXACT}{listed}", *blind_]) if equal else listed


def _finished(best: Iterable[Try], key: str) -> list[Try]:
    return [one for one in best if not math.isnan(one.number(key))]


def _main(group: Iterable[AttackRecord], leaks: Leaks) -> Statistic | None:
    key = leaks.main.key
    return _statistic(_finished(hindsight.of_examples(group, leaks), key), key, leaks)


def _label_by(reader: labels.Reader | None, group: Sequence[AttackRecord]) -> str:
    if reader is None:
        if not labels.asked(group):
            return ""
        return labels.NONE if labels.visible(group) else labels.NOT_TRIED
    return f"{reader.attack} {_SHORT.get(reader.attacker, reader.attacker)}"


def _blind(records: Iterable[AttackRecord], leaks: Leaks) -> Statistic | None:
    key = leaks.main.key
    guessed = blind.of_examples(records, key)
    of, independent = units.of_records(guessed)
    values = [blind.value(one, key) for one in guessed]
    return statistic.summarise(values, of, independent, leaks.exact)


def _statistic(best: Iterable[Try], key: str, leaks: Leaks) -> Statistic | None:
    """A measure of the best."""
    measured = [one for one in best if key in one.measures]
    of, independent = units.of_records([one.record for one in measured])
    values = [one.number(key) for one in measured]
    exact = leaks.exact if key == leaks.main.key else math.inf
    return statistic.summarise(values, of, independent, exact)


def _share(best: Sequence[Try], share: Share, leaks: Leaks) -> Rate | None:
    """Of samples; where every attack diverged or only looked up, none succeeded."""
    if share.at_least is not None:
        right = [(one, one.number(share.key) >= share.at_least) for one in best]
    else:
        measured = [one for one in best if share.key in one.measures]
        right = [(one, bool(one.measures[share.key])) for one in measured]
    found = [yes and one.attack not in leaks.lookups for one, yes in right]
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
