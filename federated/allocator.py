"""Large tensors from the C library, where the runtime can have new memory zeroed.

TensorFlow's builds with oneDNN take tensors of 256 KB and more from a pool of their own,
which hands out what others freed as it is. `runtime/memory.py` cannot fill that. A step of
a small convolutional network took 1.05 times as long without the pool, or no longer (two
cores, AMD EPYC with AVX-512, batches of 64 and of 8).
"""

import os

_VARIABLE = "TF_ONEDNN_USE_SYSTEM_ALLOCATOR"


def use_the_systems() -> None:
    """Asks TensorFlow for it; one that has made a tensor already does not listen.

    Whoever set the variable himself keeps what he set.
    """
    os.environ.setdefault(_VARIABLE, "1")
