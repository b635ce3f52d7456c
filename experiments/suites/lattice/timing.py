"""Times the stages of all sides in alternation, and checks what they compute."""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from experiments.suites.lattice.side import ADDED, BOUND, Message, Side

WHOLE_VALUES = 2_000_000
"""Ten messages of a longer vector would need too much memory on TenSEAL's side."""

SLICE_VALUES = 1_000_000
"""What the server adds of a longer one, and a client decrypts."""


class Stage(NamedTuple):
    """Times of one stage; each entry is a turn.

    Attributes:
      num_values: What was processed in a turn.
      seconds: By the clock.
      cpu_seconds: Of all threads together.
    """

    num_values: int
    seconds: tuple[float, ...]
    cpu_seconds: tuple[float, ...]


class Times(NamedTuple):
    """What was measured of a side.

    Attributes:
      side: The side.
      num_values: n.
      message_bytes: Of a client's message of n values.
      client: Quantise, encrypt, serialise.
      server: Parse and check `ADDED` messages, add them, serialise the sum.
      opening: Parse, decrypt, to float32.
      max_error: Of the decrypted sum.
    """

    side: Side
    num_values: int
    message_bytes: int
    client: Stage
    server: Stage
    opening: Stage
    max_error: float


class _Work(NamedTuple):
    """What a side works on, made before anything is timed."""

    side: Side
    messages: list[Message]
    total: Message
    max_error: float


def measure(
    sides: Sequence[Side],
    num_values: int,
    repetitions: int,
    progress: Callable[[str], None],
) -> tuple[Times, ...]:
    """Times all stages of all sides for vectors of one length.

    A vector of more than `WHOLE_VALUES` is encrypted as a whole, in fewer turns, but
    the server adds, and the client decrypts, messages of `SLICE_VALUES` of its values.

    Args:
      sides: What to compare.
      num_values: n.
      repetitions: Turns; one more comes first and does not count.
      progress: Is told what is going on.

    Returns:
      What was measured, in the order of the sides.

    Raises:
      RuntimeError: If a side decrypts something else than the sum.
    """
    is_long = num_values > WHOLE_VALUES
    sliced = SLICE_VALUES if is_long else num_values
    turns = max(1, repetitions * WHOLE_VALUES // num_values) if is_long else repetitions
    generator = np.random.default_rng(0)
    vectors = [_random(generator, sliced) for _ in range(ADDED)]
    expected = np.zeros([sliced], np.float64)
    for vector in vectors:
        expected += np.asarray(vector)
    whole = _random(generator, num_values)
    work = []
    for side in sides:
        progress(f"{side.name}: {ADDED} messages of {sliced:,} values")
        work.append(_prepare(side, vectors, expected))
        if is_long and side.setting is None:
            progress(f"{side.name}: checking a message of {num_values:,} values")
            # An upload is not a sum, not even of one.
            total = side.add([side.seal(whole)], num_values)
            opened = side.open(total, num_values, 1)
            _checked_error(side, opened, np.asarray(whole))
            del total, opened
    clocks = [(_Clock(), _Clock(), _Clock()) for _ in sides]
    lengths = [0 for _ in sides]
    # The stages of a long vector are warm from the slices above.
    skipped = 0 if is_long else 1
    for turn in range(skipped + turns):
        progress(f"{num_values:,} values: turn {turn + 1} of {skipped + turns}")
        for index, (side, clock) in enumerate(zip(sides, clocks, strict=True)):
            with clock[0]:
                lengths[index] = side.seal_and_count(whole)
        for item, clock in zip(work, clocks, strict=True):
            with clock[1]:
                item.side.add(item.messages, sliced)
        for item, clock in zip(work, clocks, strict=True):
            with clock[2]:
                item.side.open(item.total, sliced, ADDED)
    return tuple(
        Times(
            side=item.side,
            num_values=num_values,
            message_bytes=length,
            client=clock[0].stage(num_values, skipped),
            server=clock[1].stage(sliced, skipped),
            opening=clock[2].stage(sliced, skipped),
            max_error=item.max_error,
        )
        for item, length, clock in zip(work, lengths, clocks, strict=True)
    )


class _Clock:
    """Collects the times of what runs inside of `with`."""

    def __init__(self) -> None:
        self._began = (0.0, 0.0)
        self._taken: list[tuple[float, float]] = []

    def __enter__(self) -> None:
        self._began = (time.perf_counter(), time.process_time())

    def __exit__(self, *exception: object) -> None:
        wall, cpu = self._began
        self._taken.append((time.perf_counter() - wall, time.process_time() - cpu))

    def stage(self, num_values: int, skipped: int) -> Stage:
        """The times, without the first so many."""
        wall, cpu = zip(*self._taken[skipped:], strict=True)
        return Stage(num_values, wall, cpu)


def _prepare(
    side: Side, vectors: Sequence[tf.Tensor], expected: NDArray[np.float64]
) -> _Work:
    """Makes the messages that the server and the client get, and checks their sum."""
    messages = [side.seal(vector) for vector in vectors]
    total = side.add(messages, expected.size)
    opened = side.open(total, expected.size, ADDED)
    return _Work(side, messages, total, _checked_error(side, opened, expected))


def _random(generator: np.random.Generator, num_values: int) -> tf.Tensor:
    values = generator.random(num_values, np.float32)
    values -= 0.5
    values *= 2 * BOUND
    return tf.constant(values)


def _checked_error(
    side: Side,
    found: NDArray[np.float32],
    expected: NDArray[np.float32] | NDArray[np.float64],
) -> float:
    error = float(np.abs(found - expected).max())
    if not error <= side.max_error:
        raise RuntimeError(
            f"{side.name} must decrypt to the sum within {side.max_error:.3g}, but is "
            f"off by {error:.3g}: its times mean nothing."
        )
    return error
