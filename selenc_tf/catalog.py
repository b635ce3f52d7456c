"""The methods by name, for flags and for the conformance tests.

A new method is one file, one line here and one row in `docs/methods.md`.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from selenc_tf.models import cnn, fedavg_cnn, lenet
from selenc_tf.models.functional import FunctionalModel
from selenc_tf.significance import magnitude, random
from selenc_tf.significance.context import SignificanceFn


class Metric(NamedTuple):
    """A significance metric and what it needs.

    Attributes:
      score: The metric.
      uses_gradient: Whether it looks at `ScoreContext.gradient`; one that does not can
        be agreed on by a public seed.
    """

    score: SignificanceFn
    uses_gradient: bool


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        "magnitude": Metric(magnitude.magnitude, uses_gradient=True),
        "random": Metric(random.random, uses_gradient=False),
    }
)
"""Significance metrics."""

MODELS: Mapping[str, Callable[[tuple[int, int, int], int, int], FunctionalModel]] = (
    MappingProxyType(
        {
            "lenet": lenet.lenet,
            "small_cnn": cnn.small_cnn,
            "fedavg_cnn": fedavg_cnn.fedavg_cnn,
        }
    )
)
"""Builders: `(input_shape, num_classes, seed) -> FunctionalModel`."""
