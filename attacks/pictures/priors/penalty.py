"""What pictures are like, as the prior of a first-order recipe."""

import dataclasses

import tensorflow as tf

from attacks import knowledge
from attacks.continuous.first_order import recipes
from attacks.pictures.priors import features, priors
from selenc_tf import validation
from selenc_tf.models import functional
from selenc_tf.types import Weights


@dataclasses.dataclass(frozen=True)
class PicturePrior:
    """Weights of priors on pictures; 0 leaves one out.

    Attributes:
      total_variation: Weight of the total variation.
      isotropic: Whether its form is p = 2, q = 1/2 with double opponents and border,
        instead of the mean of absolute differences.
      norm: Weight of the root mean square of the pixels.
      statistics: Weight of the batch-normalisation prior.
      features: Weight of the feature prior, for batches of one.
      group: Weight of the distance from the mean of the restarts.
    """

    total_variation: float = 0.0
    isotropic: bool = False
    norm: float = 0.0
    statistics: float = 0.0
    features: float = 0.0
    group: float = 0.0

    def __post_init__(self) -> None:
        """Checks the ranges.

        Raises:
          ValueError: If a weight is negative.
        """
        for name in ("total_variation", "norm", "statistics", "features", "group"):
            validation.check_at_least(name, getattr(self, name), 0)

    def penalty(self, model: functional.FunctionalModel) -> recipes.Penalty:
        """The priors on one candidate, as one number.

        Args:
          model: The architecture, for its normalisation and its head.

        Returns:
          The penalty on pictures [b, h, w, c]. In batches of several, of whose head's
          input nothing is known, the feature prior is zero.

        Raises:
          DoesNotApply: If the model takes no pictures, or a prior is on layers that it does
            not have.
        """
        knowledge.check_pictures(model, "priors on pictures")
        normalised = features.normalisation_inputs(model) if self.statistics else None
        head = features.head_inputs(model) if self.features else None

        def penalty(
            weights: Weights,
            images: tf.Tensor,
            consensus: tf.Tensor,
            seen: tf.Tensor,
            known: tf.Tensor,
        ) -> tf.Tensor:
            total = tf.zeros([])
            if self.total_variation and self.isotropic:
                total += self.total_variation * priors.padded_variation(
                    images, inner=2.0, outer=0.5, double_opponents=True
                )
            elif self.total_variation:
                total += self.total_variation * priors.total_variation(images)
            if self.norm:
                total += self.norm * priors.mean_norm(images)
            if self.group:
                total += self.group * priors.group_distance(images, consensus)
            if normalised is not None:
                total += self.statistics * priors.statistics_distance(
                    normalised.apply(weights, images),
                    normalised.means,
                    normalised.variances,
                )
            if head is not None and known.shape[0]:
                (inputs,) = head.apply(weights, images)
                total += self.features * priors.feature_distance(inputs, seen, known)
            return total

        return penalty
