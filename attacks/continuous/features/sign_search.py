"""The likeliest example, given which units are on and silent.

Adam (Kingma, Ba, ICLR 2015) on the energy (`sign_energy.py`), whose t falls meanwhile: the
first steps see smooth slopes, the last ones walls.
"""

from collections.abc import Callable
from typing import TypeAlias

import tensorflow as tf

from attacks.continuous.features import sign_energy

Search: TypeAlias = Callable[
    [sign_energy.Problem, tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor
]
"""`(problem, starts u [b, d], t at the end [b, 1], steps) -> u [b, d]`."""

_WARMEST = 0.6
"""t at the beginning."""

_STEP = 0.08
_COOLED = 0.5
"""Share of the search in which t falls."""
_SLOWED = 0.6
"""Share after which steps get smaller."""


def build(slope: sign_energy.Slope) -> Search:
    """Compiles the search.

    Runs on: attacker. Sees: the weights, the signs and its prior.

    Args:
      slope: Of the energy.

    Returns:
      The program.
    """

    @tf.function(autograph=False, reduce_retracing=True)
    def search(
        of: sign_energy.Problem, starts: tf.Tensor, coldest: tf.Tensor, steps: tf.Tensor
    ) -> tf.Tensor:
        warmer = tf.maximum(_WARMEST / coldest, 1.0)

        def step(
            k: tf.Tensor, u: tf.Tensor, first: tf.Tensor, second: tf.Tensor
        ) -> tuple[tf.Tensor, ...]:
            count = tf.cast(k, tf.float32) + 1
            share = count / tf.cast(steps, tf.float32)
            t = coldest * warmer ** (1 - tf.minimum(share / _COOLED, 1.0))
            own = slope(of, u, t)
            first = 0.9 * first + 0.1 * own
            second = 0.99 * second + 0.01 * tf.square(own)
            size = _STEP * tf.minimum(
                tf.minimum(count / 10, 1.0), (1 - share) / (1 - _SLOWED) + 0.01
            )
            spread = tf.sqrt(second / (1 - 0.99**count)) + 1e-6
            u -= size * first / (1 - 0.9**count) / spread
            return k + 1, u, first, second

        nothing = tf.zeros_like(starts)
        _, u, _, _ = tf.while_loop(
            lambda k, *_: k < steps, step, (tf.constant(0), starts, nothing, nothing)
        )
        return u

    return search
