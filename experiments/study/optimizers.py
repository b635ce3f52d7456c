"""The optimisers of `tff.learning` by name. Importing this file loads no TensorFlow."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import tensorflow_federated as tff

_PLACE = "tensorflow_federated:learning.optimizers"


class _Entry(NamedTuple):
    """A builder of `tff.learning.optimizers`, and its options besides the rate."""

    builder: str
    options: Mapping[str, Any] = MappingProxyType({})


OPTIMIZERS: Mapping[str, _Entry] = MappingProxyType(
    {
        "sgd": _Entry("build_sgdm"),
        "sgdm": _Entry("build_sgdm", MappingProxyType({"momentum": 0.9})),
        "adagrad": _Entry("build_adagrad"),
        "rmsprop": _Entry("build_rmsprop"),
        "adam": _Entry("build_adam"),
        "adamw": _Entry("build_adamw"),
        "yogi": _Entry("build_yogi"),
    }
)
"""What `--client_optimizer` and `--server_optimizer` offer; sgdm has a momentum of 0.9,
all else is TFF's default."""


def build(name: str, learning_rate: float) -> tff.learning.optimizers.Optimizer:
    """Builds an optimiser.

    Args:
      name: A key of `OPTIMIZERS`.
      learning_rate: Above 0.

    Returns:
      TFF's optimiser.
    """
    entry = OPTIMIZERS[name]
    builder: Any = getattr(pkgutil.resolve_name(_PLACE), entry.builder)
    return builder(learning_rate, **entry.options)
