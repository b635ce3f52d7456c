"""What attacks recovered of examples and labels, as a part of a sentence."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from attacks.metrics import success
from attacks.metrics.success import Rate
from experiments.outputs import blind, counted, hindsight, labels
from experiments.outputs.blind import Past
from experiments.outputs.leaks import EXACT, Leaks
from experiments.outputs.report.outcomes import BLIND, Outcome
from experiments.outputs.report.shares import Compared

_NAMED = 4
"""Attacks that are named of those that recover the same."""


def in_words(
    one: Outcome, leaks: Leaks, shortly: bool = False, bare: Outcome | None = None
) -> str:
    """What attacks recover, and of how many examples it counts as recovered.

    Args:
      one: The best of each example.
      leaks: What is measured.
      shortly: Whether the interval, the best attacks and labels were said before.
      bare: The same with nothing hidden, to compare with.
    """
    named = list(_labels(one, shortly))
    past = one.past
    who = "naive attackers" if one.naive_only else "attacks"
    if past is None:
        middle = leaks.shown(one.spread.median) if one.spread else "no number"
        said = f"the median of the best attack on each example is {middle}"
    elif past.none or (past.open and not past.by_luck):
        said = f"{who} are {blind.NO_BETTER} on any of {_examples(past, one)}"
        if past.open:
            said = (
                f"it is open whether {who} get past a blind guess: no whole row of "
                f"{_examples(past, one)} does"
            )
        looked_up = filter(None, [past.looked_up_text])
        columns = _columns(one, shortly)
        listed = "; ".join([*looked_up, *_bare(bare, leaks), *columns, *named])
        return f"{said} ({listed})" if listed else said
    elif past.by_luck:
        of = f"{past.of}" if shortly else _examples(past, one)
        said = (
            f"it is open whether {who} get past a blind guess, on {past.better} of {of}"
        )
    else:
        said = f"{who} recover {_more(past, one, shortly)}"
    rates = list(_rates(one, leaks, bare))
    if past and _all_exact(one, leaks):
        # That they are more than a guess goes without saying.
        said = f"{who} recover {past.better} of {_examples(past, one)} exactly"
        if shortly:
            said = f"{who} recover {past.better} of {past.of} exactly"
        compared = [rate.partition(", ")[2] for rate in rates[:1]]
        said = ", ".join([said, *filter(None, compared)])
        rates = rates[1:]
    parts = [
        *([] if shortly or (past and past.by_luck) else _interval(one)),
        *filter(None, [past.chance_text] if past else []),
        *(_amounts(one, leaks, shortly) if past else []),
        *_best(one, leaks),
        *filter(None, [past.looked_up_text] if past else []),
        *(sentence for sentence, _ in blind.seen(one.decided, leaks)),
        *rates,
        *_columns(one, shortly),
        *named,
    ]
    return f"{said} ({'; '.join(parts)})" if parts else said


def _amounts(one: Outcome, leaks: Leaks, shortly: bool) -> Iterator[str]:
    """The median in hindsight, which no attacker has, beside what one has who chooses.

    Nothing of an exact one that stands alone: how many are exact is said behind it.
    """
    if one.spread is None:
        return
    choosing = [pair for pair in one.beside if pair[0] != BLIND]
    if one.spread.median > leaks.exact and (shortly or not choosing):
        return
    said = [f"{leaks.shown(one.spread.median)} in hindsight"]
    for name, median in choosing:
        who = name.partition(" ")[0] if len(choosing) == 1 else name
        said.append(f"{leaks.shown(median)} for who must choose ({who})")
    said += [
        f"{leaks.shown(median)} blind" for name, median in one.beside if name == BLIND
    ]
    # Else nothing depends on it.
    if one.past and one.past.better < one.past.of and one.by_chance == one.by_chance:
        said.append(f"{leaks.shown(one.by_chance)} the best random public example")
    yield f"median {leaks.main.words.partition(',')[0]} {', '.join(said)}"


def _more(past: Past, one: Outcome, shortly: bool) -> str:
    if not past.better and not past.sure:
        what = "single columns, and no whole row more than a blind guess"
        return f"{what}, of {past.of if shortly else _examples(past, one)}"
    if not past.better:
        return "a little more than a blind guess has"
    of = f"{past.of}" if shortly else _examples(past, one)
    return f"more than a blind guess, on {past.better} of {of}"


def _examples(past: Past, one: Outcome) -> str:
    """How many there are, and how many are to come."""
    said = f"{past.of} example{'s' if past.of > 1 else ''}"
    return f"{said}, of {one.planned} planned" if one.planned > past.of else said


def _interval(one: Outcome) -> Iterator[str]:
    """Of which share of such examples the same may hold."""
    independent = one.context.batch_size == 1
    if one.past and independent and len({each.seed for each in one.samples}) == 1:
        leaking = np.arange(one.past.of) < one.past.better
        rate = success.rate(leaking)
        ends = counted.interval(rate).removeprefix(" (").removesuffix(")")
        yield f"{ends}, {counted.THESE_WEIGHTS}"


def _best(one: Outcome, leaks: Leaks) -> Iterator[str]:
    """Which attacks were the best of what is recovered, and what a look-up is."""
    names: Counter[str] = Counter()
    if one.exact_by:
        equal = [(name.partition(" ")[0], count) for name, count in one.exact_by]
        more = len(equal) - _NAMED
        listed = hindsight.counted(equal[:_NAMED])
        yield f"all exact: {listed}{f' and {more} more' if more > 0 else ''}"
        return
    for name, count in one.chosen:
        if name != blind.NO_BETTER:
            names[name.partition(" ")[0]] += count
    if names:
        yield f"best: {hindsight.counted(names.most_common())}"
        yield from lookup(names, leaks)


def lookup(names: Iterable[str], leaks: Leaks) -> Iterator[str]:
    """Says what the look-ups among the best attacks are.

    Args:
      names: Of attacks.
      leaks: What is measured.
    """
    for name in names:
        if name in leaks.lookups:
            yield (
                f"{name} is a look-up: a similar public example was found, nothing was "
                "reconstructed, and it counts in no share"
            )


def _rates(
    outcome: Outcome, leaks: Leaks, bare: Outcome | None = None
) -> Iterator[str]:
    """How many of the examples count as recovered, and how many with nothing hidden."""
    counts = _counts(outcome, leaks)
    before = _counts(bare, leaks) if bare else {}
    told = _telling([counts, *([before] if before else [])])
    if before and all(counts[name] == before.get(name) for name in told):
        listed = ", ".join(f"{name}: {_of(counts[name])}" for name in told)
        yield from [f"{listed}, as at 0 %"] if told else []
        return
    for name in told:
        than = f", with nothing hidden {_of(before[name])}" if name in before else ""
        yield f"{name}: {_of(counts[name])}{than}"


def _all_exact(outcome: Outcome, leaks: Leaks) -> bool:
    """Whether everything is exact, and the first of the shares that are told says so."""
    counts, past = _counts(outcome, leaks), outcome.past
    if not counts or not past or not past.better == past.of:
        return False
    exact = next((one.words for one in leaks.recovered if one.name == EXACT), "")
    return (
        exact in counts and counts[exact].successes == past.of == counts[exact].trials
    )


def _telling(counts: Sequence[Mapping[str, Rate]]) -> list[str]:
    """The shares that say something: not what follows from all or none being exact."""
    names = list(counts[0])
    if len(names) < 2:
        return names
    exact = [one[names[0]] for one in counts if names[0] in one]
    if all(rate.successes == rate.trials for rate in exact):
        return names[:1]
    return names[1:] if not any(rate.successes for rate in exact) else names


def _counts(outcome: Outcome, leaks: Leaks) -> dict[str, Rate]:
    """By name, the strictest first."""
    summary = outcome.summary
    return dict(counted.rates(summary, leaks)) if summary else {}


def _of(rate: Rate) -> str:
    return f"{rate.successes} of {rate.trials}"


def _bare(bare: Outcome | None, leaks: Leaks) -> Iterator[str]:
    """What is recovered with nothing hidden, beside a share at which nothing is."""
    if bare is None or bare.past is None:
        return
    rates = ", ".join(_rates(bare, leaks))
    more = f"{bare.past.better} of {bare.past.of}"
    yield f"with nothing hidden better on {more}{f', {rates}' if rates else ''}"


def _columns(outcome: Outcome, shortly: bool) -> Iterator[str]:
    """How many values of single columns one attack has, and one value for all."""
    if outcome.summary is None:
        return
    for _ in counted.columns(outcome.summary):
        if found := outcome.summary.columns:
            yield (shortly and found.undecided) or found.text


def _labels(outcome: Outcome, shortly: bool) -> Iterator[str]:
    """How many labels one attack names alone, and how often a guess is right.

    Shortly only where that is more than guessing.
    """
    if outcome.summary is None:
        return
    if not shortly:
        yield from filter(None, [counted.named(outcome.summary)])
    elif counted.surely_reads(outcome.summary):
        yield counted.named_shortly(outcome.summary)


def reads_labels(outcome: Outcome) -> bool:
    """Whether one attack names more labels than guesses do, by more than chance."""
    return outcome.summary is not None and counted.reads(outcome.summary)


def labels_alone(ordered: Sequence[Compared]) -> str:
    """What labels leak, where the examples themselves do not."""
    said: dict[str, list[str]] = {}
    summaries = [
        (one, one.outcome.summary) for one in ordered if one.outcome.summary is not None
    ]
    for one, summary in summaries:
        count = "none"
        if summary.label_by == labels.NOT_TRIED:
            count = "not tried"
        if summary.labels:
            rate = summary.labels
            count = f"{rate.successes} of {rate.trials} by {counted.reader(summary)}"
            count += counted.unread(summary)
            no_more = counted.verdict(summary)
            count += f" ({no_more})" if no_more else ""
        said.setdefault(count, []).append(one.mask.percent)
    listed = ", ".join(f"{count} with {', '.join(at)} %" for count, at in said.items())
    guess = counted.guess_is_right(summaries[0][1])
    within = next((one.label_within for _, one in summaries if one.label_within), "")
    what = f"Target numbers, to within {within}," if within else "Labels"
    return f"{what} leak: {listed} hidden{f' ({guess})' if guess else ''}"
