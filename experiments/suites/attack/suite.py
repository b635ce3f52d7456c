"""Attacks' costly steps on our side and on PyTorch's, and the time to a given PSNR.

Both evaluate the same objective with its slope at the same points, in turn in one run,
and their values are compared.
"""

import pathlib
import pkgutil
import tempfile
from typing import TextIO

from experiments.outputs import environment
from experiments.suites.attack import catalog, tables, torch_side
from experiments.suites.attack.catalog import AnyCase
from experiments.suites.attack.request import Request
from experiments.suites.attack.torch_side import Torch

_VERSIONS = ("tensorflow", "keras", "numpy", "scipy")


def run(request: Request, stream: TextIO) -> None:
    """Measures and prints tables.

    Args:
      request: What to measure.
      stream: Where the tables go.

    Raises:
      RuntimeError: If the sides do not compute the same.
    """
    print(environment.in_words(environment.describe(_VERSIONS)), file=stream)
    absent = torch_side.why_absent(request.torch_python)
    if absent is not None:
        print(absent, file=stream, flush=True)
    for name in request.cases or catalog.CASES:
        case = catalog.make(name, request.pictures, request.trials, request.seed)
        print(
            f"{case.title}: {case.model.spec.size:,} parameters, data {case.data}",
            file=stream,
            flush=True,
        )
        if absent is None:
            _beside_torch(name, case, request, stream)
        else:
            _run(name, case, request, None, stream)


def _run(
    name: str, case: AnyCase, request: Request, torch: Torch | None, stream: TextIO
) -> None:
    pkgutil.resolve_name(catalog.CASES[name].run)(name, case, request, torch, stream)


def _beside_torch(name: str, case: AnyCase, request: Request, stream: TextIO) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "case.npz"
        part = catalog.CASES[name]
        pkgutil.resolve_name(part.save)(case, path)
        python = request.torch_python
        with torch_side.started(
            python, path, tune=min(case.evaluations, 5), worker=part.worker
        ) as torch:
            print(
                f"PyTorch {torch.version}, {torch.threads} threads (the fastest)",
                file=stream,
                flush=True,
            )
            _run(name, case, request, torch, stream)
        if request.memory:
            for trials in sorted({1, len(case.starts)}):
                with torch_side.started(python, path, worker=part.worker) as fresh:
                    asked = {"what": "memory", "trials": trials}
                    peak = fresh.ask(asked)["peak_bytes"]
                tables.print_memory(f"PyTorch, {trials} trials", peak, stream)
