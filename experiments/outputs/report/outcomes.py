"""What each attack reached on each mask: rows of which tables and figures are made."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from experiments.outputs import (
    attackers,
    blind,
    cost_summary,
    hindsight,
    leakage_summary,
    why,
)
from experiments.outputs.blind import Past
from experiments.outputs.leakage_summary import Leakage
from experiments.outputs.leaks import Leaks
from experiments.outputs.records import AttackRecord, MemberRecord
from experiments.outputs.report import spread as spread_lib
from experiments.outputs.report.spread import Sample, Spread
from experiments.outputs.summary import Context

HINDSIGHT = hindsight.NAME
"""The outcome that no attacker has."""

BLIND = f"{blind.NAME}, without the gradient"
"""The outcome that needs no message."""

CHOOSING = "strongest"
"""The attack that chooses among others without the original (`attacks/strongest.py`)."""


PUBLISHED = "what is published, whatever was encrypted on the way"
"""What is attacked of a `reveal_aggregate` round: no mask hides anything of it."""


class Mask(NamedTuple):
    """What was hidden.

    Attributes:
      metric: What chose the hidden entries.
      agreement: How clients come to one mask.
      asked: The share that was asked for.
      low: The smallest share that was really hidden.
      high: The largest; more than one where masks follow the example.
      entries: n, of which they are shares.
    """

    metric: str
    agreement: str
    asked: float
    low: float
    high: float
    entries: int

    @property
    def share(self) -> float:
        """Where the mask stands in a figure."""
        return (self.low + self.high) / 2

    @property
    def percent(self) -> str:
        """The same in percent, as `text` begins: what was asked for where that is it."""
        return self.text.partition(" %")[0]

    @property
    def text(self) -> str:
        """The share that was really hidden, and the one asked for if it is another."""
        return hidden_in_words(self.asked, self.low, self.high, self.entries)


class Outcome(NamedTuple):
    """One attack on one mask.

    Attributes:
      context: What is attacked.
      mask: What was hidden.
      attack: Its name, or `HINDSIGHT`, or `BLIND`.
      attacker: "naive" or "mask_aware"; "" for the last two.
      member_of: The attack that tried this one and did not have to believe it, or "".
      samples: What was measured.
      diverged: Reconstructions without a number.
      reasons: Why there is no reconstruction, and of how many examples.
      chosen: What was believed, of an attack that chooses, and for how many examples; of
        `HINDSIGHT` which attacks were best, of `BLIND` what it is made of.
      past: How much of it is better than the blind guess, of `HINDSIGHT` of everything
        that was tried; None where that is not known.
      summary: Of `HINDSIGHT`: what else is counted on the same reconstructions.
      decided: By what each example is better than the blind guess, in the order of the
        records; None where it is not, and empty of `BLIND`.
      exact: What is larger is exact.
      planned: Of `HINDSIGHT`: examples that are to be attacked, of all seeds; 0 where that
        is not known.
      beside: Of `HINDSIGHT`: medians to compare it with, of attacks that choose without the
        original and of the blind guess, by their names.
      exact_by: Of `HINDSIGHT`: who recovers exactly, and of how many examples, where all
        that is better than the blind guess is exact and several attacks have that.
      by_chance: Of `HINDSIGHT`: the median of what the best random public example has of
        each (`blind.of_public`).
      naive_only: Of `HINDSIGHT`: whether no attacker who uses the mask has a result,
        though a part is hidden and a part visible (`attackers`).
    """

    context: Context
    mask: Mask
    attack: str
    attacker: str
    member_of: str
    samples: tuple[Sample, ...]
    diverged: int
    reasons: tuple[tuple[str, int], ...]
    chosen: tuple[tuple[str, int], ...]
    past: Past | None = None
    summary: Leakage | None = None
    naive_only: bool = False
    decided: tuple[blind.Decided | None, ...] = ()
    exact: float = math.inf
    planned: int = 0
    beside: tuple[tuple[str, float], ...] = ()
    exact_by: tuple[tuple[str, int], ...] = ()
    by_chance: float = math.nan

    @property
    def is_empty(self) -> bool:
        """Whether no message shows anything: no attack tells what leaks there."""
        return self.context.target == "client" and self.mask.low == 1.0

    @property
    def is_attack(self) -> bool:
        """Whether somebody made it, of a message."""
        return self.attack not in (HINDSIGHT, BLIND)

    @property
    def name(self) -> str:
        """The attack and its attacker, as tables for people have them."""
        attacker = self.attacker.replace("_", "-")
        return f"{self.attack} {attacker}".strip()

    @property
    def spread(self) -> Spread | None:
        """What the measurements say together."""
        return spread_lib.of(self.samples, self.context.batch_size == 1, self.exact)


def percent(share: float) -> str:
    """A share with three digits: 9.98 of a hundred, without the sign."""
    return f"{float(f'{100 * share:.3g}'):g}"


def hidden_in_words(asked: float, low: float, high: float, entries: int) -> str:
    """Shares really hidden of so many entries, and the one asked for if it is another."""
    if all(abs(end - asked) * entries < 1 for end in (low, high)):
        # But for a part of an entry it is what was asked for.
        return f"{percent(asked)} %"
    ends = dict.fromkeys((percent(low), percent(high)))
    return f"{' to '.join(ends)} % (asked: {percent(asked)} %)"


def context_of(record: AttackRecord) -> Context:
    """What a record's table shares."""
    setting = cost_summary.setting_of(record.cell)
    return Context(
        *setting[:4], record.target, record.batch_size, record.weights_after_rounds
    )


def of_records(records: Iterable[AttackRecord], leaks: Leaks) -> tuple[Outcome, ...]:
    """Aggregates attacks over examples and seeds, each by itself.

    Args:
      records: Of one family of runs.
      leaks: What is measured there.

    Returns:
      For each mask every attack, those behind one that chooses after it, the blind guess
      if it is on record, and the best in hindsight at the end. Attacks on single clients
      come first.
    """
    groups: dict[tuple[Context, str, str, float], list[AttackRecord]] = {}
    for one in blind.telling(list(records)):
        cell = one.cell
        place = (context_of(one), cell.metric, cell.agreement, cell.encryption_ratio)
        groups.setdefault(place, []).append(one)
    ordered = sorted(groups, key=lambda place: (place[0].target != "client", place))
    made = [list(_of_mask(place[0], groups[place], leaks)) for place in ordered]
    return tuple(
        one._replace(beside=tuple(_beside(of_mask))) if one.attack == HINDSIGHT else one
        for of_mask in made
        for one in of_mask
    )


def _beside(of_mask: Iterable[Outcome]) -> Iterator[tuple[str, float]]:
    for one in of_mask:
        if one.attack in (CHOOSING, BLIND) and one.spread:
            yield one.name, one.spread.median


def _of_mask(
    context: Context, group: Sequence[AttackRecord], leaks: Leaks
) -> Iterator[Outcome]:
    cell = group[0].cell
    shares = [one.hidden_share for one in group]
    mask = Mask(
        cell.metric,
        cell.agreement,
        cell.encryption_ratio,
        min(shares),
        max(shares),
        group[0].parameters,
    )
    attacks: dict[tuple[str, str], list[AttackRecord]] = {}
    for one in group:
        attacks.setdefault((one.attack, one.attacker), []).append(one)
    for (attack, attacker), own in attacks.items():
        yield Outcome(
            context,
            mask,
            attack,
            attacker,
            "",
            *_measured([(one, one) for one in own], leaks),
            tuple(Counter(one.chosen for one in own if one.chosen).items()),
            **_compared(attack, [(one, one.measures) for one in own], leaks),
            exact=leaks.exact,
        )
        for name in dict.fromkeys(each.name for one in own for each in one.members):
            members = [
                (one, each) for one in own for each in one.members if each.name == name
            ]
            yield Outcome(
                context,
                mask,
                name,
                attacker,
                attack,
                *_measured(members, leaks),
                (),
                **_compared(
                    name, [(one, each.measures) for one, each in members], leaks
                ),
                exact=leaks.exact,
            )
    yield from _blind(context, mask, group, leaks)
    yield _hindsight(context, mask, group, leaks)


def _measured(
    found: Sequence[tuple[AttackRecord, AttackRecord | MemberRecord]], leaks: Leaks
) -> tuple[tuple[Sample, ...], int, tuple[tuple[str, int], ...]]:
    """Samples, how many diverged, and the reasons of what has no reconstruction."""
    samples, diverged = [], 0
    reasons: Counter[str] = Counter()
    for record, one in found:
        if one.status != "ok":
            reasons[why.no_result(one.status, one.reason)] += 1
            continue
        value = _value(one.measures, leaks)
        if value is None:
            diverged += 1
        else:
            samples.append(Sample(record.cell.seed, record.image_index, value))
    return tuple(samples), diverged, tuple(reasons.items())


def _compared(
    attack: str,
    pairs: Sequence[tuple[AttackRecord, Mapping[str, Any]]],
    leaks: Leaks,
) -> dict[str, Any]:
    """How one attack compares with the blind guess; of a look-up nothing is said."""
    if attack in leaks.lookups:
        return {}
    decided = tuple(
        blind.decided(record, measures, leaks)
        for record, measures in pairs
        if leaks.main.key in measures
    )
    return {"past": blind.past(pairs, leaks), "decided": decided}


def _value(measures: Mapping[str, object], leaks: Leaks) -> float | None:
    value = measures.get(leaks.main.key)
    if not isinstance(value, int | float) or math.isnan(value):
        return None
    return float(value)


def _blind(
    context: Context, mask: Mask, group: Sequence[AttackRecord], leaks: Leaks
) -> Iterator[Outcome]:
    guessed = blind.of_examples(group, leaks.main.key)
    made_of = blind.made_of(group)
    samples = tuple(
        Sample(one.cell.seed, one.image_index, blind.value(one, leaks.main.key))
        for one in guessed
    )
    if made_of:
        named = ((made_of, len(samples)),)
        yield Outcome(
            context, mask, BLIND, "", "", samples, 0, (), named, exact=leaks.exact
        )


def _hindsight(
    context: Context, mask: Mask, group: Sequence[AttackRecord], leaks: Leaks
) -> Outcome:
    """Of each example the best of all that was tried on it, members included."""
    best = hindsight.of_examples(group, leaks)
    samples = tuple(
        Sample(one.record.cell.seed, one.record.image_index, value)
        for one in best
        if (value := _value(one.measures, leaks)) is not None
    )
    who = tuple(
        (
            f"{attack} {attacker.replace('_', '-')}" if attacker else blind.NO_BETTER,
            count,
        )
        for (attack, attacker), count in hindsight.names(best, leaks)
    )
    past = blind.past_of_any(group, leaks)
    summary = leakage_summary.summarise(group, leaks)
    return Outcome(
        context,
        mask,
        HINDSIGHT,
        "",
        "",
        samples,
        0,
        (),
        who,
        past,
        summary,
        attackers.are_naive(group),
        tuple(
            hindsight.decided(one, leaks)
            for one in best
            if leaks.main.key in one.measures
        ),
        leaks.exact,
        by_chance=blind.of_public(group, leaks.main.key, leaks.exact),
        exact_by=tuple(
            (f"{attack} {attacker.replace('_', '-')}", count)
            for (attack, attacker), count in hindsight.exact_by(group, best, leaks)
        ),
    )
