"""Original sentences beside what attackers recovered of them, for people."""

import html
import pathlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attacks.text import sentences
from experiments.data.dataset import Dataset
from experiments.modalities.text import marking, token_data
from experiments.modalities.text.leaks import TEXT
from experiments.modalities.text.marking import Mark
from experiments.modalities.text.token_data import TokenData
from experiments.outputs import (
    blind,
    hindsight,
    reconstructions,
    records,
    told,
    tries,
    why,
)
from experiments.outputs.records import AttackRecord
from experiments.outputs.text_tables import Table, to_markdown
from selenc_tf.models.text import vocabulary

_ON_TERMINAL = 3
"""Sentences there; TensorBoard shows all."""

_LEGEND = {
    "terminal": "«not in the sentence», ~of another place~, all else is right",
    "markdown": "**Bold**: not in the sentence. *Slanted*: of another place in it. All "
    "else is right. Special tokens are left out.",
}


def tables(
    run_folder: pathlib.Path, dataset: Dataset, found: Sequence[AttackRecord]
) -> list[Table]:
    """For the terminal: of the first sentences, the strongest attack at each point.

    Args:
      run_folder: The folder of the run.
      dataset: Of the run.
      found: The records of its attacks.

    Returns:
      One table, or none where nothing was recovered.
    """
    data = token_data.checked(dataset)
    clients = [one for one in found if one.target == "client" and one.status == "ok"]
    shown = list(dict.fromkeys(one.image_index for one in clients))[:_ON_TERMINAL]
    lines = []
    for row in shown:
        of_sentence = [one for one in clients if one.image_index == row]
        for record in _strongest(of_sentence):
            cell = record.cell
            text = _recovered(run_folder, data, record, _for_terminal, str)
            lines.append(
                (
                    record.percent,
                    cell.metric,
                    f"{record.attack} {record.attacker}{_compared(record)}",
                    _original(data, row),
                    text,
                )
            )
    if not lines:
        return []
    more = len({one.image_index for one in clients}) - len(shown)
    rest = f"; {more} more in TensorBoard" if more else ""
    title = (
        "What the best attack on each recovered, in hindsight "
        f"({_LEGEND['terminal']}{rest})"
    )
    headings = ("Encr.\n%", "Metric", "Attack", "Original", "Recovered")
    return [Table(title, headings, lines)]


def texts(
    run_folder: pathlib.Path, dataset: Dataset, found: Sequence[AttackRecord]
) -> Mapping[str, str]:
    """For TensorBoard: of each sentence, what each attack recovered, as Markdown."""
    data = token_data.checked(dataset)
    groups: dict[tuple[int, str, int, int], list[AttackRecord]] = {}
    for one in found:
        key = (one.image_index, one.target, one.batch_size, one.weights_after_rounds)
        groups.setdefault(key, []).append(one)
    made = {}
    for (row, target, batch, rounds), of_sentence in groups.items():
        together = f", batch of {batch}" if batch > 1 else ""
        title = f"sentences/{data.name} {row}, {target}{together}"
        headings = ("hidden, %", "metric", "attack", TEXT.main.heading, "original")
        table = Table(
            "",
            (*headings, "recovered"),
            [*_lines(run_folder, data, of_sentence)],
        )
        after = records.after(rounds)
        made[f"{title}{after}"] = f"{to_markdown(table)}\n{_LEGEND['markdown']}\n"
    return made


def _lines(
    run_folder: pathlib.Path, data: TokenData, found: Sequence[AttackRecord]
) -> Iterator[tuple[str, ...]]:
    for record in found:
        text = _escaped(why.no_result(record.status, record.reason))
        value = "-"
        if record.status == "ok":
            text = _recovered(run_folder, data, record, _for_markdown, _escaped)
            value = TEXT.shown(record.number(TEXT.main.key))
        yield (
            record.percent,
            _escaped(record.cell.metric),
            _escaped(f"{record.attack} {record.attacker}"),
            value,
            _escaped(_original(data, record.image_index)),
            text,
        )


def _strongest(found: Sequence[AttackRecord]) -> list[AttackRecord]:
    """Of each point of the grid the record in which most leaked."""
    groups: dict[tuple[float, str], list[AttackRecord]] = {}
    for one in found:
        place = (one.cell.encryption_ratio, one.cell.metric)
        groups.setdefault(place, []).append(one)
    # What a member made is not kept: of records themselves, in the order of all screens.
    return [
        max(
            groups[place],
            key=lambda one: hindsight.order(next(tries.of(one)), TEXT),
        )
        for place in sorted(groups)
    ]


def _compared(record: AttackRecord) -> str:
    """By what it is better than the blind guess, or that it is not."""
    past, by = blind.alone(record, told.of(TEXT, [record]))
    if past is None:
        return ""
    if past.none:
        return f" ({blind.NO_BETTER})"
    return f" ({by})" if by else ""


def _original(data: TokenData, row: int) -> str:
    own = _own(data, data.examples[row])
    return marking.printable(vocabulary.decode(data.vocabulary, own)).strip()


def _recovered(
    run_folder: pathlib.Path,
    data: TokenData,
    record: AttackRecord,
    marked: Callable[[str, Mark], str],
    plain: Callable[[str], str],
) -> str:
    """The recovered sentence with marks; what is missing is counted at its end."""
    kept = reconstructions.load(run_folder, record.key)
    if kept is None:
        return plain(f"({reconstructions.why_none(run_folder, record.key)})")
    found, truth = _own(data, kept), _own(data, data.examples[record.image_index])
    if not found:
        return plain("(nothing)")
    pieces = marking.pieces(found, truth, data.vocabulary.join)
    missing = len(truth) - len(found)
    said = told.of(TEXT, [record]).retold("token" if missing == 1 else "tokens")
    end = plain(f" ({missing} {said} fewer)") if missing > 0 else ""
    return marking.written(pieces, marked, plain).strip() + end


def _own(data: TokenData, example: NDArray[Any]) -> list[int]:
    """The tokens of an example without special ones."""
    (row,) = sentences.rows_of(example[np.newaxis])
    return [one for one in row if one not in data.vocabulary.special_ids]


def _for_terminal(text: str, mark: Mark) -> str:
    return f"«{text}»" if mark == "wrong" else f"~{text}~"


def _for_markdown(text: str, mark: Mark) -> str:
    # As tags: stars that touch are ambiguous.
    tag = "strong" if mark == "wrong" else "em"
    return f"<{tag}>{_escaped(text)}</{tag}>"


def _escaped(text: str) -> str:
    """A text that Markdown shows as it is, also in a table."""
    safe = html.escape(text, quote=False)
    return re.sub(r"([\\`*_{}\[\]()#+\-.!|])", r"\\\1", safe)
