"""What the closed-form attacks share: limit cases, filling, and the report."""

import time

import numpy as np
import tensorflow as tf

from attacks import knowledge as knowledge_lib
from attacks import target as target_lib
from attacks.labels import candidates as candidates_lib
from attacks.matching import matching, objectives
from federated import views

MISFIT = 1e-6
"""Matching error up to which pictures are taken for the true ones."""


def check_target(target: target_lib.Target, *, zeros: bool = False) -> None:
    """Checks that a target allows algebra.

    Args:
      target: The gradient.
      zeros: Whether visible zeros alone are something to begin with.

    Raises:
      DoesNotApply: If nothing is visible, or what is visible is not finite or zero
        altogether, or has penalties in it that are not known.
    """
    seen = target.vector[target.visible]
    if not len(seen):
        reason = "every entry is hidden"
    elif not np.all(np.isfinite(seen)):
        reason = "some visible entry is not finite"
    elif not np.any(target.plain[target.visible]) and not zeros:
        reason = "all visible entries are zero"
    else:
        return
    raise knowledge_lib.DoesNotApply(
        f"The gradient must show something for algebra to begin with, but {reason}."
    )


def label_of(
    target: target_lib.Target, knowledge: knowledge_lib.Knowledge
) -> tuple[np.ndarray, str]:
    """The class of a single picture: declared, read off the head, or a guess.

    Returns:
      int64 [1], and "known", "inferred" or "guessed".

    Raises:
      DoesNotApply: If the model learns no classes.
    """
    knowledge_lib.check_classes(knowledge, "this attack")
    found = candidates_lib.candidates((target,), knowledge, most=1)
    return np.array(found.classes[0], np.int64), found.source


def fill(
    images: np.ndarray, determined: np.ndarray, knowledge: knowledge_lib.Knowledge
) -> np.ndarray:
    """Gives the pixels that are not determined a value.

    Args:
      images: float [b, *input_shape] in [0, 1].
      determined: bool of that shape.
      knowledge: For its public pictures, or None.

    Returns:
      float32 of that shape: the mean public picture where there are any, else the mean
      of the picture's determined pixels, else mid-grey.
    """
    if knowledge.public_examples is not None:
        mean = np.mean(knowledge.public_examples.examples, axis=0, dtype=np.float64)
        return np.where(determined, images, mean).astype(np.float32)
    axes = tuple(range(1, images.ndim))
    counts = np.count_nonzero(determined, axis=axes, keepdims=True)
    sums = np.sum(np.where(determined, images, 0.0), axis=axes, keepdims=True)
    grey = np.where(counts > 0, sums / np.maximum(counts, 1), 0.5)
    return np.where(determined, images, grey).astype(np.float32)


def matching_error(
    view: views.ServerView,
    target: target_lib.Target,
    knowledge: knowledge_lib.Knowledge,
    images: np.ndarray,
    labels: np.ndarray,
) -> float:
    """The objective of gradient matching at a reconstruction, from one evaluation.

    It makes closed-form answers comparable with those of a search. Computed in the
    model's own dtype: float32 rounding alone makes about 1e-13.

    Runs on: attacker. Sees: the weights and the visible entries.

    Args:
      view: For the weights.
      target: The gradient as the server sees it, finite where visible.
      knowledge: For the model.
      images: float32 [b, *input_shape], in the order of the target's groups.
      labels: As `Reconstruction.labels`.

    Returns:
      The squared error over the matched entries relative to their squares; NaN if
      nothing is visible or the value is not finite.
    """
    if not np.any(target.visible):
        return float("nan")
    model = knowledge.model
    observed = matching.Observed(
        weights=tuple(tf.constant(tensor) for tensor in view.weights),
        target=tf.constant(target.vector),
        entry_weights=tf.constant(target.visible),
        shares=tf.constant(target.shares, tf.float32),
    )
    targets = matching.as_targets(model, labels, tf.float32)
    candidate = matching.group_gradient(
        model, observed, target.sizes, tf.constant(images), targets
    ).numpy()
    entry_weights = objectives.normalised_weights(target.vector, target.visible)
    seen = np.where(target.visible, target.vector, np.float32(0)).astype(np.float64)
    error = np.square(candidate.astype(np.float64) - seen)
    with np.errstate(invalid="ignore"):  # An infinite error of weight zero.
        value = float(entry_weights @ np.where(target.visible, error, 0.0))
    return value if np.isfinite(value) else float("nan")


def verified(found: knowledge_lib.Reconstruction) -> knowledge_lib.Reconstruction:
    """The result, unless it says that it is exact and the whole gradient does not.

    As where a client drew what the attacker leaves out. A guessed label proves nothing.
    """
    sure = found.label_source != "guessed"
    if found.converged and sure and not found.objective < MISFIT:
        return found._replace(stop="inconsistent", converged=False)
    return found


def report(
    view: views.ServerView,
    target: target_lib.Target,
    knowledge: knowledge_lib.Knowledge,
    images: np.ndarray,
    labels: np.ndarray,
    label_source: str,
    stop: str,
    entries: int,
    began: float,
) -> knowledge_lib.Reconstruction:
    """What a closed-form attack hands back.

    Args:
      view: For the weights.
      target: The gradient as the server sees it.
      knowledge: For the model.
      images: float32 [b, *input_shape] in [0, 1].
      labels: As `Reconstruction.labels`.
      label_source: Where they come from.
      stop: How it ended; "closed_form" counts as converged.
      entries: Number of visible gradient entries that were used.
      began: `time.monotonic()` at the start.

    Returns:
      The reconstruction. Its objective is `matching_error`, NaN where the target is not
      finite.
    """
    objective = matching_error(view, target, knowledge, images, labels)
    return knowledge_lib.Reconstruction(
        examples=images,
        labels=labels,
        label_source=label_source,
        objective=objective,
        start_objectives=(objective,),
        iterations=0,
        evaluations=1,
        seconds=time.monotonic() - began,
        converged=stop == "closed_form",
        stop=stop,
        matched_entries=entries,
    )
