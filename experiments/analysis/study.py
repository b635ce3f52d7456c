"""The analysis of one gradient: its Jacobian, then every metric and ratio."""

import functools
import pkgutil
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from experiments.analysis import catalog, families, noises
from experiments.analysis.options import Options
from experiments.analysis.results import Analysed, Row, Threshold
from experiments.data.dataset import Dataset
from experiments.modalities.pictures import examples
from selenc_tf import catalog as methods
from selenc_tf import flatten
from selenc_tf.distance import box, jacobian
from selenc_tf.distance.prior import GaussianPrior
from selenc_tf.models import functional
from selenc_tf.models.functional import FunctionalModel
from selenc_tf.significance.context import ScoreBatch, ScoreContext


class Study(NamedTuple):
    """What the analyses of a command share.

    Attributes:
      options: The settings.
      dataset: The pictures.
      model: What is analysed.
      derivatives: Of the model, in float64.
      public: Rows of the pictures that attackers have.
      prior: Of the pictures of a batch, estimated from those.
      weights: Where gradients are taken, float32 as they are broadcast.
      score: Scores by metric.
    """

    options: Options
    dataset: Dataset
    model: FunctionalModel
    derivatives: jacobian.Derivatives
    public: tuple[int, ...]
    prior: GaussianPrior
    weights: tuple[tf.Tensor, ...]
    score: Callable[[str, NDArray[np.float32], NDArray[np.float32]], NDArray[Any]]


def build_study(
    options: Options, dataset: Dataset, model: FunctionalModel, public: Sequence[int]
) -> Study:
    """Estimates the prior and prepares derivatives and scores.

    Args:
      options: The settings.
      dataset: The pictures.
      model: What is analysed.
      public: Rows from some of which the prior is estimated; none is analysed.

    Returns:
      The study.
    """
    rows = np.random.default_rng(options.seed).permutation(np.sort(public))
    known = tuple(np.sort(rows[: options.prior_images]).tolist())
    name = catalog.prior_of(options.prior, model.input_shape)
    build_prior = pkgutil.resolve_name(catalog.PRIORS[name].build)

    @functools.cache
    def traced(metric: str) -> Callable[..., tf.Tensor]:
        metric_fn = methods.metric(metric)

        # Traced, as it is inside TFF, and once for all pictures.
        @tf.function
        def scores(gradient: tf.Tensor, batch: ScoreBatch) -> tf.Tensor:
            return metric_fn(
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
        model=model,
        derivatives=jacobian.compile_derivatives(functional.in_float64(model)),
        public=known,
        prior=build_prior(dataset.examples[list(known)], options.batch_size),
        weights=model.initial_weights,
        score=score,
    )


class ZeroGradient(ValueError):
    """A gradient that says nothing, whatever is hidden."""


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

    Raises:
      ZeroGradient: If the gradient is zero.
      ValueError: If scores are not finite.
    """
    began = time.monotonic()
    images = study.dataset.examples[list(rows)]
    labels = examples.targets(study.model, study.dataset.labels[list(rows)])
    linear = jacobian.linearise(study.derivatives, study.weights, images, labels)

    def columns(done: int) -> None:
        progress(f"Jacobian, column {done} of {linear.unknowns}")

    if not np.any(linear.gradient):
        raise ZeroGradient(
            f"The gradient of example{'s' if len(rows) > 1 else ''} "
            f"{', '.join(map(str, rows))} is all zeros (a loss of 0 in float32?), so "
            "nothing of it is predicted."
        )
    options = study.options
    exact = options.method == catalog.EXACT
    matrix = jacobian.dense(linear, columns) if exact else None
    sigma = noises.sigma(options.noise, linear.gradient)
    predicted: list[Row] = []
    thresholds: list[Threshold] = []
    for metric in options.metrics:
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
            families.exact(matrix, sigma, order)
            if matrix is not None
            else families.sketched(
                linear, sigma, order, study.prior, options.seed, columns
            )
        )
        family = families.Family(
            metric,
            order,
            masks,
            linear.gradient,
            study.prior,
            box.saturated(images),
        )
        found, crossed = families.predictions(family, options, progress)
        predicted += found
        thresholds += crossed
    return Analysed(rows, tuple(predicted), tuple(thresholds), time.monotonic() - began)
