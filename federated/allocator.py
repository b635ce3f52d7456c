"""Large tensors from the C library, which can have new and freed memory overwritten.

TensorFlow's builds with oneDNN take tensors of 256 KB and more from a pool of their own,
which hands out what others freed as it is. `selenc_tf/lattice/memory.py` cannot fill
that. Without the pool the C library is asked for each of them, which costs a little.
"""

import os

_VARIABLE = "TF_ONEDNN_USE_SYSTEM_ALLOCATOR"


def use_the_systems() -> None:
    """Asks TensorFlow for it; one that has made a tensor already does not listen.

    Whoever set the variable himself keeps what he set.
    """
    os.environ.setdefault(_VARIABLE, "1")
