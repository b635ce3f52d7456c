"""Examples from what the gradients of dense layers say of their inputs.

`reading.py` reads the inputs of the lowest dense layer it can, for each example of the
batch; `inversion.py` finds the examples that have them. It needs little of the gradient: of
a head some rows, as a magnitude mask leaves them, and none of the convolutions.
"""

import time
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import tensorflow as tf

from attacks import effort as effort_lib
from attacks import knowledge as knowledge_lib
from attacks import programs as programs_lib
from attacks import target as target_lib
from attacks.continuous.analytic import closed_form
from attacks.continuous.features import features as features_lib
from attacks.continuous.features import guessed, inversion, partial, reading
from attacks.labels import candidates as candidates_lib
from attacks.structure import cut as cut_lib
from federated import views
from selenc_tf.distance import prior as prior_lib
from selenc_tf.types import Seed

PriorOf: TypeAlias = Callable[[knowledge_lib.Knowledge], prior_lib.GaussianPrior]
"""What is believed of one example beforehand."""

_DEFAULT_EFFORT = effort_lib.Effort(restarts=1, max_iterations=60)

_EXACT = 3e-4
"""Root mean square of what is left open up to which an example counts as found: 70 dB."""

_MEAN, _VARIANCE = 0.5, 1 / 12
"""Of numbers that may be anything in [0, 1]."""


def isotropic_prior(knowledge: knowledge_lib.Knowledge) -> prior_lib.GaussianPrior:
    """Numbers that are independent of each other.

    Args:
      knowledge: For its public examples, if any.

    Returns:
      Their means and their variance; without any that differ, those of numbers that are
      uniform in [0, 1].
    """
    public, shape = knowledge.public_examples, knowledge.model.input_shape
    if public is not None and np.ptp(public.examples) > 0:
        return prior_lib.isotropic(public.examples)
    mean = np.full(int(np.prod(shape)), _MEAN)
    return prior_lib.GaussianPrior("uniform", (1, *shape), mean, _VARIANCE, ())


def build_feature_inversion(
    *,
    source: target_lib.Source = 0,
    prior_of: PriorOf = isotropic_prior,
    effort: effort_lib.Effort = _DEFAULT_EFFORT,
    programs: programs_lib.Programs | None = None,
) -> knowledge_lib.Attack:
    """Builds the attack; it is mask-aware by nature.

    Args:
      source: One client's message by its index, or "aggregate".
      prior_of: What it believes of an example beforehand.
      effort: Linearisations for each example; what the reading may work.
      programs: What is compiled already, shared with other attacks; None for its own.

    Returns:
      The attack. Its `stop` is "closed_form" where the features leave nothing open,
      "prior" where what they leave open is as the prior has it, "iterations", "seconds" or
      "stalled" where the steps had not come to an end, "partly_determined" where nothing is
      known of some examples of a batch, of which it returns what it believed beforehand,
      "inconsistent" where the examples do not explain the gradient. It raises
      `DoesNotApply` where no dense layer shows its inputs.
    """
    shared = programs_lib.Programs() if programs is None else programs

    def attack(
        view: views.ServerView, knowledge: knowledge_lib.Knowledge, seed: Seed
    ) -> knowledge_lib.Reconstruction:
        began = time.monotonic()
        target = target_lib.build_target(view, knowledge, source, "mask_aware")
        model = knowledge.model
        cuts = shared.of(cut_lib.cuts, model)
        closed_form.check_target(target)
        readings = reading.read(
            model, cuts, target, view.weights, knowledge, seed, effort, shared
        )
        cut, features = readings[0].cut, readings[0].features

        told = np.isfinite(features.errors).any(axis=1)
        if not told.any():
            raise knowledge_lib.DoesNotApply(
                f"The layer {cut.layer.name!r} must show something of the input of an "
                "example, but it shows nothing."
            )

        def over() -> bool:
            limit = effort.max_seconds
            return limit is not None and time.monotonic() - began > limit

        net = inversion.Below(
            cut,
            tuple(tf.constant(one, tf.float64) for one in view.weights),
            model,
            prior_of(knowledge),
            shared,
            effort.max_iterations,
            over,
        )
        found, features = _inverted(net, readings, target, knowledge)
        if features.label_source == "guessed" and model.kind == "classes":
            features = guessed.settle(
                net, view, target, knowledge, found.images, features
            )
        found = inversion.refine(net, features, found, target)
        narrow = bool(np.all(found.deviation < _EXACT))
        stop = "closed_form" if narrow else "prior"
        if not told.all():
            stop = "partly_determined"
        if not found.settled:
            ended = found.steps >= effort.max_iterations
            stop = "seconds" if over() else "iterations" if ended else "stalled"
        # No step that helps may be rounding: then all that is visible is explained.
        exact = stop == "closed_form" or (stop == "stalled" and narrow)
        images = _at_bounds(found.images) if exact else np.clip(found.images, 0, 1)
        classes = model.kind == "classes"
        result = closed_form.report(
            view,
            target,
            knowledge,
            images.astype(np.float32),
            features.labels.astype(np.int64 if classes else np.float32),
            features.label_source,
            "closed_form" if exact else stop,
            features.entries + found.equations,
            began,
        )
        if exact and not result.objective < closed_form.MISFIT:
            wrong = "inconsistent" if found.settled else "stalled"
            result = result._replace(stop=wrong, converged=False)
        return result._replace(iterations=found.steps, evaluations=found.steps + 1)

    return attack


def _inverted(
    net: inversion.Below,
    readings: tuple[reading.Reading, ...],
    target: target_lib.Target,
    knowledge: knowledge_lib.Knowledge,
) -> tuple[inversion.Inverted, features_lib.Features]:
    """The examples, and the features with what the examples' equations say of labels."""
    features = readings[0].features
    # Layers below one that is whole were read in part.
    whole = len(readings) == 1 and bool(np.isfinite(features.errors).all())
    if whole or knowledge.batch_size > 1 or inversion.is_large(net):
        return inversion.invert(net, features), features
    possible = partial.labels_of(readings, target, knowledge)
    found, label, sure = partial.invert(net, readings, possible)
    if label is not None and features.label_source not in ("known", "inferred"):
        told: candidates_lib.Source = "inferred" if sure else "enumerated"
        features = features._replace(labels=np.array([label]), label_source=told)
    return found, features


def _at_bounds(images: np.ndarray) -> np.ndarray:
    """Numbers that are a bound but for rounding, at the bound.

    Where many are, as in black borders, a ReLU without a bias is at its kink there: what
    lies a billionth beside it has another gradient.
    """
    inside = np.where(images < _EXACT / 10, 0.0, images)
    return np.where(inside > 1 - _EXACT / 10, 1.0, inside)
