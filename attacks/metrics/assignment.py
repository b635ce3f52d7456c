"""Which reconstructed picture belongs to which true one.

A gradient does not tell the order of its batch. Every picture is matched once (Kuhn,
"The Hungarian Method for the Assignment Problem", 1955): matching with replacement
would let one good reconstruction count for several pictures.
"""

import numpy as np
from scipy import optimize


def match_pictures(images: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Finds the order of the reconstructions with the least total squared error.

    Args:
      images: float [b, h, w, c], clamped to [0, 1] first; pictures that are not finite
        are matched last.
      truth: float [b, h, w, c] in [0, 1].

    Returns:
      int64 [b]: `images[order]` goes with `truth`.

    Raises:
      ValueError: If the arguments differ in shape.

    Example:
      Black and white against white and black: [1, 0].
    """
    if images.shape != truth.shape:
        raise ValueError(
            "`images` and `truth` must have one shape, got "
            f"{list(images.shape)} and {list(truth.shape)}."
        )
    count = len(truth)
    rows = truth.reshape(count, -1).astype(np.float64)
    columns = np.clip(images.reshape(count, -1).astype(np.float64), 0.0, 1.0)
    cost = np.stack([np.mean(np.square(row - columns), axis=1) for row in rows])
    # Larger than any distance between pictures in [0, 1].
    _, order = optimize.linear_sum_assignment(np.where(np.isfinite(cost), cost, 2.0))
    return order.astype(np.int64)
