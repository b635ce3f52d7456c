"""From what an attack made of a batch to the records of its examples.

This is where reconstructions meet the truth.
"""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from attacks import coupling, words
from attacks import knowledge as knowledge_lib
from experiments.data.dataset import Dataset
from experiments.outputs import at_limit, labels
from experiments.outputs.records import AttackRecord, MemberRecord
from experiments.study.modality import Measured, MemberMeasured, Modality, Victims
from experiments.study.tasks import Task
from federated import views
from selenc_tf.models.any_model import AnyModel


class Result(NamedTuple):
    """A record and the reconstruction that belongs to it, if there is one."""

    record: AttackRecord
    example: np.ndarray | None


class Subject(NamedTuple):
    """What was attacked.

    Attributes:
      task: The attack and its place in the grid.
      modality: What an example is.
      dataset: The examples.
      view: What the attacker saw; of several rounds the last.
      model: The attacked model.
      session: Of the run.
      weights_after_rounds: How many rounds the attacked weights have behind them.
      tolerance: How far off labels may be that are numbers; None of classes.
    """

    task: Task
    modality: Modality
    dataset: Dataset
    view: views.ServerView
    model: AnyModel
    session: int
    weights_after_rounds: int = 0
    tolerance: np.ndarray | None = None

    @property
    def victims(self) -> Victims:
        """The same as a modality takes it."""
        return Victims(
            self.dataset, self.task.rows, self.model, self.view.weights, self.tolerance
        )


def without(
    subject: Subject, status: words.Status, reason: str, seconds: float
) -> list[Result]:
    """The results of an attack that has no reconstruction: no number, but the reason.

    Args:
      subject: What was attacked.
      status: "does_not_apply" or "failed".
      reason: In words.
      seconds: Until it was known.

    Returns:
      One result for each example.
    """
    return [
        Result(
            dataclasses.replace(
                _unmeasured(subject, row), status=status, reason=reason, seconds=seconds
            ),
            None,
        )
        for row in subject.task.rows
    ]


def measured(subject: Subject, found: knowledge_lib.Reconstruction) -> list[Result]:
    """The results of an attack with a reconstruction, measured against the truth.

    Args:
      subject: What was attacked.
      found: What the attack returned.

    Returns:
      One result for each example.
    """
    victims = subject.victims
    leaks = subject.modality.measure(victims, found)
    members = _members(subject.modality, victims, found.choice)
    return [
        Result(_record(subject, row, found, leak, own), leak.example)
        for row, leak, own in zip(victims.rows, leaks, members, strict=True)
    ]


def beside(result: Result, guess: Mapping[str, Any]) -> Result:
    """A result with more in its record's details: what was measured without an attack."""
    details = {**result.record.details, **guess}
    return result._replace(record=dataclasses.replace(result.record, details=details))


def _members(
    modality: Modality, victims: Victims, choice: knowledge_lib.Choice | None
) -> list[tuple[MemberRecord, ...]]:
    """For each example, what each member made of it."""
    made = [_member(modality, victims, one) for one in choice.members] if choice else []
    return [tuple(one[index] for one in made) for index in range(len(victims.rows))]


def _member(
    modality: Modality, victims: Victims, member: knowledge_lib.Member
) -> list[MemberRecord]:
    leaks = [MemberMeasured({})] * len(victims.rows)
    found = member.reconstruction
    if found is not None:
        leaks = [
            one if isinstance(one, MemberMeasured) else MemberMeasured(one)
            for one in modality.measure_member(victims, found)
        ]
    return [
        MemberRecord(
            name=member.name,
            status=member.status,
            reason=member.reason,
            measures=one.measures,
            visible_error=_number(member.visible_error),
            rehearsal=_number(member.rehearsal),
            seconds=member.seconds,
            stop=found.stop if found else "",
            iterations=found.iterations if found else 0,
            label_correct=one.label_correct,
            label_source=found.label_source if found else "",
            details=dict(one.details),
        )
        for one in leaks
    ]


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def _record(
    subject: Subject,
    row: int,
    found: knowledge_lib.Reconstruction,
    leak: Measured,
    members: tuple[MemberRecord, ...],
) -> AttackRecord:
    choice = found.choice
    unmeasured = _unmeasured(subject, row)
    return dataclasses.replace(
        unmeasured,
        measures=dict(leak.measures),
        recovered_label=leak.recovered_label,
        label_correct=leak.label_correct,
        objective=found.objective,
        iterations=found.iterations,
        seconds=found.seconds,
        chosen=choice.name if choice else None,
        chosen_by=choice.by if choice else None,
        members=members,
        details={
            **unmeasured.details,
            "label_source": found.label_source,
            "stop": found.stop,
            "matched_entries": found.matched_entries,
            "without_draws": subject.model.task.is_random,
            "batch_statistics": coupling.mixes_examples(subject.model),
            **_guessed(subject.model),
            **_classes(subject),
            **leak.details,
        },
    )


def _classes(subject: Subject) -> dict[str, Any]:
    """Among how many a label is to be named, where it is a class."""
    if subject.dataset.has_classes:
        return {labels.CLASSES: subject.dataset.num_classes}
    if subject.model.kind == "classes":
        return {labels.CLASSES: subject.model.num_classes}
    return {labels.NUMBERS: True}


def _guessed(model: AnyModel) -> dict[str, str]:
    """The loss, where nobody said it."""
    objective = model.task.objective
    return {"loss_guessed": objective.name} if objective.is_guessed else {}


def _unmeasured(subject: Subject, row: int) -> AttackRecord:
    """What is known of a record before anything is measured."""
    task = subject.task
    return AttackRecord(
        cell=task.cell,
        image_index=row,
        label=int(subject.dataset.labels[row]) if subject.dataset.has_classes else None,
        hidden=int(subject.view.mask.sum()),
        parameters=subject.model.spec.size,
        attack=task.method,
        attacker=task.attacker,
        target=task.target,
        batch_size=len(task.rows),
        measures={},
        recovered_label=None,
        label_correct=None,
        objective=None,
        iterations=0,
        seconds=0.0,
        session=subject.session,
        weights_after_rounds=subject.weights_after_rounds,
        modality=subject.modality.leaks.modality,
        # Also of a message that nobody could attack.
        details={
            "ciphertext_bytes": len(subject.view.messages[0].ciphertext),
            **at_limit.details(task.rows),
        },
    )
