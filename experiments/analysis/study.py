"""The analysis of one gradient: its Jacobian, then every metric and ratio."""

import functools
import math
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from experiments.analysis import options as options_lib
from experiments.analysis.options import Options
from experiments.data.dataset import Dataset
from selenc_tf import catalog, flatten
from selenc_tf.distance import (
    cramer_rao,
    identifiability,
    information,
    jacobian,
    predict,
    sketch,
    threshold,
)
from selenc_tf.distance.information import Factor
from selenc_tf.distance.prior import GaussianPrior
from selenc_tf.masks import policy
from selenc_tf.models import functional
from selenc_tf.significance.context import ScoreBatch, ScoreContext

IDENTIFIABILITY, PSNR = "identifiability", "psnr"
CRITERIA = (IDENTIFIABILITY, PSNR)


class Row(NamedTuple):
    """The prediction for one metric and ratio.

    Attributes:
      metric: What chose the hidden entries.
      asked_ratio: The flag's ratio; `prediction.encryption_ratio` is m / n.
      prediction: The numbers.
    """

    metric: str
    asked_ratio: float
    prediction: predict.Prediction


class Threshold(NamedTuple):
    """Where a metric's masks begin to protect.

    Attributes:
      metric: What chose the hidden entries.
      criterion: "identifiability" (a direction is lost) or "psnr" (the bound is below
        `--psnr_threshold_db`).
      low: The largest tried ratio that does not protect.
      high: The smallest tried ratio that does; +inf if none does.
    """

    metric: str
    criterion: str
    low: float
    high: float


class Analysed(NamedTuple):
    """What is known of one gradient.

    Attributes:
      pictures: Indices in the data set.
      rows: One for each metric and ratio.
      thresholds: One for each metric and criterion.
      seconds: What it took.
    """

    pictures: tuple[int, ...]
    rows: tuple[Row, ...]
    thresholds: tuple[Threshold, ...]
    seconds: float


class Study(NamedTuple):
    """What the analyses of a command share.

    Attributes:
      options: The settings.
      dataset: The pictures.
      derivatives: Of the model, in float64.
      prior: Of the pictures of a batch.
      weights: Where gradients are taken, float32 as they are broadcast.
      score: Scores by metric.
    """

    options: Options
    dataset: Dataset
    derivatives: jacobian.Derivatives
    prior: GaussianPrior
    weights: tuple[tf.Tensor, ...]
    score: Callable[[str, NDArray[np.float32], NDArray[np.float32]], NDArray[Any]]


def build_study(options: Options, dataset: Dataset, rows: Sequence[int]) -> Study:
    """Builds the model and the prior.

    Args:
      options: The settings.
      dataset: The pictures.
      rows: The analysed ones; the prior is estimated from others.

    Returns:
      The study.
    """
    model = catalog.model(
        options.model, dataset.image_shape, dataset.num_classes, options.seed
    )
    public = np.setdiff1d(np.arange(len(dataset)), rows)
    public = np.random.default_rng(options.seed).permutation(public)
    pictures = dataset.images[np.sort(public[: options.prior_images])]

    @functools.cache
    def traced(metric: str) -> Callable[..., tf.Tensor]:
        # Traced, as it is inside TFF, and once for all pictures.
        @tf.function
        def scores(gradient: tf.Tensor, batch: ScoreBatch) -> tf.Tensor:
            return catalog.metric(metric)(
                ScoreContext(
                    gradient=gradient,
                    seed=tf.constant((options.seed, 0), tf.int32),
                    spec=model.spec,
                    weights=flatten.flatten(model.initial_weights),
                    update=-gradient,
                    batch=batch,
                    model=model,
                )
            )

        return cast(Callable[..., tf.Tensor], scores)

    def score(
        metric: str, images: NDArray[np.float32], labels: NDArray[np.float32]
    ) -> NDArray[Any]:
        batch = ScoreBatch(tf.constant(images), tf.constant(labels))
        gradient = functional.gradient(model, model.initial_weights, *batch)
        return cast(NDArray[Any], traced(metric)(gradient, batch).numpy())

    return Study(
        options=options,
        dataset=dataset,
        derivatives=jacobian.compile_derivatives(functional.in_float64(model)),
        prior=options_lib.PRIORS[options.prior](pictures, options.batch_size),
        weights=model.initial_weights,
        score=score,
    )


def analyse(
    study: Study, rows: tuple[int, ...], progress: Callable[[str], None]
) -> Analysed:
    """Analyses the gradient of one batch.

    Args:
      study: What all share.
      rows: The batch's indices in the data set.
      progress: Is told what is being done.

    Returns:
      All that was asked for.
    """
    began = time.monotonic()
    images = study.dataset.images[list(rows)]
    labels = np.eye(study.dataset.num_classes, dtype=np.float32)[
        study.dataset.labels[list(rows)]
    ]
    linear = jacobian.linearise(study.derivatives, study.weights, images, labels)

    def columns(done: int) -> None:
        progress(f"Jacobian, column {done} of {linear.unknowns}")

    exact = study.options.method == options_lib.EXACT
    matrix = jacobian.dense(linear, columns) if exact else None
    sigma = options_lib.sigma(study.options, linear.gradient)
    predictions: list[Row] = []
    thresholds: list[Threshold] = []
    for metric in study.options.metrics:
        progress(f"{metric}: scores")
        scores = study.score(metric, images, labels)
        if not np.all(np.isfinite(scores)):
            raise ValueError(
                f"The scores of `{metric}` must be finite, but some are not for "
                f"pictures {list(rows)}. Leave the metric out of `--significance`."
            )
        # Stable, so that ties go to the lower index, as in `policy.top_scores`.
        order = np.argsort(-scores, kind="stable")
        masks = (
            _exact(matrix, sigma, order)
            if matrix is not None
            else _sketched(study, linear, sigma, order, columns)
        )
        family = _Family(study, masks, linear.gradient, order, metric)
        found, crossed = _of_family(family, progress)
        predictions += found
        thresholds += crossed
    return Analysed(
        rows, tuple(predictions), tuple(thresholds), time.monotonic() - began
    )


class _Masks(NamedTuple):
    """How the factors of nested masks are made.

    Attributes:
      factors: Numbers of hidden entries -> the factors of their masks.
      between: `(test, low, high, factor_high, tolerance) -> (low, high)`.
    """

    factors: Callable[[Sequence[int]], dict[int, Factor]]
    between: Callable[
        [Callable[[Factor], bool], int, int, Factor, int], tuple[int, int]
    ]


def _exact(
    matrix: NDArray[np.float64],
    sigma: NDArray[np.float64],
    order: NDArray[np.integer],
) -> _Masks:
    def between(
        test: Callable[[Factor], bool],
        low: int,
        high: int,
        factor_high: Factor,
        tolerance: int,
    ) -> tuple[int, int]:
        return threshold.between(
            test, matrix, sigma, order, low, high, factor_high, tolerance
        )

    return _Masks(
        lambda counts: information.nested(matrix, sigma, order, counts), between
    )


def _sketched(
    study: Study,
    linear: jacobian.Linearisation,
    sigma: NDArray[np.float64],
    order: NDArray[np.integer],
    progress: Callable[[int], None],
) -> _Masks:
    def factors(counts: Sequence[int]) -> dict[int, Factor]:
        return sketch.nested(
            linear,
            sigma,
            order,
            counts,
            study.prior,
            study.options.seed,
            progress=progress,
        )

    def between(
        test: Callable[[Factor], bool],
        low: int,
        high: int,
        factor_high: Factor,
        tolerance: int,
    ) -> tuple[int, int]:
        del factor_high
        return threshold.sections(test, factors, low, high, tolerance)

    return _Masks(factors, between)


class _Family(NamedTuple):
    """The nested masks of one metric for one gradient."""

    study: Study
    masks: _Masks
    gradient: NDArray[np.float64]
    order: NDArray[np.integer]
    metric: str

    def hidden(self, m: int) -> NDArray[np.bool_]:
        mask = np.zeros(len(self.order), np.bool_)
        mask[self.order[:m]] = True
        return mask


def _of_family(
    family: _Family, progress: Callable[[str], None]
) -> tuple[list[Row], list[Threshold]]:
    options, n = family.study.options, len(family.order)
    asked = {ratio: policy.hidden_count(ratio, n) for ratio in options.ratios}
    progress(f"{family.metric}: factors of {n:,} rows")
    # With both ends there is always something that a threshold can lie between.
    factors = family.masks.factors((*asked.values(), 0, n))
    rows = []
    for ratio, m in asked.items():
        progress(f"{family.metric}: ratio {ratio:g}")
        prediction = predict.from_factor(
            factors[m],
            family.gradient,
            family.study.prior,
            family.hidden(m),
            options.rank_threshold,
        )
        rows.append(Row(family.metric, ratio, prediction))
    tests: dict[str, Callable[[Factor], bool]] = {
        IDENTIFIABILITY: lambda factor: (
            not identifiability.is_full(factor, options.rank_threshold)
        ),
        PSNR: lambda factor: (
            cramer_rao.psnr_db(cramer_rao.posterior(factor, family.study.prior).mse)
            < options.psnr_threshold_db
        ),
    }
    thresholds = []
    for criterion in CRITERIA:
        progress(f"{family.metric}: threshold of {criterion}")
        low, high = _bracket(family, factors, tests[criterion])
        thresholds.append(Threshold(family.metric, criterion, low, high))
    return rows, thresholds


def _bracket(
    family: _Family, factors: dict[int, Factor], test: Callable[[Factor], bool]
) -> tuple[float, float]:
    """First among the masks that were made anyway, then by bisection between two."""
    n = len(family.order)
    counts = sorted(factors)
    low: int | None = None
    for high in counts:
        if test(factors[high]):
            break
        low = high
    else:
        return 1.0, math.inf
    if low is None:
        return 0.0, 0.0
    tolerance = max(1, int(family.study.options.threshold_tolerance * n))
    low, high = family.masks.between(test, low, high, factors[high], tolerance)
    return low / n, high / n
