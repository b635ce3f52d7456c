"""What a run works on: pictures, shared out, and a model."""

from typing import NamedTuple

import numpy as np

from experiments.data import catalog as data_catalog
from experiments.data import splits
from experiments.data.dataset import Dataset
from experiments.study import encryption, masking, tasks
from experiments.study.flag_table import SettingsError
from experiments.study.settings import Settings, Subject, TrainingSettings
from experiments.study.training import TrainingData
from selenc_tf import catalog
from selenc_tf.models.functional import FunctionalModel


class Inputs(NamedTuple):
    """What a run works on.

    Attributes:
      model: What is trained and attacked.
      dataset: The whole, in which records index pictures.
      training: The clients' data and the test set.
      attacked_rows: Indices of the attacked pictures.
      public_rows: Indices of pictures that attackers have.
    """

    model: FunctionalModel
    dataset: Dataset
    training: TrainingData
    attacked_rows: tuple[int, ...]
    public_rows: tuple[int, ...]


def load(settings: Settings) -> Inputs:
    """Loads the pictures, shares them out and builds the model.

    Args:
      settings: Whose flags are checked.

    Returns:
      The inputs.

    Raises:
      DataNotFoundError: If no source has the data set.
      ValueError: If data, model and lattice cannot be what the flags ask for.
    """
    encryption.check_fits(
        settings.encryption.codec_bits,
        {
            "num_clients": settings.training.num_clients,
            "aggregate_clients": settings.attack.aggregate_clients,
        },
    )
    dataset = pictures(settings)
    wanted = tasks.pictures_needed(settings.attack)
    if wanted > len(dataset):
        raise SettingsError(
            "`--num_images`, `--aggregate_clients`, `--cohort_clients` and "
            f"`--attack_batch_size` ask for {wanted} pictures, but {dataset.name} has "
            f"{len(dataset)}. Lower them."
        )
    order = tuple(
        np.random.default_rng(settings.seed).permutation(len(dataset)).tolist()
    )
    model = build_model(settings, dataset)
    masking.check_fits(masking.of_run(settings), model.spec, settings.model)
    return Inputs(
        model,
        dataset,
        _shared_out(dataset, settings.training, settings.seed),
        order[:wanted],
        order[wanted : wanted + settings.attack.public_images],
    )


def pictures(subject: Subject) -> Dataset:
    """The pictures that a study is about."""
    # Leave to ask the internet is no order: where nothing is to be had, it is not used.
    may_ask = data_catalog.CATALOG[subject.dataset].has_original
    return data_catalog.load(
        subject.dataset,
        subject.data_dir or None,
        subject.allow_download and may_ask,
    )


def build_model(subject: Subject, dataset: Dataset) -> FunctionalModel:
    """The model that a study is about, for pictures of this shape."""
    return catalog.model(
        subject.model, dataset.image_shape, dataset.num_classes, subject.seed
    )


def client_data(
    dataset: Dataset, asked: TrainingSettings, seed: int
) -> tuple[Dataset, ...]:
    """Shares examples out among the clients of a training.

    Args:
      dataset: To take them from.
      asked: How many clients have how many.
      seed: Of the choice.

    Returns:
      Each client's examples.

    Raises:
      SettingsError: If there are too few.
    """
    needed = asked.num_clients * asked.examples
    if needed > len(dataset):
        raise SettingsError(
            f"`--num_clients` times `--client_examples` = {needed} examples, but "
            f"{dataset.name} has {len(dataset)} to train on. Lower one of them, or "
            "`--rounds=0` to attack without training."
        )
    chosen = splits.subset(dataset, needed, seed)
    return splits.partition(chosen, asked.num_clients, seed)


def _shared_out(dataset: Dataset, asked: TrainingSettings, seed: int) -> TrainingData:
    if not asked.rounds:
        return TrainingData((), dataset)
    share = splits.split(dataset, seed)
    tested = min(asked.test_examples, len(share.test))
    return TrainingData(
        clients=client_data(share.train, asked, seed),
        test=splits.subset(share.test, tested, seed),
    )
