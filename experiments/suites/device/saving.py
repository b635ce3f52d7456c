"""What XLA compiles, as files for machines with an accelerator and without TensorFlow."""

import json
import pathlib
from typing import Any

import numpy as np

from experiments.outputs import files
from experiments.suites.device.steps import Side


def save(folder: pathlib.Path, side: Side, step: str) -> None:
    """Saves a step's program, what it was given and what it gave.

    Args:
      folder: Made if there is none.
      side: The cipher.
      step: Of `side.steps`. Its keys and seeds were drawn for the measurement, and are
        in the file.

    Raises:
      OSError: If it cannot be written.
    """
    function, arguments = side.steps[step]
    # The very module that this process compiles.
    program = function.experimental_get_compiler_ir(*arguments)(stage="hlo_serialized")
    folder.mkdir(parents=True, exist_ok=True)
    name = "_".join(f"{side.name} {step}".replace(",", "").split())
    arrays: dict[str, Any] = {
        f"argument_{i}": np.asarray(one) for i, one in enumerate(arguments)
    }
    arrays["result"] = function(*arguments).numpy()
    np.savez(folder / f"{name}.npz", **arrays)
    about = {
        "cipher": side.name,
        "step": step,
        "chunk_values": side.chunk_values,
        "bytes_per_value": side.bytes_per_value,
        "arguments": len(arguments),
    }
    files.write_atomically(folder / f"{name}.hlo", program)
    files.write_atomically(folder / f"{name}.json", json.dumps(about).encode())
