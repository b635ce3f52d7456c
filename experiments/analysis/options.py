"""What an analysis is asked to do, read from flags and checked as a whole."""

import dataclasses
import math
from collections.abc import Callable, Collection, Iterator, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from absl import flags
from numpy.typing import NDArray

from experiments.study import flags as flags_lib
from experiments.study.settings import SettingsError
from selenc_tf import validation
from selenc_tf.distance import noise, prior

SHARED = (
    "dataset",
    "data_dir",
    "allow_download",
    "model",
    "seed",
    "significance",
    "encryption_ratios",
    "num_images",
    "attack_batch_size",
)
"""Flags of `experiments.run` that mean the same here."""

NEUTRAL = ("output", "data_dir", "allow_download", "max_memory_gb")
"""Flags that do not change results."""

PriorBuilder: TypeAlias = Callable[[NDArray[np.floating], int], prior.GaussianPrior]

PRIORS: Mapping[str, PriorBuilder] = MappingProxyType(
    {"isotropic": prior.isotropic, "stationary": prior.stationary}
)
"""What `--prior` offers."""

EXACT, SKETCH = "exact", "sketch"
METHODS = (EXACT, SKETCH)
"""What `--method` offers: the Jacobian in memory, or sketched while it is computed."""

NoiseSource: TypeAlias = Callable[[NDArray[np.floating], float], NDArray[np.float64]]
"""`(gradient [n], parameter) -> sigma [n]`."""

NOISES: Mapping[str, NoiseSource] = MappingProxyType(
    {
        "float32": lambda gradient, _: noise.float32_rounding(gradient),
        "relative": noise.relative,
        "quantisation": lambda gradient, step: noise.quantisation(len(gradient), step),
        "gaussian": lambda gradient, scale: noise.gaussian(len(gradient), scale),
    }
)
"""What `--noise` combines; all but float32 take a positive parameter."""


@dataclasses.dataclass(frozen=True)
class Options:
    """The settings of an analysis.

    Attributes:
      model: A name in `selenc_tf.catalog.MODELS`.
      dataset: A name in `experiments.data.catalog.CATALOG`.
      seed: Of weights, pictures and masks; the same as in `experiments.run`.
      metrics: Names in `selenc_tf.catalog.METRICS`.
      ratios: Encryption ratios, rising.
      num_images: Number of analysed batches.
      batch_size: Pictures behind a gradient.
      noises: What makes visible entries inexact: names in `NOISES` with parameters.
      prior: A name in `PRIORS`.
      prior_images: Public pictures from which the prior is estimated, at most.
      psnr_threshold_db: A mask protects from where the PSNR bound is below it.
      threshold_tolerance: Width of a bracket, as a share of the parameters.
      rank_threshold: Of the numerical rank.
      method: One of `METHODS`.
      max_memory_gb: What the Jacobian, or its sketches, may take.
    """

    model: str
    dataset: str
    seed: int
    metrics: tuple[str, ...]
    ratios: tuple[float, ...]
    num_images: int
    batch_size: int
    noises: tuple[tuple[str, float], ...]
    prior: str
    prior_images: int
    psnr_threshold_db: float
    threshold_tolerance: float
    rank_threshold: float
    method: str
    max_memory_gb: float


def define(values: flags.FlagValues) -> None:
    """Defines the flags of `experiments.analyse`.

    Args:
      values: Where to define them: `flags.FLAGS`, or a holder of a test.
    """
    shared = flags.FlagValues()
    flags_lib.define(shared)
    for name in SHARED:
        flags.DEFINE_flag(shared[name], values)

    def number(name: str, default: float, text: str) -> None:
        flags.DEFINE_float(name, default, text, flag_values=values)

    flags.DEFINE_string(
        "output", "runs/analysis", "Folder of tables and figure.", flag_values=values
    )
    flags.DEFINE_list(
        "noise",
        ["float32"],
        "Errors of the visible entries, combined: float32, relative:FACTOR (of the root "
        "mean square of the gradient), quantisation:STEP, gaussian:DEVIATION.",
        flag_values=values,
    )
    flags.DEFINE_string(
        "prior", "isotropic", f"Of pictures: {', '.join(PRIORS)}.", flag_values=values
    )
    flags.DEFINE_integer(
        "prior_images",
        1000,
        "Public pictures of the data set, other than the analysed ones, from which the "
        "prior is estimated, at most.",
        flag_values=values,
    )
    number("psnr_threshold_db", 20.0, "A PSNR bound below this counts as protection.")
    number("threshold_tolerance", 0.005, "Width of brackets of thresholds.")
    number(
        "rank_threshold", 1e-10, "Smallest singular value that is not zero, over s_1."
    )
    flags.DEFINE_string(
        "method",
        EXACT,
        "exact keeps the Jacobian, n x d numbers; sketch sums its rows at random while "
        "it is computed, 4 d x d numbers for each ratio, within 0.1 dB or so.",
        flag_values=values,
    )
    number("max_memory_gb", 3.0, "What the Jacobian, or its sketches, may take.")


def as_dict(values: flags.FlagValues) -> dict[str, Any]:
    """The flags of this command by name, for `config.json`."""
    own = flags.FlagValues()
    define(own)
    return {name: values[name].value for name in sorted(own)}


def read(
    values: flags.FlagValues,
    models: Collection[str],
    datasets: Collection[str],
    metrics: Collection[str],
) -> Options:
    """Reads the flags and reports everything that is wrong with them at once.

    Args:
      values: Parsed flags.
      models: Names that the catalogue offers.
      datasets: Likewise.
      metrics: Likewise.

    Returns:
      Checked options; ratios sorted.

    Raises:
      SettingsError: With one line for each flag that has to change.
    """
    problems: list[str] = []

    def check(rule: Callable[..., Any], name: str, *arguments: Any) -> None:
        try:
            rule(name, *arguments)
        except ValueError as error:
            problems.append(str(error))

    check(validation.check_in, "--model", values.model, models)
    check(validation.check_in, "--dataset", values.dataset, datasets)
    check(validation.check_in, "--prior", values.prior, tuple(PRIORS))
    check(validation.check_in, "--method", values.method, METHODS)
    problems.extend(_list_problems("--significance", values.significance))
    for name in values.significance:
        check(validation.check_in, "--significance", name, metrics)
    problems.extend(_list_problems("--encryption_ratios", values.encryption_ratios))
    ratios = [_number(text) for text in values.encryption_ratios]
    for ratio in ratios:
        check(validation.check_fraction, "--encryption_ratios", ratio)
    problems.extend(_list_problems("--noise", values.noise))
    noises = [_noise(text) for text in values.noise]
    for name, parameter in noises:
        check(validation.check_in, "--noise", name, tuple(NOISES))
        check(validation.check_positive, f"--noise={name}", parameter)
    for flag, number, least in (
        ("--seed", values.seed, 0),
        ("--num_images", values.num_images, 1),
        ("--attack_batch_size", values.attack_batch_size, 1),
        ("--prior_images", values.prior_images, 1),
    ):
        check(validation.check_at_least, flag, number, least)
    for flag, number in (
        ("--threshold_tolerance", values.threshold_tolerance),
        ("--rank_threshold", values.rank_threshold),
        ("--max_memory_gb", values.max_memory_gb),
    ):
        check(validation.check_positive, flag, number)
    if not math.isfinite(values.psnr_threshold_db):
        problems.append(
            f"`--psnr_threshold_db` must be finite, got {values.psnr_threshold_db}."
        )
    if not values.output:
        problems.append("`--output` must name a folder, got an empty text.")
    if problems:
        raise SettingsError(
            "The flags cannot be used:\n" + "\n".join(f"  {line}" for line in problems)
        )
    return Options(
        model=values.model,
        dataset=values.dataset,
        seed=values.seed,
        metrics=tuple(values.significance),
        ratios=tuple(sorted(ratios)),
        num_images=values.num_images,
        batch_size=values.attack_batch_size,
        noises=tuple(noises),
        prior=values.prior,
        prior_images=values.prior_images,
        psnr_threshold_db=values.psnr_threshold_db,
        threshold_tolerance=values.threshold_tolerance,
        rank_threshold=values.rank_threshold,
        method=values.method,
        max_memory_gb=values.max_memory_gb,
    )


def sigma(options: Options, gradient: NDArray[np.floating]) -> NDArray[np.float64]:
    """The errors of the entries of a gradient that `--noise` asks for.

    Args:
      options: Of the analysis.
      gradient: [n].

    Returns:
      float64 [n], > 0.
    """
    return noise.combined(
        *(NOISES[name](gradient, parameter) for name, parameter in options.noises)
    )


def _list_problems(flag: str, texts: Collection[str]) -> Iterator[str]:
    if not texts:
        yield f"`{flag}` must not be empty."
    if len(set(texts)) < len(texts):
        yield f"`{flag}` must not name anything twice, got {','.join(texts)}."


def _number(text: str) -> float:
    """The number, or NaN, which every check refuses."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def _noise(text: str) -> tuple[str, float]:
    name, colon, parameter = text.partition(":")
    if name == "float32":
        # It has no parameter; a given one is refused.
        return name, math.nan if colon else 1.0
    return name, _number(parameter)
