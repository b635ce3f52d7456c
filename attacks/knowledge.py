"""What an attacker knows beyond the server's view, and what it hands back."""

import dataclasses
from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeAlias, cast

import numpy as np
from typing_extensions import TypeVar

from attacks import words
from attacks.continuous.modality import NUMBERS
from attacks.modality import Labels as Labels
from attacks.modality import Modality as Modality
from attacks.modality import PublicExamples as PublicExamples
from attacks.refusal import DoesNotApply as DoesNotApply
from federated import views
from selenc_tf import validation
from selenc_tf.models import functional
from selenc_tf.models.any_model import AnyModel
from selenc_tf.models.local_steps import LocalTraining
from selenc_tf.types import Seed

M = TypeVar("M", bound=AnyModel, covariant=True, default=functional.FunctionalModel)


@dataclasses.dataclass(frozen=True)
class Knowledge(Generic[M]):
    """The declared side information of an attacker; part of every claim made with it.

    What an example is depends on the modality. Of numbers, pictures among them, the
    interval that they lie in is always granted: everything here is in [0, 1], as
    `FunctionalModel` takes it.

    Attributes:
      model: The architecture, with the mode in which gradients are taken. Its
        `initial_weights` are not used: the weights of the round are in the view.
      batch_size: Number of examples behind the attacked gradient: one client's batch,
        or all the cohort's batches together where the aggregate is attacked.
      labels: The class of each example, or its row of numbers [num_classes] where the
        model learns events or values; None if the attacker does not know them, or they
        are the examples themselves (the next token).
      client_sizes: Only for the aggregate: each client's number of examples, in the
        order of the messages. None means that the messages' weights are in proportion
        to them (federated averaging), so that the aggregate is the mean over the union.
      public_examples: Examples from the same source, or None.
      local_training: How the messages were made, or None for one gradient.
      earlier: What the server kept of earlier rounds in which the attacked clients had
        the same examples, in the same order of messages.
      without_draws: Whether the attacker computes without the clients' random draws
        (dropout, noise), whose seeds it does not know. Nothing else can be done about
        them, and what is found is less exact, so that it has to be said; of no effect
        on models that draw nothing.
      modality: What an example of the model is: numbers, or that of another folder.
    """

    model: M
    batch_size: int = 1
    labels: Labels | None = None
    client_sizes: tuple[int, ...] | None = None
    public_examples: PublicExamples | None = None
    local_training: LocalTraining | None = None
    earlier: tuple[views.ServerView, ...] = ()
    without_draws: bool = False
    modality: Modality = NUMBERS

    @property
    def classes(self) -> tuple[int, ...] | None:
        """The known labels where they are classes."""
        if self.model.kind != "classes":
            return None
        return cast("tuple[int, ...] | None", self.labels)

    def __post_init__(self) -> None:
        """Checks that the fields fit each other.

        Raises:
          ValueError: If a count is below 1, the parts do not add up to `batch_size`, or
            model, labels and public examples do not go together in the modality, as a
            model of other examples or a label that is none of the loss.
        """
        validation.check_at_least("batch_size", self.batch_size, 1)
        counted = (self.batch_size, *(self.classes or ()), *(self.client_sizes or ()))
        if not all(isinstance(one, int | np.integer) for one in counted):
            raise ValueError(
                "`batch_size`, `labels` and `client_sizes` must be whole numbers, got "
                f"{counted}."
            )
        if self.labels is not None:
            if len(self.labels) != self.batch_size:
                raise ValueError(
                    f"`labels` must name one class for each of the {self.batch_size} "
                    f"examples of `batch_size`, got {len(self.labels)}."
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
        self.modality.check(
            self.model, self.batch_size, self.labels, self.public_examples
        )
        if self.local_training is not None:
            _check_local_training(self.local_training)


AnyKnowledge: TypeAlias = Knowledge[AnyModel]
"""Of whatever examples: what the shared part of attacks takes."""


def label_array(model: AnyModel, labels: Labels) -> np.ndarray:
    """Labels as reconstructions have them: int64 [b], or float32 [b, num_classes]."""
    return np.array(labels, np.int64 if model.kind == "classes" else np.float32)


def _check_local_training(training: LocalTraining) -> None:
    validation.check_positive("local_training.learning_rate", training.learning_rate)
    validation.check_at_least("local_training.epochs", training.epochs, 1)
    if training.batch_size is not None:
        validation.check_at_least("local_training.batch_size", training.batch_size, 1)


class Reconstruction(NamedTuple):
    """What an attacker recovered, with its own account of how it went.

    Attributes:
      examples: [b, ...], as the modality has them: float32 [b, *input_shape] in [0, 1]
        of numbers.
      labels: The classes it was told, inferred, or ended with, int64 [b]; numbers where
        the loss takes numbers, float32 [b, num_classes]; int64 [b, 0] where the
        examples are their own labels.
      label_source: "known", "inferred" (analytically), "enumerated" (several were
        possible, the matching error chose), "guessed" (the visible entries leave more)
        or "optimised" (jointly).
      objective: The matching error of `examples`, relative to the matched entries'
        squared norm: the attacker's own criterion. NaN if no start was finite.
      start_objectives: The best error of each start, for judging how reliable one is.
      iterations: L-BFGS-B iterations, over all starts.
      evaluations: Objective and gradient evaluations, over all starts.
      seconds: Wall-clock time, compilation included.
      converged: Whether `objective` reached the tolerance with something to match.
      stop: Why the winning start ended: "tolerance", "stalled", "iterations",
        "seconds", "line_search", "not_finite" or "nothing_visible"; of algebra
        "closed_form", or why it is not all: "partly_determined", "rank_deficient",
        "prior" (what is left open is as believed beforehand), "inconsistent".
      matched_entries: Number of gradient entries that the objective compared.
      choice: How it was chosen among the results of several attacks, or None.
    """

    examples: np.ndarray
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
    choice: "Choice | None" = None


class BlindGuess(NamedTuple):
    """What is guessed of a batch from the declared knowledge, without any gradient.

    Attributes:
      reconstruction: The guess; None where nothing is known to make one of.
      made_of: What it is made of, or why there is none, in words.
    """

    reconstruction: Reconstruction | None
    made_of: str


class Member(NamedTuple):
    """One attack's part in an attack that is made of several.

    Attributes:
      name: In the catalogue.
      status: How it ended.
      reason: Why it has no result, or no rehearsal; "" if all went well.
      reconstruction: What it returned, or None.
      visible_error: `criterion.visible_error` of the reconstruction, 0 for a perfect
        match; NaN where that is undefined.
      rehearsal: Its mean score on messages that the attacker made itself, in the
        modality's unit (PSNR in dB of numbers); NaN if it was not rehearsed, or failed.
      seconds: Wall-clock time, rehearsals included.
    """

    name: str
    status: words.Status
    reason: str
    reconstruction: Reconstruction | None
    visible_error: float
    rehearsal: float
    seconds: float


class Choice(NamedTuple):
    """Which of several attacks the attacker believes.

    Attributes:
      name: The chosen member.
      by: What decided.
      members: All of them, in the order in which they ran.
    """

    name: str
    by: words.ChosenBy
    members: tuple[Member, ...]


Attack: TypeAlias = Callable[[views.ServerView, Knowledge[Any], Seed], Reconstruction]
"""A pure function of the view, the declared knowledge and the seed.

Raises `DoesNotApply` where it does not fit them.
"""


def check_classes(knowledge: AnyKnowledge, attack: str) -> None:
    """Checks that a model learns classes.

    Args:
      knowledge: With the model.
      attack: The attack's name, for the message.

    Raises:
      DoesNotApply: If its loss is another than the cross-entropy of classes.
    """
    if knowledge.model.kind != "classes":
        raise DoesNotApply(
            f"`knowledge.model` ({knowledge.model.name}) must learn classes for {attack}, "
            f"whose equations are those of a softmax, got {knowledge.model.kind}. Use "
            "DLG."
        )


def check_pictures(model: functional.FunctionalModel, what: str) -> None:
    """Checks that a model takes pictures.

    Args:
      model: The model.
      what: What is for pictures, for the message.

    Raises:
      DoesNotApply: If its input is not [height, width, channels].
    """
    if len(model.input_shape) != 3:
        raise DoesNotApply(
            f"`knowledge.model` ({model.name}) must take pictures [height, width, "
            f"channels] for {what}, got examples of shape {list(model.input_shape)}."
        )


def check_one_picture(knowledge: AnyKnowledge, attack: str) -> None:
    """Checks that an attack for single pictures gets one.

    Args:
      knowledge: With the batch size.
      attack: The attack's name, for the message.

    Raises:
      DoesNotApply: If the batch is not one picture.
    """
    if knowledge.batch_size != 1:
        raise DoesNotApply(
            f"`knowledge.batch_size` must be 1 for {attack}, which is for a single "
            f"picture, got {knowledge.batch_size}. Use DLG for batches."
        )
