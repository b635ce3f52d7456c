"""The same least squares for networks whose Jacobian is too much to write down.

Steps of Gauss-Newton in which the linear problem is solved by conjugate gradients (M. R.
Hestenes, E. Stiefel, 1952; in the form CGLS of A. Bjorck, "Numerical Methods for Least
Squares Problems", 1996, section 7.4), all examples of a batch at once. Products with the
Jacobian are made in single precision, what is left to explain in double: each step takes
another few digits off.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from selenc_tf.distance import prior as prior_lib
from selenc_tf.types import Weights

_FIRST = 3e-2
_FASTEST_FALL, _RISE = 1e-3, 3.0
_LEAST_SHARE = 1 / 64
_ROUGH, _PRECISE = 0.02, 1e-4
"""Relative residuals of the normal equations at which the inner iterations end, before and
at the errors' own level."""

_INNER = 120
_SMALL = 1e-7
_HELPED, _NO_GAIN = 0.6, 0.9
"""Share of the misfit that a step leaves for the level to fall, and of the squared misfit
for a last step to be the last."""

_FAILURES = 3
_SAMPLES = 2


class Root(NamedTuple):
    """A prior's square root, as tensors.

    Attributes:
      amplitudes: [*shape] of an example.
      axes: A matrix for each axis.
    """

    amplitudes: tf.Tensor
    axes: tuple[tf.Tensor, ...]


class Products(NamedTuple):
    """Programs.

    Attributes:
      value: `(weights, inputs [b, *shape]) -> [b, f]`, float64.
      step: `(weights, inputs, root, precision [b, f], sides [b, f], latent [b, *shape],
        tolerance [b], bounded) -> [b, *shape]`, float32: the change of the inputs.
    """

    value: Callable[[Weights, tf.Tensor], tf.Tensor]
    step: Callable[..., tf.Tensor]


class Found(NamedTuple):
    """Where the steps ended.

    Attributes:
      x: float64 [b, *shape] in [0, 1].
      deviation: float64 [b], as `least_squares.Found`.
      settled: Whether the steps came to an end for every example.
      steps: Linearisations.
    """

    x: np.ndarray
    deviation: np.ndarray
    settled: bool
    steps: int


def compile_products(
    double: Callable[[Weights, tf.Tensor], tf.Tensor],
    single: Callable[[Weights, tf.Tensor], tf.Tensor],
) -> Products:
    """Compiles the products with a function's Jacobian.

    Runs on: attacker. Sees: its candidates.

    Args:
      double: A cut's `below`, in float64.
      single: The same in float32.

    Returns:
      The programs.
    """

    @tf.function(autograph=False, reduce_retracing=True)
    def value(weights: Weights, inputs: tf.Tensor) -> tf.Tensor:
        return double(weights, inputs)

    @tf.function(autograph=False, reduce_retracing=True)
    def step(
        weights: Weights,
        inputs: tf.Tensor,
        root: Root,
        precision: tf.Tensor,
        sides: tf.Tensor,
        latent: tf.Tensor,
        tolerance: tf.Tensor,
        bounded: tf.Tensor,
    ) -> tf.Tensor:
        def slope_of(r: tf.Tensor) -> tf.Tensor:
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(inputs)
                outputs = single(weights, inputs)
            return tape.gradient(outputs, inputs, output_gradients=precision * r)

        # What lies at a bound and would pass it stays there.
        outward = slope_of(sides)
        stay = ((inputs <= 0) & (outward < 0)) | ((inputs >= 1) & (outward > 0))
        free = tf.where(stay & bounded, tf.zeros_like(inputs), tf.ones_like(inputs))

        def push(z: tf.Tensor) -> tf.Tensor:
            tangent = free * apply_root(root, z)
            with tf.autodiff.ForwardAccumulator(inputs, tangent) as forward:
                outputs = single(weights, inputs)
            return precision * forward.jvp(outputs)

        def pull(r: tf.Tensor) -> tf.Tensor:
            return apply_root(root, free * slope_of(r), transpose=True)

        return free * apply_root(root, _cgls(push, pull, sides, latent, tolerance))

    return Products(value, step)


def _cgls(
    push: Callable[[tf.Tensor], tf.Tensor],
    pull: Callable[[tf.Tensor], tf.Tensor],
    sides: tf.Tensor,
    latent: tf.Tensor,
    tolerance: tf.Tensor,
) -> tf.Tensor:
    """The d that minimises |A d - sides|^2 + |latent + d|^2, for each of a batch."""
    axes = list(range(1, len(latent.shape)))

    def energy(z: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(tf.square(z), axes, keepdims=True)

    def of_rows(scalar: tf.Tensor) -> tf.Tensor:
        return tf.reshape(scalar, [-1, 1])

    slope = pull(sides) - latent
    first = energy(slope)
    enough = tf.square(tf.reshape(tolerance, tf.shape(first))) * first
    state = (tf.zeros([], tf.int32), tf.zeros_like(latent), sides, slope, slope, first)

    def unfinished(index: tf.Tensor, *parts: tf.Tensor) -> tf.Tensor:
        return (index < _INNER) & tf.reduce_any(parts[-1] > enough)

    def body(
        index: tf.Tensor,
        d: tf.Tensor,
        left: tf.Tensor,
        slope: tf.Tensor,
        direction: tf.Tensor,
        before: tf.Tensor,
    ) -> tuple[tf.Tensor, ...]:
        moved = push(direction)
        bend = tf.reshape(
            tf.reduce_sum(tf.square(moved), 1), tf.shape(before)
        ) + energy(direction)
        length = tf.math.divide_no_nan(before, bend)
        length = tf.where(before > enough, length, 0.0)
        d = d + length * direction
        left = left - of_rows(length) * moved
        slope = pull(left) - latent - d
        after = energy(slope)
        ratio = tf.math.divide_no_nan(after, before)
        return index + 1, d, left, slope, slope + ratio * direction, after

    return tf.while_loop(unfinished, body, state)[1]


def apply_root(root: Root, values: tf.Tensor, transpose: bool = False) -> tf.Tensor:
    """As `prior.apply_root`, of examples.

    Args:
      root: C of one example.
      values: float32 [b, *shape].
      transpose: Whether to apply C^T.

    Returns:
      float32 [b, *shape].
    """
    found = values if transpose else values * root.amplitudes
    for axis, matrix in enumerate(root.axes, start=1):
        moved = tf.tensordot(found, matrix, [[axis], [0 if transpose else 1]])
        order = list(range(len(values.shape)))
        order.insert(axis, order.pop())
        found = tf.transpose(moved, order)
    return found * root.amplitudes if transpose else found


def root_of(prior: prior_lib.GaussianPrior) -> Root:
    """The root of one example's prior.

    Args:
      prior: Of one example.

    Returns:
      float32 tensors.
    """
    shape = prior.shape[1:]
    amplitudes = np.ones(shape) if prior.amplitudes is None else prior.amplitudes
    return Root(
        tf.constant(np.sqrt(prior.variance) * amplitudes, tf.float32),
        tuple(tf.constant(one, tf.float32) for one in prior.axes[1:]),
    )


def solve(
    products: Products,
    weights: Weights,
    values: np.ndarray,
    errors: np.ndarray,
    prior: prior_lib.GaussianPrior,
    most: int,
    over: Callable[[], bool] = lambda: False,
) -> Found:
    """Finds the examples.

    Runs on: attacker. Sees: what is known of the examples.

    Args:
      products: The network below.
      weights: Of the whole model, float64.
      values: float64 [b, f], v; anything where not known.
      errors: float64 [b, f], > 0; inf where not known.
      prior: Of one example.
      most: Linearisations, at least 1.
      over: Whether time is up; asked after each step.

    Returns:
      The most probable examples, as far as the steps went.
    """
    shape = prior.shape[1:]
    root, single = root_of(prior), tuple(tf.cast(one, tf.float32) for one in weights)
    known = np.isfinite(errors)

    def left_of(x: np.ndarray, which: np.ndarray) -> np.ndarray:
        made = products.value(weights, tf.constant(x)).numpy()
        return np.where(known[which], values[which] - made, 0.0)

    def latent_of(x: np.ndarray) -> np.ndarray:
        flat = (x.reshape(len(x), -1) - prior.mean).T
        return prior_lib.apply_inverse_root(prior, flat).T.reshape(x.shape)

    every = np.arange(len(values))
    x = np.tile(
        np.clip(prior.mean, 0, 1).reshape(1, *shape), (len(values), *[1] * len(shape))
    )
    off = left_of(x, every)
    spread = np.sqrt(np.mean(np.square(off), 1)) + 1e-300
    lowest = np.min(errors, 1) / spread
    level = np.full(len(values), _FIRST)
    failures = np.zeros(len(values), np.int64)
    done = np.zeros(len(values), np.bool_)
    steps = 0
    while steps < most and not done.all():
        now = np.flatnonzero(~done)
        sigma = np.maximum(errors[now], (level * spread)[now, np.newaxis])
        last, before = (level <= lowest)[now], np.sum(np.square(off[now] / sigma), 1)
        change = products.step(
            single,
            tf.constant(x[now], tf.float32),
            root,
            tf.constant(1 / sigma, tf.float32),
            tf.constant(off[now] / sigma, tf.float32),
            tf.constant(latent_of(x[now]), tf.float32),
            tf.constant(np.where(last, _PRECISE, _ROUGH), tf.float32),
            tf.constant(True),
        ).numpy()
        steps += 1
        share = np.ones(len(now))
        enough = np.maximum(before, np.count_nonzero(known[now], 1))
        while True:
            moved = np.clip(
                x[now] + share.reshape(-1, *[1] * len(shape)) * change, 0, 1
            )
            left = left_of(moved, now)
            after = np.sum(np.square(left / sigma), 1)
            worse = ~(after <= enough) & (share > 0)
            if not worse.any():
                break
            share = np.where(worse, share / 2, share)
            share = np.where(share < _LEAST_SHARE, 0.0, share)
        size = np.max(np.abs(moved - x[now]).reshape(len(now), -1), 1)
        x[now], off[now] = moved, left
        failures[now] = np.where(share == 0, failures[now] + 1, 0)
        little = (size < _SMALL) | (after > _NO_GAIN * before)
        done[now] = (last & little) | (failures[now] >= _FAILURES)
        gain = np.sqrt(after / np.maximum(before, 1e-300))
        # Where all is explained to within this noise there is no gain to be had.
        ended = (after <= np.count_nonzero(known[now], 1)) | (size < _SMALL)
        gain = np.where(ended, gain / 10, gain)
        fall = np.where(gain < _HELPED, np.maximum(gain, _FASTEST_FALL), 1.0)
        level[now] *= np.where(share == 0, _RISE, np.where(share == 1, fall, 1.0))
        if over():
            break
    generator = np.random.default_rng(0)
    precision = np.where(known, 1 / errors, 0.0)
    squares = []
    for _ in range(_SAMPLES):
        sample = products.step(
            single,
            tf.constant(x, tf.float32),
            root,
            tf.constant(precision, tf.float32),
            tf.constant(generator.normal(size=errors.shape), tf.float32),
            tf.constant(generator.normal(size=x.shape), tf.float32),
            tf.constant(np.full(len(x), _PRECISE), tf.float32),
            tf.constant(False),
        ).numpy()
        squares.append(np.mean(np.square(sample).reshape(len(x), -1), 1))
    deviation = np.sqrt(np.mean(squares, 0))
    settled = bool(done.all() and (failures < _FAILURES).all())
    return Found(x, deviation, settled, steps)
