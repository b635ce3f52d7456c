"""A reconstruction against the truth: the only place where the two meet."""

from typing import NamedTuple

import numpy as np

from attacks import knowledge as knowledge_lib
from attacks.metrics import assignment, image_quality, targets


class Truth(NamedTuple):
    """What was really in the batch. Never given to an attack.

    Attributes:
      images: float [b, *input_shape] in [0, 1].
      labels: int [b] of classes, or numbers [b, num_classes].
      tolerance: float [num_classes], how far off numbers may be to be right
        (`targets.tolerance`); None for classes.
    """

    images: np.ndarray
    labels: np.ndarray
    tolerance: np.ndarray | None = None


class PictureLeakage(NamedTuple):
    """How much of one true picture was recovered.

    Attributes:
      true_index: Place of the true picture in its batch.
      reconstruction_index: Place of the reconstructed one that was matched to it.
      mse: Mean squared error in [0, 1].
      psnr: In dB; +inf if exact.
      ssim: At most 1; NaN for pictures smaller than the 11x11 window, and for what is no
        picture.
      label_correct: Whether the matched reconstruction has the true label: the class,
        or every number to within the truth's tolerance.
    """

    true_index: int
    reconstruction_index: int
    mse: float
    psnr: float
    ssim: float
    label_correct: bool


def evaluate(
    reconstruction: knowledge_lib.Reconstruction, truth: Truth
) -> tuple[PictureLeakage, ...]:
    """Measures every true picture against the reconstruction matched to it.

    Runs on: the experiment. Sees: the truth.

    Args:
      reconstruction: What an attack returned.
      truth: The batch, in any order.

    Returns:
      One record for each true picture, in the order of `truth`.

    Raises:
      ValueError: If the batches differ in shape, labels and pictures in number, the
        truth is outside [0, 1], or labels are numbers and nothing says how far off they
        may be.
    """
    if len(truth.labels) != len(truth.images):
        raise ValueError(
            "`truth.labels` must have one entry for each of the "
            f"{len(truth.images)} pictures, got {len(truth.labels)}."
        )
    order = assignment.match_pictures(reconstruction.examples, truth.images)
    matched = reconstruction.examples[order]
    picture = truth.images.ndim == 4
    large = picture and min(truth.images.shape[1:3]) >= image_quality.SSIM_WINDOW
    ssim = (
        image_quality.ssim(matched, truth.images)
        if large
        else np.full(len(order), np.nan)
    )
    mse = image_quality.mse(matched, truth.images)
    psnr = image_quality.psnr(matched, truth.images)
    correct = _agree(reconstruction.labels[order], truth)
    return tuple(
        PictureLeakage(
            true_index=index,
            reconstruction_index=int(order[index]),
            mse=float(mse[index]),
            psnr=float(psnr[index]),
            ssim=float(ssim[index]),
            label_correct=bool(correct[index]),
        )
        for index in range(len(order))
    )


def _agree(found: np.ndarray, truth: Truth) -> np.ndarray:
    """Which labels are right, bool [b]."""
    if truth.labels.ndim == 1:
        return found == truth.labels
    if truth.tolerance is None:
        raise ValueError(
            "`truth.tolerance` must say how far off labels that are numbers may be, got "
            "None. Take `targets.tolerance` of other examples' labels."
        )
    return targets.right(found, truth.labels, truth.tolerance)


def label_accuracy(records: tuple[PictureLeakage, ...]) -> float:
    """The share of true pictures whose matched reconstruction has the right label."""
    return float(np.mean([record.label_correct for record in records]))
