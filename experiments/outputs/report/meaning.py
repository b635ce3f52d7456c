"""What a result means for whoever has to decide, in a few sentences."""

import functools
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from attacks.metrics import success
from experiments.outputs import (
    at_limit,
    attackers,
    blind,
    ciphers,
    units,
)
from experiments.outputs.leaks import Leaks
from experiments.outputs.records import AttackRecord
from experiments.outputs.report import costs_in_words, outcomes, recovered, shares
from experiments.outputs.report.costs import Message, Rounds
from experiments.outputs.report.outcomes import (
    CHOOSING,
    HINDSIGHT,
    Mask,
    Outcome,
)
from experiments.outputs.report.shares import Compared
from experiments.outputs.summary import Context

HEADING = "What this means for you"

_NAMED = 6
"""Attacks that are named; of more it is said how many."""


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
      For each metric first what leaks and what it costs at the measured share nearest to
      a tenth, then from which share on no attack gets past a blind guess; how sure that
      is; what was not tried. One sentence, of a line of its own, for each share. Empty
      where nothing has a number.
    """
    own = [one for one in found if one.context == context]
    metrics: dict[tuple[str, str], list[Outcome]] = {}
    for one in own:
        metrics.setdefault((one.mask.metric, one.mask.agreement), []).append(one)
    metrics = {
        metric: each
        for metric, each in metrics.items()
        if any(one.attack == HINDSIGHT and one.spread for one in each)
    }
    if not metrics:
        return ()
    costs_of = functools.partial(
        costs_in_words.bytes_in_words, context, messages, rounds
    )
    said: dict[tuple[str, ...], list[str]] = {}
    for (metric, _), of_metric in metrics.items():
        lines = tuple(_of_metric(context, of_metric, costs_of, leaks))
        said.setdefault(lines, []).append(metric)
    sentences: list[str] = []
    for (first, *rest), names in said.items():
        hidden = f"Hidden by {' or '.join(names)}: "
        sentences += [
            f"{hidden if context.target != 'aggregate' else ''}{first}",
            *rest,
        ]
    mine = [one for one in records if outcomes.context_of(one) == context]
    masks_of = {one.mask for each in metrics.values() for one in each}
    sentences += at_limit.of(_not_exact(mine, leaks)).sentences(len(masks_of) > 1)
    if context.target == "client":
        masks = [one.mask for each in metrics.values() for one in each]
        sentences += costs_in_words.first_rounds(context, dict.fromkeys(masks), rounds)
        not_measured = ciphers.said(ciphers.of(mine))
        sentences.append(not_measured or costs_in_words.time(metrics.values(), rounds))
    return (*sentences, *_sure(list(metrics.values()), mine), _not_tried(own, mine))


def _not_exact(records: Sequence[AttackRecord], leaks: Leaks) -> list[AttackRecord]:
    """Those on what no attack recovers exactly: elsewhere a longer search finds no more."""
    exact = {
        (one.cell, one.image_index)
        for one in records
        if one.number(leaks.main.key) > leaks.exact
    }
    return [one for one in records if (one.cell, one.image_index) not in exact]


def _of_metric(
    context: Context,
    own: Sequence[Outcome],
    costs_of: Callable[[Mask], str],
    leaks: Leaks,
) -> Iterator[str]:
    """Of one metric: about a tenth, what leaks most, from where on nothing does."""
    found = [one for one in own if one.attack == HINDSIGHT and one.spread]
    if context.target == "aggregate":
        yield from _published(found[0], leaks)
        return
    ordered = shares.compared(found)
    hiding = [one.mask for one in found if one.mask.share > 0]
    near = shares.nearest(hiding) if hiding else None
    if ordered and ordered[0].mask.low == 0.0 and ordered[0].past.none:
        blind_anyway = (
            f"even with nothing hidden the attacks tried are {blind.NO_BETTER}"
        )
        more = "Try other attacks, or longer searches."
        if recovered.reads_labels(ordered[0].outcome):
            yield (
                f"{blind_anyway}: they get nothing of the examples themselves. "
                f"{recovered.labels_alone(ordered)}. {more}"
            )
        else:
            yield f"{blind_anyway}, so this says nothing of what hiding does. {more}"
        yield from _by_luck(ordered, leaks)
        if near and (cost := costs_of(near)):
            yield f"With {near.text} hidden {cost}."
        return
    bare = any(one.mask.low == 0.0 for one in own)
    fails = bool(ordered) and near is not None and _fails_anyway(ordered)
    if fails:
        none = "no attack has a result" if bare else "nothing was measured"
        yield (
            f"this run says nothing of what hiding does: with nothing hidden {none}, so "
            "attacks may fail without a mask, too."
        )
    if near:
        (at,) = (one for one in found if one.mask == near)
        bare_one = next((one for one in found if one.mask.high == 0.0), None)
        masks = [one.mask for one in own]
        said = _about_a_tenth(at, masks, costs_of(near), leaks, bare_one)
        yield f"{said[:1].upper()}{said[1:]}" if fails else said
    else:
        yield f"with nothing hidden {recovered.in_words(found[0], leaks)}."
    if ordered and not fails:
        yield from _protecting(ordered, near, costs_of, leaks)
        yield from _more_with_more(ordered)
    elif near and not ordered:
        yield shares.in_words(own, leaks)
    yield from _unknown(own, found, costs_of)


def _fails_anyway(ordered: Sequence[Compared]) -> bool:
    """Whether nothing is known of attacks without a mask, and none works with one."""
    return ordered[0].mask.low > 0.0 and all(one.past.none for one in ordered)


def _more_with_more(ordered: Sequence[Compared]) -> Iterator[str]:
    """Says so where more leaked with more hidden, which no mask can do."""
    for less, more in itertools.pairwise(ordered):
        if (more.past.better, not more.past.none) > (
            less.past.better,
            not less.past.none,
        ) and more.past.of == less.past.of:
            yield (
                f"With {more.mask.text} hidden more leaked than with {less.mask.text}: "
                "that is within what a longer search would change."
            )
            return


def _by_luck(ordered: Sequence[Compared], leaks: Leaks) -> Iterator[str]:
    """Names single results that chance may have given, as nothing hidden gives none."""
    for key in filter(leaks.seen.__contains__, leaks.by_chance):
        name = leaks.seen[key].short.partition(" {")[0]
        counts = [
            (
                one,
                sum(
                    each is not None and each.key == key for each in one.outcome.decided
                ),
            )
            for one in ordered[1:]
        ]
        found = [
            f"{count} of {one.past.of} {name} at {one.mask.percent} %"
            for one, count in counts
            if count == 1
        ]
        if found:
            yield f"{', '.join(found)}, not at 0 %: may be chance."


def _published(one: Outcome, leaks: Leaks) -> Iterator[str]:
    helps = "whatever clients encrypt"
    if one.past is None:
        helps = "and no blind guess is on record to compare with"
    elif one.past.none:
        helps = "so this run does not show that it leaks"
    yield f"From what is published {recovered.in_words(one, leaks)}, {helps}."


def _about_a_tenth(
    one: Outcome, masks: Sequence[Mask], cost: str, leaks: Leaks, bare: Outcome | None
) -> str:
    what = shares.where(one.mask, masks)
    where = f", {what}," if what else ""
    said = f"with {one.mask.text} hidden{where} {recovered.in_words(one, leaks, bare=bare)}"
    return f"{said}; there {cost}." if cost else f"{said}."


def _protecting(
    ordered: Sequence[Compared],
    near: Mask | None,
    costs_of: Callable[[Mask], str],
    leaks: Leaks,
) -> Iterator[str]:
    """What still leaks above a tenth, and from which share on nothing does."""
    leaking = [one for one in ordered if not one.past.none]
    naive = shares.stopped_naive_only([one.outcome for one in ordered])
    if near and leaking and leaking[-1].mask.low > near.low:
        worst = leaking[-1]
        said = recovered.in_words(worst.outcome, leaks, shortly=True)
        yield f"With {worst.mask.text} hidden {said}."
    measured = ", ".join(one.mask.percent for one in ordered)
    protecting = shares.enough(ordered)
    if naive:
        yield naive
    if protecting is None:
        if near and not ordered[-1].past.none:
            none = any(one.past.none for one in ordered)
            which = (
                f"The largest measured share, {ordered[-1].mask.percent} %, did not"
                if none
                else f"None of the measured shares ({measured} %)"
            )
            yield f"{which} {'stop' if none else 'stopped'} them."
        return
    where = f"From {protecting.mask.text} on"
    if protecting is ordered[-1]:
        where = f"With {protecting.mask.text} hidden"
    cost = costs_of(protecting.mask) if protecting.mask != near else ""
    yield (
        f"{where} no attack tried gets past a blind guess (measured: {measured} %)"
        f"{f'; there {cost}' if cost else ''}."
    )


def _unknown(
    own: Sequence[Outcome],
    found: Sequence[Outcome],
    costs_of: Callable[[Mask], str],
) -> Iterator[str]:
    """The shares of which nothing is known, and whether that is all that hides."""
    none = [one for one in own if one.attack == HINDSIGHT and not one.spread]
    # Of some examples nothing can be guessed where nothing is visible.
    for one in none:
        if one.context.target == "client" and one.mask.low == 1.0:
            cost = costs_of(one.mask)
            yield (
                f"With {one.mask.text} hidden nothing is visible, so no attack has "
                f"anything to go by{f'; there {cost}' if cost else ''}."
            )
    without = [
        one.mask.text
        for one in none
        if one.context.target != "client" or one.mask.low < 1.0
    ]
    if without:
        of_them = "of them" if len(without) > 1 else "of it"
        yield (
            f"With {', '.join(without)} hidden no attack has a result, so nothing is known "
            f"{of_them}."
        )
    if all(one.mask.high == 0.0 for one in found):
        rest = "" if none else "Nothing was measured with a part hidden: this"
        yield f"{rest or 'So this'} says nothing of what hiding does."


def _sure(
    metrics: Sequence[Sequence[Outcome]], records: Sequence[AttackRecord]
) -> Iterator[str]:
    """How many examples that is of, and how many others may still leak."""
    # One that several seeds have is one.
    victims = {one.image_index for one in records}
    seeds = {one.cell.seed for one in records}
    count = len(victims)
    said = f"How sure: {count} example{'s' if count > 1 else ''}"
    said += f" of {len(seeds)} seed{'s' if len(seeds) > 1 else ''}"
    compared = [shares.compared(each) for each in metrics]
    # Where attacks fail at the least share, how many others leak is no question.
    found = [shares.enough(one) for one in compared if one and not one[0].past.none]
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


def _not_tried(own: Sequence[Outcome], records: Sequence[AttackRecord]) -> str:
    names = sorted(
        {
            one.attack
            for one in own
            if one.is_attack and one.attack != CHOOSING and one.samples
        }
    )
    listed = ", ".join(names) if len(names) <= _NAMED else f"{len(names)} attacks"
    if attackers.are_naive(records):
        listed += f", by {attackers.NAIVE}, only; {attackers.missing(records)}"
    return (
        f"Tried with a result: {listed}. Not tried: other attacks, data or weights; each "
        "may recover more."
    )
