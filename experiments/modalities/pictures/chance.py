"""What pictures reach by chance that no gradient went into: the control of a result.

A picture of noise can be more alike a small original than its blind guess is, or happen
to be nearer to it than to any other; and a public example that has nothing to do with the
message can have more decibels than the mean of all. So what an attack reached is compared
with what many such pictures reach on the same example, measured by the same code.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attacks.knowledge import PublicExamples
from attacks.metrics import identifiability, image_quality
from experiments.data.dataset import Dataset
from experiments.modalities.pictures import metrics

TRIES = 99
"""Pictures of each kind for each example: one more is above them all in 1 % of cases."""

_BY_CHANCE = 2
"""So many that are identified say that it happens by chance."""

_SEED = 20_040_913
_FOR_SPECTRUM = 100
"""Of how many pictures it is taken; of 224x224x3 they take 240 MB there."""

_BINARY = 0.3
"""Share of the white pictures that are of two values, as diverged ones are."""


def control(
    dataset: Dataset, row: int, public: PublicExamples | None, seed: int = 0
) -> Mapping[str, Any]:
    """What chance reaches on an example; of noise it is the same in every run.

    Runs on: the experiment. Sees: the truth.

    Args:
      dataset: The examples.
      row: Which of them is attacked.
      public: Of which noise gets its spectrum, its mean and its spread; without them the
        data set's.
      seed: Of the draw of public examples.

    Returns:
      Of noise "tries"; "identified", how many of them are; and "measures": the highest
      SSIM (only of pictures of 11x11 and larger), whether being identified happens by
      chance, and without public examples the highest PSNR. Of random public examples, of
      any class and of the example's own, "public" and "public_of_class": "tries", at most
      `TRIES` and all there are where fewer, and "measures": their highest PSNR and SSIM.
    """
    truth, others = dataset.examples[row], metrics.references(dataset)
    known = others if public is None else public.examples
    noise = pictures(np.random.default_rng((_SEED, row)), known, truth.shape)
    count = identifiability.count_identified(noise, truth, others)
    measures: dict[str, Any] = {"identified": count >= _BY_CHANCE}
    reached = _highest(noise, truth)
    if public is not None:
        del reached["psnr_db"]
    return {
        "tries": TRIES,
        "identified": count,
        "measures": {**measures, **reached},
        **_of_public(dataset, row, public, np.random.default_rng((_SEED, row, seed))),
    }


def _of_public(
    dataset: Dataset,
    row: int,
    public: PublicExamples | None,
    generator: np.random.Generator,
) -> dict[str, Any]:
    """What public examples reach, drawn without looking: of any and of the same class."""
    if public is None:
        return {}
    pools = {"public": public.examples}
    if public.labels.ndim == 1:
        label = dataset.labels[row]
        same = public.labels == (np.argmax(label) if np.ndim(label) else label)
        if np.any(same):
            pools["public_of_class"] = public.examples[same]
    found = {}
    for name, pool in pools.items():
        drawn = generator.permutation(len(pool))[:TRIES]
        reached = _highest(pool[drawn], dataset.examples[row])
        found[name] = {"tries": len(drawn), "measures": reached}
    return found


def _highest(images: NDArray[Any], truth: NDArray[Any]) -> dict[str, float]:
    """The highest PSNR and, where it is measured, SSIM of [r, *shape] on an example."""
    wanted = np.broadcast_to(truth, images.shape)
    found = {"psnr_db": float(np.max(image_quality.psnr(images, wanted)))}
    if truth.ndim == 3 and min(truth.shape[:2]) >= image_quality.SSIM_WINDOW:
        found["ssim"] = float(np.max(image_quality.ssim(images, wanted)))
    return found


def pictures(
    generator: np.random.Generator, public: NDArray[Any], shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """Noise of the kinds that attacks leave, `TRIES` pictures in [0, 1].

    A third is white, of any mean and contrast; a third has the spectrum of public
    pictures around their mean (features of a table: their spread); a third is smooth, of
    any width, mean and contrast.

    Args:
      generator: What it is drawn from.
      public: float [r, *shape], at least one.
      shape: Of an example.

    Returns:
      float32 [TRIES, *shape].
    """
    each = TRIES // 3
    white = _contrasted(generator, generator.normal(size=(each, *shape)))
    binary = generator.random(each) < _BINARY
    white[binary] = white[binary] > 0.5
    mean = public.mean(0)
    apart = public[:: math.ceil(len(public) / _FOR_SPECTRUM)] - mean
    alike = generator.normal(size=(each, *shape))
    smooth = generator.normal(size=(each, *shape))
    if len(shape) == 3:
        power = np.sqrt(np.mean(np.abs(_spectrum(apart)) ** 2, 0))
        alike = _filtered(alike, power / np.sqrt(np.prod(shape[:2])))
        width = generator.uniform(0.5, 3.0, (each, 1, 1, 1))
        frequencies = np.hypot(
            np.fft.fftfreq(shape[0])[:, None], np.fft.fftfreq(shape[1])
        )[..., None]
        smooth = _filtered(smooth, np.exp(-2 * (np.pi * width * frequencies) ** 2))
    else:
        alike *= apart.std(0)
    made = np.concatenate([white, mean + alike, _contrasted(generator, smooth)])
    return np.clip(made, 0.0, 1.0).astype(np.float32)


def _contrasted(generator: np.random.Generator, noise: NDArray[Any]) -> NDArray[Any]:
    """Each of a mean in [0.2, 0.8] and a standard deviation in [0.1, 0.5]."""
    axes = tuple(range(1, noise.ndim))
    one = (len(noise), *[1] * len(axes))
    spread = np.maximum(noise.std(axis=axes, keepdims=True), 1e-12)
    return generator.uniform(0.2, 0.8, one) + generator.uniform(0.1, 0.5, one) * (
        noise / spread
    )


def _spectrum(images: NDArray[Any]) -> NDArray[Any]:
    return np.fft.fft2(images, axes=(1, 2))


def _filtered(images: NDArray[Any], gain: NDArray[Any]) -> NDArray[Any]:
    return np.fft.ifft2(_spectrum(images) * gain, axes=(1, 2)).real
