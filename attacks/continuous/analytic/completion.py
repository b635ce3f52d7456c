"""Hidden entries of dense layers computed from the visible ones, then the picture.

One picture's gradient of a dense layer is an outer product, a batch's a sum of a few
(`outer_product.py`, `low_rank.py`). Where the first dense layer sees the picture, the
completed layer shows it; elsewhere gradient matching gets more entries to match.
"""

import time
from collections.abc import Callable

import numpy as np
from scipy import optimize

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
            candidates_lib.candidates((completed.target,), knowledge),
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
    if layer is None:
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
    vector = np.where(target.visible, target.vector, np.float32(0)).astype(np.float64)
    part = completed_target.read_layer(vector, target.visible, layer)
    fit = outer_product.factorise(
        part.values[:-1], part.known[:-1], part.values[-1], part.known[-1]
    )
    if not fit.rows_known.any() or fit.residual > _MISFIT:
        return None
    shape = (1, *knowledge.model.input_shape)
    determined = fit.rows_known.reshape(shape)
    pixels = np.clip(fit.rows, 0.0, 1.0).reshape(shape)

    def scaled(scale: float) -> np.ndarray:
        return closed_form.fill(scale * pixels, determined, knowledge)

    labels, _ = picture_labels.assign(
        view, target, knowledge, scaled(1.0), fit.columns[np.newaxis]
    )
    images = scaled(1.0)
    if not fit.scaled:
        images = scaled(
            _best_scale(
                lambda scale: closed_form.matching_error(
                    view, target, knowledge, scaled(scale), labels
                )
            )
        )
    between = part.known[:-1] & np.outer(fit.rows_known, fit.columns_known)
    return dense_inversion.Inversion(
        images=images,
        determined=determined,
        verified=True,
        units=fit.columns[np.newaxis],
        entries=int(np.count_nonzero(between)),
    )


def _best_scale(error: Callable[[float], float]) -> float:
    """The brightest pixel's value, in (0, 1], with the least matching error.

    Args:
      error: Of a scale.

    Returns:
      The scale; 1 if no error is finite.
    """
    grid = np.linspace(1.0, 1.0 / _SCALES, _SCALES)
    errors = np.array([error(float(scale)) for scale in grid])
    if not np.isfinite(errors).any():
        return 1.0
    best = int(np.nanargmin(errors))
    found = optimize.minimize_scalar(
        error,
        bounds=(grid[min(best + 1, _SCALES - 1)], grid[max(best - 1, 0)]),
        method="bounded",
        options={"xatol": 1e-7, "maxiter": 30},
    )
    return float(found.x if found.fun < errors[best] else grid[best])
