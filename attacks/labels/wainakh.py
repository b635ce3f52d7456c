"""The label rule LLG in its simple form: column sums and one picture's impact."""

import numpy as np

from attacks.labels import head as head_lib
from selenc_tf import validation


def wainakh_simple(head: head_lib.HeadGradient, batch_size: int) -> head_lib.Labels:
    """Takes classes by the sums of the kernel's columns.

    Wainakh et al., "User-Level Label Leakage from Gradients in Federated Learning",
    PoPETs 2022, without auxiliary data: one picture's impact is estimated as
    (1 + 1 / classes) / b times the sum of the negative column sums.

    Runs on: attacker. Sees: what is known of the head's kernel.

    Args:
      head: The head's gradient.
      batch_size: b >= 1.

    Returns:
      b classes; evident are those with a negative sum, once each (a proof only where the
      features are not negative).

    Example:
      kernel [[-3, 1, 2]], b = 2: impact (4/3) / 2 * -3 = -2; 0 once (-1), 0 again.
    """
    validation.check_at_least("batch_size", batch_size, 1)
    sums = head_lib.column_sums(head)
    negative = float(np.sum(sums[sums < 0]))
    impact = (1.0 + 1.0 / sums.size) / batch_size * negative
    return head_lib.take_greedily(sums, impact, batch_size)
