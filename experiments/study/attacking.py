"""From settings to attackers: which attack, with what knowledge, on which rounds."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from attacks import catalog, effort, words
from attacks.knowledge import Attack, Knowledge, PublicPictures
from attacks.programs import Programs
from experiments.data.dataset import Dataset
from experiments.study import attack_views, tasks
from experiments.study.settings import AttackSettings, Settings, SettingsError
from federated import views
from selenc_tf.models.functional import FunctionalModel


class Attackers(NamedTuple):
    """What the attackers of a run share.

    Attributes:
      model: The attacked model.
      asked: What they may do and know.
      public_pictures: What they have from elsewhere, or None.
      programs: What is compiled already, made once each.
    """

    model: FunctionalModel
    asked: AttackSettings
    public_pictures: PublicPictures | None
    programs: Programs


def attackers(
    model: FunctionalModel,
    asked: AttackSettings,
    dataset: Dataset,
    public_rows: tuple[int, ...],
) -> Attackers:
    """The attackers of a run.

    Args:
      model: The attacked model.
      asked: What they may do and know.
      dataset: The pictures.
      public_rows: Indices of those that attackers have; none is attacked.

    Returns:
      The attackers.
    """
    public = None
    if public_rows:
        rows = list(public_rows)
        public = PublicPictures(
            dataset.images[rows], dataset.labels[rows].astype(np.int64)
        )
    return Attackers(model, asked, public, Programs())


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
      method: A name in `attacks.catalog.ATTACKS`.
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
    )


def knowledge(
    shared: Attackers, labels: np.ndarray, earlier: tuple[views.ServerView, ...]
) -> Knowledge:
    """What the attacker of a task is granted.

    Args:
      shared: What all share.
      labels: The true classes; declared only with `--labels_known`.
      earlier: Views of earlier rounds with the same pictures.

    Returns:
      The knowledge.
    """
    told = shared.asked.labels_known
    return Knowledge(
        model=shared.model,
        batch_size=len(labels),
        labels=tuple(int(label) for label in labels) if told else None,
        public_pictures=shared.public_pictures,
        local_training=attack_views.local_training(shared.asked),
        earlier=earlier,
    )


def check(settings: Settings) -> None:
    """Checks that the asked attacks can be made on what is asked.

    Args:
      settings: With names that the catalogue has.

    Raises:
      SettingsError: With one line for each thing that has to change.
    """
    problems = [
        line
        for method in settings.attack.methods
        for line in _problems(settings, method, catalog.ATTACKS[method])
    ]
    if problems:
        raise SettingsError(
            "The flags cannot be used:\n" + "\n".join(f"  {line}" for line in problems)
        )


def _problems(settings: Settings, method: str, entry: catalog.Entry) -> Iterator[str]:
    asked, least = settings.attack, max(2, settings.training.min_clients)
    if entry.one_picture and asked.batch_size > 1:
        yield (
            f"`--attacks={method}` is for one picture, so it needs "
            f"`--attack_batch_size=1`, got {asked.batch_size}. Use `--attacks=dlg`."
        )
    if not tasks.modes_of(asked, method):
        yield (
            f"`--attacks={method}` needs `--attackers=mask_aware`: it has no form that "
            "takes hidden entries for zeros."
        )
    if "public_pictures" in entry.needs and not asked.public_images:
        yield (
            f"`--attacks={method}` needs pictures from elsewhere, but "
            "`--attack_public_images` is 0. Set it to 500, for example."
        )
    if entry.sees == "rounds" and asked.rounds < 2:
        yield (
            f"`--attacks={method}` compares several rounds, so it needs "
            f"`--attack_rounds` of at least 2, got {asked.rounds}."
        )
    if entry.sees == "cohort" and asked.cohort_clients < least:
        yield (
            f"`--attacks={method}` needs `--cohort_clients` of at least {least}, got "
            f"{asked.cohort_clients}: clients refuse to decrypt a smaller sum."
        )
    if attack_views.local_training(asked) and not entry.local_training:
        yield (
            f"`--attacks={method}` is for messages that are one gradient: leave out "
            "`--attack_local_epochs` and `--attack_local_batch_size`, or use "
            "`--attacks=dlg`."
        )
