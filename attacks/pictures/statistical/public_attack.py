"""What the attacks that learn from public pictures share: from a view to a case."""

import dataclasses
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from attacks import criterion
from attacks import knowledge as knowledge_lib
from attacks import programs as programs_lib
from attacks import target as target_lib
from attacks.matching import matching
from attacks.pictures.statistical import prior_pictures, public_gradients
from federated import views
from selenc_tf.types import Seed


class Case(NamedTuple):
    """A view with something visible, all of it finite, and public pictures.

    Attributes:
      view_weights: The weights of the round.
      target: What is visible.
      knowledge: Of the attacker.
      pictures: Its public pictures.
      generator: Of everything random.
      compiled: The model's objective.
      programs: What is compiled already.
      began: When the attack began, in seconds of the monotonic clock.
    """

    view_weights: tuple[np.ndarray, ...]
    target: target_lib.Target
    knowledge: knowledge_lib.Knowledge
    pictures: knowledge_lib.PublicExamples
    generator: np.random.Generator
    compiled: matching.Matching
    programs: programs_lib.Programs
    began: float

    @property
    def seconds(self) -> float:
        """What the attack has taken so far."""
        return time.monotonic() - self.began

    def visible_error(self, images: np.ndarray, labels: np.ndarray) -> float:
        """`criterion.visible_error` of a guess."""
        return criterion.visible_error(
            self.compiled.model,
            self.view_weights,
            self.target,
            self.knowledge,
            images,
            labels,
        )


def build(
    solve: Callable[[Case], knowledge_lib.Reconstruction],
    source: target_lib.Source,
    programs: programs_lib.Programs | None,
    least: int = 1,
) -> knowledge_lib.Attack:
    """Builds the attack of which `solve` is the core.

    Args:
      solve: What to do with a case. Where nothing is visible, or something visible is
        not finite, it is not asked: the result is the prior's guess.
      source: One client's message by its index, or "aggregate".
      programs: What is compiled already, shared with other attacks; None for its own.
      least: How many public pictures are needed.

    Returns:
      The attack; it raises `DoesNotApply` if there are fewer pictures or the messages
      are not gradients.
    """
    shared = programs or programs_lib.Programs()

    def attack(
        view: views.ServerView, knowledge: knowledge_lib.Knowledge, seed: Seed
    ) -> knowledge_lib.Reconstruction:
        began = time.monotonic()
        target = target_lib.build_target(view, knowledge, source, "mask_aware")
        pictures = public_gradients.require_pictures(knowledge, least)
        generator = np.random.default_rng(seed)
        unusable = prior_pictures.without_matching(target, knowledge, generator)
        if unusable is not None:
            return unusable
        case = Case(
            view_weights=tuple(np.asarray(tensor) for tensor in view.weights),
            target=target,
            knowledge=knowledge,
            pictures=pictures,
            generator=generator,
            compiled=shared.of(matching.build_matching, knowledge.model),
            programs=shared,
            began=began,
        )
        return solve(case)

    return attack


def messages(
    case: Case, examples: np.ndarray, label: int, entries: np.ndarray
) -> np.ndarray:
    """What clients of single examples of one class would send.

    Runs on: attacker. Sees: the weights and its own examples.

    Args:
      case: For the weights.
      examples: float32 [s, *input_shape].
      label: The class that all of them are given.
      entries: int64 [e], which entries to keep.

    Returns:
      float32 [s, e].
    """
    labels = np.full(len(examples), label, np.int64)
    alone = dataclasses.replace(case.target, sizes=(1,), shares=np.ones(1))
    return public_gradients.batch_gradients(
        case.knowledge.model,
        case.view_weights,
        knowledge_lib.PublicExamples(examples, labels),
        public_gradients.Batches(
            np.arange(len(examples))[:, np.newaxis], labels[:, np.newaxis]
        ),
        alone,
        entries,
        programs=case.programs,
    )
