"""Pictures, figures and texts of a run."""

import functools
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import matplotlib.figure
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from experiments.outputs import (
    blind,
    cards,
    figures,
    hindsight,
    over_ratio,
    panels,
    searches,
    tradeoff,
    tries,
)
from experiments.outputs import records as records_lib
from experiments.outputs.leaks import Leaks
from experiments.outputs.pictures.leaks import PICTURES
from experiments.outputs.records import AttackRecord
from experiments.outputs.summary import Context, SummaryRow
from experiments.outputs.tensorboard import event_files

_CARD = (
    "Drawn for the size of a card; the figures further down have more. Best attack: of "
    "each example, in hindsight."
)


class Example(NamedTuple):
    """One attacked example with all that was made of it.

    Attributes:
      name: Says which example it is, for example "mnist-5k image 17, label 3".
      original: [h, w, c] in [0, 1].
      panels: The reconstructions.
      reasons: Why there is none, by the places of a figure (`panels.figure`).
    """

    name: str
    original: NDArray[np.floating]
    panels: Sequence[panels.Panel]
    reasons: Mapping[panels.Place, str] = MappingProxyType({})


def write_reconstructions(
    run_folder: pathlib.Path, examples: Sequence[Example]
) -> None:
    """Writes one picture for each example; also as PNG into `figures/`.

    Args:
      run_folder: The folder of the run.
      examples: All examples of the run that are to be shown.
    """
    with event_files.fresh_default(
        event_files.report_folder(run_folder), "reconstructions"
    ):
        for example in examples:
            _write_figure(
                panels.figure(*example),
                run_folder,
                f"reconstruction_{example.name}",
                f"reconstructions/{example.name}",
                "The original beside what the attackers made of it. Pixels are "
                "enlarged, not smoothed.",
            )


def write_figures(
    run_folder: pathlib.Path, rows: Sequence[SummaryRow], leaks: Leaks = PICTURES
) -> None:
    """Draws leakage over the ratio and against bytes; also as PNG into `figures/`.

    One of each for each context; bytes only where they were measured.

    Args:
      run_folder: The folder of the run.
      rows: From `summary.summarise`.
      leaks: What is measured.
    """
    with event_files.fresh_default(event_files.report_folder(run_folder), "figures"):
        for context in _drawn(rows):
            _write_figure(
                over_ratio.figure(context, rows, leaks),
                run_folder,
                f"over_ratio_{context.title}",
                _over_ratio_tag(context),
                f"Solid: {hindsight.NAME}. Dashed: the same of naive attackers. Dotted: "
                "of those who know the mask.",
            )
            if not _has_bytes(context, rows):
                continue
            _write_figure(
                tradeoff.figure(context, rows, leaks),
                run_folder,
                f"leakage_vs_overhead_{context.title}",
                _overhead_tag(context),
                f"Solid: {hindsight.NAME}. Dashed: the same of naive attackers. The "
                "numbers at the points are encryption ratios.",
            )


def write_cards(
    run_folder: pathlib.Path,
    rows: Sequence[SummaryRow],
    meanings: Mapping[Context, Sequence[str]],
    leaks: Leaks = PICTURES,
) -> None:
    """Draws what TensorBoard's first screen shows, for the size of its cards.

    Args:
      run_folder: The folder of the run.
      rows: From `summary.summarise`.
      meanings: What the results mean, in sentences, by what was attacked.
      leaks: What is measured.
    """
    with event_files.fresh_default(event_files.report_folder(run_folder), "cards"):
        for tag, figure in _cards(rows, meanings, leaks):
            png = figures.to_png(figure(), cards.DPI)
            picture = tf.image.decode_png(png, channels=3)[tf.newaxis]
            tf.summary.image(tag, picture, step=0, description=_CARD)


def card_tags(
    rows: Sequence[SummaryRow], meanings: Mapping[Context, Sequence[str]]
) -> list[str]:
    """The tags under which `write_cards` shows a run, the most telling first."""
    return [tag for tag, _ in _cards(rows, meanings, PICTURES)]


def _cards(
    rows: Sequence[SummaryRow],
    meanings: Mapping[Context, Sequence[str]],
    leaks: Leaks,
) -> Iterator[tuple[str, Callable[[], matplotlib.figure.Figure]]]:
    """Of each context its tags, whose names sort before all others, and figures."""
    drawn = _drawn(rows)
    names = _names([row.context for row in rows])
    for context in dict.fromkeys(row.context for row in rows):
        own = [row for row in rows if row.context == context]
        if context in meanings:
            words = functools.partial(cards.in_words, context.title, meanings[context])
            yield f"1_in_words/{names[context]}", words
        if context in drawn and sum(row.leakage.best is not None for row in own) > 1:
            leakage = functools.partial(cards.leakage, context, rows, leaks)
            yield f"2_what_leaks/{names[context]}", leakage
        if context in drawn and sum(map(cards.has_uploads, own)) > 1:
            uploads = functools.partial(cards.uploads, context, rows)
            yield f"3_what_it_costs/{names[context]}", uploads
        elif context in drawn and sum(map(cards.has_message, own)) > 1:
            message = functools.partial(cards.message, context, rows)
            yield f"3_what_it_costs/{names[context]}", message


def _names(contexts: Sequence[Context]) -> dict[Context, str]:
    """Names as short as a card shows them: what is attacked, and what tells it apart."""
    found = list(dict.fromkeys(contexts))
    names = {
        one: (f"{one.target}, batch {one.batch_size}" if one.target else "training")
        + records_lib.after(one.weights_after_rounds)
        for one in found
    }
    for part in ("dataset", "model", "num_clients", "release"):
        values = {one: getattr(one, part) for one in found}
        if len(set(names.values())) < len(found) and len(set(values.values())) > 1:
            unit = " clients" if part == "num_clients" else ""
            names = {one: f"{name}, {values[one]}{unit}" for one, name in names.items()}
    return names


def _over_ratio_tag(context: Context) -> str:
    return f"leakage_and_costs_over_ratio/{context.title}"


def _overhead_tag(context: Context) -> str:
    return f"leakage_vs_overhead/{context.title}"


def _drawn(rows: Sequence[SummaryRow]) -> list[Context]:
    """What has a figure: one point is no curve, and the table has it."""
    all_ = [row.context for row in rows]
    return [context for context in dict.fromkeys(all_) if all_.count(context) > 1]


def write_searches(run_folder: pathlib.Path, found: Sequence[searches.Search]) -> None:
    """Draws the objectives of searches by iteration; also as PNG into `figures/`."""
    with event_files.fresh_default(event_files.report_folder(run_folder), "searches"):
        for title, group in searches.by_title(found).items():
            _write_figure(
                searches.figure(group),
                run_folder,
                f"searches_{title}",
                f"searches/{title}",
                "A line for each start of each message. Objectives of different attacks "
                "are different things.",
            )


def _has_bytes(context: Context, rows: Sequence[SummaryRow]) -> bool:
    own = [row for row in rows if row.context == context]
    return any(row.cost.relative_bytes and row.leakage.best for row in own)


def write_texts(run_folder: pathlib.Path, texts: Mapping[str, str]) -> None:
    """Writes notes, Markdown by title: which data was used, what attackers may know."""
    with event_files.fresh_default(event_files.report_folder(run_folder), "texts"):
        for title, text in texts.items():
            tf.summary.text(title, text, step=0)


def panel(record: AttackRecord, image: NDArray[np.floating]) -> panels.Panel:
    """The panel of a record and its reconstruction, [h, w, c]."""
    past, by = blind.alone(record, PICTURES)
    return panels.Panel(
        record.cell.encryption_ratio,
        record.cell.metric,
        record.attacker,
        image,
        record.number(PICTURES.main.key),
        past is not None and past.none,
        hindsight.order(next(tries.of(record)), PICTURES),
        by,
    )


def _write_figure(
    figure: matplotlib.figure.Figure,
    run_folder: pathlib.Path,
    name: str,
    tag: str,
    description: str,
) -> None:
    """Shows one figure in TensorBoard, and keeps it as PNG under the name."""
    png = figures.to_png(figure)
    figures.save_png(run_folder, name, png)
    picture = tf.image.decode_png(png, channels=3)[tf.newaxis]
    tf.summary.image(tag, picture, step=0, description=description)
