"""The analysis itself: the gradients that are missing, recorded one by one."""

import functools
import pathlib
from collections.abc import Callable, Sequence
from typing import NamedTuple, TextIO

from experiments.analysis import inputs, report, results, study
from experiments.analysis.options import Options
from experiments.outputs import environment, files, progress, records, run_directory
from experiments.study import command, flag_table, run_folders, stopping
from experiments.study.modality import Studied
from selenc_tf.distance import cramer_rao
from selenc_tf.models.functional import FunctionalModel


class Prepared(NamedTuple):
    """An analysis that can go on.

    Attributes:
      inputs: The study and its batches.
      folder: Where the results are.
      heading: What they share.
      command: That was given.
    """

    inputs: inputs.Inputs
    folder: pathlib.Path
    heading: report.Heading
    command: str


def prepare(
    asked: Options,
    command_line: Sequence[str],
    stream: TextIO,
    studied: Studied[FunctionalModel] | None = None,
) -> Prepared:
    """Loads the data and opens the folder.

    Args:
      asked: Checked options.
      command_line: The program and its arguments.
      stream: Where the progress of training the analysed weights goes.
      studied: Model and data, if they are loaded already.

    Returns:
      What `run` takes.

    Raises:
      ValueError: For data that cannot be used.
      OSError: For data that are not there.
    """
    loaded = inputs.load(asked, stream, studied)
    made = loaded.study
    target = run_folders.of_analysis(asked, asked.output).absolute()
    folder = run_directory.open_run(
        target.parent,
        target.name,
        run_directory.RunConfig(
            flags=flag_table.as_dict(asked),
            neutral_flags=flag_table.neutral(asked),
            datasets=(made.dataset.name,),
            seeds={"run": asked.seed},
            facts=loaded.facts,
            defaults=flag_table.as_dict(type(asked)()),
        ),
        environment.describe(),
        command_line,
    ).path
    results.load(folder)  # Refuses those of another version before any work.
    variance = made.prior.variance
    heading = report.Heading(
        model=f"{asked.model} ({made.model.spec.size:,} parameters)"
        f"{records.after(asked.training.weights_after_rounds)}",
        dataset=made.dataset.name,
        noise=" + ".join(asked.noise),
        prior=f"{made.prior.name}, variance {variance:.3f}",
        assumed=report.assumed(made.prior.name, len(made.public)),
        prior_psnr_db=cramer_rao.psnr_db(variance),
        psnr_threshold_db=asked.psnr_threshold_db,
    )
    shown = command.as_text("experiments.analyse", command_line)
    return Prepared(loaded, folder, heading, shown)


def run(
    prepared: Prepared,
    output: TextIO,
    errors: TextIO,
    missing: Callable[[str], object] = bool,
) -> int:
    """Analyses what is missing and shows the result.

    Args:
      prepared: From `prepare`.
      output: Where the table goes.
      errors: Where refusals and progress go.
      missing: Is told why something has no result, a sentence each.

    Returns:
      The exit status.
    """
    folder, status = prepared.folder, 0
    try:
        for reason in _analyse(prepared, errors):
            print(f"\n{reason}", file=errors)
            missing(reason)
    except KeyboardInterrupt:
        stopping.heard()
        print(
            f"\nStopped. Finished pictures are in {folder}; the same command goes on "
            "from there.",
            file=errors,
            flush=True,
        )
        status = command.STOPPED
    except ValueError as error:
        print(f"\n{error}\n", file=errors)
        missing(str(error))
        status = command.REFUSED
    analysed = results.load(folder)
    report.publish(folder, prepared.heading, analysed, prepared.command, output)
    return status


def _analyse(prepared: Prepared, stream: TextIO) -> list[str]:
    """Analyses what is missing, and says why something still is."""
    skipped: list[str] = []
    made, batches = prepared.inputs.study, prepared.inputs.batches
    done = {each.pictures for each in results.load(prepared.folder)}
    with (
        files.LineAppender(prepared.folder / results.FILE_NAME) as lines,
        progress.progress("analysis", len(batches), stream, done=len(done)) as display,
    ):
        display.say(
            f"{made.dataset.note} Model: {prepared.heading.model}. "
            f"Results: {prepared.folder}"
        )
        if prepared.inputs.weights_note:
            display.say(prepared.inputs.weights_note)
        for batch in batches:
            if batch in done:
                continue
            tell = functools.partial(_tell, display, batch)
            try:
                lines.append(results.to_record(study.analyse(made, batch, tell)))
            except study.ZeroGradient as reason:
                # The others can be analysed.
                skipped.append(str(reason))
            display.finish()
    return skipped


def _tell(display: progress.Progress, batch: Sequence[int], note: str) -> None:
    display.start(f"pictures {', '.join(map(str, batch))}, {note}")
