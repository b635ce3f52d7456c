"""From the records of a run to what people look at: TensorBoard, CSV and a table."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TextIO

from experiments.data.dataset import Dataset
from experiments.outputs import (
    assumed,
    attackers,
    by_attack,
    ciphers,
    figures,
    files,
    hindsight,
    reconstructions,
    records,
    results,
    run_directory,
    searches,
    tables,
    tensorboard,
    text_tables,
    told,
)
from experiments.outputs import summary as summary_lib
from experiments.outputs.leaks import Leaks
from experiments.outputs.records import AttackRecord, RoundRecord
from experiments.outputs.report import (
    families,
    kept,
    meaning,
    page,
    reading,
    writing,
)
from experiments.outputs.report import folder as report_folder
from experiments.outputs.summary import Context
from experiments.study import command
from experiments.study.modality import Modality

_THREAT_MODEL = """
The server is honest but curious. It sees the weights that it sends, the public mask,
every client's visible entries and ciphertexts, and what is published; it never has the
secret key. Clients do not collude with it.

* **Attack on a client**: one client's message in a `server_blind` round. Nothing but
  that message says anything about the client.
* **Attack on the aggregate**: the published average of a `reveal_aggregate` round. It is
  published whatever was encrypted on the way.
* **Attack on a cohort**: all messages of a `reveal_aggregate` round and the published
  average, together.
* **naive** is the attack as its authors published it, with zeros for hidden entries. What
  this project adds to attacks is in the mask-aware ones alone, so that the two may differ
  with nothing hidden too. **mask-aware** compares only what it sees. Of each example the
  strongest counts.
"""


class Notes(NamedTuple):
    """What all results of a run have in common, in words.

    Attributes:
      masks: Its masks.
      weights: Which weights were attacked; "" for the first ones.
    """

    masks: str
    weights: str = ""


def everything(
    run_folder: pathlib.Path,
    dataset: Dataset,
    notes: Notes,
    modality: Modality,
    unfinished: str = "",
) -> None:
    """Writes `summary.csv`, the figures, the TensorBoard files and the report anew.

    Args:
      run_folder: The folder of the run.
      dataset: In which the records index examples.
      notes: What its results have in common.
      modality: What an example is.
      unfinished: How much of the run is done; "" once all is.
    """
    with figures.made_anew(run_folder):
        _everything(run_folder, dataset, notes, modality, unfinished)


def _everything(
    run_folder: pathlib.Path,
    dataset: Dataset,
    notes: Notes,
    modality: Modality,
    unfinished: str,
) -> None:
    found = ciphers.named(
        results.load(run_folder), run_directory.read_config(run_folder)
    )
    leaks = told.of(modality.leaks, found)
    rows = summary_lib.summarise(found, leaks)
    csv = tables.to_csv(rows, leaks).encode()
    files.write_atomically(run_folder / tables.FILE_NAME, csv)
    attacked = [record for record in found if isinstance(record, AttackRecord)]
    attacks = by_attack.summarise(attacked, leaks)
    csv = by_attack.to_csv(attacks).encode()
    files.write_atomically(run_folder / by_attack.FILE_NAME, csv)
    rounds = [record for record in found if isinstance(record, RoundRecord)]
    names = records.cell_names(record.cell for record in rounds)
    tensorboard.remove_other_rounds(run_folder, tuple(names.values()))
    for cell, name in names.items():
        past = [record for record in rounds if record.cell == cell]
        with tensorboard.RoundWriter(run_folder, name, cell, past):
            pass
    tensorboard.write_hparams(run_folder, rows, leaks)
    left = (unfinished,) if unfinished else ()
    meanings = {
        context: (*left, *said)
        for context, said in _meanings(run_folder, leaks).items()
    }
    tensorboard.write_cards(run_folder, rows, meanings, leaks)
    tensorboard.write_figures(run_folder, rows, leaks)
    tensorboard.write_searches(run_folder, searches.load(run_folder))
    modality.show(run_folder, dataset, attacked)
    tensorboard.write_texts(
        run_folder,
        {
            "data": f"{dataset.note}\n\nSource: {dataset.source}. Licence: "
            f"{dataset.licence}. {dataset.citation}",
            **({"unfinished": unfinished} if unfinished else {}),
            "masks": notes.masks,
            **({"weights": notes.weights} if notes.weights else {}),
            "threat model": _THREAT_MODEL,
            **modality.texts(run_folder, dataset, attacked),
            **{
                f"each attack/{place}": text_tables.to_markdown(table)
                for place, table in enumerate(by_attack.to_tables(attacks, leaks))
            },
            **_without_result(rows),
        },
    )
    for row in {record.image_index for record in attacked}:
        reconstructions.save_original(run_folder, row, dataset.examples[row])
    kept.save(
        run_folder / kept.SENTENCES, modality.tables(run_folder, dataset, attacked)
    )
    writing.write(run_folder, [reading.read(run_folder)], lambda _: leaks)


def summary(
    run_folder: pathlib.Path,
    dataset: Dataset,
    notes: Notes,
    modality: Modality,
    stream: TextIO,
    means: bool = True,
) -> None:
    """Prints the table of the run and where to look further.

    Args:
      run_folder: The folder of the run.
      dataset: Whose note goes under the table.
      notes: What its results have in common.
      modality: What an example is.
      stream: Where to.
      means: Whether to begin with notes and what the result means.
    """
    found = ciphers.named(
        results.load(run_folder), run_directory.read_config(run_folder)
    )
    leaks = told.of(modality.leaks, found)
    rows = summary_lib.summarise(found, leaks)
    attacked = [record for record in found if isinstance(record, AttackRecord)]
    for line in (*attackers.of(attacked), *assumed.of(found)) if means else ():
        print(f"Note: {line}", file=stream)
    meanings = _meanings(run_folder, leaks)
    for context, sentences in meanings.items() if means else ():
        print(
            f"{meaning.HEADING} ({context.title}): {' '.join(sentences)}", file=stream
        )
    tables.print_tables(rows, stream, leaks=leaks)
    for table in by_attack.to_tables(by_attack.summarise(attacked, leaks), leaks):
        text_tables.show(table, stream, None)
    for table in modality.tables(run_folder, dataset, attacked):
        text_tables.show(table, stream)
    said = [note for note in notes if note]
    visible = modality.visible(dataset)
    print(
        "\n" + "\n".join(said) + f"\nData: {dataset.note}\nLook at the "
        f"{f'{visible} and ' if visible else ''}curves: "
        f"{command.program('tensorboard')} --logdir {run_folder}\n"
        f"and then {tensorboard.to_first_screen(rows, meanings)}\n"
        f"The report: {run_folder / report_folder.PAGE}",
        file=stream,
        flush=True,
    )


def _meanings(
    run_folder: pathlib.Path, leaks: Leaks
) -> Mapping[Context, tuple[str, ...]]:
    """What the results mean, in plain sentences, for everything that was attacked."""
    (family,) = families.join([reading.read(run_folder)])
    return page.meanings(family, leaks)


def _without_result(rows: Sequence[summary_lib.SummaryRow]) -> dict[str, str]:
    """Of every cell: which attacks have no picture and no number, and why."""
    lines = [
        (
            row.context.title,
            row.metric,
            row.percent,
            row.leakage.best_attack or "none",
            reason,
        )
        for row in rows
        for reason in row.leakage.without_result
    ]
    headings = ("what", "metric", "hidden, %", hindsight.NAME, "no result")
    table = text_tables.Table("", headings, lines)
    return {"attacks without a result": text_tables.to_markdown(table)} if lines else {}
