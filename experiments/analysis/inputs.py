"""What an analysis works on: the pictures behind each gradient, and what they take."""

from typing import Any, NamedTuple

import numpy as np

from experiments.analysis import catalog
from experiments.analysis import study as study_lib
from experiments.analysis.options import Options
from experiments.data.dataset import Dataset
from experiments.study import subjects
from experiments.study.flag_table import SettingsError
from selenc_tf.distance import sketch
from selenc_tf.models.functional import FunctionalModel


class Inputs(NamedTuple):
    """What an analysis works on.

    Attributes:
      study: Model, data, scores and prior.
      batches: Indices of the examples behind each gradient.
      facts: Of `subjects.Studied`.
    """

    study: study_lib.Study
    batches: tuple[tuple[int, ...], ...]
    facts: dict[str, Any]


def load(asked: Options) -> Inputs:
    """Loads the data and builds the study.

    Args:
      asked: Checked options.

    Returns:
      The inputs.

    Raises:
      SettingsError: If the options cannot be used on these data.
      DataNotFoundError: If no source has the data set.
    """
    dataset, model, facts = subjects.load(asked)
    batches = choose_pictures(asked, dataset)
    check_memory(asked, model)
    rows = [row for batch in batches for row in batch]
    return Inputs(study_lib.build_study(asked, dataset, model, rows), batches, facts)


def choose_pictures(asked: Options, dataset: Dataset) -> tuple[tuple[int, ...], ...]:
    """Which pictures stand behind each gradient: those that `experiments.run` attacks.

    Raises:
      SettingsError: If there are too few; one has to be left for the prior.
    """
    size, wanted = asked.batch_size, asked.num_images * asked.batch_size
    if wanted >= len(dataset):
        raise SettingsError(
            f"`--num_images` times `--attack_batch_size` asks for {wanted} pictures and "
            f"the prior for one more, but {dataset.name} has {len(dataset)}. Lower them."
        )
    order = np.random.default_rng(asked.seed).permutation(len(dataset)).tolist()
    return tuple(tuple(order[at : at + size]) for at in range(0, wanted, size))


def check_memory(asked: Options, model: FunctionalModel) -> None:
    """Refuses a Jacobian that is too large before anything is computed.

    Args:
      asked: The method and its limit.
      model: What is differentiated.

    Raises:
      SettingsError: If it would take more than `--max_memory_gb`.
    """
    unknowns = asked.batch_size * int(np.prod(model.input_shape))
    if asked.method == catalog.SKETCH:
        # Those of the ratios and both ends, and their sum.
        rows = sketch.ROWS_PER_UNKNOWN * unknowns * (len(asked.ratios) + 3)
        what, remedy = f"sketches of {unknowns:,} inputs take", "fewer ratios, "
    else:
        rows = model.spec.size
        what = f"Jacobian of {rows:,} entries by {unknowns:,} inputs takes"
        remedy = "`--method=sketch`, "
    needed = 8 * rows * unknowns / 1e9
    if needed > asked.max_memory_gb:
        raise SettingsError(
            f"The {what} {needed:.1f} GB, more than `--max_memory_gb` = "
            f"{asked.max_memory_gb:g}. Raise that, or choose {remedy}a smaller "
            "`--model`, `--dataset` or `--attack_batch_size`."
        )
