"""What an analysis can assume, by name. Importing this file loads no method."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from attacks.catalog import ATTACKS


class Prior(NamedTuple):
    """What is known of inputs beforehand, always a Gaussian.

    Attributes:
      build: Where `(pictures, batch size) -> GaussianPrior` is.
      about: Which Gaussian, in words.
    """

    build: str
    about: str


PRIORS: Mapping[str, Prior] = MappingProxyType(
    {
        "dct": Prior(
            "selenc_tf.distance.dct_prior:dct",
            "a variance for every frequency and principal colour",
        ),
        "stationary": Prior(
            "selenc_tf.distance.prior:stationary",
            "pixels alike the nearer they are, one rate for each axis",
        ),
        "isotropic": Prior(
            "selenc_tf.distance.prior:isotropic", "independent numbers of one variance"
        ),
    }
)
"""The priors."""

AUTO = "auto"
"""The prior that fits the inputs."""


def prior_of(asked: str, shape: tuple[int, ...]) -> str:
    """The name of a prior; by itself "dct" for pictures [h, w, c], else "isotropic"."""
    if asked != AUTO:
        return asked
    return "dct" if len(shape) == 3 else "isotropic"


CHECKED: tuple[str, ...] = tuple(
    name
    for name in (
        "dlg",
        "completion",
        "r_gap",
        "layer_peeling",
        "feature_inversion",
        "feature_inversion_dct",
    )
    if name in ATTACKS
)
"""The attacks that a bound is held against: each the strongest of its kind."""

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
