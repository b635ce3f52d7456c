"""The errors of visible entries, as flags ask for them."""

import pkgutil
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from experiments.analysis import catalog
from experiments.analysis.options import parsed_noise
from selenc_tf.distance import noise


def sigma(texts: Sequence[str], gradient: NDArray[np.floating]) -> NDArray[np.float64]:
    """The errors, [n] and > 0, of a gradient's entries, of sources as in `--noise`."""
    parts = []
    for name, parameter in map(parsed_noise, texts):
        source = pkgutil.resolve_name(catalog.NOISES[name].sigma)
        parts.append(source(gradient, parameter))
    return noise.combined(*parts)


def float32(gradient: NDArray[np.floating], _: float) -> NDArray[np.float64]:
    """`noise.float32_rounding`, which takes no parameter."""
    return noise.float32_rounding(gradient)


def quantisation(gradient: NDArray[np.floating], step: float) -> NDArray[np.float64]:
    """`noise.quantisation` of as many entries."""
    return noise.quantisation(len(gradient), step)


def gaussian(gradient: NDArray[np.floating], scale: float) -> NDArray[np.float64]:
    """`noise.gaussian` of as many entries."""
    return noise.gaussian(len(gradient), scale)
