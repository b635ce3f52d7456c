"""The costs of a family of runs as tables of text."""

from collections.abc import Sequence

from experiments.outputs import blocks, message_bytes
from experiments.outputs.blocks import Sent
from experiments.outputs.cost_summary import PLAIN_RELEASE
from experiments.outputs.records import AttackRecord
from experiments.outputs.report import costs, outcomes
from experiments.outputs.report.costs import Message, Range, Rounds
from experiments.outputs.report.families import Family
from experiments.outputs.report.outcomes import percent
from experiments.outputs.stages import TITLES, Stage
from experiments.outputs.summary import Context
from experiments.outputs.table import Table

MESSAGE = "its gradient alone (a training round adds its weight and its metrics)"
"""What the bytes of a message count."""

_NOTHING = "-"
_OFTEN_THE_SAME = (
    "Agreeing on a mask (shared out)",
    "Learned",
    "Beyond the bound",
    "Refused",
)

FIRST = "the first, which has no mask to go by and was encrypted completely,"
"""A round that was encrypted completely, and later ones not."""


def of(family: Family) -> list[Table]:
    """Bytes of attacked messages, and bytes and seconds of training rounds.

    Args:
      family: Runs of one setting.

    Returns:
      A table for each context of messages, and two for each model that was trained: of
      what a round takes, and of the stages in which its seconds go.
    """
    more = f" ({family.name})" if family.name else ""
    return [*_messages(family, more), *_trainings(family, more)]


def falls(family: Family) -> list[str]:
    """Where more is hidden in fewer bytes, and why, of messages and of rounds."""
    attacked = [one for one in family.records if isinstance(one, AttackRecord)]
    messages: dict[Context, list[Sent]] = {}
    for (context, metric, agreement, asked), one in costs.messages(attacked).items():
        if context.target == "client":
            messages.setdefault(context, []).append(
                Sent(
                    f"a message, {metric}, {agreement}",
                    1 - one.clear.median / one.plain,
                    _hidden(one, asked),
                    one.ciphertext.median,
                    one.clear.median,
                )
            )
    rounds = [
        Sent(
            f"a round's uploads, {one.setting.metric}, {one.setting.agreement}",
            one.share,
            one.hidden_in_words,
            one.ciphertext.median,
            one.clear.median,
        )
        for one in costs.rounds(family.records)
    ]
    found = [each for own in (*messages.values(), rounds) for each in blocks.falls(own)]
    return list(dict.fromkeys(found))


def _messages(family: Family, more: str) -> list[Table]:
    attacked = [one for one in family.records if isinstance(one, AttackRecord)]
    found = {
        place: message
        for place, message in costs.messages(attacked).items()
        if place[0].target == "client"
    }
    tables = []
    for context in dict.fromkeys(place[0] for place in found):
        rows = [
            (
                f"{metric}, {agreement}",
                _hidden(message, asked),
                message.ciphertext.bytes,
                message.clear.bytes,
                f"{message.mask:,}",
                message.total.bytes,
                f"{message.total.median / message.plain:.3g}",
            )
            for (of_context, metric, agreement, asked), message in found.items()
            if of_context == context
        ]
        headings = (
            "Mask",
            "Hidden",
            "Ciphertext, bytes",
            "In the clear, bytes",
            "Its own mask, bytes",
            "All, bytes",
            "x plain",
        )
        title = f"One client's attacked message, {MESSAGE}: {context.title}{more}"
        tables.append(Table(title, headings, rows))
    return tables


def _ends(of_seeds: Range) -> str:
    """One number, or of several seeds the least and the most."""
    if of_seeds.n == 1:
        return f"{of_seeds.median:.4g}"
    return f"{of_seeds.low:.4g} to {of_seeds.high:.4g} ({of_seeds.n} seeds)"


def _hidden(message: Message, asked: float) -> str:
    ends = [
        1 - clear / message.plain for clear in (message.clear.high, message.clear.low)
    ]
    entries = message.plain // message_bytes.ENTRY_BYTES
    return outcomes.hidden_in_words(asked, ends[0], ends[1], entries)


def _trainings(family: Family, more: str) -> list[Table]:
    found = costs.rounds(family.records)
    settings = dict.fromkeys(
        (one.setting.dataset, one.setting.model, one.setting.num_clients)
        for one in found
    )
    headings = (
        "Mask",
        "Hidden",
        "Ciphertext up, bytes",
        "Clear up, bytes",
        "Down, bytes",
        "Up, x plain",
        "Up and down, x plain",
        "A round: median (least to most)",
        "Agreeing on a mask (shared out)",
        "Learned",
        "Beyond the bound",
        "Refused",
    )
    tables = []
    for dataset, model, clients in settings:
        own = [
            one
            for one in found
            if (one.setting.dataset, one.setting.model, one.setting.num_clients)
            == (dataset, model, clients)
        ]
        releases = dict.fromkeys(
            one.setting.release for one in own if one.setting.release != PLAIN_RELEASE
        )
        title = ", ".join([dataset, model, *releases, f"{clients} clients{more}"])
        rows = [_training(one, costs.plain_of(one, found)) for one in own]
        tables.append(_without_constants(f"A training round: {title}", headings, rows))
        timed = [one for one in own if one.stages]
        if timed:
            tables.append(_stages(f"Seconds of a training round: {title}", timed))
    return tables


def _without_constants(
    title: str, headings: Sequence[str], rows: Sequence[tuple[str, ...]]
) -> Table:
    """A table without columns that say one thing in all rows, which its title then says."""
    kept, said = [], []
    for place, heading in enumerate(headings):
        values = {row[place] for row in rows} - {_NOTHING}
        if heading in _OFTEN_THE_SAME and len(rows) > 1 and len(values) < 2:
            said.append(f"{heading.lower()}: {next(iter(values), _NOTHING)}")
        else:
            kept.append(place)
    if said:
        title = f"{title}. In all rows {'; '.join(said)}"
    return Table(
        title,
        tuple(headings[place] for place in kept),
        [tuple(row[place] for place in kept) for row in rows],
    )


def _stages(title: str, timed: Sequence[Rounds]) -> Table:
    rows = [
        (
            f"{one.setting.metric}, {one.setting.agreement}",
            one.hidden_in_words,
            *(one.stages[stage].seconds for stage in Stage),
        )
        for one in timed
    ]
    return Table(title, ("Mask", "Hidden", *(TITLES[stage] for stage in Stage)), rows)


def _training(one: Rounds, plain: Rounds | None) -> tuple[str, ...]:
    learned = "; ".join(f"{name} {_ends(each)}" for name, each in one.learned.items())
    first = (plain and one.first_over(plain)) or ()
    return (
        f"{one.setting.metric}, {one.setting.agreement}",
        one.hidden_in_words + (" (first round: all)" if one.first else ""),
        one.ciphertext.bytes,
        one.clear.bytes,
        one.down.bytes,
        *(
            (
                f"{ratio:.3g}" + (f" (first: {first[place]:.3g})" if first else "")
                for place, ratio in enumerate(one.over(plain))
            )
            if plain
            else ("no plain round", "no plain round")
        ),
        one.seconds.seconds,
        one.agreement.seconds if one.agreement else "no round of its own",
        learned or _NOTHING,
        f"{percent(one.saturated / one.hidden)} %" if one.hidden else _NOTHING,
        str(sum(one.refused.values())),
    )
