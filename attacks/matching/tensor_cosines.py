"""The mean over tensors of the cosine distance, with its slope written down.

The same number as `distances.build_distance("tensor_cosine")` of the flat vectors, of a
target whose tensors were made unit vectors beforehand. A Transformer has hundreds of
tensors: with a tape's operations for each the function took longer to trace than the
model, and ten times as long as with these.
"""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from selenc_tf.types import Vector

_TINY = 1e-30


def unit_target(
    vector: np.ndarray,
    matched: np.ndarray,
    sizes: Sequence[int],
    least_entries: int = 4,
) -> tuple[np.ndarray, np.ndarray]:
    """Makes each tensor of a target a unit vector on its matched entries.

    Runs on: attacker. Sees: the visible entries.

    Args:
      vector: float [n].
      matched: bool [n].
      sizes: Of the tensors.
      least_entries: A tensor takes part if at least this many of its entries are matched
        and not all of them are zero.

    Returns:
      The unit vectors, float32 [n], and 1 / the number of tensors that take part, or 0
      for the others, float32 [tensors].
    """
    starts = np.cumsum([0, *sizes[:-1]])
    seen = np.where(matched, vector, 0.0).astype(np.float64)
    norms = np.sqrt(np.add.reduceat(np.square(seen), starts))
    takes_part = norms > 0
    takes_part &= np.add.reduceat(matched.astype(np.int64), starts) >= least_entries
    inverse = np.where(takes_part, 1.0 / np.where(takes_part, norms, 1.0), 0.0)
    shares = takes_part / np.maximum(1, np.count_nonzero(takes_part))
    units = seen * np.repeat(inverse, sizes)
    return units.astype(np.float32), shares.astype(np.float32)


def distance(
    candidate: Sequence[tf.Tensor], units: Vector, matched: Vector, shares: tf.Tensor
) -> tf.Tensor:
    """The mean of 1 - cosine over the tensors that take part; differentiable once.

    With u = m q / ||m q|| and the unit target v a tensor's part is ||u - v||^2 / 2, and
    its derivative by q is (d - <d, u> u) / ||m q|| with d = u - v and <d, u> the part
    itself.

    Runs on: attacker. Sees: the visible entries and its own candidate.

    Args:
      candidate: q, one tensor for each of the model's.
      units: [n], see `unit_target`.
      matched: m, [n], 0 or 1.
      shares: [tensors].

    Returns:
      A scalar in [0, 2]. A tensor of norm zero counts as 1/2 and has the slope 0.
    """

    @tf.custom_gradient
    def apart(
        *tensors: tf.Tensor,
    ) -> tuple[tf.Tensor, Callable[[tf.Tensor], list[tf.Tensor]]]:
        sizes = [int(one.shape.num_elements()) for one in tensors]
        masks, theirs = tf.split(matched, sizes), tf.split(units, sizes)
        ours = [tf.reshape(q, [-1]) * m for q, m in zip(tensors, masks, strict=True)]
        energy = 2 * tf.stack([tf.nn.l2_loss(one) for one in ours])
        solid = energy > _TINY
        inverse = tf.where(solid, tf.math.rsqrt(tf.where(solid, energy, 1.0)), 0.0)
        scales = tf.unstack(inverse)
        unit = [one * scale for one, scale in zip(ours, scales, strict=True)]
        errors = [u - v for u, v in zip(unit, theirs, strict=True)]
        parts = tf.stack([tf.nn.l2_loss(one) for one in errors])

        def slopes(upstream: tf.Tensor) -> list[tf.Tensor]:
            factors = zip(
                tf.unstack(upstream * shares * inverse), tf.unstack(parts), strict=True
            )
            return [
                tf.reshape(factor * (d - part * u), q.shape)
                for q, d, u, (factor, part) in zip(
                    tensors, errors, unit, factors, strict=True
                )
            ]

        return tf.reduce_sum(shares * parts), slopes

    found: tf.Tensor = apart(*candidate)
    return found
