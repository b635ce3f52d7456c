"""The cases of the attack suite by name. Importing this file imports no case.

To add one: a function in `cases` or `first_order_cases`, an entry here, and the same
network in `torch_networks.NETWORKS`, or a worker of its own.
"""

import pkgutil
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from experiments.suites.attack.cases import Case
    from experiments.suites.attack.text_cases import TextCase

AnyCase: TypeAlias = "Case | TextCase"

_HERE = "experiments.suites.attack"


class Part(NamedTuple):
    """A case and what is measured of it, as "module:attribute".

    Attributes:
      make: `(pictures, trials, seed) -> case`.
      run: `(name, case, request, PyTorch or None, stream)`; measures and prints.
      save: `(case, path)`; writes it for PyTorch's process,
      worker: which this module is.
    """

    make: str
    run: str
    save: str = f"{_HERE}.torch_side:save"
    worker: str = f"{_HERE}.torch_worker"


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
        "bert_minilm": Part(
            f"{_HERE}.text_cases:bert_minilm",
            f"{_HERE}.text_suite:run_case",
            f"{_HERE}.text_cases:save",
            f"{_HERE}.torch_text_worker",
        ),
    }
)
"""By the names that a request has."""


def make(name: str, pictures: int, trials: int, seed: int) -> Any:
    """Makes a case of `CASES`; the numbers are those of `request.Request`."""
    return pkgutil.resolve_name(CASES[name].make)(pictures, trials, seed)
