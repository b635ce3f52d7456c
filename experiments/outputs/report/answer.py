"""The answer in sentences: what leaks at about 10 % hidden, how sure, at which cost."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from experiments.outputs import attackers, blind, counted, hindsight
from experiments.outputs.leaks import Leaks
from experiments.outputs.report import (
    cost_tables,
    costs,
    lookups,
    outcomes,
    recovered,
    shares,
)
from experiments.outputs.report import spread as spread_lib
from experiments.outputs.report.costs import Message, Rounds
from experiments.outputs.report.outcomes import (
    BLIND,
    CHOOSING,
    HINDSIGHT,
    Mask,
    Outcome,
)
from experiments.outputs.summary import Context

_NAMED = 4

_WITHOUT: Mapping[str, str] = MappingProxyType(
    {
        "diverged": "diverged",
        "failed": "failed",
        "not run": "not run, as another was exact",
        "does not apply": "not applicable",
    }
)
_WAYS = ("result", *_WITHOUT)
"""How an attack ends, from the most that can come of it."""

_WHY = ": the report's table of attacks says why"
"""Of what has a reason; of what diverged there is none."""

NO_RESULT = "No attack has a result, which is no protection shown"
"""How an answer begins that has reasons and no number."""

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
    answers = []
    told: dict[str, str] = {}
    for metric in dict.fromkeys((one.mask.metric, one.mask.agreement) for one in own):
        of_metric = [
            one for one in own if (one.mask.metric, one.mask.agreement) == metric
        ]
        made = _of_policy(of_metric, messages, rounds, leaks)
        # What is told of one metric word for word is told once.
        if first := told.get(made.leaks):
            answers.append(made._replace(leaks=f"The same as with {first}."))
            continue
        told[made.leaks] = made.about
        answers.append(made)
    return answers


def _of_policy(
    own: Sequence[Outcome],
    messages: Mapping[tuple[Context, str, str, float], Message],
    rounds: Sequence[Rounds],
    leaks: Leaks,
) -> Answer:
    masks = [one.mask for one in own]
    hiding = [mask for mask in masks if mask.share > 0]
    context, mask = own[0].context, shares.nearest(hiding or masks)
    here = [one for one in own if one.mask == mask]
    if context.target == "aggregate":
        about = f"{outcomes.PUBLISHED[:1].upper()}{outcomes.PUBLISHED[1:]}"
        said = [*_leaks(here, leaks), *_counted(here, leaks), *_sure(here, leaks)]
        return Answer(about, " ".join(said), "", "")
    about = f"{mask.text} hidden by {mask.metric}"
    if what := shares.where(mask, masks):
        what = what.replace("the measured share nearest to 10 %", "the nearest")
        about = f"Nothing was measured at about 10 % hidden; {what} is {about}"
    said = [
        *_leaks(here, leaks),
        *_counted(here, leaks),
        *_scale(own, mask, leaks),
        *_sure(here, leaks),
    ]
    message = messages.get((context, mask.metric, mask.agreement, mask.asked))
    if context.target != "client":
        # Only the first of its messages was counted.
        message = None
    trained = [one for one in rounds if costs.is_of(one, context, mask)]
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
    if best.spread is None:
        why = dict.fromkeys(
            f"{one.name} {reason}" for one in here for reason, _ in one.reasons
        )
        listed = "; ".join(why) or "all reconstructions diverged"
        yield f"{NO_RESULT}: {listed}"
        return
    if best.past and best.past.none:
        yield f"{blind.NO_BETTER.capitalize()} by {_measured(leaks)}."
    if best.naive_only:
        yield f"Only of {attackers.NAIVE}: no attacker who uses the mask has a result."
    who = [(name, count) for name, count in best.chosen if name != blind.NO_BETTER]
    rest = sum(count for _, count in best.chosen) - sum(count for _, count in who)
    it_was, of = [f"It was {hindsight.counted(who)}"] if who else [], "the best of"
    if who and rest:
        it_was = [f"Of what is better it was {hindsight.counted(who)}"]
    apart = ""
    if any(one.attack in leaks.lookups and one.spread for one in here):
        apart = f" ({lookups.APART})"
    if best.exact_by:
        it_was, of = [f"All exact were {hindsight.counted(best.exact_by)}"], "of"
    yield (
        f"{measure} of the {HINDSIGHT}{apart}: "
        f"{spread_lib.in_words(best.spread, leaks)}. "
        f"{', '.join([*it_was, of if who else 'Tried were'])} "
        f"{_tried(here)}."
    )
    names = dict.fromkeys(name.partition(" ")[0] for name, _ in who)
    for said in recovered.lookup(names, leaks):
        yield f"{said[:1].upper()}{said[1:]}."
    if not choosing and len(_attacks(here)["result"]) > 1:
        yield "Which one an attacker would choose is not known: no strongest was run."
    own = [one for one in here if not one.member_of]
    reasons = sum(count for one in own for _, count in one.reasons)
    without = reasons + sum(one.diverged for one in own)
    if without:
        yield f"Attempts without a number: {without}{_WHY if reasons else ''}."


def _measured(leaks: Leaks) -> str:
    """By what a result is compared with the blind guess, and by nothing else."""
    words = {one.key: one.words.partition(",")[0] for one in leaks.shares if one.words}
    for number in (*leaks.numbers, leaks.main):
        words[number.key] = number.words.partition(",")[0]
    keys = [key for key, _ in leaks.beyond] or [leaks.main.key]
    named = [words.get(key, key.replace("_", " ")) for key in keys]
    return f"what is measured ({', '.join(dict.fromkeys(named))})"


def _counted(here: Sequence[Outcome], leaks: Leaks) -> Iterator[str]:
    """Shares of examples, and on how many attacks are better than without a gradient."""
    best = next(each for each in here if each.attack == HINDSIGHT)
    rates = []
    if best.summary:
        rates = [
            f"{name}: {counted.in_words(rate)}"
            for name, rate in counted.rates(best.summary, leaks)
        ]
        rates += [f"{name}: {count}" for name, count in counted.columns(best.summary)]
        rates += [f"{name}: {count}" for name, count in counted.labels(best.summary)]
    if rates:
        listed = "; ".join(rates)
        yield f"{listed[:1].upper()}{listed[1:]}."
        if "95 % interval" in listed:
            yield counted.INTERVALS
    for one in here:
        if one.attack != BLIND:
            continue
        ((made_of, _),) = one.chosen
        if one.spread is None:
            yield f"Blind guess, without the gradient: {made_of}."
            continue
        yield (
            f"A blind guess, without the gradient ({made_of}), has "
            f"{spread_lib.in_words(one.spread, leaks)}."
        )
        if best.by_chance == best.by_chance:
            yield (
                "The best of up to 99 random public examples has a median of "
                f"{leaks.shown(best.by_chance)}."
            )
        past = best.past
        if past and past.looked_up:
            said = past.looked_up_text
            yield f"{said[:1].upper()}{said[1:]}; that counts in no share."
        if past and past.open and not past.by_luck:
            yield f"What attacks recovered is {past.text}."
        elif past and not past.none:
            by = "; ".join(one for one, _ in blind.seen(best.decided, leaks))
            yield (
                f"What attacks recovered is {past.text} "
                f"example{'s' if past.of > 1 else ''}"
                f"{f' ({past.chance_text})' if past.chance_text else ''}"
                f"{f': {by}' if by else ''}."
            )


def _attacks(here: Iterable[Outcome]) -> Mapping[str, list[str]]:
    """Attacks by the most that came of them, whoever made them: a result or none."""
    ended: dict[str, set[str]] = {}
    for one in here:
        if one.is_attack and one.attack != CHOOSING:
            ways = ended.setdefault(one.attack, set())
            ways.update(["result"] if one.samples else [])
            ways.update(["diverged"] if one.diverged else [])
            ways.update(reason.partition(":")[0] for reason, _ in one.reasons)
    groups: dict[str, list[str]] = {way: [] for way in _WAYS}
    for attack in sorted(ended):
        best = next((way for way in _WAYS if way in ended[attack]), _WAYS[-1])
        groups[best].append(attack)
    return groups


def _tried(here: Iterable[Outcome]) -> str:
    """The attacks that have a result, and how many have none: those are no tries."""
    groups = _attacks(here)
    names = groups["result"]
    several = "attacks that have" if len(names) > 1 else "attack that has"
    listed = f" ({', '.join(names)})" if len(names) <= _NAMED else ""
    without = [
        f"{len(groups[way])} {words}" for way, words in _WITHOUT.items() if groups[way]
    ]
    told = any(groups[way] for way in _WITHOUT if way != "diverged")
    others = f"; {', '.join(without)}{_WHY if told else ''}" if without else ""
    return f"{len(names)} {several} a result{listed}{others}"


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
    yield shares.in_words(own, leaks)


def _sure(here: Sequence[Outcome], leaks: Leaks) -> Iterator[str]:
    spread = next(one for one in here if one.attack == HINDSIGHT).spread
    if spread and len(spread.values) < spread_lib.FEW:
        count = len(spread.values)
        several = "s" if count > 1 else ""
        of = leaks.main.words.partition(",")[0]
        yield (
            f"How sure: too few for an interval of the median {of}, {count} "
            f"{spread.unit}{several}."
        )


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
            f"bytes{_own_mask(message)}, {times:.3g} x the {message.plain:,} of one in the "
            "clear."
        )
    for one in trained:
        plain = costs.plain_of(one, rounds)
        several = "s" if one.up.n > 1 else ""
        ratio = ""
        if plain:
            ratio = f"; medians: {_over(one.over(plain))}"
        later = "later " if one.first else ""
        yield (
            f"A {later}training round of {one.setting.num_clients} clients"
            f"{_otherwise(one, mask)} takes {one.up.bytes} bytes up and {one.down.bytes} "
            f"down ({one.up.n} round{several}{ratio})"
            f"{_first(one, plain)}."
        )
    if message and len(trained) == 1 and trained[0].ciphertext.median:
        a_client = trained[0].ciphertext.median / trained[0].setting.num_clients
        if a_client != message.ciphertext.median:
            yield (
                "The factors differ because ciphertext does: in a round "
                f"{a_client:,.0f} bytes a client, in whole blocks that hold its weight and "
                f"its metrics too, in the message {message.ciphertext.bytes}."
            )
    if not message and not trained:
        yield "Not measured."


def _own_mask(message: Message) -> str:
    if not message.mask:
        return ""
    return f" ({message.mask:,} of them its own mask, a bit for each entry)"


def _over(ratios: tuple[float, float]) -> str:
    return f"up {ratios[0]:.3g} x plain, up and down {ratios[1]:.3g} x plain"


def _first(one: Rounds, plain: Rounds | None) -> str:
    """What the first round takes that was encrypted completely; "" for none."""
    if one.first is None or one.first_down is None:
        return ""
    ratios = one.first_over(plain) if plain else None
    return (
        f"; {cost_tables.FIRST} {one.first.bytes} up and {one.first_down.bytes} down"
        f"{f' ({_over(ratios)})' if ratios else ''}"
    )


def _time(trained: Sequence[Rounds], rounds: Sequence[Rounds]) -> Iterator[str]:
    if not trained:
        yield "Not measured: no training with this mask was in the run."
    for one in trained:
        plain = costs.plain_of(one, rounds)
        against = (
            f", against {plain.seconds.seconds} without encryption" if plain else ""
        )
        yield f"A training round took {one.seconds.seconds}{against}."
        if plain:
            yield f"That is a factor of {''.join(one.time_over(plain))}."
        elif one.seconds.n < spread_lib.FEW:
            yield "So few rounds say little."
