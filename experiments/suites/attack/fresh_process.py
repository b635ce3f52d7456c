"""Peak memory of our side in a process of its own."""

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from experiments.suites import resident_memory

_EVALUATIONS = 3


def peak_bytes(module: str, *arguments: Any) -> int:
    """Runs a module that ends with `print_peak`.

    Args:
      module: Its name.
      *arguments: What JSON can carry; its first command-line argument is a list of
        them.

    Returns:
      What it measured.

    Raises:
      RuntimeError: If the process fails.
    """
    done = subprocess.run(
        [sys.executable, "-m", module, json.dumps(arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(
            f"Measuring the memory of {arguments[0]} must end with status 0, got "
            f"{done.returncode}:\n{done.stderr[-2000:]}"
        )
    return int(done.stdout.splitlines()[-1])


def print_peak(evaluate: Callable[[], float]) -> None:
    """Measures a few evaluations in this process and prints their peak in bytes.

    It is resident memory beyond that before the first evaluation; tracing and compiling
    are in it.
    """
    peak = resident_memory.of_call(lambda: [evaluate() for _ in range(_EVALUATIONS)])
    print(f"\n{peak.peak_bytes}")
