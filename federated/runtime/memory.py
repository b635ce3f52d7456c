"""While a computation runs new memory is zeros: what stays unwritten is no freed key.

A kernel that leaves an output unwritten gives out what lay in memory, and in the memory of
one that encrypts there was a key. No graph says so, and which kernels do it, on which
arguments, depends on the processor. Those that are known are refused by the analysis of
key flow, but for gradients that ordinary models need; nobody knows them all. So all
computations run in memory that is zeros.

The allocator of the C library can be told to fill what it hands out (glibc: `mallopt`,
M_PERTURB), and takes zeros for 255; what is freed then is filled, too. Tensors are
allocated there (`posix_memalign`), large ones too if `federated` was imported before the
first tensor (`federated/allocator.py`). It costs a write of all new memory, and is on
from the beginning of a computation to its end.

Runs at: every party, in its process. On a GPU nothing is filled: TensorFlow keeps its
memory itself.
"""

import contextlib
import ctypes
import threading
from collections.abc import Iterator

_M_PERTURB = -6  # malloc.h
_ZEROS, _AS_IT_IS = 255, 0


class _Fill:
    """How many computations run: the setting is the process's, so is their number."""

    def __init__(self) -> None:
        self._lock, self._running = threading.Lock(), 0

    def begin(self) -> None:
        with self._lock:
            self._running += 1
            if self._running == 1:
                _set(_ZEROS)

    def end(self) -> None:
        with self._lock:
            self._running -= 1
            if not self._running:
                _set(_AS_IT_IS)


_FILL = _Fill()


@contextlib.contextmanager
def zeroed() -> Iterator[None]:
    """New memory of this process is zeros within; nothing on C libraries without that."""
    _FILL.begin()
    try:
        yield
    finally:
        _FILL.end()


def can_be_zeroed() -> bool:
    """Whether this process's allocator takes the setting and keeps to it: it is tried.

    False on another C library than glibc, and where another allocator was loaded before
    it.
    """
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "mallopt"):
        return False
    size = 1 << 14
    libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
    old = libc.malloc(size)
    ctypes.memset(old, 1, size)
    libc.free(ctypes.c_void_p(old))
    with zeroed():
        new = libc.malloc(size)
        content = ctypes.string_at(new, size)
        libc.free(ctypes.c_void_p(new))
    return content == bytes(size)


def _set(byte: int) -> None:
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_PERTURB, byte)
