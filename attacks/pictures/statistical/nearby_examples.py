"""Examples that a victim's could be: public ones, copies of them, and closer ones later.

A regression has to have more samples than an example has numbers. Pictures are copied
with a small affine change, other examples mixed in pairs.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

_TURN = 0.1
"""Standard deviations of a copy's change: radians,"""
_STRETCH = 0.06
"""the logarithm of the size of each side,"""
_SHEAR = 0.08
_SHIFT = 0.025
"""and of the side."""

_CHUNK = 1000


class Spread(NamedTuple):
    """What the last regression left open.

    Attributes:
      guess: float [d], its prediction.
      left_out: float [s, d], how samples differed from theirs.
    """

    guess: np.ndarray
    left_out: np.ndarray


def first(public: np.ndarray, count: int, generator: np.random.Generator) -> np.ndarray:
    """Public examples, and as many copies as are missing.

    Args:
      public: float32 [p, *input_shape] in [0, 1].
      count: How many in all; of more public ones a part by lot.
      generator: Of the part and the copies.

    Returns:
      float32 [count, *input_shape].
    """
    if len(public) >= count:
        return public[np.sort(generator.permutation(len(public))[:count])]
    return np.concatenate([public, copies(public, count - len(public), generator)])


def copies(
    public: np.ndarray, count: int, generator: np.random.Generator
) -> np.ndarray:
    """Public examples with small changes.

    Args:
      public: float32 [p, *input_shape] in [0, 1].
      count: How many.
      generator: Of the examples and the changes.

    Returns:
      float32 [count, *input_shape] in [0, 1].
    """
    chosen = generator.integers(len(public), size=count)
    if public.ndim != 4:
        others = generator.integers(len(public), size=count)
        shape = (count, *[1] * (public.ndim - 1))
        share = generator.uniform(size=shape).astype(np.float32)
        return (1 - share) * public[chosen] + share * public[others]
    changes = _changes(count, public.shape[1:3], generator)
    parts = [
        tf.raw_ops.ImageProjectiveTransformV3(
            images=public[chosen[at : at + _CHUNK]],
            transforms=changes[at : at + _CHUNK],
            output_shape=public.shape[1:3],
            interpolation="BILINEAR",
            fill_mode="NEAREST",
            fill_value=0.0,
        ).numpy()
        for at in range(0, count, _CHUNK)
    ]
    return np.clip(np.concatenate(parts), 0, 1).astype(np.float32)


def _changes(
    count: int, sides: tuple[int, ...], generator: np.random.Generator
) -> np.ndarray:
    """Affine maps about the middle, float32 [count, 8], from outputs to inputs."""
    turn = generator.normal(0, _TURN, count)
    wide, high = np.exp(generator.normal(0, _STRETCH, (2, count)))
    shear = generator.normal(0, _SHEAR, count)
    cosine, sine = np.cos(turn), np.sin(turn)
    xx, xy = cosine * wide, (cosine * shear - sine) * high
    yx, yy = sine * wide, (sine * shear + cosine) * high
    middle_x, middle_y = (sides[1] - 1) / 2, (sides[0] - 1) / 2
    shift_x, shift_y = generator.normal(0, _SHIFT, (2, count))
    x = middle_x - xx * middle_x - xy * middle_y + shift_x * sides[1]
    y = middle_y - yx * middle_x - yy * middle_y + shift_y * sides[0]
    nothing = np.zeros(count)
    return np.stack([xx, xy, x, yx, yy, y, nothing, nothing], 1).astype(np.float32)


def following(
    spread: Spread,
    pool: np.ndarray | None,
    widening: float,
    generator: np.random.Generator,
) -> np.ndarray:
    """Examples about the last guess, as far from it as it may be from the truth.

    Args:
      spread: Of the last regression.
      pool: float32 [q, d], copies of which the nearest make half of the examples; None
        for none of them.
      widening: Of the differences.
      generator: Of their order.

    Returns:
      float32 [s, d] in [0, 1], as many as before.
    """
    drawn = widening * spread.left_out[generator.permutation(len(spread.left_out))]
    near = np.zeros((0, len(spread.guess)), np.float32)
    if pool is not None:
        far = np.mean(np.square(pool - spread.guess.astype(np.float32)), axis=1)
        near = pool[np.argsort(far, kind="stable")[: len(drawn) // 2]]
    about = np.clip(spread.guess + drawn[: len(drawn) - len(near)], 0, 1)
    return np.concatenate([near, about]).astype(np.float32)
