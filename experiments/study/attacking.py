"""From settings to attackers: which attack, with what knowledge, on which rounds."""

import inspect
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from attacks import catalog, effort
from attacks.catalog import Entry
from attacks.knowledge import Attack, Knowledge, PublicPictures
from attacks.programs import Programs
from attacks.target import Mode, Source
from experiments.data.dataset import Dataset
from experiments.study import attack_views
from experiments.study.settings import Settings, SettingsError
from federated import views
from selenc_tf.models.functional import FunctionalModel


class Attackers(NamedTuple):
    """What the attackers of a run share.

    Attributes:
      model: The attacked model.
      settings: Of the run.
      public_pictures: What they have from elsewhere, or None.
      programs: What is compiled already, made once each.
    """

    model: FunctionalModel
    settings: Settings
    public_pictures: PublicPictures | None
    programs: Programs


def attackers(
    model: FunctionalModel,
    settings: Settings,
    dataset: Dataset,
    public_rows: tuple[int, ...],
) -> Attackers:
    """Compiles what all attacks of a run use.

    Args:
      model: The attacked model.
      settings: Of the run.
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
    return Attackers(model, settings, public, Programs())


def modes_of(settings: Settings, method: str) -> tuple[Mode, ...]:
    """Which of the asked attackers a method can be."""
    return tuple(
        mode
        for mode in catalog.ATTACKS[method].modes
        if mode in settings.attack.attackers
    )


def build(
    shared: Attackers,
    method: str,
    mode: Mode,
    source: Source,
    progress: effort.Progress,
) -> Attack:
    """Builds an attack.

    Args:
      shared: What all share.
      method: A name in `attacks.catalog.ATTACKS`.
      mode: One of `modes_of`.
      source: Which gradient: a client's index, or "aggregate".
      progress: Called now and then.

    Returns:
      The attack.
    """
    asked = shared.settings.attack
    limits = effort.Effort(
        asked.restarts, asked.max_iterations, asked.max_seconds or None
    )
    entry = catalog.ATTACKS[method]
    options = {"programs": shared.programs}
    taken = inspect.signature(entry.build).parameters
    passed = options if "programs" in taken else {}
    return entry.build(mode, source=source, effort=limits, progress=progress, **passed)


def knowledge(
    shared: Attackers,
    entry: Entry,
    labels: np.ndarray,
    earlier: tuple[views.ServerView, ...],
) -> Knowledge:
    """What the attacker of a task is granted.

    Args:
      shared: What all share.
      entry: The attack.
      labels: The true classes; declared only with `--labels_known`.
      earlier: Views of earlier rounds with the same pictures.

    Returns:
      The knowledge.
    """
    asked = shared.settings.attack
    declared = tuple(int(label) for label in labels) if asked.labels_known else None
    return Knowledge(
        model=shared.model,
        batch_size=len(labels),
        labels=declared,
        public_pictures=shared.public_pictures,
        local_training=attack_views.local_training(shared.settings),
        earlier=earlier if entry.sees == "rounds" else (),
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


def _problems(settings: Settings, method: str, entry: Entry) -> Iterator[str]:
    asked, least = settings.attack, max(2, settings.training.min_clients)
    if entry.one_picture and asked.batch_size > 1:
        yield (
            f"`--attacks={method}` is for one picture, so it needs "
            f"`--attack_batch_size=1`, got {asked.batch_size}. Use `--attacks=dlg`."
        )
    if not modes_of(settings, method):
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
    if attack_views.local_training(settings) and not entry.local_training:
        yield (
            f"`--attacks={method}` is for messages that are one gradient: leave out "
            "`--attack_local_epochs` and `--attack_local_batch_size`, or use "
            "`--attacks=dlg`."
        )
