"""What pictures are like, as penalties that do not look at the gradient.

All are means, so that one weight serves every size of picture and batch.

Sources: total variation, Rudin, Osher, Fatemi, "Nonlinear total variation based noise
removal algorithms", Physica D 1992, in the forms of Geiping et al., "Inverting
Gradients", NeurIPS 2020, and of its authors' later collection of attacks; statistics of
batch normalisation, Yin et al., "Dreaming to Distill", CVPR 2020, and "See through
Gradients", CVPR 2021, section 3; group consistency, the latter, section 3.3.
"""

from collections.abc import Sequence

import tensorflow as tf

from selenc_tf import validation

_SMOOTH = 1e-8
"""Keeps the slope of a fractional power finite at zero."""

_FIRST_LAYER = 10.0
"""Weight of the first normalisation's statistics; the others weigh 1."""


def total_variation(images: tf.Tensor) -> tf.Tensor:
    """Mean |difference| of neighbours, across plus down (the anisotropic form).

    Runs on: attacker. Sees: its candidate.

    Args:
      images: [b, h, w, c] in [0, 1], at least 2x2.

    Returns:
      A scalar in [0, 2].

    Example:
      Columns alternating between 0 and 1: 1 across, 0 down: 1.
    """
    across = tf.reduce_mean(tf.abs(images[:, :, 1:] - images[:, :, :-1]))
    down = tf.reduce_mean(tf.abs(images[:, 1:] - images[:, :-1]))
    return across + down


def padded_variation(
    images: tf.Tensor,
    *,
    inner: float = 1.0,
    outer: float = 1.0,
    double_opponents: bool = False,
) -> tf.Tensor:
    """Mean of ((|dx| + e)^p + (|dy| + e)^p)^q, zeros following the border.

    Every pixel has a difference to its right and its lower neighbour, and those outside
    count as black: p = q = 1 is `total_variation` up to the border, p = 2, q = 1/2 the
    isotropic form.

    Runs on: attacker. Sees: its candidate.

    Args:
      images: [b, h, w, c] in [0, 1].
      inner: p, positive.
      outer: q, positive.
      double_opponents: Whether to count the differences of the colours, red - green,
        red - blue and green - blue, as further channels. Pictures without three
        channels have none.

    Returns:
      A scalar.

    Raises:
      ValueError: If an exponent is not positive.
    """
    validation.check_positive("inner", inner)
    validation.check_positive("outer", outer)
    if double_opponents and images.shape[-1] == 3:
        red, green, blue = tf.split(images, 3, axis=-1)
        images = tf.concat([images, red - green, red - blue, green - blue], axis=-1)
    framed = tf.pad(images, [[0, 0], [0, 1], [0, 1], [0, 0]])
    across = tf.abs(framed[:, :-1, 1:] - images) + _SMOOTH
    down = tf.abs(framed[:, 1:, :-1] - images) + _SMOOTH
    return tf.reduce_mean(_power(_power(across, inner) + _power(down, inner), outer))


def mean_norm(images: tf.Tensor) -> tf.Tensor:
    """Mean over the batch of a picture's root mean square: the L2 norm, size-free.

    Args:
      images: [b, h, w, c].

    Returns:
      A scalar.
    """
    energy = tf.reduce_mean(tf.square(images), axis=(1, 2, 3))
    return tf.reduce_mean(_root(energy))


def statistics_distance(
    activations: Sequence[tf.Tensor],
    means: Sequence[tf.Tensor],
    variances: Sequence[tf.Tensor],
) -> tf.Tensor:
    """Distance of a batch's statistics from those that normalisation layers keep.

    Sum over layers of w (||mean - running mean|| + ||variance - running variance||),
    w = 10 for the first layer and 1 for the others; variances are biased.

    Runs on: attacker. Sees: its candidate and the global model's statistics, which the
    server broadcasts. Those of a client would be another matter: they are not sent.

    Args:
      activations: The layers' inputs, [b, ..., channels].
      means: The layers' running means, [channels].
      variances: The layers' running variances.

    Returns:
      A scalar; zero without layers.
    """
    total = tf.zeros([], tf.float32)
    for index, (values, mean, variance) in enumerate(
        zip(activations, means, variances, strict=True)
    ):
        found_mean, found_variance = tf.nn.moments(
            values, axes=list(range(len(values.shape) - 1))
        )
        total += (_FIRST_LAYER if index == 0 else 1.0) * (
            _root(tf.reduce_sum(tf.square(found_mean - mean)))
            + _root(tf.reduce_sum(tf.square(found_variance - variance)))
        )
    return total


def feature_distance(
    features: tf.Tensor, seen: tf.Tensor, known: tf.Tensor
) -> tf.Tensor:
    """Mean squared difference between the head's input and what its gradient says.

    With one picture of class y, the head's kernel has the gradient h_j d_y in column y
    and its bias d_y, so their ratio is the input h_j itself.

    Args:
      features: [b, f], the candidate's input of the last dense layer.
      seen: [b, f], the ratio where both entries are visible.
      known: [b, f], 1 where they are, else 0.

    Returns:
      A scalar, the mean over known features relative to their mean square; zero where
      none is known.
    """
    error = tf.reduce_sum(known * tf.square(features - seen))
    energy = tf.reduce_sum(known * tf.square(seen))
    return error / tf.where(energy > 0, energy, 1.0)


def group_distance(images: tf.Tensor, consensus: tf.Tensor) -> tf.Tensor:
    """Root mean square distance of a candidate from the mean of its restarts.

    Args:
      images: [b, h, w, c].
      consensus: [b, h, w, c]; a constant to the derivative.

    Returns:
      A scalar.
    """
    return _root(tf.reduce_mean(tf.square(images - tf.stop_gradient(consensus))))


def _power(values: tf.Tensor, exponent: float) -> tf.Tensor:
    return values if exponent == 1.0 else tf.pow(values, exponent)


def _root(energy: tf.Tensor) -> tf.Tensor:
    positive = energy > 0
    return tf.where(positive, tf.sqrt(tf.where(positive, energy, 1.0)), 0.0)
