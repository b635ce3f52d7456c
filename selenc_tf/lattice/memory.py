"""No secret stays in memory: new memory is zeros, and what is freed is overwritten.

A kernel that leaves an output unwritten, or reads behind an argument, gives out what lies
in memory, and in the memory of one that encrypts there was a key. No graph says so, and
which kernels do it, on which arguments, depends on the processor. Those that are known are
refused by the analysis of key flow, but for some that ordinary models need; nobody knows
them all. So keys are made, named and copied, and all computations are run, where nothing
stays of what was freed: a graph that has no secret finds none in the process.

The allocator of the C library does both (glibc: `mallopt`, M_PERTURB): new memory is
filled with the complement of a byte, 255 here, and freed memory with the byte. Pieces of
up to 1 KB that are freed may wait as they are for the next who asks for as much: no key is
so short, and the analysis refuses what cuts one into pieces. Tensors are allocated there
(`posix_memalign`), large ones too if `federated` was imported before the first tensor
(`federated/allocator.py`). It costs a write of all new memory and of all freed one.

Runs at: every party, in its process. On a GPU nothing is filled: TensorFlow keeps its
memory itself. Whoever holds a key in a variable of his own program keeps it in memory.
"""

import contextlib
import ctypes
import threading
import traceback
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
    """New memory of this process is zeros within, and freed memory is overwritten.

    Nothing happens on C libraries without that. Of several at once the last one ends it.
    What an error holds of the functions that it comes from is freed within.
    """
    _FILL.begin()
    try:
        yield
    except BaseException as error:
        _forget(error)
        raise
    finally:
        _FILL.end()


def _forget(error: BaseException) -> None:
    """Frees the variables of the functions that an error comes from, and its causes."""
    known: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in known:
            continue
        known.add(id(one))
        traceback.clear_frames(one.__traceback__)
        waiting += [one.__cause__, one.__context__]


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
