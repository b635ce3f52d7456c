"""What an attacker gets without a gradient, and by mere look-up.

The prior-only guesses are what is left under full encryption: an attack that does no
better has learnt nothing from the messages. Retrieval is a lower bound on the leakage:
it cannot invent a picture, only recognise the most similar one.
"""

import time
from typing import Literal, TypeAlias

import numpy as np

from attacks import effort as effort_lib
from attacks import knowledge as knowledge_lib
from attacks import programs as programs_lib
from attacks import target as target_lib
from attacks.pictures.statistical import (
    prior_pictures,
    public_attack,
    public_gradients,
)
from federated import views
from selenc_tf import validation
from selenc_tf.types import Seed

Distance: TypeAlias = Literal["squared", "cosine"]
"""Between visible entries: squared L2, or 1 - cosine, which ignores the length."""

DISTANCES: tuple[Distance, ...] = ("squared", "cosine")

_DEFAULT_EFFORT = effort_lib.Effort()


def build_prior_only(
    prior: prior_pictures.Prior = "class_mean",
    *,
    source: target_lib.Source = 0,
    effort: effort_lib.Effort = _DEFAULT_EFFORT,
    progress: effort_lib.Progress | None = None,
) -> knowledge_lib.Attack:
    """Builds the guess of an attacker who does not look at any gradient.

    The labels are the known ones, or else the most frequent public class.

    Args:
      prior: What to guess; without public pictures all of them are mid-grey.
      source: Not used: the guess is the same for every message.
      effort: Not used.
      progress: Not used.

    Returns:
      The attack; its reconstruction says `stop="prior_only"`, and its objective is NaN,
      because it compared nothing.

    Raises:
      ValueError: If `prior` is not one of those offered. The attack itself raises one
        if the view is not of the knowledge's model.
    """
    validation.check_in("prior", prior, prior_pictures.PRIORS)
    del source, effort, progress

    def attack(
        view: views.ServerView, knowledge: knowledge_lib.Knowledge, seed: Seed
    ) -> knowledge_lib.Reconstruction:
        began = time.monotonic()
        target_lib.check_view(view, knowledge.model)
        return prior_pictures.as_reconstruction(
            prior_pictures.prior_pictures(
                knowledge, knowledge.labels, prior, np.random.default_rng(seed)
            ),
            prior_pictures.prior_labels(knowledge),
            "optimised" if knowledge.labels is None else "known",
            float("nan"),
            "prior_only",
            seconds=time.monotonic() - began,
        )

    return attack


def build_mean_picture(
    *,
    source: target_lib.Source = 0,
    effort: effort_lib.Effort = _DEFAULT_EFFORT,
    progress: effort_lib.Progress | None = None,
) -> knowledge_lib.Attack:
    """Builds the guess of the known class's mean public picture.

    Of all guesses that ignore the gradient, the mean has the least expected squared
    error, so its PSNR is the floor that an attack has to rise above.

    Args:
      source: Not used.
      effort: Not used.
      progress: Not used.

    Returns:
      The attack of `build_prior_only("class_mean")`.
    """
    return build_prior_only(
        "class_mean", source=source, effort=effort, progress=progress
    )


def build_retrieval(
    distance: Distance = "squared",
    *,
    source: target_lib.Source = 0,
    effort: effort_lib.Effort = _DEFAULT_EFFORT,
    progress: effort_lib.Progress | None = None,
    max_pictures: int = 5000,
    max_entries: int = 20_000,
    programs: programs_lib.Programs | None = None,
) -> knowledge_lib.Attack:
    """Builds the look-up of the public pictures whose gradients come nearest.

    A batch is filled place by place: each picture is the one that brings the mean
    gradient of those chosen so far nearest to what is visible, and none is chosen
    twice while others are left (greedy forward selection).

    Args:
      distance: How to compare visible entries.
      source: One client's message by its index, or "aggregate".
      effort: Not used: the cost is one gradient for each public picture.
      progress: Not used.
      max_pictures: The most public pictures to look at, the first ones of a random
        order.
      max_entries: The most visible entries to compare, chosen at random: bounds the
        memory at 4 * max_pictures * max_entries bytes and some copies of it.
      programs: What is compiled already, shared with other attacks; None for its own.

    Returns:
      The attack; the labels are the known ones or those of the pictures found
      ("inferred").

    Raises:
      ValueError: If an argument is out of its range. The attack itself raises one if
        view, knowledge and `source` do not go together, and `DoesNotApply` if there are
        no public pictures or the messages are not gradients.
    """
    validation.check_in("distance", distance, DISTANCES)
    validation.check_at_least("max_pictures", max_pictures, 1)
    validation.check_at_least("max_entries", max_entries, 1)
    del effort, progress

    def solve(case: public_attack.Case) -> knowledge_lib.Reconstruction:
        entries = public_gradients.choose_entries(
            case.target.visible, max_entries, case.generator
        )
        chosen, labels, looked_at = _fill_places(case, entries, distance, max_pictures)
        images = case.pictures.examples[chosen]
        return prior_pictures.as_reconstruction(
            images,
            labels,
            "inferred" if case.knowledge.labels is None else "known",
            case.visible_error(images, labels),
            "retrieved",
            evaluations=looked_at,
            seconds=case.seconds,
            matched_entries=len(entries),
        )

    return public_attack.build(solve, source, programs)


def _fill_places(
    case: public_attack.Case,
    entries: np.ndarray,
    distance: Distance,
    max_pictures: int,
) -> tuple[np.ndarray, np.ndarray, int]:
    """Chooses a public picture for each place of the batch, one after the other.

    Returns:
      int64 [b] indices, int64 [b] labels, and the number of gradients computed.
    """
    target, knowledge = case.target, case.knowledge
    seen = target.vector[entries].astype(np.float64)
    alone = target_lib.Target(
        target.vector, target.visible, target.matched, (1,), np.ones(1)
    )
    size = knowledge.batch_size
    classes: tuple[int | None, ...] = knowledge.classes or (None,) * size
    pools: dict[int | None, tuple[public_gradients.Batches, np.ndarray]] = {}
    for label in dict.fromkeys(classes):
        batches = public_gradients.draw_batches(
            case.pictures,
            1,
            None if label is None else (label,),
            max_pictures,
            case.generator,
        )
        gradients = public_gradients.batch_gradients(
            knowledge.model,
            case.view_weights,
            case.pictures,
            batches,
            alone,
            entries,
            programs=case.programs,
        )
        pools[label] = batches, gradients
    # A picture's share of the message: its group's weight over the group's pictures.
    shares = np.repeat(target.shares / np.array(target.sizes), target.sizes)
    so_far = np.zeros(len(entries))
    chosen: list[int] = []
    labels: list[int] = []
    for label, share in zip(classes, shares, strict=True):
        batches, gradients = pools[label]
        far = _distances(so_far, share, gradients, seen, distance)
        taken = np.isin(batches.indices[:, 0], chosen)
        if not np.all(taken):
            far[taken] = np.inf
        best = int(np.argmin(far))
        so_far += share * gradients[best]
        chosen.append(int(batches.indices[best, 0]))
        labels.append(int(batches.labels[best, 0]))
    looked_at = sum(len(gradients) for _, gradients in pools.values())
    return np.array(chosen, np.int64), np.array(labels, np.int64), looked_at


def _distances(
    so_far: np.ndarray,
    share: float,
    gradients: np.ndarray,
    seen: np.ndarray,
    distance: Distance,
) -> np.ndarray:
    """Of so_far + share * gradient to what was seen, float64 [pictures]."""
    # Written out, so that no second matrix of all gradients is made.
    squares = np.einsum("ae,ae->a", gradients, gradients, dtype=np.float64)
    across = gradients @ so_far.astype(np.float32)
    norms = so_far @ so_far + 2 * share * across + share**2 * squares
    inner = so_far @ seen + share * (gradients @ seen.astype(np.float32))
    if distance == "squared":
        return np.asarray(norms - 2 * inner, np.float64)
    return -inner / np.maximum(np.sqrt(np.maximum(norms, 0.0)), 1e-30)
