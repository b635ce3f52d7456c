"""The attack suite's PyTorch process: started, asked and ended from here."""

import contextlib
import json
import os
import pathlib
import subprocess
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from experiments.suites.attack.cases import Case

_ROOT = pathlib.Path(__file__).resolve().parents[3]
WORKER = "experiments.suites.attack.torch_worker"
"""Of cases of pictures."""


class Torch(NamedTuple):
    """A process that waits for requests.

    Attributes:
      version: Of PyTorch.
      threads: That it computes with.
      ask: `request -> answer`, see `torch_worker.py`.
    """

    version: str
    threads: int
    ask: Callable[[dict[str, Any]], dict[str, Any]]


def why_absent(python: str) -> str | None:
    """Why there is no PyTorch to compare with, and what to do; None if there is one.

    Args:
      python: The interpreter of an environment with PyTorch, or "".

    Returns:
      One sentence, or None.
    """
    advice = (
        "make an environment of its own (python -m venv torch-env; torch-env/bin/pip "
        "install torch==2.13.0 numpy lazy_loader) and pass "
        "--torch_python=torch-env/bin/python"
    )
    if not python:
        return f"PyTorch is not compared with: {advice}."
    try:
        done = subprocess.run(
            [python, "-c", "import lazy_loader, numpy, torch"],
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        return f"--torch_python cannot be started ({error.strerror}): {advice}."
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        return f"--torch_python has no PyTorch ({last}): {advice}."
    return None


def save(case: Case, path: pathlib.Path) -> None:
    """Writes a case as the worker reads it.

    Args:
      case: The case.
      path: An .npz file.
    """
    weights = {
        f"weight{index}": tensor.numpy()
        for index, tensor in enumerate(case.model.initial_weights)
    }
    np.savez(
        path,
        network=np.array(case.network),
        dtype=np.array(case.dtype),
        distance=np.array(case.distance),
        images=case.images,
        labels=case.labels,
        gradients=case.gradients,
        starts=case.starts,
        **weights,
    )


@contextlib.contextmanager
def started(
    python: str, path: pathlib.Path, tune: int = 0, worker: str = WORKER
) -> Iterator[Torch]:
    """Runs a worker for the time of a `with` block.

    Args:
      python: The interpreter.
      path: What `save` wrote.
      tune: How many evaluations of one trial decide which number of threads is the
        fastest, of those that this process has cores for. With 0 it is as many as
        cores, and nothing was evaluated before the first request.
      worker: The module that reads the case and answers.

    Yields:
      The worker.

    Raises:
      ValueError: If the worker ends early.
    """
    with subprocess.Popen(
        [python, "-m", worker],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=_ROOT,
    ) as process:

        def ask(request: dict[str, Any]) -> dict[str, Any]:
            assert process.stdin is not None and process.stdout is not None
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
            if not line:
                raise ValueError(
                    "`--torch_python` must be a Python with PyTorch, but its process "
                    "ended without an answer; its message, if any, is above."
                )
            return json.loads(line)

        threads = len(os.sched_getaffinity(0))
        ready = ask({"path": str(path), "threads": threads, "tune": tune})
        try:
            yield Torch(ready["version"], ready["threads"], ask)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(timeout=60)
