"""Where a matching search begins: pictures and label logits."""

import dataclasses
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from attacks import knowledge as knowledge_lib
from attacks import target as target_lib
from attacks.labels import candidates
from selenc_tf.models import local_steps
from selenc_tf.types import Seed

Initial: TypeAlias = Literal["grey", "uniform"]
"""Starting pictures: mid-grey with noise of standard deviation 0.1, or U(0, 1)."""

INITIALS: tuple[Initial, ...] = ("grey", "uniform")

_GREY_NOISE = 0.1
_LOGIT_HEIGHT = 4.0
"""How sure of its guessed classes a start is. It hardly matters: heights of 0 to 8 and
N(0, 1) logits without a guess all recovered 8 of 8 pictures on a dense net, whole and half
hidden; heights of 1 and 4 and N(0, 1) logits 6 of 6 pairs, and 4 of 4 digits on the
LeNet."""


class Start(NamedTuple):
    """A candidate to begin with.

    Attributes:
      images: float64 [b, *input_shape] in [0, 1].
      logits: float64 [b, num_classes], see `matching.soft_labels`.
    """

    images: np.ndarray
    logits: np.ndarray


def draw_start(
    guesses: tuple[tuple[target_lib.Target, int], ...],
    knowledge: knowledge_lib.Knowledge,
    initial: Initial,
    seed: Seed,
    index: int,
) -> Start:
    """Draws a start from the attacker's seed.

    Args:
      guesses: See `problems.Problem`.
      knowledge: For the shapes.
      initial: The distribution of the pixels.
      seed: The attack's seed, two non-negative numbers.
      index: Which start.

    Returns:
      The start; equal arguments give equal numbers.
    """
    generator = np.random.default_rng([*seed, index])
    model, size = knowledge.model, knowledge.batch_size
    shape = (size, *model.input_shape)
    if initial == "uniform":
        images = generator.uniform(size=shape)
    else:
        images = np.clip(0.5 + _GREY_NOISE * generator.standard_normal(shape), 0, 1)
    if model.kind != "classes":
        free = 0.1 * generator.standard_normal((size, model.num_classes))
        return Start(images, free)
    classes = []
    for target, pictures in guesses:
        # The rule is for one gradient; a message of several steps is their sum.
        steps = local_steps.num_steps(knowledge.local_training, pictures)
        one = dataclasses.replace(target, vector=target.vector / np.float32(steps))
        classes.append(candidates.guess(one, knowledge, pictures, generator, index))
    logits = 0.1 * generator.standard_normal((size, model.num_classes))
    logits[np.arange(size), np.concatenate(classes)] += _LOGIT_HEIGHT
    return Start(images, logits)


def check_extra(
    extra_starts: np.ndarray | None, knowledge: knowledge_lib.Knowledge
) -> np.ndarray:
    """Checks pictures that an attack is to start from beside those that are drawn.

    Args:
      extra_starts: float [s, b, h, w, c], or None for none.
      knowledge: For the shapes.

    Returns:
      float64 [s, b, h, w, c], clipped to [0, 1]; s may be 0.

    Raises:
      ValueError: If they have another shape or are not finite.
    """
    shape = (knowledge.batch_size, *knowledge.model.input_shape)
    if extra_starts is None:
        return np.zeros((0, *shape))
    if extra_starts.shape[1:] != shape:
        raise ValueError(
            f"`extra_starts` must be [s, {', '.join(map(str, shape))}], the pictures of"
            f" a batch for each start, got shape {list(extra_starts.shape)}."
        )
    if not np.all(np.isfinite(extra_starts)):
        raise ValueError(
            "`extra_starts` must be finite, got NaN or infinity. Leave out the results "
            "of attacks that failed."
        )
    return np.clip(extra_starts.astype(np.float64), 0.0, 1.0)
