"""What an analysis works on: the pictures behind each gradient, and what they take."""

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple, TextIO

import numpy as np

from experiments.analysis import catalog
from experiments.analysis import study as study_lib
from experiments.analysis.options import Options
from experiments.data.dataset import Dataset
from experiments.modalities.pictures import loading
from experiments.modalities.pictures.modality import PICTURES
from experiments.study import after_rounds, clients
from experiments.study.clients import TrainingData
from experiments.study.flag_table import SettingsError
from experiments.study.modality import Studied
from selenc_tf.distance import sketch
from selenc_tf.models.functional import FunctionalModel


class Inputs(NamedTuple):
    """What an analysis works on.

    Attributes:
      study: Model, data, scores and prior.
      batches: Indices of the examples behind each gradient.
      facts: Of `Studied` and `after_rounds.Learned`.
      weights_note: Which weights are analysed, for people; "" for the first ones.
    """

    study: study_lib.Study
    batches: tuple[tuple[int, ...], ...]
    facts: dict[str, Any]
    weights_note: str


def load(
    asked: Options,
    stream: TextIO,
    studied: Studied[FunctionalModel] | None = None,
) -> Inputs:
    """Loads the data and builds the study.

    Args:
      asked: Checked options. With `--dry_run` no weights are trained.
      stream: Where the progress of training the analysed weights goes.
      studied: Model and data, if they are loaded already.

    Returns:
      The inputs.

    Raises:
      SettingsError: If the options cannot be used on these data.
      DataNotFoundError: If no source has the data set.
    """
    dataset, first, facts = studied or loading.load(asked)
    data = TrainingData((), dataset)
    if asked.training.weights_after_rounds:
        data = clients.shared_out(dataset, asked.training, asked.seed)
    order = clients.order(dataset, asked.training, asked.seed, data)
    batches = choose_pictures(asked, dataset, order)
    check_memory(asked, first)
    learned = after_rounds.of(
        PICTURES, first, asked.training, asked.seed, data, stream, asked.output.dry_run
    )
    public = clients.public(dataset, order, len(batches) * asked.batch_size)
    dataset = dataclasses.replace(dataset, note=f"{dataset.note} {public.note}".strip())
    return Inputs(
        study_lib.build_study(asked, dataset, learned.model, public.rows),
        batches,
        facts | learned.facts,
        learned.note,
    )


def choose_pictures(
    asked: Options, dataset: Dataset, order: Sequence[int]
) -> tuple[tuple[int, ...], ...]:
    """Which pictures stand behind each gradient: those that `experiments.run` attacks.

    Args:
      asked: How many.
      dataset: The whole.
      order: Its rows, in the order in which they are taken.

    Returns:
      The rows of each batch.

    Raises:
      SettingsError: If there are too few; one has to be left for the prior.
    """
    size, wanted = asked.batch_size, asked.num_images * asked.batch_size
    if wanted >= len(order):
        raise SettingsError(
            f"`--num_images` times `--attack_batch_size` asks for {wanted} pictures and "
            f"the prior for one more, but {dataset.name} has "
            f"{len(order)}{clients.left_over(asked.training)}. Lower them."
        )
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
