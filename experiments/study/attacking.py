"""From settings to attackers: which attack, with what knowledge, on which rounds."""

from typing import NamedTuple

import numpy as np

from attacks import catalog, effort, words
from attacks.knowledge import (
    AnyKnowledge,
    Attack,
    DoesNotApply,
    Knowledge,
    PublicExamples,
)
from attacks.programs import Programs
from experiments.data.dataset import Dataset
from experiments.study import views as study_views
from experiments.study.modality import Modality
from experiments.study.settings import AttackSettings
from federated import views
from selenc_tf.models.any_model import AnyModel


class Attackers(NamedTuple):
    """What the attackers of a run share.

    Attributes:
      modality: What an example is, and which attacks there are.
      model: The attacked model.
      asked: What they may do and know.
      public_examples: What they have from elsewhere, or None.
      programs: What is compiled already, made once each.
    """

    modality: Modality
    model: AnyModel
    asked: AttackSettings
    public_examples: PublicExamples | None
    programs: Programs


def attackers(
    modality: Modality,
    model: AnyModel,
    asked: AttackSettings,
    dataset: Dataset,
    public_rows: tuple[int, ...],
) -> Attackers:
    """The attackers of a run.

    Args:
      modality: What an example is.
      model: The attacked model.
      asked: What they may do and know.
      dataset: The examples.
      public_rows: Indices of those that attackers have; none is attacked.

    Returns:
      The attackers.
    """
    public = modality.public(model, dataset, public_rows) if public_rows else None
    return Attackers(modality, model, asked, public, Programs())


def build(
    shared: Attackers,
    method: str,
    mode: words.Mode,
    source: words.Source,
    progress: effort.Progress,
) -> Attack:
    """Builds an attack.

    Args:
      shared: What all share.
      method: A name in the modality's catalogue.
      mode: One of `tasks.modes_of`.
      source: Which gradient: a client's index, or "aggregate".
      progress: Called now and then.

    Returns:
      The attack.
    """
    asked = shared.asked
    limits = effort.Effort(
        asked.restarts, asked.max_iterations, asked.max_seconds or None
    )
    return catalog.build(
        method,
        mode,
        source=source,
        effort=limits,
        progress=progress,
        programs=shared.programs,
        attacks=shared.modality.attacks,
    )


def knowledge(
    shared: Attackers, labels: np.ndarray, earlier: tuple[views.ServerView, ...]
) -> AnyKnowledge:
    """What the attacker of a task is granted.

    Args:
      shared: What all share.
      labels: The true ones, as data have them; declared only with `--labels_known`.
      earlier: Views of earlier rounds with the same examples.

    Returns:
      The knowledge.

    Raises:
      DoesNotApply: If no attack can be told this.
    """
    try:
        return _knowledge(shared, labels, earlier)
    except ValueError as error:
        raise DoesNotApply(str(error)) from None


def _knowledge(
    shared: Attackers, labels: np.ndarray, earlier: tuple[views.ServerView, ...]
) -> AnyKnowledge:
    told = shared.asked.labels_known
    return Knowledge(
        model=shared.model,
        batch_size=len(labels),
        labels=shared.modality.told(shared.model, labels) if told else None,
        public_examples=shared.public_examples,
        local_training=study_views.local_training(shared.asked),
        earlier=earlier,
        # Clients keep the seeds of dropout to themselves.
        without_draws=shared.model.task.is_random,
        modality=shared.modality.attacked,
    )
