"""Numbers in [0, 1], pictures among them: what attacks of all modalities ask of them."""

import numpy as np
import tensorflow as tf
from scipy import optimize

from attacks import coupling, draws
from attacks.matching import matching
from attacks.modality import Labels, Modality, PublicExamples
from attacks.programs import Programs
from selenc_tf.models import labels as labels_lib
from selenc_tf.models import local_steps, value_range
from selenc_tf.models.functional import FunctionalModel
from selenc_tf.models.local_steps import LocalTraining
from selenc_tf.types import Vector, Weights


def _inputs(model: FunctionalModel) -> tuple[str, ...]:
    picture = len(model.input_shape) == 3
    return ("numbers", "pictures") if picture else ("numbers",)


def _check(
    model: FunctionalModel,
    batch_size: int,
    labels: Labels | None,
    public: PublicExamples | None,
) -> None:
    if not isinstance(model, FunctionalModel):
        name = type(model).__name__
        raise ValueError(
            f"`model` must be a FunctionalModel for attacks on numbers, got a {name}: "
            "name the `modality` that it is of."
        )
    single = isinstance(model.task.inputs, tf.TensorSpec)
    # Several inputs are joined only where all of them are numbers.
    if single and not model.task.inputs.dtype.is_floating:
        raise ValueError(
            f"`model` ({model.name}) must take numbers that can be searched for, but its "
            f"input is {model.task.inputs.dtype.name}: name the `modality` that it is of."
        )
    if labels is not None:
        _check_labels("labels", labels, batch_size, model)
    if public is not None:
        _check_public(public, model)


def _check_labels(
    name: str, labels: Labels | np.ndarray, count: int, model: FunctionalModel
) -> None:
    """Checks classes [count], or numbers [count, num_classes]; they are not printed."""
    classes = model.kind == "classes"
    wanted = (count,) if classes else (count, model.num_classes)
    found = np.shape(labels)
    if found != wanted:
        raise ValueError(
            f"`{name}` must have the shape {list(wanted)} for {model.name}, which learns "
            f"{model.kind}, got {list(found)}."
        )
    if classes and not np.issubdtype(np.asarray(labels).dtype, np.integer):
        raise ValueError(
            f"`{name}` must be integers, the numbers of classes, got the type "
            f"{np.asarray(labels).dtype}."
        )
    rule = model.task.objective.rules
    if classes:
        # The loss may take rows of probabilities; attackers name the class.
        rule = labels_lib.Rule(tf.TensorSpec([None], tf.int32), model.num_classes)
    labels_lib.check(rule, np.asarray(labels), f"`{name}`")


def _check_public(public: PublicExamples, model: FunctionalModel) -> None:
    if public.examples.shape[1:] != model.input_shape or not len(public.examples):
        raise ValueError(
            f"`public_examples.examples` must be [a, *{model.input_shape}] with a >= 1, "
            f"got shape {list(public.examples.shape)}."
        )
    value_range.check_unit("public_examples.examples", public.examples)
    _check_labels("public_examples.labels", public.labels, len(public.examples), model)


def _message(
    model: FunctionalModel,
    weights: Weights,
    examples: np.ndarray,
    labels: np.ndarray,
    training: LocalTraining | None,
) -> Vector:
    dtype = model.initial_weights[0].dtype
    return local_steps.update(
        model,
        tuple(tf.constant(tensor, dtype) for tensor in weights),
        tf.constant(examples, dtype),
        matching.as_targets(model, labels, dtype),
        training,
    )


def _precise(programs: Programs, model: FunctionalModel) -> FunctionalModel:
    """The model of the objective that searches have compiled."""
    return programs.of(matching.build_matching, model).model


def _psnr_db(found: np.ndarray, truth: np.ndarray) -> float:
    """The mean over a batch, in the order that fits best; NaN if not finite."""
    if not np.all(np.isfinite(found)):
        return float("nan")
    squares = np.square(found[:, np.newaxis] - truth[np.newaxis])
    errors = np.mean(squares.reshape(len(found), len(truth), -1), axis=2)
    best = errors[optimize.linear_sum_assignment(errors)]
    # At most 120 dB, so that one exact picture does not decide alone.
    return float(np.mean(-10 * np.log10(np.maximum(best, 1e-12))))


NUMBERS = Modality(
    inputs=_inputs,
    shape=lambda model: model.input_shape,
    check=_check,
    message=_message,
    precise=_precise,
    without_draws=draws.without,
    penalty=coupling.penalty_gradient,
    score=_psnr_db,
)
"""Examples are float32 [*model.input_shape] in [0, 1] of a `FunctionalModel`."""
