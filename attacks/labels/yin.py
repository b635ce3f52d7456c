"""The label rule of GradInversion: the classes with the lowest entries."""

import numpy as np

from attacks.labels import head as head_lib
from selenc_tf import validation


def yin(head: head_lib.HeadGradient, batch_size: int) -> head_lib.Labels:
    """Takes the classes in the order of the smallest entry of their column.

    Yin et al., "See through Gradients: Image Batch Recovery via GradInversion", CVPR
    2021, section 3.2. With features that are not negative (ReLU, sigmoid) only a
    picture of class k makes an entry of column k negative. The rule knows no repeated
    classes: it starts over when the classes are used up.

    Runs on: attacker. Sees: what is known of the head's kernel.

    Args:
      head: The head's gradient.
      batch_size: b >= 1.

    Returns:
      b classes; evident are those with a negative entry.

    Example:
      kernel [[.1, -.3, .2], [-.4, .3, .1]], b = 2: 0 (-.4), then 1 (-.3).
    """
    validation.check_at_least("batch_size", batch_size, 1)
    lowest = np.min(np.where(head.kernel_known, head.kernel, np.inf), axis=0)
    known = np.flatnonzero(np.isfinite(lowest))
    if known.size == 0:
        known = np.arange(lowest.size)
    order = known[np.argsort(lowest[known], kind="stable")]
    taken = tuple(int(order[index % order.size]) for index in range(batch_size))
    evident = [label for label in taken[: order.size] if lowest[label] < 0]
    return head_lib.Labels(tuple(sorted(taken)), tuple(sorted(evident)))
