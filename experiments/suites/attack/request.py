"""What the attack suite is asked to measure."""

from typing import NamedTuple


class Request(NamedTuple):
    """What to measure.

    Attributes:
      torch_python: The interpreter of an environment with PyTorch, or "".
      repetitions: Turns of each side; one more comes first and does not count.
      pictures: How many are attacked for the time to a PSNR; 0 for none.
      trials: How many make a batch, in cases that have batches.
      max_seconds: Limit of one second-order attack on one picture, on both sides.
      seed: Of weights and starts.
      memory: Whether to measure it; each number takes a process of its own.
      cases: Keys of `catalog.CASES`; all for none.
    """

    torch_python: str = ""
    repetitions: int = 15
    pictures: int = 5
    trials: int = 16
    max_seconds: float = 60.0
    seed: int = 0
    memory: bool = True
    cases: tuple[str, ...] = ()
