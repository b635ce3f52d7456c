"""The score of an entry that the bound itself induces.

`removal_increase` is exact and needs J as a matrix; `greedy_order` recomputes it in
rounds; `leverage` is a `SignificanceFn` that needs products with J only.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from selenc_tf import validation
from selenc_tf.distance import cramer_rao, information, jacobian
from selenc_tf.distance.prior import GaussianPrior
from selenc_tf.significance import required
from selenc_tf.significance.context import ScoreContext
from selenc_tf.types import Vector

_CHUNK = 2048
_PIXEL_VARIANCE = 0.06


def removal_increase(
    matrix: NDArray[np.float64],
    sigma: NDArray[np.float64],
    hidden: NDArray[np.bool_],
    prior: GaussianPrior,
) -> NDArray[np.float64]:
    """By how much the MSE bound rises if one more entry is hidden.

    With a_i = j_i / sigma_i and M the posterior precision of the visible entries, the
    rank-one downdate (Sherman, Morrison 1950) gives

        tr (M - a a^T)^-1 - tr M^-1 = a^T M^-2 a / (1 - a^T M^-1 a).

    1 - a^T M^-1 a loses digits where one entry alone determines a direction; it is kept
    at 2^-52 or above, so that such entries come out largest but not exactly.

    Runs on: the analyst, who has the example.

    Args:
      matrix: J, float64 [n, d].
      sigma: float64 [n], > 0: the error of each entry.
      hidden: bool [n]: what is hidden already.
      prior: Of the input.

    Returns:
      float64 [n], >= 0, per unknown (the unit of the bound); 0 for what is hidden
      already.
    """
    factor = information.visible(matrix, sigma, hidden)
    root = cramer_rao.posterior(factor, prior).root
    scores = np.zeros(len(matrix))
    rows = np.flatnonzero(~hidden)
    for start in range(0, len(rows), _CHUNK):
        taken = rows[start : start + _CHUNK]
        half = (matrix[taken] / sigma[taken, None]) @ root
        explained = np.sum(np.square(half), axis=1)
        moved = np.sum(np.square(half @ root.T), axis=1)
        left = np.maximum(1.0 - explained, np.finfo(np.float64).eps)
        scores[taken] = moved / left / prior.unknowns
    return scores


def greedy_order(
    matrix: NDArray[np.float64],
    sigma: NDArray[np.float64],
    prior: GaussianPrior,
    m: int,
    rounds: int,
) -> NDArray[np.int64]:
    """Hides the entries that raise the bound most, scoring anew in every round.

    One score of all entries ignores that they stand in for each other: two equal rows
    are both dispensable, and hiding one makes the other indispensable.

    Runs on: the analyst, who has the example.

    Args:
      matrix: J, float64 [n, d].
      sigma: float64 [n], > 0.
      prior: Of the input.
      m: How many entries to hide, in [0, n].
      rounds: In how many rounds of (nearly) equal size, at least 1; each costs a
        factorisation and two products of J with a d x d matrix.

    Returns:
      int64 [m]: indices in the order of hiding; every beginning is a mask of this
      method. Ties go to the lower index.

    Raises:
      ValueError: If `m` or `rounds` is out of range.
    """
    validation.check_in("m", m, range(len(matrix) + 1))
    validation.check_at_least("rounds", rounds, 1)
    hidden = np.zeros(len(matrix), np.bool_)
    order: list[NDArray[np.int64]] = []
    for count in np.diff(np.linspace(0, m, rounds + 1).round().astype(np.int64)):
        scores = removal_increase(matrix, sigma, hidden, prior)
        scores[hidden] = -1.0
        taken = np.argsort(-scores, kind="stable")[:count]
        hidden[taken] = True
        order.append(taken)
    return np.concatenate(order)


def leverage(
    context: ScoreContext,
    probes: int = 8,
    iterations: int = 16,
    relative_noise: float = 1e-3,
) -> Vector:
    """Scores an entry by its influence on the Bayesian Cramer-Rao bound; a sketch.

    With w_i = 1 / sigma_i^2 the weight of entry i, -d tr(M^-1) / d w_i = j_i^T M^-2 j_i.
    For random signs z that is the mean of (J M^-1 z)_i^2, and M^-1 z comes from a few
    steps of conjugate gradients (Hestenes, Stiefel 1952) with products by J and J^T.
    Stopping early shrinks M^-1 towards directions of large curvature: a few iterations
    find what coarse structure the entry carries.

    Runs on: the client that has the examples. The scores are as secret as they are.

    Args:
      context: `gradient`, `seed`, `weights`, `batch` and `model` are used.
      probes: Number of random vectors.
      iterations: Steps of conjugate gradients.
      relative_noise: sigma = this * ||g|| / sqrt(n). Larger than a real sigma, so that
        float32 and few iterations suffice.

    Returns:
      float32 [n], >= 0: the root of that mean.

    Raises:
      ValueError: If an argument is out of range, or the context lacks something.
    """
    validation.check_at_least("probes", probes, 1)
    validation.check_at_least("iterations", iterations, 1)
    validation.check_positive("relative_noise", relative_noise)
    gradient = required.gradient(context, "leverage")
    model, weights, batch = required.examples(context, "leverage")
    point = (model, weights, batch.inputs, batch.labels)
    forward = jacobian.forward_product(*point)
    backward = jacobian.backward_product(*point)
    power = tf.reduce_mean(tf.square(gradient))
    # 1 / sigma^2, in units in which the prior's precision is 1.
    precision = _PIXEL_VARIANCE / tf.maximum(
        relative_noise**2 * power, np.finfo(np.float32).tiny
    )

    def posterior_precision(direction: tf.Tensor) -> tf.Tensor:
        return direction + precision * backward(forward(direction))

    def probe(total: Vector, index: tf.Tensor) -> Vector:
        signs = tf.random.stateless_uniform(
            [tf.size(batch.inputs)],
            tf.random.experimental.stateless_fold_in(context.seed, index),
            minval=0,
            maxval=2,
            dtype=tf.int32,
        )
        right = tf.cast(2 * signs - 1, batch.inputs.dtype)
        solved = _conjugate_gradients(posterior_precision, right, iterations)
        return total + tf.square(forward(solved))

    total = tf.foldl(
        probe,
        tf.range(probes),
        initializer=tf.zeros_like(gradient),
        parallel_iterations=1,
    )
    return tf.sqrt(total / probes)


def _conjugate_gradients(
    apply: Callable[[tf.Tensor], tf.Tensor], right: tf.Tensor, iterations: int
) -> tf.Tensor:
    """A few steps towards the solution of apply(x) = right."""
    tiny = np.finfo(np.float32).tiny

    def step(
        count: tf.Tensor,
        solution: tf.Tensor,
        residual: tf.Tensor,
        direction: tf.Tensor,
        size: tf.Tensor,
    ) -> tuple[tf.Tensor, ...]:
        turned = apply(direction)
        length = size / tf.maximum(tf.tensordot(direction, turned, 1), tiny)
        residual_next = residual - length * turned
        size_next = tf.tensordot(residual_next, residual_next, 1)
        return (
            count + 1,
            solution + length * direction,
            residual_next,
            residual_next + size_next / tf.maximum(size, tiny) * direction,
            size_next,
        )

    first = (
        tf.constant(0),
        tf.zeros_like(right),
        right,
        right,
        tf.tensordot(right, right, 1),
    )
    return tf.while_loop(lambda count, *state: count < iterations, step, first)[1]
