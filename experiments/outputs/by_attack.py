"""What each attack reached, by its name: a table, and lines of a CSV."""

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from experiments.outputs import (
    at_limit,
    blind,
    cost_summary,
    labels,
    statistic,
    text_tables,
    units,
    why,
)
from experiments.outputs.blind import Past
from experiments.outputs.leaks import Leaks
from experiments.outputs.records import AttackRecord
from experiments.outputs.statistic import Statistic
from experiments.outputs.summary import Context
from experiments.outputs.table import Table

FILE_NAME = "attacks.csv"

_SHORT = {"mask_aware": "aware"}


class AttackRow(NamedTuple):
    """One attack on one setting.

    Attributes:
      context: What the rows of one table have in common.
      metric: What chooses the hidden entries.
      agreement: How the clients come to one mask.
      encryption_ratio: The share of entries that was asked to be hidden.
      hidden_share: What was really hidden.
      attack: Its name.
      attacker: "naive" or "mask_aware".
      leak: The modality's main measure over examples and seeds; None without a result.
      diverged: Reconstructions without a number.
      chosen: Of an attack that is made of several: what it believed, and how often.
      without_result: Reasons why there is no reconstruction, and how often.
      seconds: Of one attack.
      past_blind: On how many examples it is better than the blind guess; None of a
        look-up.
      better_by: By what, where that is not the main measure alone.
      searches_at_limit: Share of its searches that their limit ended.
      labels_right: How many labels it names.
      labels_read: Of how many that it reads from what is visible.
      labels_asked: Of how many one was to be named.
    """

    context: Context
    metric: str
    agreement: str
    encryption_ratio: float
    hidden_share: float
    attack: str
    attacker: str
    leak: Statistic | None
    diverged: int
    chosen: tuple[tuple[str, int], ...]
    without_result: tuple[tuple[str, int], ...]
    seconds: Statistic | None
    past_blind: Past | None = None
    better_by: tuple[str, ...] = ()
    searches_at_limit: float | None = None
    labels_right: int = 0
    labels_read: int = 0
    labels_asked: int = 0

    @property
    def name(self) -> str:
        """The attack and attacker, as tables for people have them."""
        return f"{self.attack} {_SHORT.get(self.attacker, self.attacker)}"


def summarise(records: Iterable[AttackRecord], leaks: Leaks) -> tuple[AttackRow, ...]:
    """Aggregates over examples, rounds and seeds, each attack by itself.

    Args:
      records: Of attacks of one modality.
      leaks: What is measured there.

    Returns:
      The rows, in the order of the grid, attacks in the order in which they were made.
    """
    groups: dict[tuple[object, ...], list[AttackRecord]] = {}
    for one in blind.telling(list(records)):
        setting = cost_summary.setting_of(one.cell)
        place = (setting, one.target, one.batch_size, one.weights_after_rounds)
        groups.setdefault((*place, one.attack, one.attacker), []).append(one)
    rows = [_row(group, leaks) for group in groups.values()]
    return tuple(
        sorted(
            rows,
            key=lambda row: (
                row.context.target != "client",
                row.context,
                row.metric,
                row.agreement,
                row.encryption_ratio,
            ),
        )
    )


def _row(group: Sequence[AttackRecord], leaks: Leaks) -> AttackRow:
    first = group[0]
    setting = cost_summary.setting_of(first.cell)
    ended = [one for one in group if one.status == "ok"]
    values = [one.number(leaks.main.key) for one in ended]
    of, independent = units.of_records(ended)
    read = [one for one in labels.read(ended) if not one.is_member]
    # It recovers nothing, so that nothing is more or less than the guess.
    is_lookup = first.attack in leaks.lookups
    context = Context(
        *setting[:4], first.target, first.batch_size, first.weights_after_rounds
    )
    return AttackRow(
        context=context,
        metric=setting.metric,
        agreement=setting.agreement,
        encryption_ratio=setting.encryption_ratio,
        hidden_share=statistics.median_low(one.hidden_share for one in group),
        attack=first.attack,
        attacker=first.attacker,
        leak=statistic.summarise(values, of, independent, leaks.exact),
        diverged=sum(value != value for value in values),
        chosen=tuple(Counter(one.chosen for one in ended if one.chosen).items()),
        without_result=tuple(
            Counter(
                why.no_result(one.status, one.reason)
                for one in group
                if one.status != "ok"
            ).items()
        ),
        seconds=statistic.summarise(one.seconds for one in ended),
        past_blind=None
        if is_lookup
        else blind.past([(one, one.measures) for one in ended], leaks),
        better_by=()
        if is_lookup
        else tuple(
            short
            for _, short in blind.seen(
                [blind.decided(one, one.measures, leaks) for one in ended], leaks
            )
            if short
        ),
        searches_at_limit=at_limit.of(ended).share,
        labels_right=sum(one.right for one in read),
        labels_read=len(read),
        labels_asked=len(labels.asked(ended)),
    )


def to_csv(rows: Sequence[AttackRow]) -> str:
    """One line for each attack on each setting; None is an empty field."""
    heading = (
        *Context._fields,
        *("metric", "agreement", "encryption_ratio", "hidden_share"),
        *("attack", "attacker"),
        *(f"leak_{part}" for part in Statistic._fields),
        *("diverged", "chosen", "without_result", "attack_seconds_median"),
        *(f"past_blind_{part}" for part in Past._fields),
        *("better_by", "searches_at_limit"),
        *("labels_right", "labels_read", "labels_asked"),
    )
    lines = [
        (
            *row.context,
            *row[1:5],
            row.attack,
            row.attacker,
            *(_filled(row.leak) if row.leak else (0, *[None] * 5)),
            row.diverged,
            _counted(row.chosen),
            _counted(row.without_result),
            row.seconds and row.seconds.median,
            *(row.past_blind or [None] * len(Past._fields)),
            "; ".join(row.better_by),
            row.searches_at_limit,
            row.labels_right,
            row.labels_read,
            row.labels_asked,
        )
        for row in rows
    ]
    return text_tables.to_csv([heading, *lines])


def _filled(found: Statistic) -> tuple[float | None, ...]:
    return tuple(None if value != value else value for value in found)


def to_tables(rows: Sequence[AttackRow], leaks: Leaks) -> list[Table]:
    """A table for each context in which more than one attack was made.

    Down: the attacks, under each metric. Across: the ratios. What stands in a cell is
    the median, or why there is none.
    """
    made = []
    for context in dict.fromkeys(row.context for row in rows):
        own = [row for row in rows if row.context == context]
        if len({row.attack for row in own}) < 2:
            continue
        ratios = sorted({row.encryption_ratio for row in own})
        open_ = blind.open_words(row.past_blind for row in own)
        cells = {(_line(row), row.encryption_ratio): _cell(row, leaks) for row in own}
        made.append(
            Table(
                f"Each attack: median {leaks.main.words} ({context.title}; n/a: does not "
                f"apply, attacks.csv says why; blind: {blind.NO_BETTER}"
                f"{f'; blind?: {open_}' if open_ else ''})",
                ("Metric", "Attack", *(f"{100 * ratio:g} %" for ratio in ratios)),
                [
                    (*line[::2], *(cells.get((line, ratio), "-") for ratio in ratios))
                    for line in dict.fromkeys(map(_line, own))
                ],
            )
        )
    return made


def _line(row: AttackRow) -> tuple[str, str, str]:
    return row.metric, row.agreement, row.name


def _cell(row: AttackRow, leaks: Leaks) -> str:
    if row.past_blind and row.past_blind.none:
        return "blind"
    if row.past_blind and row.past_blind.open:
        return "blind?"
    if row.leak is not None:
        by = f" ({'; '.join(row.better_by)})" if row.better_by else ""
        return f"{leaks.short(row.leak.median, leaks.main.form)}{by}"
    if row.diverged:
        return "diverged"
    reasons = " ".join(reason for reason, _ in row.without_result)
    if "failed: " in reasons:
        return "failed"
    return "not run" if "not run: " in reasons else "n/a"


def _counted(found: Iterable[tuple[str, int]]) -> str:
    return "; ".join(f"{what} ({count})" for what, count in found)
