"""Runs saved programs by JAX's XLA client, and compares with TensorFlow's results.

    python run_programs.py FOLDER [REPETITIONS]

A script of its own: it needs JAX (0.5.3 was tried), NumPy and the folder that
`python -m experiments.benchmark --suite=device --save_programs=FOLDER` wrote, and
neither TensorFlow nor this project. It runs on JAX's default device: a GPU, where there is
one. Results must be the same bit for bit; a program whose result is not ends the script
with status 1 and has no time.
"""

import json
import pathlib
import statistics
import sys
import time
import warnings
from typing import Any

import jax
import jax.extend
import numpy as np
from jax.lib import xla_client, xla_extension

_REPETITIONS = 20


def compiled(program: bytes) -> Any:
    """The executable of a serialised HLO module, on the default device."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        computation = xla_client.XlaComputation(program)  # type: ignore[attr-defined]
    module = xla_extension.mlir.xla_computation_to_mlir_module(computation)
    backend = jax.extend.backend.get_backend()
    return backend.compile(module, xla_client.CompileOptions())


def run(folder: pathlib.Path, repetitions: int) -> bool:
    """Runs all programs of a folder and prints a line for each.

    Args:
      folder: With programs.
      repetitions: How often each is timed.

    Returns:
      Whether all results were right.
    """
    backend = jax.extend.backend.get_backend()
    device = backend.devices()[0]
    print(f"{device.device_kind} ({device.platform}), JAX {jax.__version__}")
    found = sorted(folder.glob("*.json"))
    if not found:
        print(f"No programs in {folder}: save some with --save_programs.")
        return False
    right = True
    for path in found:
        about = json.loads(path.read_text())
        began = time.perf_counter()
        program = compiled(path.with_suffix(".hlo").read_bytes())
        seconds = time.perf_counter() - began
        with np.load(path.with_suffix(".npz")) as data:
            given = [data[f"argument_{i}"] for i in range(about["arguments"])]
            expected = data["result"]
        buffers = [backend.buffer_from_pyval(one, device) for one in given]
        (result,) = program.execute(buffers)
        name = f"{about['cipher']}, {about['step']}"
        if not np.array_equal(np.asarray(result), expected):
            print(f"{name}: another result than TensorFlow's")
            right = False
            continue
        taken = statistics.median(_once(program, buffers) for _ in range(repetitions))
        print(
            f"{name}: {about['chunk_values'] / taken / 1e6:,.0f} million values/s, "
            f"{1e3 * taken:.3f} ms for {about['chunk_values']:,}; compiled in "
            f"{seconds:.1f} s"
        )
    return right


def _once(program: Any, buffers: Any) -> float:
    began = time.perf_counter()
    (result,) = program.execute(buffers)
    result.block_until_ready()
    return time.perf_counter() - began


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    times = int(sys.argv[2]) if len(sys.argv) == 3 else _REPETITIONS
    sys.exit(0 if run(pathlib.Path(sys.argv[1]), times) else 1)
