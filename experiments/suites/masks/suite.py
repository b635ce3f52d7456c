"""The magnitude mask: its time and memory, beside one gradient of a transformer."""

import sys
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, TextIO

import numpy as np
import tensorflow as tf

from experiments.outputs import environment
from experiments.suites.masks import memory, sides, transformer
from experiments.suites.masks.transformer import Shape
from experiments.suites.measurement import Measurement, print_table

_SORTED_VALUES = 2_000_000
"""Sorting more takes minutes, and sizes below are where it might be the better way."""

_MEMORY_VALUES = 1_000_000
"""Of fewer, what does not grow with the vector would be all that is measured."""

_VERSIONS = ("tensorflow", "keras", "numpy")


class Request(NamedTuple):
    """What to measure.

    Attributes:
      sizes: Lengths of gradients.
      repetitions: Turns of each side; one more comes first and does not count.
      transformers: From small to large. One gradient of the last that has no more
        parameters than the largest of `sizes` is what its mask is compared with.
    """

    sizes: tuple[int, ...]
    repetitions: int
    transformers: tuple[Shape, ...] = (transformer.TINY, transformer.BASE)


def run(request: Request, stream: TextIO) -> None:
    """Measures and prints tables.

    Args:
      request: What to measure.
      stream: Where the tables go.
    """
    described = environment.describe(_VERSIONS)
    versions = ", ".join(
        f"{name} {version}" for name, version in described["versions"].items()
    )
    print(
        f"{described['cpu']['cores']} cores, {described['cpu']['model']}, "
        f"{', '.join(described['devices'])}; {versions}",
        file=stream,
    )
    for size in request.sizes:
        if size >= _MEMORY_VALUES:
            for name in (sides.MAGNITUDE, sides.IN_CHUNKS):
                taken = memory.measure(name, size)
                print(
                    f"{size:,} values, {name}: peak memory beyond the gradient "
                    f"{taken / 2**20:,.0f} MiB",
                    file=stream,
                    flush=True,
                )
    for size in request.sizes:
        work = []
        compared = _transformer(request) if size == max(request.sizes) else None
        if compared is not None:
            work.append(compared)
        print_table(_times(work, size, request.repetitions), stream)


class _Work(NamedTuple):
    """Something to time; it waits for its result."""

    name: str
    execute: Callable[[], tf.Tensor]


def _transformer(request: Request) -> _Work | None:
    """One gradient of the largest transformer that is not too large."""
    for shape in reversed(request.transformers):
        if shape.parameters <= max(request.sizes):
            gradient = transformer.build_gradient(transformer.build(shape))
            return _Work(
                f"one gradient: {shape.name}, {shape.parameters:,} parameters, batch "
                f"{transformer.BATCH}, {transformer.TOKENS} tokens",
                gradient,
            )
    return None


def _times(
    first: Sequence[_Work], size: int, repetitions: int
) -> tuple[Measurement, ...]:
    """Times the masks of one length, after what they are compared with, in turn."""
    values = sides.gradient(size)
    work = list(first)
    masks = {}
    for name, build in sides.SIDES.items():
        if name == sides.SORTED and size > _SORTED_VALUES:
            continue
        choose = build(size)
        masks[name] = choose(values).numpy()
        work.append(_Work(f"{name}, {size:,} values", _bound(choose, values)))
    expected = masks[sides.MAGNITUDE]
    wrong = [name for name in masks if not np.array_equal(masks[name], expected)]
    if wrong:
        raise RuntimeError(f"All sides must choose one mask, but {wrong} differ.")
    seconds: dict[str, list[float]] = {item.name: [] for item in work}
    for turn in range(repetitions + 1):
        print(f"{size:,} values: turn {turn} of {repetitions}", file=sys.stderr)
        for item in work:
            began = time.perf_counter()
            _ = item.execute()[0].numpy()  # Waits for an accelerator, too.
            seconds[item.name].append(time.perf_counter() - began)
    # The first turn compiles.
    return tuple(Measurement(name, tuple(taken[1:])) for name, taken in seconds.items())


def _bound(choose: sides.Choose, values: tf.Tensor) -> Callable[[], tf.Tensor]:
    return lambda: choose(values)
