"""Pictures read off a first dense layer, unit by unit.

For one picture x the gradient of unit i's weights is a_i x and of its bias a_i, so
x = dW[:, i] / db[i] (Aono, Hayashi, Wang, Moriai, "Privacy-Preserving Deep Learning via
Additively Homomorphic Encryption", IEEE TIFS 2018, section 3). For a batch the quotient
is a weighted mean of the pictures that unit i fired for: with ReLU some units fire for
one picture only, and show it. Units that show the same picture agree with each other,
which mixtures do not.
"""

import time
from typing import NamedTuple

import keras
import numpy as np

from attacks import coupling
from attacks import knowledge as knowledge_lib
from attacks import target as target_lib
from attacks.continuous.analytic import closed_form, completed_target, isolation
from attacks.labels import pictures as picture_labels
from attacks.structure import dense_layers as dense_lib
from federated import views
from selenc_tf.models import functional
from selenc_tf.types import Seed


class Inversion(NamedTuple):
    """What a dense layer shows of the pictures.

    Attributes:
      images: float32 [b, *input_shape] in [0, 1].
      determined: bool of that shape, the pixels that were read; the others are filled.
      verified: Whether every picture was shown by units that agree with each other (one
        picture alone needs no such check).
      units: float64 [b, units], the gradient of the bias of each unit that shows a
        picture, zero for the other units.
      entries: Number of visible entries that were used.
    """

    images: np.ndarray
    determined: np.ndarray
    verified: bool
    units: np.ndarray
    entries: int


def build_dense_inversion(*, source: target_lib.Source = 0) -> knowledge_lib.Attack:
    """Builds the analytic inversion of a first dense layer.

    It is mask-aware by nature: it uses the units whose bias is visible, and their
    visible weights. Pixels that none of them shows get the mean of the public pictures,
    or of the pixels that were read.

    Args:
      source: One client's message by its index, or "aggregate".

    Returns:
      The attack; closed form, so the seed has no effect. `stop` is "closed_form" if
      every pixel of every picture was read (and, in a batch, units agree on each
      picture), "partly_determined" if some were, or "inconsistent" if a batch's
      pictures do not explain the gradient. The attack raises `DoesNotApply` if no dense
      layer sees the picture, or its visible entries show no pixel; a ValueError if
      view, knowledge and `source` do not go together.
    """

    def attack(
        view: views.ServerView, knowledge: knowledge_lib.Knowledge, seed: Seed
    ) -> knowledge_lib.Reconstruction:
        began = time.monotonic()
        target = target_lib.build_target(view, knowledge, source, "mask_aware")
        closed_form.check_target(target)
        inversion = invert(target, knowledge)
        if not inversion.determined.any():
            raise knowledge_lib.DoesNotApply(
                "Some unit of the first dense layer must show its bias and weights, but "
                "no pixel follows from the visible entries."
            )
        return report(view, target, knowledge, inversion, began)

    return attack


def picture_layer(
    knowledge: knowledge_lib.Knowledge,
) -> dense_lib.DenseLayer | None:
    """The dense layer that sees the flattened picture, or None."""
    layers = dense_lib.dense_layers(knowledge.model)
    return next((layer for layer in layers if layer.sees_picture), None)


def invert(target: target_lib.Target, knowledge: knowledge_lib.Knowledge) -> Inversion:
    """Reads the pictures off the layer that sees them.

    Runs on: attacker. Sees: the visible entries of the first dense layer.

    Args:
      target: The gradient, finite where visible.
      knowledge: The model, the batch size and perhaps public pictures.

    Returns:
      The pictures.

    Raises:
      DoesNotApply: If the model has no dense layer that sees the picture, or its units'
        derivatives are not of single pictures.
    """
    if coupling.mixes_examples(knowledge.model):
        raise knowledge_lib.DoesNotApply(
            f"`knowledge.model` ({knowledge.model.name}) must treat the examples of a "
            "batch one by one for an attack that reads a layer, but it normalises by the "
            "batch's statistics in training mode. Use gradient matching."
        )
    layer = picture_layer(knowledge)
    if layer is None:
        raise knowledge_lib.DoesNotApply(
            f"`knowledge.model` ({knowledge.model.name}) must have a dense layer on the "
            f"flattened picture itself, but {_what_is_there(knowledge.model)}. Use "
            "gradient matching."
        )
    vector = np.where(target.visible, target.plain, np.float32(0)).astype(np.float64)
    part = completed_target.read_layer(vector, target.visible, layer)
    values, known = in_unit(part.values, part.known, knowledge.model)
    found = isolation.isolate(values, known, knowledge.batch_size)
    shape = (knowledge.batch_size, *knowledge.model.input_shape)
    determined = found.known.reshape(shape)
    images = np.clip(found.pictures, 0.0, 1.0).reshape(shape)
    return Inversion(
        images=closed_form.fill(images, determined, knowledge),
        determined=determined,
        verified=bool(found.agreed.all()),
        units=found.units,
        entries=found.entries,
    )


def _what_is_there(model: functional.FunctionalModel) -> str:
    """What stands in the place of the dense layer, in words."""
    layers = model.keras_model.layers
    first = next((layer for layer in layers if layer.weights), None)
    if not isinstance(first, keras.layers.Dense):
        return f"its first weights are {model.spec.names[0]!r}"
    changed = dense_lib.first_after_picture(model)
    if changed is None or changed is first:
        return f"its first one, {first.name!r}, sees something else"
    kind = type(changed).__name__
    return f"{changed.name!r} ({kind}) changes the picture before it"


def in_unit(
    values: np.ndarray, known: np.ndarray, model: functional.FunctionalModel
) -> tuple[np.ndarray, np.ndarray]:
    """A first layer's gradient as it would be on the layer's input in [0, 1].

    The kernel's is a sum of x a over the pictures and the bias's one of a, so that
    (x - low) / (high - low) has the gradient (kernel - low bias) / (high - low).

    Args:
      values: float64 [features + 1, units], the bias's in the last row.
      known: bool of that shape.
      model: For its units.

    Returns:
      Both in the unit.
    """
    own = model.value_range
    if own.is_unit:
        return values, known
    low, high = (
        np.broadcast_to(bound, model.input_shape).astype(np.float64).reshape(-1, 1)
        for bound in own
    )
    rows = (values[:-1] - low * values[-1]) / (high - low)
    rows_known = known[:-1] & (known[-1] | (low == 0))
    return (
        np.vstack([np.where(rows_known, rows, 0.0), values[-1:]]),
        np.vstack([rows_known, known[-1:]]),
    )


def report(
    view: views.ServerView,
    target: target_lib.Target,
    knowledge: knowledge_lib.Knowledge,
    inversion: Inversion,
    began: float,
) -> knowledge_lib.Reconstruction:
    """Turns an inversion into what an attack hands back.

    Args:
      view: For the weights, with which pictures and classes are brought together.
      target: For the classes and the matching error.
      knowledge: For declared labels.
      inversion: The pictures.
      began: `time.monotonic()` at the start.

    Returns:
      The reconstruction.
    """
    labels, label_source = picture_labels.assign(
        view, target, knowledge, inversion.images, inversion.units
    )
    complete = bool(inversion.determined.all()) and inversion.verified
    found = closed_form.report(
        view,
        target,
        knowledge,
        inversion.images,
        labels,
        label_source,
        "closed_form" if complete else "partly_determined",
        inversion.entries,
        began,
    )
    # Units may agree on a mixture too; the whole gradient does not.
    if (
        found.converged
        and knowledge.batch_size > 1
        and not found.objective < closed_form.MISFIT
    ):
        return found._replace(stop="inconsistent", converged=False)
    return found
