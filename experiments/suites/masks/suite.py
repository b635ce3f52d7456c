"""The magnitude mask: its time and memory, beside one gradient of a transformer."""

import functools
from collections.abc import Callable, Mapping
from typing import NamedTuple, TextIO

import numpy as np
import tensorflow as tf

from experiments.outputs import environment
from experiments.suites import measurement, memory
from experiments.suites.masks import sides, transformer
from experiments.suites.masks.transformer import Shape
from experiments.suites.measurement import Measurement

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
    print(environment.in_words(environment.describe(_VERSIONS)), file=stream)
    for size in request.sizes:
        if size >= _MEMORY_VALUES:
            for name in (sides.MAGNITUDE, sides.IN_CHUNKS):
                taken = memory.in_fresh_process(
                    f"{sides.__name__}:peak_bytes", name, size
                )
                print(
                    f"{size:,} values, {name}: peak memory beyond the gradient "
                    f"{memory.mebibytes(taken)}",
                    file=stream,
                    flush=True,
                )
    for size in request.sizes:
        compared = _transformer(request) if size == max(request.sizes) else {}
        measured = _times(compared, size, request.repetitions)
        measurement.print_table(measured, stream)


def _transformer(request: Request) -> dict[str, Callable[[], object]]:
    """One gradient of the largest transformer that is not too large, if there is one."""
    for shape in reversed(request.transformers):
        if shape.parameters <= max(request.sizes):
            model = transformer.build(shape)
            gradient = functools.partial(_finish, transformer.build_gradient(model))
            name = (
                f"one gradient: {shape.name}, {shape.parameters:,} parameters, batch "
                f"{transformer.BATCH}, {transformer.TOKENS} tokens"
            )
            return {name: gradient}
    return {}


def _times(
    first: Mapping[str, Callable[[], object]], size: int, repetitions: int
) -> tuple[Measurement, ...]:
    """Times the masks of one length, after what they are compared with, in turn."""
    values = sides.gradient(size)
    work = dict(first)
    masks = {}
    for name, build in sides.SIDES.items():
        if name == sides.SORTED and size > _SORTED_VALUES:
            continue
        choose = build(size)
        masks[name] = choose(values).numpy()
        work[f"{name}, {size:,} values"] = functools.partial(_finish, choose, values)
    expected = masks[sides.MAGNITUDE]
    wrong = [name for name in masks if not np.array_equal(masks[name], expected)]
    if wrong:
        raise RuntimeError(f"All sides must choose one mask, but {wrong} differ.")
    return measurement.in_turn(work, repetitions)


def _finish(work: Callable[..., tf.Tensor], *arguments: tf.Tensor) -> None:
    """Works, and waits until an accelerator is done, too."""
    _ = work(*arguments)[0].numpy()
