"""How the recovery of one picture went, seen from outside."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np


class Reached(NamedTuple):
    """How an attack on one picture went.

    Attributes:
      reached: For each PSNR in dB that was reached, the seconds until then and one more
        number: CPU seconds or iterations.
      best: The highest PSNR; not a number where there was none.
      seconds: Of all.
      evaluations: Of the objective.
      reason: Why the attack does not apply, and has no picture; "" if it does.
    """

    reached: Mapping[float, tuple[float, float]]
    best: float
    seconds: float
    evaluations: int
    reason: str = ""


def psnr(images: np.ndarray, truth: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB of pictures in [0, 1], at most 300."""
    mse = float(np.mean((images - truth) ** 2))
    return -10 * math.log10(max(mse, 1e-30))
