"""Numbers that are a bound but for what is not known of them, at the bound."""

import numpy as np


def held(images: np.ndarray, nearness: np.ndarray | float) -> np.ndarray:
    """Puts numbers near a bound there.

    Where many are, as in black borders, a ReLU without a bias is at its kink there: what
    lies a billionth beside it has another gradient.

    Args:
      images: float64 [b, ...] in [0, 1].
      nearness: What counts as near, a number or one for each example.

    Returns:
      The same numbers, some of them 0 or 1.
    """
    near = np.reshape(nearness, [-1] + [1] * (images.ndim - 1))
    inside = np.where(images < near, 0.0, images)
    return np.where(inside > 1 - near, 1.0, inside)
