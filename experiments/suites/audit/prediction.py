"""The prediction of the messages that an audit attacks, where one can be made."""

import pathlib
from collections.abc import Sequence
from typing import TextIO

from experiments.analysis import inputs as analysed
from experiments.analysis import options, report, results, running
from experiments.analysis.options import Options
from experiments.analysis.results import Analysed
from experiments.outputs.report import kept, predicted
from experiments.outputs.report.predicted import Predicted
from experiments.study import flag_table, run_folders
from experiments.study.flag_table import SettingsError
from experiments.study.inputs import Inputs
from experiments.study.modality import Studied
from experiments.study.settings import Settings

_TOP_FRACTION = "top_fraction"

_TOLERANCE = 0.05
"""Of thresholds: every halving of their brackets takes another decomposition."""


def rehearsed(settings: Settings, inputs: Inputs, stream: TextIO) -> str:
    """Whether there will be a prediction, in a sentence.

    Args:
      settings: Of the run, checked.
      inputs: Its data and model.
      stream: Where progress goes.
    """
    try:
        asked = _options(settings)
        loaded = analysed.load(asked, stream, _studied(inputs))
    except (ValueError, OSError) as reason:
        return f"Prediction: does not apply: {reason}"
    return f"Prediction: applies, of {len(loaded.batches)} gradient(s)."


def make(
    settings: Settings,
    inputs: Inputs,
    run_folder: pathlib.Path,
    output: TextIO,
) -> int:
    """Analyses what is missing, in a folder beside the run's, and keeps the tables.

    Args:
      settings: Of the run, checked.
      inputs: Its data and model.
      run_folder: Gets the tables for its report.
      output: Where progress and the tables go, or why there are none.

    Returns:
      The exit status of the analysis; 0 where it does not apply.
    """
    try:
        asked = _options(settings)
        line = ["analyse", *flag_table.as_typed(asked)]
        prepared = running.prepare(asked, line, output, _studied(inputs))
    except (ValueError, OSError) as reason:
        print(f"No prediction: {reason}", file=output, flush=True)
        kept.save_reasons(run_folder, [str(reason)])
        return 0
    reasons: list[str] = []
    status = running.run(prepared, output, output, reasons.append)
    kept.save_reasons(run_folder, reasons)
    if found := results.load(prepared.folder):
        heading = prepared.heading
        leakage, thresholds = report.tables(heading, found)
        title = f"{heading.title}. {heading.assumed}"
        tables = (leakage._replace(title=title), thresholds)
        kept.save(run_folder / kept.PREDICTION, tables)
        predicted.save(run_folder, _of_examples(found))
    return status


def _of_examples(found: Sequence[Analysed]) -> list[Predicted]:
    """Of gradients of one example: of a batch only the mean error is predicted."""
    return [
        Predicted(
            row.metric, row.asked_ratio, one.pictures[0], row.prediction.psnr_bound_db
        )
        for one in found
        if len(one.pictures) == 1
        for row in one.rows
    ]


def _options(settings: Settings) -> Options:
    """The analysis of the same messages, checked.

    Raises:
      SettingsError: If a prediction is not of such messages.
    """
    asked, masks = settings.attack, settings.masks
    if masks.policy != _TOP_FRACTION or masks.always_hide:
        raise SettingsError(
            f"it is of masks of `--mask_policy={_TOP_FRACTION}` without `--always_hide`."
        )
    if not asked.is_one_gradient or asked.rounds > 1:
        raise SettingsError("it is of messages that are one gradient each.")
    name = f"{run_folders.of(settings).name}_analysis"
    more = {"run_name": name, "threshold_tolerance": _TOLERANCE}
    found = flag_table.from_dict({**flag_table.as_dict(settings), **more}, Options)
    options.check(found)
    return found


def _studied(inputs: Inputs) -> Studied:
    """Model, at its first weights, and data as they are loaded."""
    return Studied(inputs.dataset, inputs.model, inputs.facts)
