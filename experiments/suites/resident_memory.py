"""The peak of this process' resident memory during one call (Linux)."""

import ctypes
import pathlib
import re
from collections.abc import Callable
from typing import Any, NamedTuple

_PROCESS = pathlib.Path("/proc/self")
_RESET_PEAK = "5"


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
    """Measures a call.

    Only the first in a process is right: memory that was freed but not given back would
    be used again unseen. What the caller's preparations left behind is given back first.

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


def _status_bytes(field: str) -> int:
    status = (_PROCESS / "status").read_text(encoding="utf-8")
    found = re.search(rf"^{field}:\s+(\d+) kB$", status, re.MULTILINE)
    if found is None:
        raise RuntimeError(f"{_PROCESS}/status must have {field}; this system has not.")
    return int(found[1]) * 1024
