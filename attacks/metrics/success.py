"""Shares of successes: pictures above a PSNR, labels that are right.

An interval of a share comes from the binomial distribution, not from resampling, which
gives [0, 0] where no attack succeeded. It is the exact one, which has at least its
confidence whatever the share: Clopper and Pearson, "The Use of Confidence or Fiducial
Limits Illustrated in the Case of the Binomial", Biometrika 1934. Of the few pictures that
are attacked others (Wilson's) have less.
"""

from collections import Counter
from typing import NamedTuple

import numpy as np
from scipy import stats

from attacks.metrics import image_quality
from selenc_tf import validation


class Rate(NamedTuple):
    """A share with its interval.

    Attributes:
      successes: How many.
      trials: Of how many, at least 1.
      rate: successes / trials.
      low: Lower end of the interval.
      high: Upper end.
    """

    successes: int
    trials: int
    rate: float
    low: float
    high: float


def rate(successes: np.ndarray, confidence: float = 0.95) -> Rate:
    """The share of successes with its exact interval (Clopper and Pearson, 1934).

    Args:
      successes: bool [k], k >= 1.
      confidence: Of the interval, in (0, 1).

    Returns:
      The rate.

    Raises:
      ValueError: If there is nothing to count or the confidence is out of range.

    Example:
      0 of 10 at 95 %: rate 0, interval [0, 0.308].
    """
    _check_confidence(confidence)
    values = np.asarray(successes, np.bool_)
    if values.ndim != 1 or not len(values):
        raise ValueError(
            "`successes` must be bool [k] with k >= 1, got shape "
            f"{list(values.shape)}. Attack at least one picture."
        )
    hits = int(np.count_nonzero(values))
    interval = stats.binomtest(hits, len(values)).proportion_ci(confidence, "exact")
    return Rate(
        hits, len(values), hits / len(values), float(interval.low), float(interval.high)
    )


def label_overlap(found: np.ndarray, truth: np.ndarray) -> float:
    """Label accuracy without an order: the overlap of the two bags of classes.

    The peers' variant for batches, which does not ask which picture a label belongs to;
    `evaluation.label_accuracy` does.

    Args:
      found: int [b].
      truth: int [b].

    Returns:
      The size of the multisets' intersection over b, in [0, 1].

    Raises:
      ValueError: If the arguments differ in length or are empty.

    Example:
      found [1, 1, 2], truth [2, 1, 3]: 2 / 3.
    """
    if len(found) != len(truth) or not len(truth):
        raise ValueError(
            "`found` and `truth` must have one class for each picture, got "
            f"{len(found)} and {len(truth)}."
        )
    left = Counter(int(label) for label in found)
    right = Counter(int(label) for label in truth)
    return (left & right).total() / len(truth)


def best_psnr_with_replacement(images: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """For each true picture the best PSNR of any reconstruction, used ever again.

    The variant of Huang et al., "Evaluating Gradient Inversion Attacks and Defenses in
    Federated Learning", NeurIPS 2021: one good reconstruction may count for several
    pictures, so it is never below the PSNR after a one-to-one assignment.

    Args:
      images: float [r, h, w, c], reconstructed.
      truth: float [b, h, w, c] in [0, 1].

    Returns:
      float64 [b], in dB.

    Raises:
      ValueError: If the pictures differ in shape or there is no reconstruction.
    """
    if not len(images):
        raise ValueError("`images` must hold at least one reconstruction, got none.")
    against = [
        image_quality.psnr(np.broadcast_to(image, truth.shape), truth)
        for image in images
    ]
    return np.max(np.stack(against), axis=0)


def _check_confidence(confidence: float) -> None:
    validation.check_positive("confidence", confidence)
    if confidence >= 1:
        raise ValueError(f"`confidence` must be in (0, 1), got {confidence}.")
