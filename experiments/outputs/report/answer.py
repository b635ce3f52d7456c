"""The answer in sentences: what leaks at about 10 % hidden, how sure, at which cost."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from experiments.outputs import hindsight
from experiments.outputs.leaks import Leaks
from experiments.outputs.report import cost_tables, costs
from experiments.outputs.report import spread as spread_lib
from experiments.outputs.report.costs import Message, Rounds
from experiments.outputs.report.outcomes import (
    CHOOSING,
    HINDSIGHT,
    Mask,
    Outcome,
    percent,
)
from experiments.outputs.summary import Context

_NAMED = 4

ABOUT, LEAST, MOST = 0.1, 0.05, 0.2
"""The share that is asked for, and what still counts as about as much."""

BOUND = (
    "These are the attacks that were tried: another one may recover more, so what is said "
    "here is the least that leaks."
)


class Answer(NamedTuple):
    """What is said of one metric.

    Attributes:
      about: Which metric and share it is of.
      leaks: What attackers recover there, and how sure that is.
      bytes: What it costs in bytes.
      time: What it costs in time.
    """

    about: str
    leaks: str
    bytes: str
    time: str


def of(
    context: Context,
    found: Sequence[Outcome],
    messages: Mapping[tuple[Context, str, str, float], Message],
    rounds: Sequence[Rounds],
    leaks: Leaks,
) -> list[Answer]:
    """Answers for each metric of one context.

    Args:
      context: What was attacked.
      found: Outcomes of a family of runs.
      messages: Their bytes.
      rounds: Their trainings.
      leaks: What is measured.

    Returns:
      The answers; none where nothing was attacked.
    """
    own = [one for one in found if one.context == context]
    return [
        _of_policy(
            [one for one in own if (one.mask.metric, one.mask.agreement) == metric],
            messages,
            rounds,
            leaks,
        )
        for metric in dict.fromkeys(
            (one.mask.metric, one.mask.agreement) for one in own
        )
    ]


def nearest(masks: Sequence[Mask]) -> Mask:
    """The mask that really hides nearest to `ABOUT`, of at least one."""
    return min(masks, key=lambda mask: (abs(mask.share - ABOUT), mask.asked))


def _of_policy(
    own: Sequence[Outcome],
    messages: Mapping[tuple[Context, str, str, float], Message],
    rounds: Sequence[Rounds],
    leaks: Leaks,
) -> Answer:
    masks = [one.mask for one in own]
    hiding = [mask for mask in masks if mask.share > 0]
    context, mask = own[0].context, nearest(hiding or masks)
    here = [one for one in own if one.mask == mask]
    if context.target == "aggregate":
        about = "What is published, whatever was encrypted on the way"
        return Answer(about, " ".join([*_leaks(here, leaks), *_sure(here)]), "", "")
    about = f"{mask.text} hidden by {mask.metric}"
    if not LEAST <= mask.share <= MOST:
        about = f"Nothing was measured at about 10 % hidden; the nearest is {about}"
    said = [*_leaks(here, leaks), *_scale(own, mask, leaks), *_sure(here)]
    message = messages.get((context, mask.metric, mask.agreement, mask.asked))
    if context.target != "client":
        # Only the first of its messages was counted.
        message = None
    trained = [one for one in rounds if _same(one, mask, context)]
    return Answer(
        about,
        " ".join(said),
        " ".join(_bytes(message, mask, trained, rounds)),
        " ".join(_time(trained, rounds)),
    )


def _leaks(here: Sequence[Outcome], leaks: Leaks) -> Iterator[str]:
    measure = leaks.main.words.split(",")[0]
    choosing = [
        (one, one.spread) for one in here if one.attack == CHOOSING and one.spread
    ]
    for one, spread in choosing:
        yield (
            f"{measure} of an attacker who chooses without the original ({one.name}; chose "
            f"{hindsight.counted(one.chosen)}): {spread_lib.in_words(spread, leaks)}."
        )
    best = next(one for one in here if one.attack == HINDSIGHT)
    tried = sorted({one.attack for one in here} - {HINDSIGHT, CHOOSING})
    of = ", ".join(tried) if len(tried) <= _NAMED else f"{len(tried)} attacks"
    if best.spread is None:
        why = dict.fromkeys(
            f"{one.name} {reason}" for one in here for reason, _ in one.reasons
        )
        listed = "; ".join(why) or "all reconstructions diverged"
        yield f"No attack has a result, which is no protection shown: {listed}"
        return
    yield (
        f"{measure} of the {HINDSIGHT}: "
        f"{spread_lib.in_words(best.spread, leaks)}. It was "
        f"{hindsight.counted(best.chosen)}, of {of} tried."
    )
    if not choosing and len(tried) > 1:
        yield "Which one an attacker would choose is not known: no strongest was run."
    without = sum(
        one.diverged + sum(count for _, count in one.reasons)
        for one in here
        if not one.member_of
    )
    if without:
        yield f"Attempts without a number: {without}; the table says why."


def _scale(own: Sequence[Outcome], mask: Mask, leaks: Leaks) -> Iterator[str]:
    """The same attacks where nothing and where everything is hidden."""
    said = []
    for share, words in ((0.0, "nothing"), (1.0, "everything")):
        ends = [
            one.spread
            for one in own
            if one.attack == HINDSIGHT
            and one.mask != mask
            and one.mask.low == share == one.mask.high
        ]
        said += [f"{words} hidden {leaks.shown(one.median)}" for one in ends if one]
    if said:
        yield f"Medians to compare with: {', '.join(said)}."
    yield _enough(own, leaks)


def _enough(own: Sequence[Outcome], leaks: Leaks) -> str:
    """From which measured share on no more leaks than with everything hidden."""
    found = sorted(
        (one.mask.low, one.spread)
        for one in own
        if one.attack == HINDSIGHT and one.spread
    )
    whole = [spread for share, spread in found if share == 1.0]
    if not whole:
        return (
            "From which share on no more leaks than with everything hidden cannot be "
            "said: everything hidden was not measured."
        )
    end = spread_lib.ends(whole[0])[1]
    enough = 1.0
    for share, spread in reversed(found):
        if spread.median > end:
            break
        enough = share
    shown = f"what everything hidden gives (at most {leaks.shown(end)})"
    if enough == 1.0:
        return f"At no measured share below 100 % is it down to {shown}."
    return f"It is down to {shown} from the measured share of {percent(enough)} % on."


def _sure(here: Sequence[Outcome]) -> Iterator[str]:
    spread = next(one for one in here if one.attack == HINDSIGHT).spread
    if spread and len(spread.values) < spread_lib.FEW:
        count = len(spread.values)
        several = "s" if count > 1 else ""
        yield f"How sure: too few for an interval, {count} {spread.unit}{several}."


def _same(one: Rounds, mask: Mask, context: Context) -> bool:
    setting = one.setting
    return (
        setting.dataset,
        setting.model,
        setting.metric,
        setting.encryption_ratio,
    ) == (context.dataset, context.model, mask.metric, mask.asked)


def _otherwise(one: Rounds, mask: Mask) -> str:
    """Which agreement on masks the rounds have, where it is not the attacked one."""
    other = one.setting.agreement
    if other == mask.agreement:
        return ""
    return f", whose mask is by {other} and not {mask.agreement},"


def _bytes(
    message: Message | None,
    mask: Mask,
    trained: Sequence[Rounds],
    rounds: Sequence[Rounds],
) -> Iterator[str]:
    if message:
        times = message.total.median / message.plain
        yield (
            f"A client's message, {cost_tables.MESSAGE}, takes {message.total.bytes} "
            f"bytes, {times:.3g} x the {message.plain:,} of one in the clear."
        )
    for one in trained:
        plain = costs.plain_of(one, rounds)
        several = "s" if one.up.n > 1 else ""
        ratio = ""
        if plain:
            up, both = one.over(plain)
            ratio = f"; medians: up {up:.3g} x plain, up and down {both:.3g} x"
        yield (
            f"A training round of {one.setting.num_clients} clients"
            f"{_otherwise(one, mask)} takes {one.up.bytes} bytes up and {one.down.bytes} "
            f"down ({one.up.n} round{several}{ratio})."
        )
        if one.whole:
            yield f"{cost_tables.WHOLE.capitalize()}."
    if not message and not trained:
        yield "Not measured."


def _time(trained: Sequence[Rounds], rounds: Sequence[Rounds]) -> Iterator[str]:
    if not trained:
        yield "Not measured: no training with this mask was in the run."
    for one in trained:
        plain = costs.plain_of(one, rounds)
        against = (
            f", against {plain.seconds.seconds} without encryption" if plain else ""
        )
        yield f"A training round took {one.seconds.seconds}{against}."
        if plain and one.seconds.low <= plain.seconds.high:
            if plain.seconds.low <= one.seconds.high:
                yield "The two ranges overlap: no difference was measured."
                continue
        if one.seconds.n < spread_lib.FEW:
            yield "So few rounds say little."
