"""The page: what is shown of families of runs, as values, and its HTML."""

import pathlib
import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import jinja2
import markupsafe
import plotly.offline

from experiments.outputs import (
    assumed,
    at_limit,
    attackers,
    blind,
    columns,
    cost_summary,
    glossary,
)
from experiments.outputs.cost_summary import Setting
from experiments.outputs.leaks import Leaks
from experiments.outputs.records import AttackRecord
from experiments.outputs.report import (
    answer,
    attacked_weights,
    cost_tables,
    costs,
    curves,
    examples,
    frontier,
    grid,
    lookups,
    meaning,
    outcomes,
    predicted,
    provenance,
    reading,
    tried,
    trouble,
)
from experiments.outputs.report import spread as spread_lib
from experiments.outputs.report.answer import Answer
from experiments.outputs.report.curves import Curve
from experiments.outputs.report.examples import Strip
from experiments.outputs.report.families import Family
from experiments.outputs.report.grid import Grid
from experiments.outputs.report.outcomes import Outcome
from experiments.outputs.report.provenance import Provenance
from experiments.outputs.report.reading import Run
from experiments.outputs.summary import Context
from experiments.outputs.table import Table

LEGEND = (
    f"Fewer than {spread_lib.FEW} values: all of them, in the order of examples or seeds. "
    "More: the median, with its 95 % interval by order statistics [in square brackets], "
    "or with the smallest and the largest value (in round ones) where examples share a "
    "message. A value is one example; of several seeds it is the median of one seed. A "
    "number in square brackets behind a word points to the reason below. Best of each "
    "example in hindsight: the best attack on each, look-ups of public examples apart, "
    "picked with the original, which no attacker has. Naive attackers make the attack as "
    "its authors published it, with zeros for hidden entries; what this project adds to "
    "attacks is in the mask-aware ones alone, so that the two may differ with nothing "
    "hidden too. Mask-aware ones compare only what they see."
)

THREAT_MODEL = (
    "The server is honest but curious, has no secret key, and clients do not collude with "
    "it.",
    "It saw the weights that it sent, the public mask, every client's visible entries and "
    "ciphertexts, and what is published of a round.",
    "Attack on the client: one message and nothing else. On the aggregate: the published "
    "average, whatever was encrypted. On the cohort: all messages of a round and its "
    "average.",
)

_SEEN: Mapping[str, str] = MappingProxyType(
    {
        "client": "what is visible of one client's message",
        "aggregate": "the published average",
        "cohort": "all messages of a round and their average",
    }
)


class Group(NamedTuple):
    """One context of one family: nothing in it is averaged with another.

    Attributes:
      title: What was attacked.
      differs: What tells its settings from other families'; "" for nothing.
      meaning: What the result means, in sentences; empty where nothing has a number.
      answers: For each metric.
      curves: Leakage over what is hidden.
      heights: The range of the vertical axis.
      grid: Every attack.
      caption: Of the table: the measure, examples and seeds.
      strips: Pictures.
      said: What is not shown of them.
      leaks: What is measured.
      attacker: Who attacks, and what he knows.
      rests: On which weights, assumptions and attacks the numbers rest, in short.
      looked_up: Where a look-up is higher than the best; "" for nowhere.
    """

    title: str
    differs: str
    meaning: tuple[str, ...]
    answers: list[Answer]
    curves: list[Curve]
    heights: tuple[float, float]
    grid: Grid
    caption: str
    strips: list[Strip]
    said: str
    leaks: Leaks
    attacker: str
    rests: str = ""
    looked_up: str = ""

    @property
    def drawn(self) -> bool:
        """Whether there is a curve: of one mask the table says all."""
        return len({one.percent for curve in self.curves for one in curve.points}) > 1

    @property
    def figure(self) -> markupsafe.Markup:
        """For plotly.js, as JSON that ends no script; "" for less than two masks."""
        if not self.drawn:
            return markupsafe.Markup("")
        drawn = frontier.figure(self.curves, self.leaks, self.heights)
        text = str(drawn.to_json()).replace("<", "\\u003c")
        return markupsafe.Markup(text)


class Page(NamedTuple):
    """Everything that the page shows.

    Attributes:
      title: Of the page.
      subtitle: Which runs.
      data: What their data are, as far as they say: older runs do not.
      notes: What a reader must know first: what is missing.
      groups: What was attacked.
      measures: What the numbers are.
      words: The names of metrics, agreements, releases and attackers, a line each.
      trouble: What went wrong.
      sentences: Tables of recovered sentences.
      prediction: Tables of what masks alone predict.
      passed: Where attacks went past that.
      costs: Tables of bytes and seconds.
      falls: Where more is hidden in fewer bytes, and why.
      provenance: How each run was made.
    """

    title: str
    subtitle: str
    data: str
    notes: tuple[str, ...]
    groups: tuple[Group, ...]
    measures: tuple[str, ...]
    words: tuple[tuple[str, str], ...]
    trouble: tuple[str, ...]
    sentences: tuple[Table, ...]
    prediction: tuple[Table, ...]
    passed: tuple[str, ...]
    costs: tuple[Table, ...]
    falls: tuple[str, ...]
    provenance: tuple[Provenance, ...]

    @property
    def shows_examples(self) -> bool:
        """Whether there is anything to look at."""
        return bool(self.sentences) or any(
            group.strips or group.said for group in self.groups
        )


def of(
    families: Sequence[tuple[Family, Leaks]],
    sentences: Sequence[Table] = (),
    prediction: Sequence[Table] = (),
    passed: Sequence[str] = (),
    notes: Sequence[str] = (),
) -> Page:
    """Makes the page of families of runs.

    Args:
      families: Each with what is measured there.
      sentences: Tables of what was recovered, of modalities that have no pictures.
      prediction: Tables of what masks alone predict, if that was asked.
      passed: Where attacks went past that, in sentences.
      notes: What else is missing.

    Returns:
      The page.
    """
    runs = [run for family, _ in families for run in family.runs]
    seeds = sorted({seed for family, _ in families for seed in family.seeds})
    names = ", ".join(run.name for run in runs)
    groups = _equal_axes(
        [group for family, leaks in families for group in _groups(family, leaks)]
    )
    wrong: dict[str, None] = {}
    for family, leaks in families:
        found = outcomes.of_records(_attacks(family), leaks)
        wrong |= dict.fromkeys(trouble.of(found, costs.rounds(family.records)))
    said: dict[str, list[str]] = {}
    for run in runs:
        for note in run.notes:
            said.setdefault(note, []).append(run.name)
    first = [*notes, *(f"{', '.join(whose)}: {note}" for note, whose in said.items())]
    first += [note for family, _ in families for note in family.notes]
    for family, leaks in families:
        whose = f"{family.name}: " if family.name else ""
        first += [
            f"{whose}{line}"
            for line in (
                *attackers.of(_attacks(family)),
                *assumed.of(family.records),
                *_uncontrolled(family, leaks),
            )
        ]
    captions = dict.fromkeys(
        f"{group.leaks.caption_of(group.grid.seeds)}." for group in groups
    )
    return Page(
        title="What leaks, and what it costs to hide it",
        subtitle=f"Selective encryption; run{'s' if len(runs) > 1 else ''} {names}; seed"
        f"{'s' if len(seeds) > 1 else ''} {', '.join(str(seed) for seed in seeds)}.",
        data=" ".join(dict.fromkeys(filter(None, map(reading.data, runs)))),
        notes=tuple(first),
        groups=tuple(groups),
        measures=tuple(captions),
        words=tuple(glossary.of(_names(runs))),
        trouble=tuple(wrong),
        sentences=tuple(sentences),
        prediction=tuple(prediction),
        passed=tuple(passed),
        costs=tuple(
            table for family, _ in families for table in cost_tables.of(family)
        ),
        falls=tuple(
            dict.fromkeys(
                line for family, _ in families for line in cost_tables.falls(family)
            )
        ),
        provenance=tuple(provenance.of(run) for run in runs),
    )


def meanings(family: Family, leaks: Leaks) -> dict[Context, tuple[str, ...]]:
    """What the results of a family of runs mean, for each context that has numbers.

    Args:
      family: Runs of one setting.
      leaks: What is measured there.

    Returns:
      Sentences by what was attacked.
    """
    attacked = _attacks(family)
    found = _outcomes(family, leaks)
    sent, trained = costs.messages(attacked), costs.rounds(family.records)
    said = {
        context: meaning.of(
            context,
            found,
            attacked,
            sent,
            trained,
            leaks,
            attacked_weights.of(context, family.runs[0].config),
        )
        for context in dict.fromkeys(one.context for one in found)
    }
    more = tuple(_qualified(family))
    return {
        context: (*sentences, *more) for context, sentences in said.items() if sentences
    }


def to_html(page: Page) -> str:
    """The page in one file that loads nothing from anywhere."""
    template = pathlib.Path(__file__).with_name("page.html").read_text("utf-8")
    made = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    return made.from_string(template).render(
        page=page,
        bound=answer.BOUND,
        legend=LEGEND,
        threat_model=THREAT_MODEL,
        not_recorded=costs.NOT_RECORDED,
        means=meaning.HEADING,
        plotly=markupsafe.Markup(plotly.offline.get_plotlyjs()),
    )


def _names(runs: Sequence[Run]) -> Iterator[str]:
    for run in runs:
        for one in run.records:
            yield from (one.cell.metric, one.cell.agreement, one.cell.release)
            yield from [one.attacker] if isinstance(one, AttackRecord) else []


def _attacks(family: Family) -> list[AttackRecord]:
    """Its attacks, but those on messages that say nothing (`blind.telling`)."""
    return blind.telling(
        [one for one in family.records if isinstance(one, AttackRecord)]
    )


def _qualified(family: Family) -> Iterator[str]:
    """Names the notes that change what a result means, which may stand elsewhere."""
    short = any(
        list(predicted.fell_short(predicted.load(run.path), run.records))
        for run in family.runs
    )
    named = [*assumed.named(family.records)]
    named += (
        ["with nothing hidden attacks fell short of the prediction"] if short else []
    )
    if named:
        yield f"Mind the notes: {'; '.join(named)}."


def _outcomes(family: Family, leaks: Leaks) -> list[Outcome]:
    """The outcomes, each that is of all attacks with how many examples are planned."""
    planned: dict[tuple[Setting, str, int], set[tuple[int, int]]] = {}
    for run in family.runs:
        for key in run.plan.attacks if run.plan else ():
            setting = cost_summary.setting_of(key.cell)
            place = (setting, key.target, key.batch_size)
            planned.setdefault(place, set()).add((key.cell.seed, key.image_index))
    nothing = {
        (one.cell.seed, one.image_index)
        for one in family.records
        if isinstance(one, AttackRecord)
    } - {(one.cell.seed, one.image_index) for one in _attacks(family)}
    found = []
    for one in outcomes.of_records(_attacks(family), leaks):
        context, mask = one.context, one.mask
        setting = Setting(*context[:4], mask.metric, mask.agreement, mask.asked)
        every = planned.get((setting, context.target, context.batch_size), set())
        found.append(one._replace(planned=len(every - nothing)))
    return found


def _uncontrolled(family: Family, leaks: Leaks) -> Iterator[str]:
    if blind.uncontrolled(_attacks(family), leaks):
        yield f"{blind.UNCONTROLLED[:1].upper()}{blind.UNCONTROLLED[1:]}."
    if columns.unknown(_attacks(family)):
        yield (
            "Records of earlier versions do not say which columns of rows were read "
            f'exactly: "{blind.NO_BETTER}" is there of whole rows only.'
        )


def _groups(family: Family, leaks: Leaks) -> list[Group]:
    attacked = _attacks(family)
    found = _outcomes(family, leaks)
    sent, trained = costs.messages(attacked), costs.rounds(family.records)
    places = {(one.cell.seed, one.image_index) for one in attacked}
    known = {
        (one.cell.seed, one.image_index)
        for one in family.records
        if isinstance(one, AttackRecord)
    }
    work = grid.planned((run.plan for run in family.runs if run.plan), known - places)
    groups = []
    for context in dict.fromkeys(one.context for one in found):
        strips, said = examples.of(context, family, leaks)
        at = attacked_weights.of(context, family.runs[0].config)
        said_here = meaning.of(context, found, attacked, sent, trained, leaks, at)
        groups.append(
            Group(
                f"{family.name}: {context.title}" if family.name else context.title,
                family.differs,
                (*said_here, *(_qualified(family) if said_here else ())),
                answer.of(context, found, sent, trained, leaks),
                curves.of(context, found, sent, leaks),
                (0.0, 1.0),
                grid.of(context, found, work, leaks),
                _caption(context, attacked, leaks),
                strips,
                said,
                leaks,
                _attacker(context, family),
                _rests(context, family, leaks),
                lookups.higher(context, found, leaks),
            )
        )
    return groups


def _rests(context: Context, family: Family, leaks: Leaks) -> str:
    own = [one for one in _attacks(family) if outcomes.context_of(one) == context]
    which = attacked_weights.of(context, family.runs[0].config)
    named = list(assumed.named(own))
    tried_here = tried.of_catalogue(own, leaks)
    parts = [f"at {which}"] if which else []
    said = "; ".join([*parts, *named, tried_here])
    return f"{said[:1].upper()}{said[1:]}."


def _attacker(context: Context, family: Family) -> str:
    """Who attacks, and what he knows, in a sentence."""
    own = [one for one in _attacks(family) if outcomes.context_of(one) == context]
    told = any(one.details.get("label_source") == "known" for one in own)
    public = _public(own, family)
    return (
        "Who attacks: an honest-but-curious server, which has no key and knows the model, "
        f"the weights that it sent, the mask and {_SEEN[context.target]}; "
        f"{f'it has {public} public examples; ' if public else ''}"
        f"labels are {'told to it' if told else 'not told'}. {_naive(own)}"
        f"{_weights(context, family)}"
    )


def _public(own: Sequence[AttackRecord], family: Family) -> str:
    """How many public examples it has: as its blind guesses say, else what was allowed."""
    made = [
        match[1]
        for one in re.split("; ", blind.made_of(own))
        if (match := re.search(r"attacker's ([0-9,]+) public examples", one))
    ]
    if made:
        return " or ".join(dict.fromkeys(made))
    allowed = max(
        int(run.config.get("flags", {}).get("attack_public_images") or 0)
        for run in family.runs
    )
    return f"up to {allowed:,}" if allowed else ""


def _naive(own: Sequence[AttackRecord]) -> str:
    if not attackers.are_naive(own):
        return ""
    return f"It was tried by {attackers.NAIVE}, only: {attackers.missing(own)}. "


def _weights(context: Context, family: Family) -> str:
    """Which weights are attacked: accuracies are of other ones, after the trainings."""
    which = attacked_weights.of(context, family.runs[0].config)
    return f"It attacks {which}." if which else ""


def _equal_axes(groups: Sequence[Group]) -> list[Group]:
    """Figures of one measure have one vertical axis, so that they can be compared."""
    of_measure: dict[str, list[Curve]] = {}
    for group in groups:
        of_measure.setdefault(group.leaks.main.key, []).extend(group.curves)
    heights: Mapping[str, tuple[float, float]] = {
        group.leaks.main.key: curves.top(of_measure[group.leaks.main.key], group.leaks)
        for group in groups
    }
    return [group._replace(heights=heights[group.leaks.main.key]) for group in groups]


def _caption(context: Context, attacked: Sequence[AttackRecord], leaks: Leaks) -> str:
    own = [one for one in attacked if outcomes.context_of(one) == context]
    seeds = {one.cell.seed for one in own}
    victims = {one.image_index for one in own}
    said = (
        f"{leaks.main.words}: {len(victims)} example{'s' if len(victims) > 1 else ''}, "
        f"{len(seeds)} seed{'s' if len(seeds) > 1 else ''}"
    )
    if context.target == "aggregate":
        said += f". Attacked is {outcomes.PUBLISHED}"
    if blind.of_examples(own, leaks.main.key):
        said += f". {blind.NO_BETTER.capitalize()}: on no example {leaks.beyond_words}"
    if stopped := at_limit.of(own).text:
        said += f". {stopped[:1].upper()}{stopped[1:]}"
    return said
