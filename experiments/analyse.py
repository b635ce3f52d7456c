"""Predicts from masks alone how much leaks, without an attack.

    python -m experiments.analyse --flagfile=experiments/flagfiles/analyse_lenet.flags

Started again with the same flags, it goes on with the pictures that are missing.
"""

import pathlib
import sys
from collections.abc import Callable, Sequence
from typing import TextIO

import numpy as np
from absl import app, flags

from experiments.analysis import options as options_lib
from experiments.analysis import report, study
from experiments.analysis.options import Options
from experiments.data import catalog as data_catalog
from experiments.data.dataset import Dataset
from experiments.outputs import environment, files, progress, run_directory
from experiments.study.settings import SettingsError
from selenc_tf import catalog
from selenc_tf.distance import cramer_rao, sketch

MODULE = "experiments.analyse"


def main(argv: Sequence[str]) -> int:
    """The entry point of the command.

    Args:
      argv: What absl left over.

    Returns:
      The exit status of `execute`.
    """
    return execute(flags.FLAGS, argv[1:], sys.argv, sys.stdout, sys.stderr)


def execute(
    values: flags.FlagValues,
    leftover: Sequence[str],
    command_line: Sequence[str],
    output: TextIO,
    errors: TextIO,
) -> int:
    """Checks the flags, analyses what is missing and shows the result.

    Args:
      values: Parsed flags.
      leftover: Arguments that are no flags.
      command_line: The program and its arguments, for the files.
      output: Where the table goes.
      errors: Where refusals and progress go.

    Returns:
      The exit status: 0, 2 for flags or data that cannot be used, 130 after Ctrl-C.
    """
    described = environment.describe()
    try:
        if leftover:
            raise SettingsError(
                f"The command takes flags only, got {leftover[0]!r}. Flags start with --"
            )
        options = options_lib.read(
            values,
            tuple(catalog.MODELS),
            tuple(data_catalog.CATALOG),
            tuple(catalog.METRICS),
        )
        dataset = data_catalog.load(
            options.dataset, values.data_dir or None, values.allow_download
        )
        batches = choose_pictures(options, dataset)
        _check_memory(options, dataset)
        rows = [row for batch in batches for row in batch]
        made = study.build_study(options, dataset, rows)
        target = pathlib.Path(values.output).expanduser().absolute()
        folder = run_directory.open_run(
            target.parent,
            target.name,
            run_directory.RunConfig(
                flags=options_lib.as_dict(values),
                neutral_flags=options_lib.NEUTRAL,
                datasets=(dataset.name,),
                seeds={"run": options.seed},
            ),
            described,
            command_line,
        ).path
        done = {each.pictures for each in report.load(folder)}
    except (ValueError, OSError, IndexError) as error:
        print(f"\n{error}\n", file=errors)
        return 2
    heading = report.Heading(
        model=f"{options.model} ({made.derivatives.model.spec.size:,} parameters)",
        dataset=dataset.name,
        noise=" + ".join(values.noise),
        prior=f"{options.prior}, variance {made.prior.variance:.3f}",
        prior_psnr_db=cramer_rao.psnr_db(made.prior.variance),
        psnr_threshold_db=options.psnr_threshold_db,
    )
    status = 0
    try:
        with (
            files.LineAppender(folder / report.RECORDS) as lines,
            progress.progress(
                "analysis", len(batches), errors, done=len(done)
            ) as display,
        ):
            display.say(f"{dataset.note} Model: {heading.model}. Results: {folder}")
            for batch in batches:
                if batch in done:
                    continue
                title = f"pictures {', '.join(map(str, batch))}"
                analysed = study.analyse(made, batch, _reporter(display, title))
                lines.append(report.to_record(analysed))
                display.finish()
    except KeyboardInterrupt:
        print(
            f"\nStopped. Finished pictures are in {folder}; the same command goes on "
            "from there.",
            file=errors,
            flush=True,
        )
        status = 130
    except ValueError as error:
        print(f"\n{error}\n", file=errors)
        status = 2
    results = report.load(folder)
    command = " ".join((f"python -m {MODULE}", *command_line[1:]))
    report.publish(folder, heading, results, command, described)
    if results:
        report.print_tables(heading, results, output)
    return status


def _reporter(display: progress.Progress, title: str) -> Callable[[str], None]:
    """Shows what is being done with the pictures of a title."""
    return lambda note: display.start(f"{title}, {note}")


def choose_pictures(options: Options, dataset: Dataset) -> tuple[tuple[int, ...], ...]:
    """Which pictures stand behind each gradient: those that `experiments.run` attacks.

    Args:
      options: With the seed and the numbers.
      dataset: The pictures.

    Returns:
      Indices, batch by batch.

    Raises:
      SettingsError: If there are too few; one has to be left for the prior.
    """
    wanted = options.num_images * options.batch_size
    if wanted >= len(dataset):
        raise SettingsError(
            f"`--num_images` times `--attack_batch_size` asks for {wanted} pictures and "
            f"the prior for one more, but {dataset.name} has {len(dataset)}. Lower them."
        )
    order = np.random.default_rng(options.seed).permutation(len(dataset))
    size = options.batch_size
    return tuple(
        tuple(int(row) for row in order[at : at + size])
        for at in range(0, wanted, size)
    )


def _check_memory(options: Options, dataset: Dataset) -> None:
    """Refuses a Jacobian that is too large before anything is computed."""
    model = catalog.model(
        options.model, dataset.image_shape, dataset.num_classes, options.seed
    )
    unknowns = options.batch_size * int(np.prod(dataset.image_shape))
    if options.method == options_lib.SKETCH:
        # Those of the ratios and both ends, and their sum.
        rows = sketch.ROWS_PER_UNKNOWN * unknowns * (len(options.ratios) + 3)
        what, remedy = f"sketches of {unknowns:,} pixels take", "fewer ratios, "
    else:
        rows = model.spec.size
        what = f"Jacobian of {rows:,} entries by {unknowns:,} pixels takes"
        remedy = "`--method=sketch`, "
    needed = 8 * rows * unknowns / 1e9
    if needed > options.max_memory_gb:
        raise SettingsError(
            f"The {what} {needed:.1f} GB, more than `--max_memory_gb` = "
            f"{options.max_memory_gb:g}. Raise that, or choose {remedy}a smaller "
            "`--model`, `--dataset` or `--attack_batch_size`."
        )


if __name__ == "__main__":
    options_lib.define(flags.FLAGS)
    flags.adopt_module_key_flags(options_lib)
    app.run(main)
