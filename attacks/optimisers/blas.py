"""One BLAS thread for the optimisers' small products.

A step of L-BFGS multiplies a hundred vectors of some thousand numbers. OpenBLAS divides
each product among all cores, and waiting for each other costs more than the product: on
two shared cores and 3,072 variables with 100 pairs, an iteration of SciPy's L-BFGS-B took
11.8 ms of processor time with two threads and 3.9 with one; `batched_lbfgs.py` 11.3 and
1.6.
"""

import contextlib
import importlib
import importlib.util
from contextlib import AbstractContextManager

_PACKAGE = "threadpoolctl"


def one_thread() -> AbstractContextManager:
    """Keeps NumPy's and SciPy's BLAS at one thread for the time of a `with` block.

    TensorFlow does not use that library and keeps its threads.

    Returns:
      A context manager; it does nothing where the package `threadpoolctl` is not
      installed.
    """
    if importlib.util.find_spec(_PACKAGE) is None:
        return contextlib.nullcontext()
    limits = importlib.import_module(_PACKAGE).threadpool_limits
    return limits(limits=1, user_api="blas")
