"""Summary rows as CSV for programs and as a table for people."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TextIO

import rich.box
import rich.table
import rich.text

from attacks.metrics.success import Rate
from experiments.outputs import (
    attackers,
    blind,
    blocks,
    chance_accuracy,
    ciphers,
    counted,
    glossary,
    text_tables,
)
from experiments.outputs.blind import Past
from experiments.outputs.blocks import Sent
from experiments.outputs.columns import Columns
from experiments.outputs.cost_summary import Cost
from experiments.outputs.leakage_summary import Leakage
from experiments.outputs.leaks import Leaks, Number
from experiments.outputs.pictures.leaks import PICTURES
from experiments.outputs.statistic import Statistic
from experiments.outputs.summary import Context, SummaryRow

FILE_NAME = "summary.csv"

_NO_BETTER = "blind"
"""In a cell: no better than a blind guess."""
_OPEN = f"{_NO_BETTER}?"
"""The same where that cannot be told (`blind.open_words`)."""
_WIDE_COLUMNS = 100
_ROOMY_COLUMNS = 120
_FOR_QUARTILES = 5
"""Examples: what lies between two or three of them is no quartile."""
_METRIC, _BEST = _TEXTS = ("Metric", "Best of\neach, in\nhindsight")
_NESTED = (SummaryRow, Context, Leakage, Cost, Statistic, Rate, Past, Columns)
_MAIN: Mapping[str, str] = {
    "naive": "naive",
    "mask_aware": "mask_aware",
    "best": "best",
    "blind": "blind",
}
_MEASURED_LISTS: Mapping[str, Any] = {
    "numbers": (Statistic, "_best", lambda leaks: leaks.numbers),
    "shares": (Rate, "", lambda leaks: leaks.shares),
}
_MEASURED = (*_MAIN, *_MEASURED_LISTS)
_COUNTS = ("n", "successes", "trials", "diverged")


def to_csv(rows: Sequence[SummaryRow], leaks: Leaks = PICTURES) -> str:
    """Writes rows as CSV; None is an empty field.

    A statistic becomes six columns (`psnr_best_median`, ..), a share five
    (`success_25db_rate`, `_low` and `_high` of its interval, `_successes`, `_trials`), a
    comparison with the blind guess three (`best_past_blind_better`, `_of`, `_sure`).
    What has no result is named with its reason in `without_result`.

    Args:
      rows: From `summarise`.
      leaks: What is measured.

    Returns:
      The text with a header. An infinite PSNR reads "inf".
    """
    names = [name for name, _ in _cells("", SummaryRow, None, leaks)]
    lines = [[value for _, value in _cells("", SummaryRow, row, leaks)] for row in rows]
    return text_tables.to_csv([names, *lines])


def print_tables(
    rows: Sequence[SummaryRow],
    stream: TextIO,
    width: int | None = None,
    leaks: Leaks = PICTURES,
) -> None:
    """Prints one table for each context, for people.

    On a terminal in colour, elsewhere as plain text without escape codes. From 100
    columns on, the leakage comes with its quartiles, from 120 on with a column of the
    share of successes.

    Args:
      rows: From `summarise`.
      stream: Where to.
      width: Columns to use; that of the terminal (or $COLUMNS, or 80) by default.
      leaks: What is measured.
    """
    console = text_tables.console(stream, width)
    told: set[str] = set()
    for context in dict.fromkeys(row.context for row in rows):
        group = [row for row in rows if row.context == context]
        console.print(rich.text.Text(_title(group), style="bold"))
        console.print(_table(group, console.width, leaks))
        for line in (
            *_published(context),
            *_blind(group, leaks),
            *_recovered_shares(group, leaks),
            *_trained_otherwise(group),
            *blocks.falls(_sent(group)),
            *_costs_in_words(group),
            *_learned_nothing(group),
            *dict.fromkeys(filter(None, (ciphers.said(one.cipher) for one in group))),
        ):
            # What a blind guess is holds for every table.
            if line not in told:
                console.print(rich.text.Text(line))
            told |= {line} if line.startswith(blind.NAME.capitalize()) else set()
        for line in _without_result(group):
            console.print(rich.text.Text(line))
    console.print(rich.text.Text(_caption(rows, console.width, leaks), style="dim"))
    words = "; ".join(f"{name}: {line}" for name, line in glossary.of(_names(rows)))
    if words:
        console.print(rich.text.Text(f"Words: {words}.", style="dim"))


def _names(rows: Sequence[SummaryRow]) -> Iterator[str]:
    """What rows call metrics, agreements and releases; attackers are in the caption."""
    for row in rows:
        yield from (row.metric, row.agreement, row.context.release)
        others = (row.cost.trained_agreement, row.cost.trained_release)
        yield from filter(None, others)


class _Column(NamedTuple):
    """A column of the table for people: its heading, and its cell of a row."""

    heading: str
    cell: Callable[[SummaryRow], str]


def _table(rows: Sequence[SummaryRow], width: int, leaks: Leaks) -> rich.table.Table:
    """A table of rows of one context, at least one, of at most so many columns."""
    roomy = width >= _ROOMY_COLUMNS
    made = rich.table.Table(
        box=rich.box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1 if roomy else 0, 0, 0),
    )
    columns = _columns(width, rows, leaks)
    for column in columns:
        if column.heading in _TEXTS:
            made.add_column(column.heading, overflow="fold", min_width=9)
        else:
            made.add_column(column.heading, justify="right", no_wrap=True)
    for _, group in itertools.groupby(rows, key=lambda row: row.encryption_ratio):
        made.add_section()
        for row in group:
            made.add_row(*(column.cell(row) for column in columns))
    guess = _blind_row(rows)
    if guess is not None:
        made.add_section()
        made.add_row(*(column.cell(guess) for column in columns))
    return made


def _blind_row(rows: Sequence[SummaryRow]) -> SummaryRow | None:
    """What is guessed without a gradient, as a row: of the most examples, once."""
    guesses = [row for row in rows if row.leakage.blind]
    if not guesses:
        return None
    most = max(guesses, key=lambda row: row.leakage.blind.n if row.leakage.blind else 0)
    guess = most.leakage.blind
    return most._replace(
        metric=blind.NAME,
        agreement="",
        leakage=Leakage(naive=guess, mask_aware=guess, seeds=most.leakage.seeds),
        cost=Cost(),
    )


def _blind(rows: Sequence[SummaryRow], leaks: Leaks) -> Iterator[str]:
    """What the guess is made of, and how often the best attacks are better."""
    made_of = "; ".join(
        dict.fromkeys(one for row in rows if (one := row.leakage.blind_made_of))
    )
    if not made_of:
        return
    if not any(row.leakage.blind for row in rows):
        yield f"{blind.NAME.capitalize()}: {made_of}."
        return
    yield (
        f"{blind.NAME.capitalize()}: {made_of}. It needs no gradient; {_NO_BETTER} = "
        f"{blind.NO_BETTER}: on no example {leaks.beyond_shortly}."
    )
    if rows[0].context.target == "client":
        yield "Where nothing is visible every result is blind, whatever its numbers."
    pasts = [
        past
        for row in rows
        for past in (
            row.leakage.naive_past_blind,
            row.leakage.mask_aware_past_blind,
            row.leakage.best_past_blind,
        )
    ]
    if open_ := blind.open_words(pasts):
        yield f"{_OPEN} = {open_}."
    if leaks.by_chance and any(
        past.by_chance is None for row in rows if (past := row.leakage.best_past_blind)
    ):
        yield f"{blind.UNCONTROLLED[:1].upper()}{blind.UNCONTROLLED[1:]}."
    some = [
        f"{past.better} of {past.of} at {row.metric} {row.percent} %"
        f"{f' ({past.chance_text})' if past.chance_text else ''}"
        for row in rows
        if (past := row.leakage.best_past_blind)
        and (past.more or past.by_luck)
        and past.better < past.of
    ]
    if some:
        yield f"Better than it on a part of the examples: {', '.join(some)}."
    looked_up = [
        f"{past.looked_up} at {row.metric} {row.percent} %"
        for row in rows
        if (past := row.leakage.best_past_blind) and past.looked_up
    ]
    if looked_up:
        yield (
            "A look-up found a similar public example, which counts in no share, for "
            f"further examples: {', '.join(looked_up)}."
        )
    by: dict[str, dict[str, list[str]]] = {}
    for row in rows:
        if row.leakage.better_by:
            of_metric = by.setdefault(", ".join(row.leakage.better_by), {})
            percent = row.percent
            of_metric.setdefault(row.metric, []).append(percent)
    if by:
        listed = "; ".join(
            f"{what} at "
            + ", ".join(f"{metric} {', '.join(at)} %" for metric, at in found.items())
            for what, found in by.items()
        )
        yield f"Better than it, whatever its {leaks.main.heading}: {listed}."


def _columns(width: int, rows: Sequence[SummaryRow], leaks: Leaks) -> list[_Column]:
    wide, roomy = width >= _WIDE_COLUMNS, width >= _ROOMY_COLUMNS
    one_agreement = len({row.agreement for row in rows}) == 1
    learned = _Column(
        "Accu-\nracy %", lambda row: _median(row.cost.accuracy, ".1f", 100)
    )
    if any(row.cost.test_loss for row in rows) and not any(
        row.cost.accuracy for row in rows
    ):
        learned = _Column("Test\nloss", lambda row: _median(row.cost.test_loss, ".3g"))

    def metric(row: SummaryRow) -> str:
        name = f"{row.metric}, {row.agreement}"
        return row.metric if one_agreement or not row.agreement else name

    columns = [
        _Column("Encr.\n%", _encrypted),
        _Column(_METRIC, metric),
        *_leakage_columns(leaks, wide, roomy),
        _Column(_BEST, _best_attack),
        _Column("Bytes\nup\nx", lambda row: _times(row.cost.relative_upload_bytes)),
        _Column("Bytes\nboth\nx", lambda row: _times(row.cost.relative_bytes)),
        _Column("Time\nx", lambda row: _time(row.cost)),
        learned,
    ]
    if any(row.cost.saturated_share for row in rows):
        columns.append(
            _Column(
                "Satu-\nrated %", lambda row: _share(row.cost.saturated_share, ".2g")
            )
        )
    return columns


def _leakage_columns(leaks: Leaks, wide: bool, roomy: bool) -> Iterator[_Column]:
    heading = leaks.main.heading
    yield _Column(
        f"Best\n{heading},\nnaive",
        lambda row: _recovered(
            row, row.leakage.naive, row.leakage.naive_past_blind, leaks, wide
        ),
    )
    yield _Column(
        f"Best\n{heading},\naware",
        lambda row: _recovered(
            row, row.leakage.mask_aware, row.leakage.mask_aware_past_blind, leaks, wide
        ),
    )
    for share in leaks.shares:
        if share.heading and roomy:
            yield _Column(share.heading, _share_of(share.name))
    for number in leaks.numbers:
        if number.heading:
            yield _Column(number.heading, _number_of(number))


def _share_of(name: str) -> Callable[[SummaryRow], str]:
    return lambda row: _percent(row.leakage.shares.get(name))


def _number_of(number: Number) -> Callable[[SummaryRow], str]:
    return lambda row: _median(row.leakage.numbers.get(number.name), number.form)


def _trained_otherwise(rows: Sequence[SummaryRow]) -> Iterator[str]:
    """Which costs are of other masks than those that were attacked, and which rounds."""
    others = dict.fromkeys(
        (row.metric, row.agreement, row.cost.trained_agreement)
        for row in rows
        if row.cost.trained_agreement
    )
    for metric, agreement, trained in others:
        yield (
            f"Bytes and time of {metric}, {agreement}: of trainings whose clients come to "
            f"one mask by {trained}, not {agreement}."
        )
    for release in dict.fromkeys(row.cost.trained_release for row in rows):
        if release:
            yield (
                f"Bytes and time: of trainings under {release}, not "
                f"{rows[0].context.release}."
            )
    means: dict[str, list[str]] = {}
    firsts: dict[str, dict[str, None]] = {}
    for row in rows:
        if row.cost.relative_mean_upload_bytes:
            means.setdefault(row.metric, []).append(
                f"{_times(row.cost.relative_mean_upload_bytes)} x at {row.percent} %"
            )
            first = f"{_times(row.cost.relative_first_upload_bytes)} x"
            firsts.setdefault(row.metric, {})[first] = None
    for metric, listed in means.items():
        yield (
            f"Of trainings by {metric} the first round, which has no mask to go by, is "
            f"encrypted completely and is not in the table: {' or '.join(firsts[metric])} "
            f"the uploads; the mean upload with it: {', '.join(listed)}."
        )


def _sent(rows: Sequence[SummaryRow]) -> Iterator[Sent]:
    """What clients send in a round of training; attacked or not, once for each mask."""
    for row in rows:
        cost = row.cost
        if cost.ciphertext_bytes is not None and cost.clear_bytes is not None:
            percent = f"{row.percent} %"
            yield Sent(
                row.metric,
                row.encryption_ratio,
                percent,
                cost.ciphertext_bytes,
                cost.clear_bytes,
            )


def _costs_in_words(rows: Sequence[SummaryRow]) -> Iterator[str]:
    """What has no column: other measures than accuracy and loss, and what went wrong."""
    for row in rows:
        name = f"{row.metric} at {row.percent} %"
        if row.cost.measures:
            yield f"{name}: {', '.join(row.cost.measures)}"
        if row.cost.saturated_share:
            yield (
                f"Warning: {name}: {_share(row.cost.saturated_share, '.2g')} % of the "
                "encrypted entries of training were beyond the codec's bound and cut "
                "off. Raise `--codec_bound`, or take `--scales=previous_aggregate`."
            )
        if row.cost.refused:
            yield f"Warning: {name}: the server refused {row.cost.refused} upload(s)."


def _learned_nothing(rows: Sequence[SummaryRow]) -> Iterator[str]:
    """Accuracies that show no cost, because the model is no better than a guess."""
    of: dict[str, dict[str, None]] = {}
    guesses = [row for row in rows if row.cost.accuracy_by_guess is not None]
    for row in guesses:
        of.setdefault(row.metric, {})[row.percent] = None
    if guesses:
        listed = "; ".join(f"{metric} {', '.join(at)} %" for metric, at in of.items())
        share = max(row.cost.accuracy_by_guess or 0.0 for row in guesses)
        yield (
            f"Accuracy of {listed}: {chance_accuracy.SAYS} (that has "
            f"{100 * share:.3g} %)."
        )


def _without_result(rows: Sequence[SummaryRow]) -> Iterator[str]:
    """Every reason once, with the rows that it is of where it is not of all."""
    attacked = [row for row in rows if row.leakage != Leakage()]
    of: dict[str, list[SummaryRow]] = {}
    for row in attacked:
        for reason in row.leakage.without_result:
            of.setdefault(reason, []).append(row)
    for reason, found in of.items():
        names = [f"{row.metric} at {row.percent} %" for row in found]
        where = "" if len(found) == len(attacked) else f", {', '.join(names)}"
        yield f"No result{where}: {reason}"


def _share(value: float | None, form: str) -> str:
    return "-" if value is None else format(100 * value, form)


def _cells(
    name: str, annotation: Any, value: Any, leaks: Leaks
) -> Iterator[tuple[str, object]]:
    """The columns of a field in the CSV, by name; what is nested is spread out."""
    kind = next((one for one in _NESTED if annotation in (one, one | None)), None)
    if kind is None:
        if isinstance(value, tuple):
            value = "; ".join(value)
        yield name, "" if value is None or value != value else value
        return
    for part, inner in kind.__annotations__.items():
        # Nothing was measured: the number of measurements is known, nothing else.
        missing = 0 if part in _COUNTS else None
        found = missing if value is None else getattr(value, part)
        if kind is Leakage and part in _MEASURED:
            yield from _measured_cells(part, found, leaks)
        else:
            spread = kind in (Statistic, Rate, Past, Columns)
            yield from _cells(f"{name}_{part}" if spread else part, inner, found, leaks)


def _measured_cells(
    part: str, found: Any, leaks: Leaks
) -> Iterator[tuple[str, object]]:
    """The columns of what the modality measures, under its names."""
    if part in _MAIN:
        column = f"{leaks.main.name}_{_MAIN[part]}"
        yield from _cells(column, Statistic, found, leaks)
        return
    kind, suffix, listed = _MEASURED_LISTS[part]
    for one in listed(leaks):
        value = found.get(one.name) if found else None
        yield from _cells(f"{one.name}{suffix}", kind, value, leaks)


def _published(context: Context) -> Iterator[str]:
    if context.target == "aggregate":
        yield "Attacked is what is published, whatever was encrypted on the way."


def _title(rows: Sequence[SummaryRow]) -> str:
    """What the rows of a table share, and how many examples are behind a number."""
    parts = [rows[0].context.title]
    agreements = {row.agreement for row in rows}
    if len(agreements) == 1:
        parts.append(f"mask: {rows[0].agreement}")
    samples = [row.leakage.best.n for row in rows if row.leakage.best]
    if samples:
        least, most = min(samples), max(samples)
        parts.append(f"n={least}" if least == most else f"n={least} to {most}")
    if (seeds := max(row.leakage.seeds for row in rows)) > 1:
        parts.append(f"{seeds} seeds")
    return ", ".join(parts)


def _values(row: SummaryRow) -> int:
    """Of how many values a row's numbers are: of examples, or of seeds' medians."""
    if row.leakage.seeds > 1:
        return row.leakage.seeds
    return row.leakage.best.n if row.leakage.best else 0


def _caption(rows: Sequence[SummaryRow], width: int, leaks: Leaks) -> str:
    samples = [_values(row) for row in rows]
    seeds = max((row.leakage.seeds for row in rows), default=0)
    spread = width >= _WIDE_COLUMNS and max(samples, default=0) >= _FOR_QUARTILES
    quartiles = " [quartiles]" if spread else ""
    captions = [one.caption for one in leaks.shares if one.heading]
    rates = [rate for row in rows for rate in row.leakage.shares.values()]
    sure = " [95 % interval]" if any(rate.low == rate.low for rate in rates) else ""
    roomy = width >= _ROOMY_COLUMNS
    shares = "".join(f"{one}{sure}. " for one in captions if roomy)
    return (
        f"{leaks.caption_of(seeds)}{quartiles}; {attackers.IN_TABLES}. Best: of each "
        "example the attack that leaks most of it, look-ups of public examples apart, in "
        "hindsight: picked with the original, which no attacker has, first what is better "
        f"than a blind guess; (n) = of how many examples it is. {shares}"
        "Bytes (up: all that clients send; both: and receive), time: of a training round, "
        "x = times those of a round without encryption (~: may be chance). "
        "'-' = not measured."
    )


def _recovered_shares(rows: Sequence[SummaryRow], leaks: Leaks) -> Iterator[str]:
    """What counts as recovered, and right labels: how many of how many, how sure."""
    found: dict[str, dict[str, dict[str, list[str]]]] = {}
    for row in rows:
        counts = [
            *(
                (name, counted.in_words(rate))
                for name, rate in counted.rates(row.leakage, leaks)
            ),
            *counted.columns(row.leakage),
            *counted.labels(row.leakage),
        ]
        for name, count in counts:
            of_metric = found.setdefault(name, {}).setdefault(row.metric, {})
            of_metric.setdefault(count, []).append(row.percent)
    said_of: dict[str, list[str]] = {}
    for name, metrics in found.items():
        parts: dict[str, list[str]] = {}
        for metric, values in metrics.items():
            listed = ", ".join(
                f"{value} at {', '.join(at)} %" for value, at in values.items()
            )
            parts.setdefault(listed, []).append(metric)
        said = "; ".join(f"{', '.join(of)}: {listed}" for listed, of in parts.items())
        of_labels = name.startswith((counted.LABELS, counted.TARGETS, counted.COLUMNS))
        first = "" if of_labels or said in said_of else "best of each, "
        said_of.setdefault(said, []).append(f"{first}{name}")
    for said, names in said_of.items():
        text = f"{' and '.join(names)}: {said}."
        yield f"{text[:1].upper()}{text[1:]}"
    if any("95 % interval" in said for said in said_of):
        yield counted.INTERVALS


def _times(value: float | None) -> str:
    """A factor with two digits after the point, or three significant ones if large."""
    return _number(value, ".2f" if value is not None and value < 10 else ".3g")


def _time(cost: Cost) -> str:
    """The factor; with a digit less where rounds may differ so by chance."""
    value = cost.relative_seconds
    if value is None or not cost.seconds_unsure:
        return _times(value)
    return f"~{value:.1f}" if value < 10 else f"~{value:.0f}"


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _median(value: Statistic | None, form: str, scale: float = 1) -> str:
    return _number(value and scale * value.median, form)


def _best_attack(row: SummaryRow) -> str:
    missing = "no result" if row.leakage.without_result else "-"
    return row.leakage.best_attack or missing


def _encrypted(row: SummaryRow) -> str:
    """The share that was hidden; below it the one asked for, if it is another."""
    if row.metric == blind.NAME:
        return "any"
    asked = f"{100 * row.encryption_ratio:g}"
    return asked if row.percent == asked else f"{row.percent}\n({asked})"


def _recovered(
    row: SummaryRow,
    value: Statistic | None,
    past: Past | None,
    leaks: Leaks,
    wide: bool,
) -> str:
    """The median; what a blind guess has as well is no leakage and no number."""
    if past and past.none:
        return _NO_BETTER
    if past and past.open:
        return _OPEN
    several = row.leakage.seeds > 1
    count = _values(row) if several else value.n if value else 0
    return _quartiles(value, leaks, wide and count >= _FOR_QUARTILES)


def _quartiles(value: Statistic | None, leaks: Leaks, wide: bool) -> str:
    if value is None:
        return "-"
    middle = leaks.short(value.median, leaks.main.form)
    if not wide:
        return middle
    # One digit less is enough for the spread.
    low, high = (
        leaks.short(end, _shorter(leaks.main.form))
        for end in (value.low_quartile, value.high_quartile)
    )
    return f"{middle} [{low}, {high}]"


def _shorter(form: str) -> str:
    """A format of the form ".1f" with one digit less after the point."""
    return f".{max(0, int(form[1:-1]) - 1)}f"


def _percent(value: Rate | None) -> str:
    if value is None:
        return "-"
    share, low, high = (100 * part for part in (value.rate, value.low, value.high))
    return f"{share:.0f}" if low != low else f"{share:.0f} [{low:.0f}, {high:.0f}]"
