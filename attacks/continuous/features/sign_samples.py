"""The mean of examples whose units are on and silent as they were.

Of all guesses the mean of the posterior has the least squared error. It is the mean along
walks through the posterior: Langevin dynamics with inertia (Horowitz, 1991; Neal, "MCMC
Using Hamiltonian Dynamics", 2011, section 5.3), steps small enough to go without the test
of acceptance.
"""

from collections.abc import Callable
from typing import TypeAlias

import tensorflow as tf

from attacks.continuous.features import sign_energy

Walk: TypeAlias = Callable[
    [sign_energy.Problem, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor
]
"""`(problem, starts u [b, d], t [b, 1], steps, seed [2]) -> mean examples [b, d]`."""

_STEP = 0.02
_NARROW = 0.05
"""Below this t steps are smaller in proportion, as the energy is steeper."""
_FRICTION = 2.0
_FORGOTTEN = 0.25
"""Share of the walk that leads from the start, and does not count."""


def build(slope: sign_energy.Slope) -> Walk:
    """Compiles the walk.

    Runs on: attacker. Sees: the weights, the signs and its prior.

    Args:
      slope: Of the energy.

    Returns:
      The program.
    """

    @tf.function(autograph=False, reduce_retracing=True)
    def walk(
        of: sign_energy.Problem,
        starts: tf.Tensor,
        t: tf.Tensor,
        steps: tf.Tensor,
        seed: tf.Tensor,
    ) -> tf.Tensor:
        size = _STEP * tf.minimum(t / _NARROW, 1.0)
        kept = tf.exp(-_FRICTION * size)
        fresh = tf.sqrt(1 - tf.square(kept))

        def drawn(k: tf.Tensor) -> tf.Tensor:
            return tf.random.stateless_normal(tf.shape(starts), seed + tf.stack([k, 0]))

        def step(
            k: tf.Tensor, u: tf.Tensor, speed: tf.Tensor, total: tf.Tensor
        ) -> tuple[tf.Tensor, ...]:
            speed = kept * speed - size * slope(of, u, t) + fresh * drawn(k)
            u += size * speed
            counts = tf.cast(k, tf.float32) >= _FORGOTTEN * tf.cast(steps, tf.float32)
            return (
                k + 1,
                u,
                speed,
                total + tf.where(counts, sign_energy.examples(of, u), 0.0),
            )

        _, _, _, total = tf.while_loop(
            lambda k, *_: k < steps,
            step,
            (tf.constant(0), starts, drawn(steps), tf.zeros_like(starts)),
        )
        forgotten = tf.math.ceil(_FORGOTTEN * tf.cast(steps, tf.float32))
        return total / (tf.cast(steps, tf.float32) - forgotten)

    return walk
