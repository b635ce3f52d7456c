"""What the shared part of attacks asks of a modality: pictures, numbers, tokens.

View, mask, labels, rounds, effort, the criterion, the envelope and its rehearsal are the
same for all. What an example is, what a client makes of it, and how good a guess is,
stands in the modality's folder: one value of the type `Modality`, in its `modality.py`.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from attacks.programs import Programs
from selenc_tf.models.local_steps import LocalTraining
from selenc_tf.types import Vector, Weights

Labels: TypeAlias = tuple[int, ...] | tuple[tuple[float, ...], ...]
"""Of a batch: classes, or rows of numbers where the loss is one of events or values."""


class PublicExamples(NamedTuple):
    """Examples like the clients', which the attacker has from elsewhere.

    Attributes:
      examples: [a, ...], as the modality has them; none of them is a victim.
      labels: As reconstructions have them, [a] or [a, ...].
    """

    examples: np.ndarray
    labels: np.ndarray


class Modality(NamedTuple):
    """Examples of one kind. Arrays of examples have the batch axis first.

    Attributes:
      inputs: `(model) -> words`, by which entries of the catalogue ask for what a model
        takes ("pictures", "numbers", "tokens"), the most special last.
      shape: `(model) -> sizes` of one example, for people.
      check: `(model, batch_size, labels, public examples)`. Raises a ValueError that
        names a field of `Knowledge` where they do not go together.
      message: `(model, weights, examples, labels, local training) -> [n]`, what a client
        with these examples sends, in the dtype of the model.
      precise: `(programs, model) -> model`, the one that the criterion computes with.
      without_draws: `(model) -> model` without dropout and noise; raises `DoesNotApply`
        where they cannot be turned off.
      penalty: `(model, weights) -> [n]`, 0.0 or None, as `Target.penalty`.
      score: `(found, truth) -> number` of a batch, larger is better, bounded, so that
        one exact example does not decide alone; NaN where something is not finite.
    """

    inputs: Callable[[Any], Sequence[str]]
    shape: Callable[[Any], Sequence[int]]
    check: Callable[[Any, int, Labels | None, PublicExamples | None], None]
    message: Callable[
        [Any, Weights, np.ndarray, np.ndarray, LocalTraining | None], Vector
    ]
    precise: Callable[[Programs, Any], Any]
    without_draws: Callable[[Any], Any]
    penalty: Callable[[Any, tuple[np.ndarray, ...]], np.ndarray | float | None]
    score: Callable[[np.ndarray, np.ndarray], float]
