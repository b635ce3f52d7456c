"""What protection costs, bytes and time, as parts of sentences."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from experiments.outputs.report import costs, shares
from experiments.outputs.report.costs import Message, Rounds
from experiments.outputs.report.outcomes import HINDSIGHT, Mask, Outcome
from experiments.outputs.summary import Context


def bytes_in_words(
    context: Context,
    messages: Mapping[tuple[Context, str, str, float], Message],
    rounds: Sequence[Rounds],
    mask: Mask,
) -> str:
    """Times the bytes of what is in the clear; "" where that was not measured."""
    parts: list[str] = []
    message = messages.get((context, mask.metric, mask.agreement, mask.asked))
    if message and context.target == "client":
        ratio = message.total.median / message.plain
        parts.append(f"a client's message takes {ratio:.3g} x the bytes of a clear one")
    for one in rounds:
        same = costs.is_of(one, context, mask)
        plain = costs.plain_of(one, rounds) if same else None
        if plain:
            up, _ = one.over(plain)
            clear = "" if parts else " of a clear one"
            parts.append(f"a training round {up:.3g} x the uploads{clear}")
    return " and ".join(parts)


def first_rounds(
    context: Context, masks: Iterable[Mask], rounds: Sequence[Rounds]
) -> Iterator[str]:
    """What first rounds take that are encrypted completely, at the shares of a result."""
    said: dict[str, dict[str, None]] = {}
    for mask in masks:
        for one in rounds:
            plain = costs.plain_of(one, rounds)
            first = plain and one.first_over(plain)
            if first and costs.is_of(one, context, mask):
                said.setdefault(f"{first[0]:.3g} x", {})[mask.metric] = None
    for times, metrics in said.items():
        yield (
            f"By {' and '.join(metrics)} the first round, encrypted completely, takes "
            f"{times} the uploads."
        )


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
