"""The greedy label rule on the bias, whose gradient no feature scales."""

import numpy as np

from attacks.labels import head as head_lib
from selenc_tf import validation


def bias_corrected(head: head_lib.HeadGradient, batch_size: int) -> head_lib.Labels:
    """Takes classes by the gradient of the head's bias.

    The gradient of bias k is mean(p_k) - count_k / b. The rule is Wainakh et al.'s with
    these in place of the column sums and the sum of the negative ones, divided by b, as
    one picture's impact. A bias that is hidden is replaced by nothing: its class is not
    compared.

    Runs on: attacker. Sees: what is known of the head's bias.

    Args:
      head: The head's gradient.
      batch_size: b >= 1.

    Returns:
      b classes; evident are those with a negative entry, once each.

    Example:
      bias [-.6, .2, -.2, .6], b = 4: impact -.2; 0 and 2 once (-.4, .2, 0, .6), then 0
      (-.2) and 0 again.
    """
    validation.check_at_least("batch_size", batch_size, 1)
    scores = np.where(head.bias_known, head.bias, np.nan)
    negative = float(np.sum(scores[scores < 0]))
    return head_lib.take_greedily(scores, negative / batch_size, batch_size)
