"""What a result means for whoever has to decide, in a few sentences."""

import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from attacks.metrics import success
from experiments.outputs import (
    at_limit,
    attackers,
    blind,
    ciphers,
    counted,
    units,
)
from experiments.outputs.blind import Past
from experiments.outputs.leaks import Leaks
from experiments.outputs.records import AttackRecord
from experiments.outputs.report import (
    costs_in_words,
    lookups,
    outcomes,
    recovered,
    shares,
)
from experiments.outputs.report import tried as tried_lib
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

_HIDDEN = "Hidden by"

_NAMED = 6
"""Attacks that are named; of more it is said how many."""


class Costs(NamedTuple):
    """What protection costs, as sentences take it.

    Attributes:
      messages: Bytes of attacked messages.
      rounds: The trainings.
    """

    messages: Mapping[tuple[Context, str, str, float], Message]
    rounds: Sequence[Rounds]


def of(
    context: Context,
    found: Sequence[Outcome],
    records: Sequence[AttackRecord],
    messages: Mapping[tuple[Context, str, str, float], Message],
    rounds: Sequence[Rounds],
    leaks: Leaks,
    weights: str = "",
) -> tuple[str, ...]:
    """The result in plain sentences.

    Args:
      context: What was attacked.
      found: Outcomes of a family of runs.
      records: Its attacks.
      messages: Their bytes.
      rounds: Its trainings.
      leaks: What is measured.
      weights: Which weights were attacked, as "untrained weights"; "" where that is not
        known.

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
    sent = Costs(messages, rounds)
    mine = [one for one in records if outcomes.context_of(one) == context]
    of_metrics = _of_metrics(context, list(metrics.values()), sent, leaks, mine)
    sentences = [_at(weights, next(of_metrics)), *of_metrics]
    masks_of = {one.mask for each in metrics.values() for one in each}
    sentences += filter(None, [lookups.higher(context, found, leaks)])
    sentences += at_limit.of(_not_exact(mine, leaks)).sentences(len(masks_of) > 1)
    if context.target == "client":
        masks = [one.mask for each in metrics.values() for one in each]
        masks = list(dict.fromkeys(masks))
        sentences += costs_in_words.first_rounds(context, masks, rounds, weights)
        not_measured = ciphers.said(ciphers.of(mine))
        sentences.append(not_measured or costs_in_words.time(metrics.values(), rounds))
        sentences += costs_in_words.releases(context, masks, rounds)
    return (
        *costs_in_words.once(sentences),
        *_sure(list(metrics.values()), mine),
        *_not_tried(list(metrics.values()), mine, leaks),
    )


def _at(weights: str, sentence: str) -> str:
    """The first sentence with which weights it is of."""
    if not weights:
        return sentence
    hidden, colon, rest = sentence.partition(": ")
    if hidden.startswith(_HIDDEN):
        return f"{hidden}, at {weights}{colon}{rest}"
    return f"At {weights}: {sentence[:1].lower()}{sentence[1:]}"


def _of_metrics(
    context: Context,
    metrics: Sequence[Sequence[Outcome]],
    sent: Costs,
    leaks: Leaks,
    records: Sequence[AttackRecord],
) -> Iterator[str]:
    """The sentences of each metric, once for those that differ in nothing but bytes."""

    def is_told(mask: Mask, shortly: bool = False) -> str:
        # Whatever it costs: what there is to tell of it.
        told = costs_in_words.bytes_in_words(context, *sent, [mask])
        return re.sub(r"[0-9.,]+", "", told)

    groups: dict[tuple[str, ...], list[Sequence[Outcome]]] = {}
    for of_metric in metrics:
        lines = tuple(_of_metric(context, of_metric, is_told, leaks, records))
        groups.setdefault(lines, []).append(of_metric)
    for group in groups.values():
        told = [one.mask for own in group for one in own if one.attack == HINDSIGHT]

        def costs_of(
            mask: Mask, shortly: bool = False, told: Sequence[Mask] = told
        ) -> str:
            same = [one for one in told if one.asked == mask.asked]
            everything = [one for one in told if one.low == 1.0]
            return costs_in_words.bytes_in_words(
                context, *sent, same, everything, shortly
            )

        names = dict.fromkeys(own[0].mask.metric for own in group)
        hidden = f"{_HIDDEN} {' or '.join(names)}: "
        first, *rest = _of_metric(context, group[0], costs_of, leaks, records)
        yield f"{hidden if context.target != 'aggregate' else ''}{first}"
        yield from rest


def _not_exact(records: Sequence[AttackRecord], leaks: Leaks) -> list[AttackRecord]:
    """Those on what no attack recovers exactly: elsewhere a longer search finds no more."""
    exact = {
        (one.cell, one.image_index) for one in records if leaks.is_exact(one.measures)
    }
    return [one for one in records if (one.cell, one.image_index) not in exact]


def _of_metric(
    context: Context,
    own: Sequence[Outcome],
    costs_of: Callable[..., str],
    leaks: Leaks,
    records: Sequence[AttackRecord],
) -> Iterator[str]:
    """Of one metric: about a tenth, what leaks most, from where on nothing does."""
    found = [one for one in own if one.attack == HINDSIGHT and one.spread]
    if context.target == "aggregate":
        yield from _published(found[0], leaks)
        return
    ordered = shares.compared(found)
    hiding = [one.mask for one in found if one.mask.share > 0]
    near = shares.nearest(hiding) if hiding else None
    if ordered and ordered[0].mask.low == 0.0 and _shows_nothing(ordered[0].past):
        bare_past = ordered[0].past
        what = blind.NO_BETTER
        if bare_past.by_luck:
            what = f"{bare_past.text} ({bare_past.chance_text})"
        blind_anyway = f"even with nothing hidden the attacks tried are {what}"
        more = "Try other attacks, or longer searches."
        get = "are not shown to get anything" if bare_past.by_luck else "get nothing"
        if recovered.reads_labels(ordered[0].outcome):
            yield (
                f"{blind_anyway}: they {get} of the examples themselves. "
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
        yield from _labels_between(ordered, near)
        yield from _more_with_more(ordered, records, leaks)
    elif near and not ordered:
        yield shares.in_words(own, leaks)
    yield from _unknown(own, found, costs_of)


def _fails_anyway(ordered: Sequence[Compared]) -> bool:
    """Whether nothing is known of attacks without a mask, and none works with one."""
    return ordered[0].mask.low > 0.0 and all(
        _shows_nothing(one.past) for one in ordered
    )


def _shows_nothing(past: Past) -> bool:
    """Whether nothing recovered is shown to be more than a guess, or than chance."""
    return past.none or past.by_luck


def _more_with_more(
    ordered: Sequence[Compared], records: Sequence[AttackRecord], leaks: Leaks
) -> Iterator[str]:
    """Says so where more leaked with more hidden, which no mask can do, and why."""
    for less, more in itertools.pairwise(ordered):
        grew = (more.past.better, more.past.more) > (less.past.better, less.past.more)
        # What chance may give is no more.
        if grew and not more.past.by_luck and more.past.of == less.past.of:
            yield (
                f"With {more.mask.text} hidden more leaked than with {less.mask.text}: "
                f"{_why_more(less.mask, more.mask, records, leaks)}."
            )
            return


def _why_more(
    less: Mask, more: Mask, records: Sequence[AttackRecord], leaks: Leaks
) -> str:
    """What may be behind it, as far as records say."""

    def under(mask: Mask) -> list[AttackRecord]:
        own = (mask.metric, mask.agreement, mask.asked)
        return [
            one
            for one in records
            if (one.cell.metric, one.cell.agreement, one.cell.encryption_ratio) == own
        ]

    ended = at_limit.of(_not_exact(under(less), leaks))
    if ended.ended:
        return (
            f"with {less.text} {ended.ended} of {ended.of} searches ended at their limit, "
            "and a longer one may find more"
        )

    def applied(mask: Mask) -> set[str]:
        return {one.attack for one in under(mask) if one.status == "ok"}

    if only := sorted(applied(more) - applied(less)):
        return f"only there {_listed(only)} had a result"
    return "no search ended at its limit, so local minima of the searches, or chance"


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
    costs_of: Callable[..., str],
    leaks: Leaks,
) -> Iterator[str]:
    """What still leaks above a tenth, and from which share on nothing does."""
    before = near is not None and bool(costs_of(near))
    leaking = [one for one in ordered if not one.past.none]
    naive = shares.stopped_naive_only([one.outcome for one in ordered])
    protecting = shares.enough(ordered)
    if near and leaking and leaking[-1].mask.low > near.low:
        worst = leaking[-1]
        said = recovered.in_words(worst.outcome, leaks, shortly=True)
        cost = costs_of(worst.mask, before)
        yield f"With {worst.mask.text} hidden {said}{f'; there {cost}' if cost else ''}."
    measured = ", ".join(one.mask.percent for one in ordered)
    if naive:
        yield naive
    if protecting is None and ordered[-1].past.open:
        open_ = ", ".join(shares.open_at(ordered))
        yield f"Whether that stops them is open at {open_} % (measured: {measured} %)."
        return
    if protecting is None:
        if near and not ordered[-1].past.none:
            none = not all(one.past.more for one in ordered)
            which = (
                f"The largest measured share, {ordered[-1].mask.percent} %, did not"
                if none
                else f"None of the measured shares ({measured} %)"
            )
            yield f"{which} {'stop' if none else 'stopped'} them."
        return
    cost = costs_of(protecting.mask, before) if protecting.mask != near else ""
    where, nothing = (
        f"From {protecting.mask.text} on",
        "no attack tried gets past a blind guess",
    )
    if protecting is ordered[-1]:
        where = f"With {protecting.mask.text} hidden"
    if protecting.outcome.is_empty:
        nothing = "nothing is visible"
    elif labels := shares.labels_beside(ordered, protecting):
        nothing += f" of the examples themselves, but {labels}"
    yield (
        f"{where} {nothing} (measured: {measured} %){f'; there {cost}' if cost else ''}."
    )


def _labels_between(ordered: Sequence[Compared], near: Mask | None) -> Iterator[str]:
    """The shares at which labels are read, but those whose sentences have it."""
    protecting = shares.enough(ordered)
    told = ordered[ordered.index(protecting) :] if protecting else []
    leaking = [one for one in ordered if not one.past.none]
    masks = {one.mask for one in (*told, *leaking[-1:])} | ({near} if near else set())
    if between := shares.labels_between(ordered, masks):
        yield between


def _unknown(
    own: Sequence[Outcome],
    found: Sequence[Outcome],
    costs_of: Callable[..., str],
) -> Iterator[str]:
    """The shares of which nothing is known, and whether that is all that hides."""
    none = [one for one in own if one.attack == HINDSIGHT and not one.spread]
    # Of some examples nothing can be guessed where nothing is visible.
    for one in none:
        if one.is_empty:
            cost = costs_of(one.mask)
            yield (
                f"With {one.mask.text} hidden nothing is visible, so no attack has "
                f"anything to go by{f'; there {cost}' if cost else ''}."
            )
    without = [one.mask.text for one in none if not one.is_empty]
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
    if why := _no_interval(records):
        said += f"; no interval, as {why}"
    compared = [shares.compared(each) for each in metrics]
    # Where attacks fail at the least share, how many others leak is no question.
    found = [
        shares.enough(one)
        for one in compared
        if one and not _shows_nothing(one[0].past)
    ]
    protecting = [one for one in found if one is not None]
    measured = [one for one in protecting if not one.outcome.is_empty]
    independent = len(seeds) == 1 and units.of_records(records).independent
    if measured and independent:
        said += f"; {'; '.join(_left_open(measured))} (95 % interval, "
        said += f"{counted.THESE_WEIGHTS})"
    if len(measured) < len(protecting):
        empty = next(one for one in protecting if one not in measured)
        said += f"; at {empty.mask.text} it rests on the cipher alone"
    yield f"{said}."


def _no_interval(records: Sequence[AttackRecord]) -> str:
    """Why no share of such examples is told that may leak as well; "" where it is."""
    if len({one.cell.seed for one in records}) > 1:
        return "examples of a seed share its weights"
    if not units.of_records(records).independent:
        return "examples share a message"
    return ""


def _left_open(protecting: Sequence[Compared]) -> Iterator[str]:
    """For how many other examples it is open whether they leak, at which share."""
    metrics: dict[tuple[int, str], list[str]] = {}
    for one in protecting:
        metrics.setdefault((one.past.of, one.mask.text), []).append(one.mask.metric)
    for (of_, share), names in metrics.items():
        high = success.rate(np.zeros([of_], np.bool_)).high
        by = f" by {' or '.join(names)}" if len(metrics) > 1 else ""
        yield (
            f"that none of {of_} leaks with {share} hidden{by} leaves it open for up to "
            f"{100 * high:.0f} % of such examples"
        )


def _not_tried(
    metrics: Sequence[Sequence[Outcome]],
    records: Sequence[AttackRecord],
    leaks: Leaks,
) -> Iterator[str]:
    """The attacks with a result at the share of the first sentence, and what was not.

    What ran on an empty message was no try.
    """
    tried: dict[str, set[str]] = {}
    near = []
    for own in metrics:
        some = [one for one in own if not one.is_empty]
        hiding = [one.mask for one in some if one.mask.share > 0]
        near += [shares.nearest(hiding or [one.mask for one in some])] if some else []
        for one in some:
            if one.is_attack and one.attack != CHOOSING and one.samples:
                tried.setdefault(one.attack, set()).add(one.mask.text)
    if not near:
        yield "Tried: nothing, as nothing was visible of any message."
        return
    where = dict.fromkeys(one.text for one in near)
    here = sorted(name for name, at in tried.items() if at & where.keys())
    elsewhere = sorted(name for name, at in tried.items() if not at & where.keys())
    listed = _listed(here) or "nothing"
    if attackers.are_naive(records):
        listed += f", by {attackers.NAIVE}, only; {attackers.missing(records)}"
    only = f" (only at other shares: {_listed(elsewhere)})" if elsewhere else ""
    hidden = ""
    if metrics[0][0].context.target != "aggregate":
        hidden = f" at {' or '.join(where)}"
    yield (
        f"Tried with a result{hidden}: {listed}{only}; "
        f"{tried_lib.of_catalogue(records, leaks)}. Other attacks, data or weights may "
        "leak more."
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= _NAMED else f"{len(names)} attacks"
