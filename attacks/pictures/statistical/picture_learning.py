"""The way back from a gradient to its pictures, learnt on public pictures.

Two learners see the same examples: the network of LTI (Wu, Chen, Guo, Weinberger,
"Learning To Invert: Simple Adaptive Attacks for Gradient Inversion in Federated
Learning", UAI 2023), and the conditional mean of the pixels under a Gaussian
(`gaussian.py`), which is a straight line.
"""

import dataclasses
import time
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from attacks import effort as effort_lib
from attacks import knowledge as knowledge_lib
from attacks import target as target_lib
from attacks.pictures.statistical import (
    feature_hash,
    gaussian,
    inverter_network,
    public_attack,
    public_examples,
    public_gradients,
    weighted_matching,
)
from selenc_tf import validation

Learner: TypeAlias = Literal["network", "linear"]

LEARNERS: tuple[Learner, ...] = ("network", "linear")

FEWEST_PICTURES = 4


@dataclasses.dataclass(frozen=True)
class Learning:
    """How the way back is learnt.

    Attributes:
      learner: "network", LTI's perceptron, or "linear", ridge regression in closed form.
      batches: The most public batches to learn from.
      max_entries: The most visible entries to read, chosen at random: with `batches` it
        bounds the memory, at some 20 * batches * max_entries bytes.
      bins: The network reads at most this many hashed sums of entries, whitened,
      components: and of those the principal components of the largest variance.
      hidden_units: Width of its two hidden layers.
      learning_rate: Of Adam.
      held_out: Share of the public pictures that chooses the epoch.
    """

    learner: Learner = "network"
    batches: int = 2000
    max_entries: int = 20_000
    bins: int = 4096
    components: int = 512
    hidden_units: int = 1000
    learning_rate: float = 3e-4
    held_out: float = 0.1

    def __post_init__(self) -> None:
        """Checks the ranges.

        Raises:
          ValueError: If a number is out of its range or the learner unknown.
        """
        validation.check_in("learner", self.learner, LEARNERS)
        validation.check_at_least("batches", self.batches, FEWEST_PICTURES)
        for name in ("max_entries", "bins", "components", "hidden_units"):
            validation.check_at_least(name, getattr(self, name), 1)
        validation.check_positive("learning_rate", self.learning_rate)
        validation.check_fraction("held_out", self.held_out)


class Prediction(NamedTuple):
    """Pictures as learnt, with what they cost.

    Attributes:
      images: float32 [b, h, w, c] in [0, 1], in the order of `public_examples`.
      steps: Steps of training; 0 for the linear learner.
      gradients: Public gradients that were computed.
      entries: Visible entries that were read.
    """

    images: np.ndarray
    steps: int
    gradients: int
    entries: int


def predict(
    case: public_attack.Case,
    learning: Learning,
    effort: effort_lib.Effort,
    progress: effort_lib.Progress | None = None,
) -> Prediction:
    """Learns from public pictures and predicts the victims'.

    Runs on: attacker. Sees: the weights, the visible entries, its public pictures.

    Args:
      case: With at least four public pictures.
      learning: How to learn.
      effort: Limits of the training.
      progress: Called after every epoch.

    Returns:
      The prediction.

    Raises:
      DoesNotApply: If nothing visible tells pictures apart.
    """
    began = time.monotonic()
    target, knowledge = case.target, case.knowledge
    pictures, generator = case.pictures, case.generator
    entries = public_gradients.choose_entries(
        target.visible, learning.max_entries, generator
    )
    seen = target.vector[entries].astype(np.float64)
    shape = (knowledge.batch_size, *knowledge.model.input_shape)
    labels = _labels_to_learn(target, knowledge, learning.learner)

    def pairs(count: int, among: np.ndarray | None) -> public_examples.Pairs:
        return public_examples.make_pairs(case, labels, entries, count, among)

    if learning.learner == "linear":
        known = pairs(learning.batches, None)
        _check_differ(known)
        found = gaussian.condition(known.gradients, known.pictures, seen)
        images, steps, gradients = found.mean, 0, len(known.gradients)
    else:
        parts = public_examples.split_pictures(pictures, learning.held_out, generator)
        later = max(2, round(learning.held_out * learning.batches))
        training, held_out = pairs(learning.batches, parts[0]), pairs(later, parts[1])
        _check_differ(training)
        features = feature_hash.fit_features(
            training.gradients, learning.bins, learning.components, generator
        )

        def examples(part: public_examples.Pairs) -> inverter_network.Examples:
            values = feature_hash.transform(part.gradients, features)
            return inverter_network.Examples(values.astype(np.float32), part.pictures)

        trained = inverter_network.train_inverter(
            examples(training),
            examples(held_out),
            learning.hidden_units,
            learning.learning_rate,
            remaining(effort, time.monotonic() - began),
            generator,
            progress,
            case.programs,
        )
        victim = feature_hash.transform(seen[np.newaxis], features)
        images = inverter_network.apply(
            trained.weights, victim.astype(np.float32)
        ).numpy()
        steps = trained.steps
        gradients = len(training.gradients) + len(held_out.gradients)
    return Prediction(
        np.clip(images, 0, 1).reshape(shape).astype(np.float32),
        steps,
        gradients,
        len(entries),
    )


def _check_differ(pairs: public_examples.Pairs) -> None:
    """Checks that there is something to learn from."""
    if not np.ptp(pairs.gradients, axis=0).any():
        raise knowledge_lib.DoesNotApply(
            "The visible entries of public pictures' gradients must differ for an attack "
            "that learns from them, but they are the same of all pictures: what differs "
            "is hidden, or 0 behind units that no picture activates. Use gradient "
            "matching."
        )


def remaining(effort: effort_lib.Effort, spent_seconds: float) -> effort_lib.Effort:
    """The effort with the time that is left; never below 0.1 s."""
    if effort.max_seconds is None:
        return effort
    left = max(effort.max_seconds - spent_seconds, 0.1)
    return dataclasses.replace(effort, max_seconds=left)


def _labels_to_learn(
    target: target_lib.Target, knowledge: knowledge_lib.Knowledge, learner: Learner
) -> tuple[int, ...] | None:
    """The classes of the examples: settled ones, but for a network and one picture.

    A single class has a tenth of the pictures of ten classes. That is enough for a
    straight line, which fits one class better than all, but not for a network.
    """
    single = knowledge.batch_size == 1
    if single and learner == "network":
        return None
    return weighted_matching.settled_labels(target, knowledge)
