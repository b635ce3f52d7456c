"""Peak memory of encrypting a vector, in a process of its own.

python -m experiments.suites.lattice.memory '{"bits": 16, "values": 4000000}'
"""

import json
import subprocess
import sys
from typing import NamedTuple

import tensorflow as tf

from experiments.suites import resident_memory
from experiments.suites.lattice import ours, tenseal
from experiments.suites.lattice.side import BOUND, Setting, Side

_TINY = 5000


class Memory(NamedTuple):
    """What encrypting one vector needs.

    Attributes:
      num_values: n.
      peak_bytes: Resident memory at its peak, beyond what was there with the vector; the
        message is in it.
      message_bytes: The message.
    """

    num_values: int
    peak_bytes: int
    message_bytes: int


def measure(side: Side, num_values: int) -> Memory:
    """Encrypts one vector in a fresh process.

    Args:
      side: What to measure; built anew there.
      num_values: n.

    Returns:
      What it took.

    Raises:
      RuntimeError: If the process fails.
    """
    request = {"bits": side.bits, "setting": side.setting, "values": num_values}
    done = subprocess.run(
        [sys.executable, "-m", __name__, json.dumps(request)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(
            f"Measuring the memory of {side.name} must end with status 0, got "
            f"{done.returncode}:\n{done.stderr[-2000:]}"
        )
    # Native libraries may have printed before.
    return Memory(*json.loads(done.stdout.splitlines()[-1]))


def peak(side: Side, num_values: int) -> Memory:
    """Encrypts one vector in this process, after a tiny one.

    Args:
      side: What to measure.
      num_values: n.

    Returns:
      What it took. Only the first call in a process is right: memory that was freed but
      not given back would be used again unseen.
    """
    side.seal(tf.fill([_TINY], BOUND / 2))
    values = tf.fill([num_values], BOUND / 2)
    found = resident_memory.of_call(lambda: side.seal(values))
    return Memory(num_values, found.peak_bytes, side.count_bytes(found.result))


def _main(text: str) -> None:
    request = json.loads(text)
    if request.get("setting") is None:
        side = ours.build("", request["bits"])
    else:
        degree, primes, *others = request["setting"]
        side = tenseal.build("", Setting(degree, tuple(primes), *others))
    print(f"\n{json.dumps(peak(side, request['values']))}")


if __name__ == "__main__":
    _main(sys.argv[1])
