"""What a result means for whoever has to decide, in a few sentences."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from attacks.metrics import success
from experiments.outputs import blind, counted, units
from experiments.outputs.blind import Past
from experiments.outputs.leaks import Leaks
from experiments.outputs.records import AttackRecord
from experiments.outputs.report import costs, outcomes
from experiments.outputs.report.costs import Message, Rounds
from experiments.outputs.report.outcomes import (
    CHOOSING,
    HINDSIGHT,
    Mask,
    Outcome,
    percent,
)
from experiments.outputs.summary import Context

HEADING = "What this means for you"

_NAMED = 6
"""Attacks that are named; of more it is said how many."""


class Compared(NamedTuple):
    """The best of what was tried under one mask, against the blind guess.

    Attributes:
      outcome: The best of each example in hindsight.
      past: On how many examples it is better.
    """

    outcome: Outcome
    past: Past

    @property
    def mask(self) -> Mask:
        """What was hidden."""
        return self.outcome.mask


def enough(compared: Sequence[Compared]) -> Compared | None:
    """The least measured share from which on nothing is better than the blind guess.

    Args:
      compared: Of one metric, in ascending order of shares.
    """
    found = None
    for one in reversed(compared):
        if not one.past.none:
            break
        found = one
    return found


def compared(found: Sequence[Outcome]) -> list[Compared]:
    """The comparisons of one metric by the share hidden, where there is a guess."""
    return sorted(
        (
            Compared(one, one.past)
            for one in found
            if one.attack == HINDSIGHT and one.past is not None
        ),
        key=lambda one: one.mask.low,
    )


def of(
    context: Context,
    found: Sequence[Outcome],
    records: Sequence[AttackRecord],
    messages: Mapping[tuple[Context, str, str, float], Message],
    rounds: Sequence[Rounds],
    leaks: Leaks,
) -> tuple[str, ...]:
    """The result in plain sentences.

    Args:
      context: What was attacked.
      found: Outcomes of a family of runs.
      records: Its attacks.
      messages: Their bytes.
      rounds: Its trainings.
      leaks: What is measured.

    Returns:
      From which measured share on no attack gets past a blind guess and what that costs,
      for each metric; how sure that is; what was not tried. Empty where nothing has a
      number.
    """
    own = [one for one in found if one.context == context]
    metrics: dict[tuple[str, str], list[Outcome]] = {}
    for one in own:
        if one.attack == HINDSIGHT and one.spread:
            place = (one.mask.metric, one.mask.agreement)
            metrics.setdefault(place, []).append(one)
    if not metrics:
        return ()
    said: dict[str, list[str]] = {}
    for (metric, _), outcomes_ in metrics.items():
        text = " ".join(_of_metric(context, outcomes_, messages, rounds, leaks))
        said.setdefault(text, []).append(metric)
    sentences = [
        f"Hidden by {' or '.join(names)}: {text}"
        if context.target != "aggregate"
        else text
        for text, names in said.items()
    ]
    mine = [one for one in records if outcomes.context_of(one) == context]
    return (*sentences, *_sure(list(metrics.values()), mine), _not_tried(own))


def _of_metric(
    context: Context,
    found: Sequence[Outcome],
    messages: Mapping[tuple[Context, str, str, float], Message],
    rounds: Sequence[Rounds],
    leaks: Leaks,
) -> Iterator[str]:
    ordered = compared(found)
    if not ordered:
        yield (
            "there is no blind guess to compare with, so it cannot be said which share "
            "protects; the numbers are below."
        )
        return
    if context.target == "aggregate":
        past = ordered[-1].past
        helps = (
            "so this run does not show that it leaks."
            if past.none
            else "whatever clients encrypt."
        )
        found_ = "no more than a blind guess" if past.none else _more(past)
        yield f"From what is published attacks recover {found_}, {helps}"
        return
    least, leaking = ordered[0], [one for one in ordered if not one.past.none]
    if least.mask.low == 0.0 and least.past.none:
        yield (
            f"even with nothing hidden the attacks tried are {blind.NO_BETTER}, so this "
            "says nothing of what hiding does. Try other attacks, or longer searches."
        )
        return
    protecting = enough(ordered)
    shares = ", ".join(percent(one.mask.asked) for one in ordered)
    if leaking:
        worst = leaking[-1]
        count = _recovered(worst.outcome, leaks)
        yield (
            f"with {worst.mask.text} hidden attacks still recover "
            f"{_more(worst.past)}{count}."
        )
    if protecting is None:
        yield f"None of the measured shares ({shares} %) stopped them."
        return
    where = f"from {protecting.mask.text} on"
    if protecting is ordered[-1]:
        where = f"with {protecting.mask.text} hidden"
    where = where.capitalize() if leaking else where
    yield (
        f"{where} no attack tried gets past a blind guess (measured: {shares} %)"
        f"{_cost(context, protecting.mask, messages, rounds)}."
    )
    if not leaking:
        yield "With nothing hidden none has a result, so they may fail without a mask, too."


def _more(past: Past) -> str:
    if not past.better:
        return "a little more than a blind guess has"
    several = "s" if past.of > 1 else ""
    return (
        f"more than a blind guess has, on {past.better} of {past.of} example{several}"
    )


def _recovered(outcome: Outcome, leaks: Leaks) -> str:
    """How many of the examples count as recovered."""
    summary = outcome.summary
    rates = [
        f"{name}: {rate.successes} of {rate.trials}"
        for name, rate in (counted.rates(summary, leaks) if summary else ())
        if not name.startswith(counted.LABELS)
    ]
    return f" ({'; '.join(rates)})" if rates else ""


def _cost(
    context: Context,
    mask: Mask,
    messages: Mapping[tuple[Context, str, str, float], Message],
    rounds: Sequence[Rounds],
) -> str:
    parts = []
    message = messages.get((context, mask.metric, mask.agreement, mask.asked))
    if message and context.target == "client":
        times = message.total.median / message.plain
        parts.append(f"a client's message takes {times:.3g} x the bytes of a clear one")
    for one in rounds:
        setting = one.setting
        same = (
            setting.dataset,
            setting.model,
            setting.metric,
            setting.encryption_ratio,
        ) == (context.dataset, context.model, mask.metric, mask.asked)
        plain = costs.plain_of(one, rounds) if same else None
        if plain:
            up, _ = one.over(plain)
            parts.append(f"a training round {up:.3g} x the uploads of a clear one")
    return f"; there {' and '.join(parts)}" if parts else ""


def _sure(
    metrics: Sequence[Sequence[Outcome]], records: Sequence[AttackRecord]
) -> Iterator[str]:
    """How many examples that is of, and how many others may still leak."""
    victims = {(one.cell.seed, one.image_index) for one in records}
    seeds = {one.cell.seed for one in records}
    count = len(victims)
    said = f"How sure: {count} example{'s' if count > 1 else ''}"
    said += f" of {len(seeds)} seed{'s' if len(seeds) > 1 else ''}"
    found = [enough(compared(each)) for each in metrics]
    protecting = [one for one in found if one is not None]
    independent = len(seeds) == 1 and units.of_records(records).independent
    if protecting and independent:
        of_ = min(one.past.of for one in protecting)
        high = success.rate(np.zeros([of_], np.bool_)).high
        said += (
            f"; that none of {of_} leaks leaves it open for up to {100 * high:.0f} % of "
            "such examples (95 % interval)"
        )
    elif protecting:
        said += "; examples that share a message or weights have no interval"
    yield f"{said}."


def _not_tried(own: Sequence[Outcome]) -> str:
    names = sorted(
        {
            one.attack
            for one in own
            if one.is_attack and one.attack != CHOOSING and one.samples
        }
    )
    listed = ", ".join(names) if len(names) <= _NAMED else f"{len(names)} attacks"
    return (
        f"Tried with a result: {listed}. Not tried: any other attack, other data, other "
        "weights; each may recover more."
    )
