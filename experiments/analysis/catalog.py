"""What an analysis can assume, by name. Importing this file loads no method."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

PRIORS: Mapping[str, str] = MappingProxyType(
    {
        "isotropic": "selenc_tf.distance.prior:isotropic",
        "stationary": "selenc_tf.distance.prior:stationary",
    }
)
"""Builders: `(pictures, batch size) -> GaussianPrior`."""

EXACT, SKETCH = METHODS = ("exact", "sketch")
"""The Jacobian in memory, or sketched while it is computed."""


class Noise(NamedTuple):
    """What makes visible entries inexact.

    Attributes:
      sigma: Where `(gradient [n], parameter) -> sigma [n]` is.
      parameter: What the parameter, above zero, is called; None if there is none.
    """

    sigma: str
    parameter: str | None


NOISES: Mapping[str, Noise] = MappingProxyType(
    {
        "float32": Noise("experiments.analysis.noises:float32", None),
        "relative": Noise("selenc_tf.distance.noise:relative", "FACTOR"),
        "quantisation": Noise("experiments.analysis.noises:quantisation", "STEP"),
        "gaussian": Noise("experiments.analysis.noises:gaussian", "DEVIATION"),
    }
)
"""Sources of errors, which are combined."""
