"""The settings of a first-order search: what published attacks differ in."""

import dataclasses
from collections.abc import Callable
from typing import Literal, Protocol, TypeAlias

import tensorflow as tf

from attacks.continuous.first_order import schedules
from attacks.matching import distances
from selenc_tf import validation
from selenc_tf.models import functional

Step: TypeAlias = Literal["gradient", "sign", "soft_sign"]
"""What Adam is given: the gradient, its signs, or tanh(s g) / s with s falling from 1
to 0 over the search, which turns from the one into the other."""

STEPS: tuple[Step, ...] = ("gradient", "sign", "soft_sign")

Initial: TypeAlias = Literal["grey", "uniform", "normal", "patterned"]
"""Starting pictures: mid-grey with noise of standard deviation 0.02; U(0, 1); N(0.5,
0.25), the standard normal of pictures normalised by their statistics; or one random
patch of 4x4 pixels, tiled (Wei et al., "A Framework for Evaluating Client Privacy
Leakages in Federated Learning", ESORICS 2020)."""

INITIALS: tuple[Initial, ...] = ("grey", "uniform", "normal", "patterned")


Penalty: TypeAlias = Callable[..., tf.Tensor]
"""`(weights, candidate, consensus, features [f], known [f]) -> scalar`, with the mean of
the candidate's restarts, of its shape, and the head's input as far as it was read off."""


class Prior(Protocol):
    """Settings from which a penalty on candidates is made; hashable."""

    def penalty(self, model: functional.FunctionalModel) -> Penalty:
        """The penalty on the candidates of a model."""


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A distance, a prior, and how Adam walks.

    Attributes:
      distance: See `distances.build_distance`.
      distance_weight: Factor of the distance beside the prior.
      prior: What speaks for a candidate beside its gradient, or None.
      step: What Adam is given.
      learning_rate: In units of pixels in [0, 1].
      first_decay: Of Adam's mean of slopes; 0 for none.
      schedule: How the learning rate falls.
      warm_up: Iterations of a linear rise.
      langevin: Standard deviation of the noise that is added to the gradient, in units
        of the learning rate.
      initial: The distribution of the starts.
    """

    distance: distances.Name = "cosine"
    distance_weight: float = 1.0
    prior: Prior | None = None
    step: Step = "sign"
    learning_rate: float = 0.1
    first_decay: float = 0.9
    schedule: schedules.Schedule = "steps"
    warm_up: int = 0
    langevin: float = 0.0
    initial: Initial = "normal"

    def __post_init__(self) -> None:
        """Checks the ranges.

        Raises:
          ValueError: If a name is unknown or a number out of range.
        """
        validation.check_in("distance", self.distance, distances.NAMES)
        validation.check_in("step", self.step, STEPS)
        validation.check_in("schedule", self.schedule, schedules.SCHEDULES)
        validation.check_in("initial", self.initial, INITIALS)
        validation.check_positive("learning_rate", self.learning_rate)
        validation.check_positive("distance_weight", self.distance_weight)
        if not 0 <= self.first_decay < 1:
            raise ValueError(
                f"`first_decay` must be in [0, 1), got {self.first_decay}."
            )
        for name in ("warm_up", "langevin"):
            validation.check_at_least(name, getattr(self, name), 0)
