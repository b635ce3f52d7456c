"""TFF's own C++ runtime, for comparisons; its worker process never outlives a test."""

import contextlib
import os
import signal
from collections.abc import Iterator

import tensorflow_federated as tff


def _children() -> set[int]:
    """Process ids of this process's worker children."""
    found = set()
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat") as stat:
                name, fields = stat.read().split("(", 1)[1].rsplit(")", 1)
        except OSError:
            continue
        if int(fields.split()[1]) == os.getpid() and name.startswith("worker_binary"):
            found.add(int(entry))
    return found


@contextlib.contextmanager
def cpp_context() -> Iterator[tff.framework.SyncContext]:
    """TFF's C++ test context; the workers started inside are killed at the end."""
    before = _children()
    try:
        yield tff.backends.test.create_sync_test_cpp_execution_context()
    finally:
        for pid in _children() - before:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
