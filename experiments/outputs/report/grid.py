"""The table of a context: metrics and attacks down, the shares really hidden across."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

from experiments.outputs import blind, cost_summary, hindsight
from experiments.outputs.cost_summary import Setting
from experiments.outputs.leaks import Leaks
from experiments.outputs.plan import Plan
from experiments.outputs.report import lookups
from experiments.outputs.report import spread as spread_lib
from experiments.outputs.report.outcomes import BLIND, HINDSIGHT, Mask, Outcome
from experiments.outputs.summary import Context

_LAST: Mapping[str, int] = MappingProxyType({"hindsight": 1, "blind": 2})
"""Kinds of rows that stand behind those of attacks."""

Work: TypeAlias = tuple[Setting, str, int, str, str]
"""Setting, target, batch size, attack and attacker."""


class Row(NamedTuple):
    """One attack on one metric.

    Attributes:
      metric: What chose the hidden entries, and how clients came to one mask.
      attack: The attack and its attacker.
      kind: "attack"; "member", one that another attack tried; "blind"; or "hindsight".
      cells: One for each column.
    """

    metric: str
    attack: str
    kind: str
    cells: tuple[str, ...]


class Grid(NamedTuple):
    """A table with what its numbers in square brackets behind words refer to.

    Attributes:
      columns: The shares that were really hidden.
      rows: At least one.
      reasons: Why there is no result, from number 1 on.
      seeds: Of how many seeds the values are: of several a value is the median of one.
    """

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    reasons: tuple[str, ...]
    seeds: int = 1


def planned(
    plans: Iterable[Plan], without: Collection[tuple[int, int]] = ()
) -> Mapping[Work, int]:
    """How many examples each attack is to be made on, of all seeds together.

    Args:
      plans: Of the runs.
      without: Seeds and examples that are left out.
    """
    return Counter(
        (
            cost_summary.setting_of(key.cell),
            key.target,
            key.batch_size,
            key.attack,
            key.attacker,
        )
        for plan in plans
        for key in plan.attacks
        if (key.cell.seed, key.image_index) not in without
    )


def of(
    context: Context,
    found: Sequence[Outcome],
    work: Mapping[Work, int],
    leaks: Leaks,
) -> Grid:
    """Makes the table of one context.

    Args:
      context: What was attacked.
      found: Outcomes of a family of runs.
      work: From `planned`: what is not done yet is said so.
      leaks: What is measured.

    Returns:
      The table: every attack by its name, then the best of each example in hindsight and
      the blind guess.
    """
    own = [one for one in found if one.context == context]
    columns = sorted(
        {one.mask.text: one.mask.share for one in own}.items(), key=lambda item: item[1]
    )
    reasons = {
        reason: number
        for number, reason in enumerate(
            dict.fromkeys(reason for one in own for reason, _ in one.reasons), 1
        )
    }
    lines: dict[tuple[str, str, str, str, str], dict[str, Outcome]] = {}
    for one in own:
        mask = one.mask
        line = (mask.metric, mask.agreement, one.member_of, one.name, _kind(one))
        lines.setdefault(line, {})[mask.text] = one
    most: Counter[tuple[str, str, str]] = Counter()
    for one in own:
        if not one.member_of and one.is_attack:
            place = (one.mask.metric, one.mask.agreement, one.mask.text)
            most[place] = max(most[place], _done(one))
    masks = {
        (one.mask.metric, one.mask.agreement, one.mask.text): one.mask for one in own
    }
    seeds = len({each.seed for one in own for each in one.samples})
    rows = []
    ordered = sorted(lines, key=lambda line: (line[:2], _LAST.get(line[4], 0)))
    for metric, agreement, member_of, name, kind in ordered:
        of_line = lines[metric, agreement, member_of, name, kind]
        cells = []
        for text, _ in columns:
            mask_here = masks.get((metric, agreement, text))
            sample = next(iter(of_line.values()))
            asked = _planned(context, mask_here, sample, work)
            if not work and text in of_line:
                # Without a plan: as many as any attack on this mask has.
                asked = most[metric, agreement, text]
            cells.append(_cell(of_line.get(text), asked, reasons, leaks, seeds > 1))
        shown = f"{name}, tried by {member_of}" if member_of else name
        if kind == "hindsight" and any(one.attack in leaks.lookups for one in own):
            shown = f"{name} ({lookups.APART})"
        rows.append(Row(f"{metric}, {agreement}", shown, kind, tuple(cells)))
    return Grid(
        tuple(text for text, _ in columns), tuple(rows), tuple(reasons), max(1, seeds)
    )


def _done(one: Outcome) -> int:
    return len(one.samples) + one.diverged + sum(count for _, count in one.reasons)


def _kind(one: Outcome) -> str:
    if one.attack == HINDSIGHT:
        return "hindsight"
    if one.attack == BLIND:
        return "blind"
    return "member" if one.member_of else "attack"


def _planned(
    context: Context, mask: Mask | None, one: Outcome, work: Mapping[Work, int]
) -> int:
    """How many examples are to be attacked; 0 if that is not known."""
    if mask is None or one.member_of or not one.is_attack:
        return 0
    setting = Setting(*context[:4], mask.metric, mask.agreement, mask.asked)
    place = (setting, context.target, context.batch_size, one.attack, one.attacker)
    return work.get(place, 0)


def _cell(
    one: Outcome | None,
    asked: int,
    reasons: Mapping[str, int],
    leaks: Leaks,
    seeds: bool,
) -> str:
    """What one attack has under one mask; of several seeds a value is one seed's."""
    if one is None:
        return "not done yet" if asked else "-"
    spread = one.spread
    parts = [spread_lib.short(spread, leaks)] if spread else []
    if parts and one.past and one.past.none:
        parts = [f"{blind.NO_BETTER} ({parts[0]})"]
    elif parts and one.attack != HINDSIGHT:
        parts += [short for _, short in blind.seen(one.decided, leaks) if short]
    if seeds and spread and spread.unit == "example" and len(spread.values) > 1:
        parts.append("the examples of one seed")
    if parts and one.past and one.past.open:
        parts.append(
            "not told from chance"
            if one.past.by_luck
            else "too few rows to tell of single columns"
        )
    if parts and one.past and one.past.columns and not one.past.better:
        parts.append("single columns read")
    if one.diverged:
        parts.append(f"{one.diverged} diverged")
    for reason, count in one.reasons:
        word = reason.partition(":")[0]
        times = f"{count} " if one.samples or one.diverged else ""
        parts.append(f"{times}{word} [{reasons[reason]}]")
    if one.chosen and one.is_attack:
        parts.append(f"chose {hindsight.counted(one.chosen)}")
    done = _done(one)
    if done < asked and one.is_attack and not one.member_of:
        parts.append(f"{done} of {asked} done")
    return "; ".join(parts) or "-"
