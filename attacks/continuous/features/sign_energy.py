"""How unlikely an example is, given which units are on and silent.

Over u, of which the example is a function (`logit_prior.py`), it is the sum of

    softplus(-s z / (scale t))  over the units, z what enters the ReLU and s its sign,
    |u|^2 / 2                   the prior,

minus the logarithm of a posterior whose likelihood is logistic regression's (Bishop,
"Pattern Recognition and Machine Learning", 2006, section 4.3.2). For t -> 0 that is 1
where all signs are right, and else 0.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
import tensorflow as tf

from attacks.continuous.features import logit_prior
from attacks.structure import rectified
from selenc_tf.models import functional
from selenc_tf.types import Weights


class Signs(NamedTuple):
    """What is known of a group of units, for each of b examples.

    Attributes:
      signs: float32 [b, units]; 0 where not known.
      scale: float32 [units], how much z varies from example to example.
      tolerance: How far (in units of t) a silent unit is inside already at z = 0: 0
        where z is below zero in general, more where it mostly is zero itself.
    """

    signs: np.ndarray
    scale: np.ndarray
    tolerance: float


class Problem(NamedTuple):
    """Tensors, float32: all that the energy depends on but u and t.

    Attributes:
      weights: Of the model.
      mean: [d], of the prior.
      root: [d, d], of the prior.
      signs: [b, units] for each group.
      scales: [units] for each group.
      tolerances: A number for each group.
    """

    weights: Weights
    mean: tf.Tensor
    root: tf.Tensor
    signs: tuple[tf.Tensor, ...]
    scales: tuple[tf.Tensor, ...]
    tolerances: tuple[tf.Tensor, ...]


Slope: TypeAlias = Callable[[Problem, tf.Tensor, tf.Tensor], tf.Tensor]
"""`(problem, u [b, d], t [b, 1]) -> [b, d]`, the derivative by u."""


def problem(
    weights: tuple[np.ndarray, ...],
    prior: logit_prior.LogitPrior,
    groups: tuple[Signs, ...],
) -> Problem:
    """The tensors of arrays.

    Args:
      weights: Of the round.
      prior: Of an example.
      groups: The signs, group by group as the model's units.

    Returns:
      Them.
    """

    def single(values: object) -> tf.Tensor:
        return tf.constant(values, tf.float32)

    return Problem(
        tuple(single(one) for one in weights),
        single(prior.mean),
        single(prior.root),
        tuple(single(one.signs) for one in groups),
        tuple(single(one.scale) for one in groups),
        tuple(single(one.tolerance) for one in groups),
    )


def slope_of(model: functional.FunctionalModel, found: rectified.Rectified) -> Slope:
    """The derivative of the energy.

    Args:
      model: The model.
      found: Its units.

    Returns:
      The function.
    """

    def slope(of: Problem, u: tf.Tensor, t: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(u)
            x = tf.reshape(examples(of, u), [-1, *model.input_shape])
            energy = tf.reduce_sum(tf.square(u)) / 2
            outputs = found.outputs(of.weights, x)
            for z, s, scale, tolerance in zip(
                outputs, of.signs, of.scales, of.tolerances, strict=True
            ):
                inside = s * z / (scale * t) + tf.where(s < 0, tolerance, 0.0)
                energy += tf.reduce_sum(tf.abs(s) * tf.nn.softplus(-inside))
        return tape.gradient(energy, u)

    return slope


def examples(of: Problem, u: tf.Tensor) -> tf.Tensor:
    """Examples [b, d] in [0, 1]; the clipping takes nothing from the slope."""
    margin = logit_prior.MARGIN
    x = (tf.sigmoid(of.mean + tf.matmul(u, of.root)) - margin) / (1 - 2 * margin)
    return x + tf.stop_gradient(tf.clip_by_value(x, 0.0, 1.0) - x)
