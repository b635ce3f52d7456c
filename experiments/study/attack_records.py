"""From what an attack made of a batch to the records of its pictures.

This is where reconstructions meet the truth.
"""

import dataclasses
import math
from typing import NamedTuple

import numpy as np

from attacks import knowledge as knowledge_lib
from attacks import words
from attacks.metrics import evaluation
from experiments.data.dataset import Dataset
from experiments.outputs.records import AttackRecord, MemberRecord
from experiments.study import examples, picture_metrics
from experiments.study.tasks import Task
from federated import views
from selenc_tf.models.functional import FunctionalModel

MAX_FEATURES = 100
"""Of a table whose errors are recorded feature by feature."""


class Result(NamedTuple):
    """A record and the picture that belongs to it, float32 [h, w, c], if there is one."""

    record: AttackRecord
    image: np.ndarray | None


class Subject(NamedTuple):
    """What was attacked.

    Attributes:
      task: The attack and its place in the grid.
      dataset: The pictures.
      view: What the attacker saw; of several rounds the last.
      model: The attacked model.
      session: Of the run.
      weights_after_rounds: How many rounds the attacked weights have behind them.
    """

    task: Task
    dataset: Dataset
    view: views.ServerView
    model: FunctionalModel
    session: int
    weights_after_rounds: int = 0


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
      One result for each picture.
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
      One result for each picture.
    """
    rows, dataset = list(subject.task.rows), subject.dataset
    truth = evaluation.Truth(
        dataset.images[rows], examples.truth(subject.model, dataset.labels[rows])
    )
    leaks = evaluation.evaluate(found, truth)
    matched = found.examples[[leak.reconstruction_index for leak in leaks]]
    further = picture_metrics.measure(
        subject.model,
        subject.view.weights,
        matched,
        truth.images,
        truth.labels,
        picture_metrics.references(dataset),
    )
    members = _members(found.choice, truth)
    return [
        Result(_record(subject, found, leak, more, own, image), image)
        for leak, more, own, image in zip(leaks, further, members, matched, strict=True)
    ]


def _members(
    choice: knowledge_lib.Choice | None, truth: evaluation.Truth
) -> list[tuple[MemberRecord, ...]]:
    """For each picture, what each member made of it."""
    made = [_member(one, truth) for one in choice.members] if choice else []
    return [tuple(one[index] for one in made) for index in range(len(truth.labels))]


def _member(
    member: knowledge_lib.Member, truth: evaluation.Truth
) -> list[MemberRecord]:
    leaks: list[tuple[float | None, float | None]]
    if member.reconstruction is None:
        leaks = [(None, None)] * len(truth.labels)
    else:
        leaks = [
            (leak.psnr, leak.ssim)
            for leak in evaluation.evaluate(member.reconstruction, truth)
        ]
    return [
        MemberRecord(
            name=member.name,
            status=member.status,
            reason=member.reason,
            psnr_db=psnr,
            ssim=ssim,
            visible_error=_number(member.visible_error),
            rehearsal_db=_number(member.rehearsal),
            seconds=member.seconds,
        )
        for psnr, ssim in leaks
    ]


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def _record(
    subject: Subject,
    found: knowledge_lib.Reconstruction,
    leak: evaluation.PictureLeakage,
    more: picture_metrics.PictureMetrics,
    members: tuple[MemberRecord, ...],
    image: np.ndarray,
) -> AttackRecord:
    told = found.label_source == "known"
    named = not told and found.labels.ndim == 1
    choice = found.choice
    return dataclasses.replace(
        _unmeasured(subject, subject.task.rows[leak.true_index]),
        mse=leak.mse,
        psnr_db=leak.psnr,
        ssim=leak.ssim if image.ndim == 3 else None,
        recovered_label=int(found.labels[leak.reconstruction_index]) if named else None,
        label_correct=None if told else leak.label_correct,
        objective=found.objective,
        iterations=found.iterations,
        seconds=found.seconds,
        perceptual=more.perceptual,
        feature_mse=more.feature_mse,
        identified=more.identified,
        chosen=choice.name if choice else None,
        chosen_by=choice.by if choice else None,
        members=members,
        details={
            "label_source": found.label_source,
            "stop": found.stop,
            "matched_entries": found.matched_entries,
            "without_draws": subject.model.task.is_random,
            "ciphertext_bytes": len(subject.view.messages[0].ciphertext),
            "references": min(len(subject.dataset), picture_metrics.MAX_REFERENCES),
            **_feature_errors(subject, subject.task.rows[leak.true_index], image),
        },
    )


def _feature_errors(
    subject: Subject, row: int, found: np.ndarray
) -> dict[str, list[float]]:
    """Of a table that is not too wide: how far off each feature is, in its own units."""
    truth, units = subject.dataset.images[row], subject.model.value_range
    if truth.ndim != 1 or len(truth) > MAX_FEATURES:
        return {}
    errors = np.abs(units.from_unit(found) - units.from_unit(truth))
    return {"feature_errors": [float(error) for error in errors]}


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
        mse=None,
        psnr_db=None,
        ssim=None,
        recovered_label=None,
        label_correct=None,
        objective=None,
        iterations=0,
        seconds=0.0,
        session=subject.session,
        weights_after_rounds=subject.weights_after_rounds,
    )
