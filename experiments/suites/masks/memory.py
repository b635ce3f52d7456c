"""Peak memory of choosing a mask, in a process of its own.

python -m experiments.suites.masks.memory magnitude 110000000
"""

import subprocess
import sys

from experiments.suites import resident_memory
from experiments.suites.masks import sides

_TINY = 5000


def measure(name: str, num_values: int) -> int:
    """Chooses one mask in a fresh process.

    Args:
      name: Of a side in `sides.SIDES`.
      num_values: n.

    Returns:
      Resident bytes at their peak beyond what was there with the gradient; the mask is
      in them.

    Raises:
      RuntimeError: If the process fails.
    """
    done = subprocess.run(
        [sys.executable, "-m", __name__, name, str(num_values)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(
            f"Measuring the memory of {name} must end with status 0, got "
            f"{done.returncode}:\n{done.stderr[-2000:]}"
        )
    # Native libraries may have printed before.
    return int(done.stdout.splitlines()[-1])


def peak(name: str, num_values: int) -> int:
    """Chooses one mask in this process, after a tiny one.

    Args:
      name: Of a side.
      num_values: n.

    Returns:
      Bytes, as `measure`. Only the first call in a process is right: memory that was
      freed but not given back would be used again unseen.
    """
    build = sides.SIDES[name]
    build(_TINY)(sides.gradient(_TINY))
    choose = build(num_values)
    values = sides.gradient(num_values)
    return resident_memory.of_call(lambda: choose(values)).peak_bytes


if __name__ == "__main__":
    print(f"\n{peak(sys.argv[1], int(sys.argv[2]))}")
