"""What an attacked example's PSNR does not tell: features, the model's view, identity."""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from attacks.metrics import feature_distance, identifiability, perceptual
from experiments.data.dataset import Dataset
from selenc_tf.models.functional import FunctionalModel

MAX_REFERENCES = 2_000
"""Pictures among which one is to be identified. Comparing with more takes longer (at
this number less than 0.1 s a picture of 32x32x3), and the share of identified pictures
compares only between studies with the same number."""

_REFERENCE_BLOCK = 100
"""Compared at a time: pictures of 224x224x3 then take 120 MB in float64, not 2.4 GB."""


class PictureMetrics(NamedTuple):
    """Further measures of one reconstructed picture.

    Attributes:
      perceptual: `perceptual.random_feature_distance`, in [0, 4), 0 for an equal
        picture; it is not LPIPS. None if the picture is not finite or has neither 1 nor
        3 channels, and for what is no picture.
      feature_mse: Mean squared difference of all logits, at the weights of the attacked
        round. None if it is not finite.
      identified: Whether the picture is nearer in pixels to its own original than to
        any other of the batch and the references; False if it is not finite.
    """

    perceptual: float | None
    feature_mse: float | None
    identified: bool


def references(dataset: Dataset) -> np.ndarray:
    """The pictures of a data set among which attacked ones are to be identified.

    Args:
      dataset: Of the run.

    Returns:
      float32 [r, h, w, c], r <= `MAX_REFERENCES`: all pictures, or that many at even
      distances, as some data sets are sorted by class. Attacked ones may be among them;
      a picture does not count against itself.
    """
    if len(dataset) <= MAX_REFERENCES:
        return dataset.examples
    return dataset.examples[np.arange(MAX_REFERENCES) * len(dataset) // MAX_REFERENCES]


def measure(
    model: FunctionalModel,
    weights: tuple[np.ndarray, ...],
    images: np.ndarray,
    truth: np.ndarray,
    labels: np.ndarray,
    references: np.ndarray,
) -> tuple[PictureMetrics, ...]:
    """Measures the reconstructions of a batch.

    Runs on: the experiment. Sees: the truth.

    Args:
      model: The attacked one.
      weights: Of the attacked round.
      images: float [b, h, w, c], reconstructed and matched to the truth; not finite
        where an attack diverged.
      truth: float [b, h, w, c] in [0, 1].
      labels: int [b], the true classes.
      references: float [r, h, w, c] in [0, 1], r may be 0.

    Returns:
      The measures of each true picture, in the order of `truth`.

    Raises:
      ValueError: If the arrays do not belong to one batch.
    """
    features = feature_distance.feature_mse(model, weights, images, truth, labels)
    distances = (
        perceptual.random_feature_distance(images, truth)
        if truth.ndim == 4 and truth.shape[3] in (1, 3)
        else np.full(len(truth), np.nan)
    )
    # Nearer than all references is nearer than those of each block.
    identified = np.all(
        [
            identifiability.identified(_flat(images), _flat(truth), _flat(block))
            for block in _blocks(references)
        ],
        axis=0,
    )
    return tuple(
        PictureMetrics(_finite(distance), _finite(feature), bool(found))
        for distance, feature, found in zip(
            distances, features, identified, strict=True
        )
    )


def _flat(examples: np.ndarray) -> np.ndarray:
    """Pictures as they are, and anything else as pictures of one row."""
    return examples if examples.ndim == 4 else examples.reshape(len(examples), 1, -1, 1)


def _blocks(references: np.ndarray) -> Iterator[np.ndarray]:
    """The references in turn; one empty block if there are none."""
    for start in range(0, max(1, len(references)), _REFERENCE_BLOCK):
        yield references[start : start + _REFERENCE_BLOCK]


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
