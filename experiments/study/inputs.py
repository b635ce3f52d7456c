"""What a run works on: examples, shared out, and a model."""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple, TextIO

from experiments.data.dataset import Dataset
from experiments.study import (
    after_rounds,
    clients,
    encryption,
    masking,
    tasks,
)
from experiments.study.clients import TrainingData
from experiments.study.flag_table import SettingsError
from experiments.study.modality import Modality
from experiments.study.settings import Settings
from selenc_tf.models.any_model import AnyModel


class Inputs(NamedTuple):
    """What a run works on.

    Attributes:
      modality: What an example is.
      model: What is trained, at its first weights.
      attacked: The same at the weights with which attacked messages are made.
      dataset: The whole, in which records index examples.
      training: The clients' data and the test set.
      attacked_rows: Indices of the attacked examples.
      public_rows: Indices of examples that attackers have.
      facts: Of `Studied` and `after_rounds.Learned`.
      weights_note: Which weights are attacked, for people; "" for the first ones of a
        model that starts from random numbers.
    """

    modality: Modality
    model: AnyModel
    attacked: AnyModel
    dataset: Dataset
    training: TrainingData
    attacked_rows: tuple[int, ...]
    public_rows: tuple[int, ...]
    facts: dict[str, Any]
    weights_note: str


def load(settings: Settings, modality: Modality, stream: TextIO) -> Inputs:
    """Loads the data, shares them out and builds the model.

    Args:
      settings: Whose flags are checked. With `--dry_run` no weights are trained.
      modality: Of the data and the model that they name.
      stream: Where the progress of training the attacked weights goes.

    Returns:
      The inputs.

    Raises:
      DataNotFoundError: If no source has the data set.
      ValueError: If data, model and lattice cannot be what the flags ask for.
    """
    asked = settings.training
    encryption.check_fits(
        settings.encryption,
        {
            "num_clients": asked.num_clients,
            "aggregate_clients": settings.attack.aggregate_clients,
        },
    )
    dataset, model, facts = modality.load(settings)
    data = TrainingData((), dataset)
    if asked.rounds or asked.weights_after_rounds:
        data = clients.shared_out(dataset, asked, settings.seed)
    order = clients.order(dataset, asked, settings.seed, data)
    wanted = tasks.examples_needed(settings.attack, modality.attacks)
    if wanted > len(order):
        raise SettingsError(
            "`--num_images`, `--aggregate_clients`, `--cohort_clients` and "
            f"`--attack_batch_size` ask for {wanted} examples, but {dataset.name} has "
            f"{len(order)}{clients.left_over(asked)}. Lower them."
        )
    public = clients.public(dataset, order, wanted, settings.attack.public_images)
    dataset = dataclasses.replace(dataset, note=f"{dataset.note} {public.note}".strip())
    if settings.attack.rounds > 1 and not public.rows:
        raise SettingsError(
            f"`--attack_rounds={settings.attack.rounds}` moves the weights between rounds "
            f"by a step on other clients' examples, but beside the {wanted} that are "
            f"attacked {dataset.name} has none{clients.left_over(asked)}. Lower "
            "`--num_images`."
        )
    masking.check_fits(masking.of_run(settings), model.spec, settings.model)
    learned = after_rounds.of(
        modality, model, asked, settings.seed, data, stream, settings.output.dry_run
    )
    return Inputs(
        modality,
        model,
        learned.model,
        dataset,
        data,
        order[:wanted],
        public.rows,
        facts | learned.facts,
        _weights_note(facts, learned.note),
    )


def _weights_note(facts: Mapping[str, Any], learned: str) -> str:
    """Where the first weights are from, if they are from somewhere, and what became."""
    source = facts.get("weights_from")
    return "\n".join([*([f"Weights: {source}."] if source else []), learned]).strip()
