"""The cases of the attack suite by name. Importing this file imports no case.

To add one: a function in `cases` or `first_order_cases`, an entry here, and the same
network in `torch_networks.NETWORKS`.
"""

import pkgutil
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from experiments.suites.attack.cases import Case

_HERE = "experiments.suites.attack"


class Part(NamedTuple):
    """A case and what is measured of it, as "module:attribute".

    Attributes:
      make: `(pictures, trials, seed) -> case`.
      run: `(name, case, request, PyTorch or None, stream)`; measures and prints.
    """

    make: str
    run: str


CASES: Mapping[str, Part] = MappingProxyType(
    {
        "lenet": Part(
            f"{_HERE}.cases:lenet_cifar100", f"{_HERE}.second_order_suite:run_case"
        ),
        "convnet64": Part(
            f"{_HERE}.first_order_cases:convnet64_cifar100",
            f"{_HERE}.first_order_suite:run_case",
        ),
        "resnet18": Part(
            f"{_HERE}.first_order_cases:resnet18_cifar100",
            f"{_HERE}.first_order_suite:run_case",
        ),
    }
)
"""By the names that a request has."""


def make(name: str, pictures: int, trials: int, seed: int) -> "Case":
    """Makes a case of `CASES`; the numbers are those of `request.Request`."""
    made: Case = pkgutil.resolve_name(CASES[name].make)(pictures, trials, seed)
    return made
