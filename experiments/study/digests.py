"""Hashes of arrays, which tell results of other data or weights apart."""

import hashlib

import numpy as np
from numpy.typing import NDArray


def of_arrays(*arrays: NDArray[np.generic] | None) -> str:
    """SHA-256 of types, shapes and values, in hexadecimal."""
    digest = hashlib.sha256()
    for array in arrays:
        if array is None:
            digest.update(b"none")
            continue
        digest.update(f"{array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
