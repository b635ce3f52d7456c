"""Labels that the reading of features left open, settled by the examples found."""

import numpy as np
import tensorflow as tf

from attacks import knowledge as knowledge_lib
from attacks import target as target_lib
from attacks.continuous.analytic import closed_form
from attacks.continuous.features import features as features_lib
from attacks.continuous.features import inversion
from federated import views

_AMBIGUOUS = 100.0
"""A class is excluded if it explains so many times less than the best one."""

_TRIED = 12
"""Most classes that are told apart by a gradient each."""


def settle(
    net: inversion.Below,
    view: views.ServerView,
    target: target_lib.Target,
    knowledge: knowledge_lib.Knowledge,
    images: np.ndarray,
    features: features_lib.Features,
) -> features_lib.Features:
    """Looks for the classes that go with features, where they were guessed.

    Runs on: attacker. Sees: the weights and the visible entries.

    Args:
      net: The network, of a model that learns classes.
      view: For the weights.
      target: The gradient.
      knowledge: For the model.
      images: float64 [b, *input_shape] in [0, 1], the examples found.
      features: What is known of them.

    Returns:
      The features with other labels: of one example "enumerated" if its gradient excludes
      all others; else the likeliest ones that the visible head allows.
    """
    if len(images) == 1:
        return _single(net, view, target, knowledge, images, features)
    return _likely(net, target, features)


def _single(
    net: inversion.Below,
    view: views.ServerView,
    target: target_lib.Target,
    knowledge: knowledge_lib.Knowledge,
    images: np.ndarray,
    features: features_lib.Features,
) -> features_lib.Features:
    """The class whose gradient at the example found is closest to the visible one."""
    possible, likely = _possible(net, target, features)
    if len(possible) > _TRIED:
        # Whole classes are hidden: nothing tells them apart but how likely they are.
        best = possible[int(np.argmax(likely[possible]))]
        return features._replace(labels=np.array([best], np.int64))
    errors = np.array(
        [
            closed_form.matching_error(
                view, target, knowledge, images.astype(np.float32), np.array([label])
            )
            for label in possible
        ]
    )
    if not np.isfinite(errors).any():
        return features
    best = possible[int(np.nanargmin(errors))]
    # Only one class may explain what is visible, or it stays a guess.
    least = max(_AMBIGUOUS * float(np.nanmin(errors)), closed_form.MISFIT)
    return features._replace(
        labels=np.array([best], np.int64),
        label_source="enumerated" if np.sum(errors < least) == 1 else "guessed",
    )


def _possible(
    net: inversion.Below, target: target_lib.Target, features: features_lib.Features
) -> tuple[np.ndarray, np.ndarray]:
    """Classes that the visible entries of the head allow, and all their probabilities."""
    logits = net.cut.above(net.weights, tf.constant(features.values))
    likely = tf.nn.softmax(logits).numpy()[0]
    layer = net.cut.layer
    if not layer.head or not np.isfinite(features.errors).all():
        return np.arange(likely.size), likely
    seen = target.visible[layer.kernel].reshape(layer.features, layer.units)
    sent = target.plain[layer.kernel].reshape(seen.shape)

    def misfit(off: np.ndarray) -> np.ndarray:
        left = np.where(seen, np.outer(features.values[0], off) - sent, 0.0)
        return np.sum(np.square(left), axis=0)

    others, own = misfit(likely), misfit(likely - 1.0)
    errors = np.sum(others) - others + own
    floor = closed_form.MISFIT * float(np.sum(np.square(sent[seen])))
    allowed = errors <= max(_AMBIGUOUS * float(np.min(errors)), floor)
    return np.flatnonzero(allowed), likely


def _likely(
    net: inversion.Below, target: target_lib.Target, features: features_lib.Features
) -> features_lib.Features:
    """The likeliest class of every example of a batch that the head's gradient allows.

    With the features H of b examples each class's column of that gradient is H^T e / b,
    whose visible entries give e: for the right class it is p - 1, else p.
    """
    layer = net.cut.layer
    if not layer.head or not np.isfinite(features.errors).all():
        return features
    logits = net.cut.above(net.weights, tf.constant(features.values))
    likely = tf.nn.softmax(logits).numpy()
    seen = target.visible[layer.kernel].reshape(layer.features, layer.units)
    sent = target.plain[layer.kernel].reshape(seen.shape).astype(np.float64)
    count = len(features.values)
    scores = likely.copy()
    for unit in range(layer.units):
        rows = seen[:, unit]
        if np.count_nonzero(rows) < 2 * count:
            continue
        inputs = features.values[:, rows].T / count
        off, _, rank, _ = np.linalg.lstsq(inputs, sent[rows, unit], rcond=None)
        if rank == count:
            own = np.abs(off - likely[:, unit] + 1.0) < np.abs(off - likely[:, unit])
            scores[:, unit] = np.where(own, 2.0, -1.0)
    return features._replace(labels=np.argmax(scores, axis=1).astype(np.int64))
