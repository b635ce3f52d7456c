"""What an attacker knows beyond the server's view, and what it hands back."""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np

from attacks import matching as matching_lib
from federated import views
from selenc_tf import validation
from selenc_tf.models import functional
from selenc_tf.types import Seed


@dataclasses.dataclass(frozen=True)
class Knowledge:
    """The declared side information of an attacker; part of every claim made with it.

    That pixels lie in [0, 1] is always granted: pictures are stored that way.

    Attributes:
      model: The architecture. Its `initial_weights` are not used: the weights of the
        round are in the view.
      batch_size: Number of pictures behind the attacked gradient: one client's batch,
        or all the cohort's batches together where the aggregate is attacked.
      labels: The class of each picture, if the attacker knows them.
      client_sizes: Only for the aggregate: each client's number of pictures, in the
        order of the messages. None means that the messages' weights are in proportion
        to them (federated averaging), so that the aggregate is the mean over the union.
      matching: The model's compiled objective. Build it once with
        `attacks.matching.build_matching(model)` and pass it to every cell of a study;
        without it each attack compiles its own, which costs seconds.
    """

    model: functional.FunctionalModel
    batch_size: int = 1
    labels: tuple[int, ...] | None = None
    client_sizes: tuple[int, ...] | None = None
    matching: matching_lib.Matching | None = None

    def __post_init__(self) -> None:
        """Checks that the fields fit each other.

        Raises:
          ValueError: If a count is below 1, a label is not a class, or the parts do not
            add up to `batch_size`.
        """
        validation.check_at_least("batch_size", self.batch_size, 1)
        if len(self.model.input_shape) != 3:
            raise ValueError(
                "`model` must take pictures [height, width, channels], got "
                f"`input_shape` {self.model.input_shape}."
            )
        if self.labels is not None:
            if len(self.labels) != self.batch_size:
                raise ValueError(
                    f"`labels` must name one class for each of the {self.batch_size} "
                    f"pictures of `batch_size`, got {len(self.labels)}."
                )
            classes = self.model.num_classes
            if not all(0 <= label < classes for label in self.labels):
                raise ValueError(
                    f"`labels` must be in [0, {classes}), the classes of the model, got"
                    f" {self.labels}."
                )
        if self.client_sizes is not None:
            if min(self.client_sizes, default=0) < 1:
                raise ValueError(
                    "`client_sizes` must be positive and not empty, got "
                    f"{self.client_sizes}."
                )
            if sum(self.client_sizes) != self.batch_size:
                raise ValueError(
                    "`client_sizes` must add up to `batch_size` = "
                    f"{self.batch_size}, got {self.client_sizes}."
                )
        if self.matching is not None and self.matching.spec != self.model.spec:
            raise ValueError(
                f"`matching` must be built from `model` ({self.model.name}), but the "
                f"layouts of their gradients differ (matching of "
                f"{self.matching.model.name}). Call `build_matching(model)`."
            )


class Reconstruction(NamedTuple):
    """What an attacker recovered, with its own account of how it went.

    Attributes:
      images: float32 [b, h, w, c] in [0, 1].
      labels: int64 [b]. The classes it was told, inferred, or ended with.
      label_source: "known", "inferred" (analytically), "enumerated" (several were
        possible, the matching error chose) or "optimised" (jointly).
      objective: The matching error of `images`, relative to the matched entries'
        squared norm: the attacker's own criterion. NaN if no start was finite.
      start_objectives: The best error of each start, for judging how reliable one is.
      iterations: L-BFGS-B iterations, over all starts.
      evaluations: Objective and gradient evaluations, over all starts.
      seconds: Wall-clock time, compilation included.
      converged: Whether `objective` reached the tolerance with something to match.
      stop: Why the winning start ended: "tolerance", "stalled", "iterations",
        "seconds", "line_search", "not_finite" or "nothing_visible".
      matched_entries: Number of gradient entries that the objective compared.
    """

    images: np.ndarray
    labels: np.ndarray
    label_source: str
    objective: float
    start_objectives: tuple[float, ...]
    iterations: int
    evaluations: int
    seconds: float
    converged: bool
    stop: str
    matched_entries: int


Attack: TypeAlias = Callable[[views.ServerView, Knowledge, Seed], Reconstruction]
"""A pure function of the view, the declared knowledge and the seed."""


def matching_of(knowledge: Knowledge) -> matching_lib.Matching:
    """The knowledge's compiled objective, or a new one where it has none."""
    if knowledge.matching is not None:
        return knowledge.matching
    return matching_lib.build_matching(knowledge.model)
