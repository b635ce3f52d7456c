"""Peak memory of encrypting a vector, in a process of its own.

python -m experiments.suites.lattice.memory '{"bits": 16, "values": 4000000}'
"""

import ctypes
import json
import pathlib
import re
import subprocess
import sys
from typing import NamedTuple

import tensorflow as tf

from experiments.suites.lattice import ours, tenseal
from experiments.suites.lattice.side import BOUND, Setting, Side

_TINY = 5000
_PROCESS = pathlib.Path("/proc/self")
_RESET_PEAK = "5"


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
    # What building and the tiny vector left behind is not to be used again, either.
    ctypes.CDLL(None).malloc_trim(0)
    # Not `getrusage`: its peak begins with that of the parent process.
    (_PROCESS / "clear_refs").write_text(_RESET_PEAK, encoding="ascii")
    before = _status_bytes("VmRSS")
    message = side.seal(values)
    after = _status_bytes("VmHWM")
    return Memory(num_values, after - before, side.count_bytes(message))


def _status_bytes(field: str) -> int:
    status = (_PROCESS / "status").read_text(encoding="utf-8")
    found = re.search(rf"^{field}:\s+(\d+) kB$", status, re.MULTILINE)
    if found is None:
        raise RuntimeError(f"{_PROCESS}/status must have {field}; this system has not.")
    return int(found[1]) * 1024


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
