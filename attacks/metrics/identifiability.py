"""Identifiability precision: would one recognise the picture among others?

Yin, Mallya, Vahdat, Alvarez, Kautz, Molchanov, "See through Gradients: Image Batch
Recovery via GradInversion", CVPR 2021: the share of reconstructions whose nearest
neighbour in the data set is the very picture that was attacked.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

Features: TypeAlias = Callable[[np.ndarray], np.ndarray]
"""Pictures float [k, h, w, c] -> float [k, f], where L2 distances are meant."""

_BLOCK = 100
"""References at a time: of 224x224x3 they take 120 MB in float64."""


def pixels(images: np.ndarray) -> np.ndarray:
    """The pixels themselves, clamped to [0, 1], float64 [k, h * w * c]."""
    return np.clip(images.reshape(len(images), -1).astype(np.float64), 0.0, 1.0)


def identified(
    images: np.ndarray,
    truth: np.ndarray,
    references: np.ndarray,
    *,
    truth_labels: np.ndarray | None = None,
    reference_labels: np.ndarray | None = None,
    features: Features = pixels,
) -> np.ndarray:
    """Which reconstructions are nearer to their own picture than to any other.

    Candidates are the reference pictures and the other pictures of the batch; a
    reference that equals the true picture is not counted against it. With labels, only
    candidates of the true class count (the paper's way, and the harder test: other
    classes often lie further away).

    Runs on: the experiment. Sees: the truth.

    Args:
      images: float [b, h, w, c], reconstructed and matched to the truth.
      truth: float [b, h, w, c] in [0, 1].
      references: float [r, h, w, c], the data set, with or without the truth; r may be
        0.
      truth_labels: int [b], or None to compare with all classes.
      reference_labels: int [r], or None; given exactly if `truth_labels` is.
      features: Where to compare: pixels, a model's logits
        (`feature_distance.logits`), or others.

    Returns:
      bool [b]. A tie is not an identification, nor is a picture that is not finite. Its
      mean is IIP; `success.rate` gives it an interval.

    Raises:
      ValueError: If shapes or labels do not go together.
    """
    _check(images, truth, references, truth_labels, reference_labels)
    candidates = np.concatenate([truth, references.reshape(-1, *truth.shape[1:])])
    found, known = features(images), features(candidates)
    result = np.zeros(len(truth), np.bool_)
    for index, (guess, picture) in enumerate(zip(found, truth, strict=True)):
        distances = np.sqrt(np.sum(np.square(known - guess), axis=1))
        others = np.any(candidates != picture, axis=tuple(range(1, candidates.ndim)))
        if truth_labels is not None and reference_labels is not None:
            classes = np.concatenate([truth_labels, reference_labels])
            others &= classes == truth_labels[index]
        nearest = np.min(distances[others], initial=np.inf)
        # A comparison with NaN is false.
        result[index] = distances[index] < nearest
    return result


def count_identified(
    images: np.ndarray, truth: np.ndarray, references: np.ndarray
) -> int:
    """How many of many pictures are nearer in pixels to this one than to any other.

    The same question as `identified`, of many reconstructions of one example, by products
    of matrices.

    Runs on: the experiment. Sees: the truth.

    Args:
      images: float [k, ...], reconstructions; finite.
      truth: float [...], in [0, 1].
      references: float [r, ...], with or without the truth.

    Returns:
      How many of the k; all where there is no other picture.
    """
    found, own = pixels(images), truth.reshape(-1).astype(np.float64)
    nearest = np.full(len(found), np.inf)
    for start in range(0, len(references), _BLOCK):
        block = references[start : start + _BLOCK].reshape(-1, own.size)
        block = block[np.any(block != truth.reshape(-1), axis=1)].astype(np.float64)
        if len(block):
            # |x - r|^2 - |x|^2; the first term is the same for all.
            apart = np.sum(np.square(block), axis=1) - 2 * found @ block.T
            nearest = np.minimum(nearest, apart.min(axis=1))
    return int(np.count_nonzero(np.sum(np.square(own)) - 2 * found @ own < nearest))


def _check(
    images: np.ndarray,
    truth: np.ndarray,
    references: np.ndarray,
    truth_labels: np.ndarray | None,
    reference_labels: np.ndarray | None,
) -> None:
    if images.shape != truth.shape or truth.ndim < 2:
        raise ValueError(
            "`images` and `truth` must both be [b, ...] of one shape, got "
            f"{list(images.shape)} and {list(truth.shape)}."
        )
    if len(references) and references.shape[1:] != truth.shape[1:]:
        raise ValueError(
            f"`references` must be [r, {', '.join(map(str, truth.shape[1:]))}], got "
            f"{list(references.shape)}."
        )
    if (truth_labels is None) != (reference_labels is None):
        raise ValueError(
            "`truth_labels` and `reference_labels` must both be given, to compare "
            "within a class, or both be None."
        )
    for name, labels, pictures in (
        ("truth_labels", truth_labels, truth),
        ("reference_labels", reference_labels, references),
    ):
        if labels is not None and len(labels) != len(pictures):
            raise ValueError(
                f"`{name}` must have one class for each of the {len(pictures)} "
                f"pictures, got {len(labels)}."
            )
