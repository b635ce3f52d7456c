"""What is known of the inputs of a dense layer: the meeting point of the two halves.

One half reads them off the gradients of the layer and of what is above it, for whole
batches; the other finds each example from its own features.
"""

from typing import NamedTuple

import numpy as np

from attacks.labels import candidates as candidates_lib


class Features(NamedTuple):
    """The inputs of one dense layer for each example of a batch.

    Attributes:
      values: float64 [b, f], in the order of `labels`; 0 where unknown.
      errors: float64 [b, f], standard deviations: what float32 leaves of them at the
        client, carried through the algebra; inf where unknown.
      labels: int64 [b] classes, or float64 [b, num_classes] numbers.
      label_source: How they are known.
      residual: Squared error relative to the squares, over the visible entries of the
        gradients that were used; at most about 1e-12 where everything fits.
      entries: Number of visible gradient entries that were used.
      slopes: float64 [b, u], the derivative of each example's loss by the layer's outputs,
        NaN where unknown; None where it is not wanted, as with all inputs known.
    """

    values: np.ndarray
    errors: np.ndarray
    labels: np.ndarray
    label_source: candidates_lib.Source
    residual: float
    entries: int
    slopes: np.ndarray | None = None
