"""Peak resident memory of one call (Linux), in this process or in a fresh one.

Only the first call in a process is measured right: memory that was freed but not given
back would be used again unseen.
"""

import ctypes
import json
import pathlib
import pkgutil
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

_PROCESS = pathlib.Path("/proc/self")
_RESET_PEAK = "5"

EVALUATIONS = 3
"""So many of an objective have reached their peak; tracing and compiling are in it."""


class Peak(NamedTuple):
    """What a call took and gave.

    Attributes:
      peak_bytes: Resident memory at its peak beyond what was there before; the result is
        in it.
      result: Of the call.
    """

    peak_bytes: int
    result: Any


def of_call(work: Callable[[], Any]) -> Peak:
    """Measures a call in this process.

    What the caller's preparations left behind is given back first.

    Args:
      work: What to do.

    Returns:
      Its peak and its result.

    Raises:
      RuntimeError: If the system does not say.
    """
    ctypes.CDLL(None).malloc_trim(0)
    # Not `getrusage`: its peak begins with that of the parent process.
    (_PROCESS / "clear_refs").write_text(_RESET_PEAK, encoding="ascii")
    before = _status_bytes("VmRSS")
    result = work()
    return Peak(_status_bytes("VmHWM") - before, result)


def of_evaluations(evaluate: Callable[[], Any]) -> int:
    """Peak bytes of the first evaluations of an objective in this process."""
    return of_call(lambda: [evaluate() for _ in range(EVALUATIONS)]).peak_bytes


def in_fresh_process(function: str, *arguments: Any) -> Any:
    """Calls a function in a process of its own.

    Args:
      function: "module:name".
      *arguments: What JSON can carry.

    Returns:
      What it returned, as JSON carries it.

    Raises:
      RuntimeError: If the process fails.
    """
    done = subprocess.run(
        [sys.executable, "-m", __name__, function, json.dumps(arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(
            f"Measuring memory with {function}{arguments} must end with status 0, got "
            f"{done.returncode}:\n{done.stderr[-2000:]}"
        )
    # Native libraries may have printed before.
    return json.loads(done.stdout.splitlines()[-1])


def mebibytes(number: int) -> str:
    """Bytes as tables have them."""
    return f"{number / 2**20:,.0f} MiB"


def _status_bytes(field: str) -> int:
    status = (_PROCESS / "status").read_text(encoding="utf-8")
    found = re.search(rf"^{field}:\s+(\d+) kB$", status, re.MULTILINE)
    if found is None:
        raise RuntimeError(f"{_PROCESS}/status must have {field}; this system has not.")
    return int(found[1]) * 1024


if __name__ == "__main__":
    called = pkgutil.resolve_name(sys.argv[1])
    print(f"\n{json.dumps(called(*json.loads(sys.argv[2])))}")
