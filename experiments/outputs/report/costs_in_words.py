"""What protection costs, bytes and time, as parts of sentences."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from experiments.outputs.report import costs, shares
from experiments.outputs.report.costs import Message, Rounds
from experiments.outputs.report.outcomes import HINDSIGHT, Mask, Outcome
from experiments.outputs.summary import Context

_GRADIENT = " (its gradient alone)"
_ROUND = " (with each client's weight and metrics, in whole blocks)"
"""Why the two differ."""

_LESS = " (more than with everything hidden"


def bytes_in_words(
    context: Context,
    messages: Mapping[tuple[Context, str, str, float], Message],
    rounds: Sequence[Rounds],
    masks: Sequence[Mask],
    everything: Sequence[Mask] = (),
    shortly: bool = False,
) -> str:
    """Times the bytes of what is in the clear; "" where that was not measured.

    Args:
      context: What was attacked.
      messages: Their bytes.
      rounds: The trainings.
      masks: Of one share, one for each metric that is told together.
      everything: Those that hide all, to be told where they take less.
      shortly: Whether the same was said of another share before.
    """
    parts: list[str] = []
    sent, up = _messages(context, messages, masks), _uploads(context, rounds, masks)
    if sent:
        less = _less(sent, _messages(context, messages, everything))
        said = f"a client's message takes {_each(sent)} the bytes of a clear one"
        why = _GRADIENT if up and not shortly else ""
        parts.append(
            f"{f'a message takes {_each(sent)}' if shortly else said}{why}{less}"
        )
    if up:
        less = _less(up, _uploads(context, rounds, everything))
        clear, verb, why = (" those of a clear one", "take ", "")
        if sent:
            clear, verb, why = "", "", _ROUND
        said = f"the uploads of a training round {verb}{_each(up)}{clear}{why}"
        short = f"a round's uploads {verb}{_each(up)}"
        parts.append(f"{short if shortly else said}{less}")
    return (", " if shortly else " and ").join(parts)


def _messages(
    context: Context,
    messages: Mapping[tuple[Context, str, str, float], Message],
    masks: Iterable[Mask],
) -> dict[str, float]:
    """Bytes of a message by those of a clear one, by metric."""
    found = {}
    for mask in masks:
        one = messages.get((context, mask.metric, mask.agreement, mask.asked))
        if one and context.target == "client":
            found[mask.metric] = one.total.median / one.plain
    return found


def _uploads(
    context: Context, rounds: Sequence[Rounds], masks: Iterable[Mask]
) -> dict[str, float]:
    """Uploads of a round by those of a plain one, by metric."""
    found = {}
    for mask in masks:
        for one in rounds:
            plain = costs.plain_of(one, rounds)
            if plain and costs.is_of(one, context, mask):
                found[mask.metric], _ = one.over(plain)
    return found


def _each(ratios: Mapping[str, float]) -> str:
    """As "1.25 x", or of each metric, in the order of the sentence, "1.25 x (random), ..".

    Args:
      ratios: By metric, in that order.
    """
    metrics: dict[str, list[str]] = {}
    for metric, ratio in ratios.items():
        metrics.setdefault(f"{ratio:.3g} x", []).append(metric)
    if len(metrics) == 1:
        return next(iter(metrics))
    # A range over metrics would read as how sure it is.
    return ", ".join(f"{times} ({', '.join(of)})" for times, of in metrics.items())


def _less(ratios: Mapping[str, float], everything: Mapping[str, float]) -> str:
    """Says so where hiding everything takes less; "" elsewhere."""
    less = {
        metric: whole
        for metric, whole in everything.items()
        if f"{whole:.3g}" != f"{ratios.get(metric, whole):.3g}"
        and whole < ratios.get(metric, whole)
    }
    if not less:
        return ""
    return f"{_LESS}: {_each(less)})"


def once(sentences: Iterable[str]) -> Iterator[str]:
    """Says only the first time that hiding everything takes less."""
    told = False
    for one in sentences:
        first, *rest = re.split(
            rf"({re.escape(_LESS)}: [^()]*(?:\([^()]*\)[^()]*)*\))", one
        )
        kept = [first]
        for place, part in enumerate(rest):
            is_less = place % 2 == 0
            kept += [] if is_less and told else [part]
            told = told or is_less
        yield "".join(kept)


def first_rounds(
    context: Context, masks: Iterable[Mask], rounds: Sequence[Rounds], weights: str = ""
) -> Iterator[str]:
    """What first rounds take that are encrypted completely, at the shares of a result.

    Also that the attacked masks are others, where they are.

    Args:
      context: What was attacked.
      masks: Of a result.
      rounds: The trainings.
      weights: Which weights were attacked; "" where that is not known.
    """
    said: dict[tuple[str, str], dict[str, None]] = {}
    at = "" if context.weights_after_rounds or not weights else f", at {weights}"
    for mask in masks:
        for one in rounds:
            plain = costs.plain_of(one, rounds)
            first = plain and one.first_over(plain)
            if first and costs.is_of(one, context, mask):
                trained = one.setting.agreement
                other = f"rounds mask by {trained}, not {mask.agreement}: "
                way = "" if trained == mask.agreement else other
                said.setdefault((f"{first[0]:.3g} x", way), {})[mask.metric] = None
    for (times, way), metrics in said.items():
        yield (
            f"By {' and '.join(metrics)} {way}the first{'' if way else ' round'}{at}, "
            f"encrypted completely, takes {times} the uploads."
        )


def releases(
    context: Context, masks: Iterable[Mask], rounds: Sequence[Rounds]
) -> Iterator[str]:
    """Says so where the trainings publish something else than what was attacked."""
    found = {
        one.setting.release
        for mask in masks
        for one in rounds
        if costs.is_of(one, context, mask) and costs.plain_of(one, rounds)
    }
    if others := sorted(found - {context.release}):
        yield f"Rounds are under {' and '.join(others)}, not {context.release}."


def time(metrics: Iterable[Sequence[Outcome]], rounds: Sequence[Rounds]) -> str:
    """The time of a round at the share nearest to a tenth, or that it was not measured."""
    said: dict[tuple[str, str], list[str]] = {}
    for each in metrics:
        hiding = [
            one.mask for one in each if one.attack == HINDSIGHT and one.mask.share > 0
        ]
        mask = shares.nearest(hiding) if hiding else None
        for one in rounds:
            plain = costs.plain_of(one, rounds)
            if mask and plain and costs.is_of(one, each[0].context, mask):
                times, how = one.time_over(plain)
                said.setdefault((mask.text, how), []).append(
                    f"{times} by {mask.metric}"
                )
    if not said:
        return "Time: not measured, as nothing was trained."
    listed = "; ".join(
        f"with {hidden} hidden {', '.join(times)}{how}"
        for (hidden, how), times in said.items()
    )
    return f"Time of a round {listed}."
