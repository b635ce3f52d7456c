"""Hidden entries of dense layers computed from the visible ones, then the picture.

One picture's gradient of a dense layer is an outer product, a batch's a sum of a few
(`outer_product.py`, `low_rank.py`). Where the first dense layer sees the picture, the
completed layer shows it; elsewhere gradient matching gets more entries to match.
"""

import time
from collections.abc import Callable

import numpy as np
from scipy import optimize

from attacks import coupling
from attacks import effort as effort_lib
from attacks import knowledge as knowledge_lib
from attacks import programs as programs_lib
from attacks import target as target_lib
from attacks.continuous.analytic import (
    closed_form,
    completed_target,
    dense_inversion,
    outer_product,
)
from attacks.continuous.second_order import matching_attack, starts
from attacks.labels import candidates as candidates_lib
from attacks.labels import pictures as picture_labels
from attacks.structure import dense_layers as dense_lib
from federated import views
from selenc_tf.models import functional
from selenc_tf.types import Seed

_DEFAULT_EFFORT = effort_lib.Effort()
_MISFIT = 1e-6
_SCALES = 16


def build_completion(
    *,
    source: target_lib.Source = 0,
    initial: starts.Initial = "grey",
    effort: effort_lib.Effort = _DEFAULT_EFFORT,
    progress: effort_lib.Progress | None = None,
    programs: programs_lib.Programs | None = None,
) -> knowledge_lib.Attack:
    """Builds the completion attack; it is mask-aware by nature.

    Args:
      source: One client's message by its index, or "aggregate".
      initial: The distribution of the starting pictures, where matching is needed.
      effort: For the low-rank fits, and again for the matching.
      progress: Called after every iteration of the matching.
      programs: What is compiled already, shared with other attacks; None for its own.

    Returns:
      The attack. Where the first dense layer shows all pictures its `stop` is
      "closed_form", or "partly_determined" if some pixels of a single picture had to be
      filled in; otherwise the matching's. It raises `DoesNotApply` if the layer does
      not show them and no hidden entry follows from the visible ones; a ValueError if
      view, knowledge and `source` do not go together.

    Raises:
      ValueError: If `initial` is not offered.
    """
    settings = matching_attack.settings_of(
        initial, effort, None, progress, None, programs
    )

    def attack(
        view: views.ServerView, knowledge: knowledge_lib.Knowledge, seed: Seed
    ) -> knowledge_lib.Reconstruction:
        began = time.monotonic()
        target = target_lib.build_target(view, knowledge, source, "mask_aware")
        closed_form.check_target(target)
        completed = completed_target.complete_gradient(
            target, knowledge.model, knowledge.batch_size, seed, effort
        )
        found = shown_pictures(view, target, completed.target, knowledge)
        if found is not None:
            shown = dense_inversion.report(view, target, knowledge, found, began)
            if shown.converged or knowledge.batch_size == 1:
                return shown
        if not completed.determined:
            raise knowledge_lib.DoesNotApply(
                f"Some dense layer of `knowledge.model` ({knowledge.model.name}) must "
                "have hidden entries that follow from its visible ones, or show the "
                "pictures, but none does. Use DLG."
            )
        matched = matching_attack.reconstruct(
            tuple(np.asarray(tensor) for tensor in view.weights),
            completed.target,
            knowledge,
            candidates_lib.candidates((completed.target,), knowledge)
            if knowledge.model.kind == "classes"
            else candidates_lib.declared(knowledge),
            settings,
            seed,
        )
        return matched._replace(seconds=time.monotonic() - began)

    return attack


def shown_pictures(
    view: views.ServerView,
    target: target_lib.Target,
    completed: target_lib.Target,
    knowledge: knowledge_lib.Knowledge,
) -> dense_inversion.Inversion | None:
    """The pictures, if the first dense layer shows them.

    Runs on: attacker. Sees: the visible entries.

    Args:
      view: For the weights, where the scale has to be searched.
      target: The gradient, finite where visible.
      completed: The same after completion.
      knowledge: The model and the batch size.

    Returns:
      The pictures, as far as they are determined, with the number of visible entries
      between determined rows and columns; None if some picture of a batch is not shown,
      or nothing of a single one.
    """
    layer = dense_inversion.picture_layer(knowledge)
    if layer is None or coupling.mixes_examples(knowledge.model):
        return None
    if knowledge.batch_size == 1:
        return _one_picture(view, target, knowledge, layer)
    found = dense_inversion.invert(completed, knowledge)
    return found if found.verified and found.determined.all() else None


def _one_picture(
    view: views.ServerView,
    target: target_lib.Target,
    knowledge: knowledge_lib.Knowledge,
    layer: dense_lib.DenseLayer,
) -> dense_inversion.Inversion | None:
    """One picture from the layer's outer product.

    If no bias shows the scale, it is the one with which the picture's own gradient
    agrees best with all visible entries.
    """
    vector = np.where(target.visible, target.plain, np.float32(0)).astype(np.float64)
    part = completed_target.read_layer(vector, target.visible, layer)
    fit = outer_product.factorise(
        part.values[:-1], part.known[:-1], part.values[-1], part.known[-1]
    )
    if not fit.rows_known.any() or fit.residual > _MISFIT:
        return None
    shape = (1, *knowledge.model.input_shape)
    determined = fit.rows_known.reshape(shape)
    own = knowledge.model.value_range

    def scaled(scale: float) -> np.ndarray:
        pixels = np.clip(own.to_unit(scale * fit.rows.reshape(shape)), 0.0, 1.0)
        return closed_form.fill(pixels, determined, knowledge)

    def labels_of(images: np.ndarray) -> np.ndarray:
        units = fit.columns[np.newaxis]
        return picture_labels.assign(view, target, knowledge, images, units)[0]

    images = scaled(1.0)
    if not fit.scaled:
        least, most = _scales(fit, knowledge.model)
        classes = knowledge.model.kind == "classes"
        labels = labels_of(scaled(most))

        def error(scale: float) -> float:
            guess = scaled(scale)
            told = labels if classes else labels_of(guess)
            return closed_form.matching_error(view, target, knowledge, guess, told)

        images = scaled(_best_scale(error, least, most))
    between = part.known[:-1] & np.outer(fit.rows_known, fit.columns_known)
    return dense_inversion.Inversion(
        images=images,
        determined=determined,
        verified=True,
        units=fit.columns[np.newaxis],
        entries=int(np.count_nonzero(between)),
    )


def _scales(
    fit: outer_product.OuterProduct, model: functional.FunctionalModel
) -> tuple[float, float]:
    """Between which factors all determined pixels stay in the model's range.

    Example:
      Rows with the largest 1 in the range [0, 1]: 0 and 1.
    """
    low, high = (
        np.broadcast_to(bound, model.input_shape).ravel() for bound in model.value_range
    )
    usable = fit.rows_known & (np.abs(fit.rows) > _MISFIT)
    rows = fit.rows[usable].astype(np.float64)
    ends = np.sort(np.stack([low[usable] / rows, high[usable] / rows]), axis=0)
    least, most = float(np.max(ends[0])), float(np.min(ends[1]))
    # Rounding alone keeps a pixel at its bound outside.
    return (least, most) if least < most else (min(least, most, 0.0), max(least, most))


def _best_scale(error: Callable[[float], float], least: float, most: float) -> float:
    """The factor of the pixels with the least matching error.

    Args:
      error: Of a scale.
      least: Where to look, without it.
      most: The same, and what is returned if no error is finite.

    Returns:
      The scale.
    """
    count = _SCALES if least >= 0 else 2 * _SCALES
    grid = np.linspace(most, least, count + 1)[:-1]
    errors = np.array([error(float(scale)) for scale in grid])
    if not np.isfinite(errors).any():
        return most
    best = int(np.nanargmin(errors))
    found = optimize.minimize_scalar(
        error,
        bounds=(grid[min(best + 1, count - 1)], grid[max(best - 1, 0)]),
        method="bounded",
        options={"xatol": 1e-7 * max(abs(least), abs(most)), "maxiter": 30},
    )
    return float(found.x if found.fun < errors[best] else grid[best])
