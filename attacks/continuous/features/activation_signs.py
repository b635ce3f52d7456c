"""An example from the signs of a first dense layer's outputs.

Each unit whose ReLU is known to be on or silent (`unit_signs.py`) puts the example into a
half-space; the attack hands back the mean of a Gaussian prior within all of them
(`half_spaces.py`). Numbers that visible entries of the layer's own kernel show
(`outer_product.py`), or their ratios, are kept.
"""

import time
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
from scipy import linalg

from attacks import knowledge as knowledge_lib
from attacks import target as target_lib
from attacks.continuous.analytic import (
    closed_form,
    completed_target,
    dense_inversion,
    outer_product,
)
from attacks.continuous.features import feature_inversion, half_spaces, unit_signs
from attacks.labels import pictures as picture_labels
from federated import views
from selenc_tf.distance import prior as prior_lib
from selenc_tf.models import functional
from selenc_tf.types import Seed

PriorOf: TypeAlias = Callable[[knowledge_lib.Knowledge], prior_lib.GaussianPrior]
"""What is believed of one example beforehand."""

FEWEST = 8
"""Units whose sign must be known: each of them says one bit at most."""

_MOST = 2048
"""Units that are used, spread over the layer: time grows with their cube."""

_MISFIT = 1e-6
"""Largest relative squared error of an outer product that is believed."""

_JITTER = 1e-9
_HIGH = 0.98
"""The quantile by which numbers are scaled: the largest of many are outliers."""


class _Numbers(NamedTuple):
    """Equations A x = y that hold exactly: A x is x[places] - ratios * x[reference].

    Attributes:
      places: int [k], of an example.
      reference: One of an example; of no effect where the ratios are zero.
      ratios: float64 [k], or zeros where y are the numbers themselves.
      values: y, float64 [k].
      scaled: Whether they say how large the numbers are.
    """

    places: np.ndarray
    reference: int
    ratios: np.ndarray
    values: np.ndarray
    scaled: bool

    def of(self, values: np.ndarray) -> np.ndarray:
        """A x of x [d, ...]."""
        ratios = self.ratios.reshape(-1, *(1,) * (values.ndim - 1))
        found: np.ndarray = values[self.places] - ratios * values[self.reference]
        return found


def build_activation_signs(
    *,
    source: target_lib.Source = 0,
    prior_of: PriorOf = feature_inversion.isotropic_prior,
) -> knowledge_lib.Attack:
    """Builds the attack; it is mask-aware by nature.

    Args:
      source: One client's message by its index, or "aggregate".
      prior_of: What it believes of an example beforehand.

    Returns:
      The attack; the seed has no effect. Its `stop` is "prior", and `matched_entries` the
      units whose signs it used. Signs do not tell the size of an example where the layer
      has no biases: without numbers that say it, it is that of public examples, if any.
      It raises `DoesNotApply` if the model does not begin with a dense layer, a ReLU and
      a dense layer, or the signs of fewer than `FEWEST` units are sure; a ValueError if
      view, knowledge and `source` do not go together.
    """

    def attack(
        view: views.ServerView, knowledge: knowledge_lib.Knowledge, seed: Seed
    ) -> knowledge_lib.Reconstruction:
        del seed  # Nothing is drawn.
        began = time.monotonic()
        target = target_lib.build_target(view, knowledge, source, "mask_aware")
        knowledge_lib.check_one_picture(knowledge, "this attack")
        model = knowledge.model
        found = unit_signs.find(model)
        # Zeros alone say which units were silent.
        closed_form.check_target(target, zeros=True)
        signs = unit_signs.read(target, found).signs
        (units,) = np.nonzero(signs)
        if len(units) < FEWEST:
            raise knowledge_lib.DoesNotApply(
                f"The gradient must show something of the signs of at least {FEWEST} "
                f"units of the layer {found.layer.name!r}, but it does of {len(units)}."
            )
        if len(units) > _MOST:
            units = units[np.linspace(0, len(units) - 1, _MOST).astype(int)]
        kernel, bias = _in_unit(view.weights, found, model)
        flat = _located(
            prior_of(knowledge),
            kernel[:, units],
            bias[units],
            signs[units].astype(np.float64),
            numbers := _numbers(target, found, model),
        )
        if numbers is None or not numbers.scaled:
            flat = _sized(flat, kernel[:, units], bias[units], signs[units], knowledge)
        images = np.clip(flat, 0, 1).astype(np.float32).reshape(1, *model.input_shape)
        labels, label_source = picture_labels.assign(
            view, target, knowledge, images, np.zeros((1, 0))
        )
        return closed_form.report(
            view,
            target,
            knowledge,
            images,
            labels,
            label_source,
            "prior",
            len(units),
            began,
        )

    return attack


def _in_unit(
    weights: tuple[np.ndarray, ...],
    found: unit_signs.Rectified,
    model: functional.FunctionalModel,
) -> tuple[np.ndarray, np.ndarray]:
    """Kernel [d, units] and bias of the layer, for examples in [0, 1]."""
    flat = np.concatenate([np.asarray(one, np.float64).ravel() for one in weights])
    layer = found.layer
    kernel = flat[layer.kernel].reshape(layer.features, layer.units)
    bias = np.zeros(layer.units) if layer.bias is None else flat[layer.bias]
    low, high = _bounds(model)
    return (high - low)[:, np.newaxis] * kernel, bias + low @ kernel


def _bounds(model: functional.FunctionalModel) -> tuple[np.ndarray, np.ndarray]:
    low, high = (
        np.broadcast_to(bound, model.input_shape).astype(np.float64).ravel()
        for bound in model.value_range
    )
    return low, high


def _numbers(
    target: target_lib.Target,
    found: unit_signs.Rectified,
    model: functional.FunctionalModel,
) -> _Numbers | None:
    """What visible entries of the layer's own kernel say of the example's numbers."""
    vector = np.where(target.visible, target.plain, np.float32(0)).astype(np.float64)
    part = completed_target.read_layer(vector, target.visible, found.layer)
    values, known = dense_inversion.in_unit(part.values, part.known, model)
    fit = outer_product.factorise(values[:-1], known[:-1], values[-1], known[-1])
    (places,) = np.nonzero(fit.rows_known)
    if fit.residual > _MISFIT or len(places) < (1 if fit.scaled else 2):
        return None
    rows = fit.rows[places]
    if fit.scaled:
        return _Numbers(places, 0, np.zeros(len(places)), rows, True)
    largest = int(np.argmax(np.abs(rows)))
    ratios = np.delete(rows / rows[largest], largest)
    reference = int(places[largest])
    places = np.delete(places, largest)
    return _Numbers(places, reference, ratios, np.zeros(len(places)), False)


def _located(
    prior: prior_lib.GaussianPrior,
    kernel: np.ndarray,
    bias: np.ndarray,
    signs: np.ndarray,
    numbers: _Numbers | None,
) -> np.ndarray:
    """The prior's mean within the half-spaces and under the equations, [d]."""

    def covariance_with(vectors: np.ndarray) -> np.ndarray:
        root = prior_lib.apply_root(prior, vectors, transpose=True)
        return prior_lib.apply_root(prior, root)

    mean, with_outputs = prior.mean.copy(), covariance_with(kernel)
    if numbers is not None:
        count = len(numbers.places)
        rows = np.zeros((prior.unknowns, count))
        rows[numbers.reference] = -numbers.ratios
        rows[numbers.places, np.arange(count)] += 1
        with_numbers = covariance_with(rows)
        own = numbers.of(with_numbers)
        own[np.diag_indices(count)] += _JITTER * np.trace(own) / count
        factor = linalg.cho_factor(own)
        gain = linalg.cho_solve(factor, numbers.of(with_outputs))
        off = linalg.cho_solve(factor, numbers.values - numbers.of(mean))
        mean = mean + with_numbers @ off
        before = np.einsum("ij,ij->j", kernel, with_outputs)
        with_outputs = with_outputs - with_numbers @ gain
        # Outputs that the numbers decide add nothing.
        left = np.einsum("ij,ij->j", kernel, with_outputs) > 1e-6 * before
        kernel, bias, signs = kernel[:, left], bias[left], signs[left]
        with_outputs = with_outputs[:, left]
        if not left.any():
            return mean
    covariance = kernel.T @ with_outputs
    moved = half_spaces.weights_of_mean(
        (covariance + covariance.T) / 2, kernel.T @ mean + bias, signs
    )
    found: np.ndarray = mean + with_outputs @ moved
    return found


def _sized(
    flat: np.ndarray,
    kernel: np.ndarray,
    bias: np.ndarray,
    signs: np.ndarray,
    knowledge: knowledge_lib.Knowledge,
) -> np.ndarray:
    """The example as large as public ones are, unless its signs speak against it."""
    public = knowledge.public_examples
    low, high = _bounds(knowledge.model)

    def size(values: np.ndarray) -> np.ndarray:
        quantile: np.ndarray = np.quantile(
            np.abs(low + values * (high - low)), _HIGH, axis=-1
        )
        return quantile

    if public is None or not size(flat) > 0:
        return flat
    usual = float(np.mean(size(public.examples.reshape(len(public.examples), -1))))
    # Signs of outputs without biases stay as they are when the layer's input grows.
    grown = usual / size(flat) * (low + flat * (high - low))
    sized: np.ndarray = (grown - low) / (high - low)

    def wrong(values: np.ndarray) -> int:
        return int(np.count_nonzero((values @ kernel + bias) * signs <= 0))

    return sized if wrong(sized) <= wrong(flat) else flat
