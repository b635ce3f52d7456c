"""The inputs of a dense layer for a single example, from an outer product.

A visible entry of the bias gives the scale. Without one, what the layer's outputs would
be at a scale says which derivative there would be: one unknown in as many equations as
units, for every class that the example may have. Where rows are hidden whole, so that there
are no outputs, the picture's background says it (`background.py`). Of a head whole rows may
be hidden too, where there are more classes than they (`softmax_head.py`).
"""

from collections.abc import Sequence

import numpy as np
from scipy import optimize

from attacks.continuous.analytic import outer_product, softmax_head
from attacks.continuous.features import background
from attacks.continuous.features import layer as layer_lib
from attacks.continuous.features import pieces as pieces_lib
from attacks.continuous.features import span as span_lib

_MISFIT = 1e-10
_DECADES = 6
_SCALES = 241


def read(
    layer: layer_lib.Layer, labels: Sequence[np.ndarray]
) -> pieces_lib.Pieces | None:
    """Reads one example.

    Runs on: attacker. Sees: the weights and the layer's visible entries.

    Args:
      layer: The layer.
      labels: float64 [c] each: those that the example may have. Needed without a bias.

    Returns:
      The pieces; None if nothing is known, it is no outer product, or the scale is not
      found.
    """
    fit = outer_product.factorise(
        layer.values[:-1], layer.known[:-1], layer.values[-1], layer.known[-1]
    )
    if not fit.rows_known.any() or not fit.residual <= _MISFIT:
        return None
    if layer.head and layer.kind == "classes" and not fit.rows_known.all():
        full = softmax_head.complete(
            layer.values,
            layer.known,
            layer.kernel,
            layer.bias,
            [int(np.argmax(label)) for label in labels],
        )
        if full is not None:
            return _completed(layer, full)
    scale = 1.0
    if not fit.scaled:
        own = _scale(layer, fit, labels)
        if own is None:
            return None
        scale = own
    known = fit.rows_known
    features = np.where(known, fit.rows * scale, 0.0)[None]
    slopes = np.where(fit.columns_known, fit.columns / scale, 0.0)[None]
    between = layer.known[:-1] & np.outer(known, fit.columns_known)
    return pieces_lib.Pieces(
        features=features,
        known=known,
        errors=np.where(known, pieces_lib.rounding(features, known), np.inf),
        slopes=slopes,
        units=fit.columns_known,
        slope_errors=span_lib.ROUNDING * np.abs(slopes),
        labels=None,
        residual=fit.residual,
        entries=int(np.count_nonzero(between)) + int(np.count_nonzero(layer.known[-1])),
    )


def _completed(
    layer: layer_lib.Layer, full: softmax_head.SoftmaxHead
) -> pieces_lib.Pieces:
    """A head whose hidden rows followed from its softmax."""
    features = full.features[None]
    known = np.ones(full.features.shape, np.bool_)
    own = pieces_lib.rounding(features, known)
    slopes = np.where(full.delta_known, full.delta, 0.0)[None]
    return pieces_lib.Pieces(
        features=features,
        known=known,
        errors=np.sqrt(np.square(own) + np.square(full.errors)),
        slopes=slopes,
        units=full.delta_known,
        slope_errors=span_lib.ROUNDING * np.abs(slopes),
        labels=None,
        residual=full.residual**2,
        entries=int(np.count_nonzero(layer.known)),
    )


def _scale(
    layer: layer_lib.Layer,
    fit: outer_product.OuterProduct,
    labels: Sequence[np.ndarray],
) -> float | None:
    """The factor of the inputs, or None."""
    if not fit.rows_known.all():
        return background.scale(fit.rows, fit.rows_known, layer.flat)
    return _fitted(layer, fit, labels) if labels else None


def _fitted(
    layer: layer_lib.Layer,
    fit: outer_product.OuterProduct,
    labels: Sequence[np.ndarray],
) -> float:
    """The factor at which both sides of d(scale) = columns / scale agree."""
    seen = fit.columns_known
    outputs = fit.rows @ layer.kernel

    def misfits(scales: np.ndarray, label: np.ndarray) -> np.ndarray:
        z = scales[:, None] * outputs + layer.bias
        told = np.broadcast_to(label, (scales.size, label.size))
        model = layer.slopes.slopes(z, told)[:, seen]
        data = fit.columns[seen] / scales[:, None]
        error = np.sum(np.square(model - data), axis=1)
        sizes = np.sum(np.square(model), axis=1) + np.sum(np.square(data), axis=1)
        return error / np.maximum(sizes, 1e-300)

    size = np.max(np.abs(fit.columns[seen]))
    grid = size * np.logspace(-_DECADES, _DECADES, _SCALES)
    grid = np.concatenate([-grid[::-1], grid])
    best, least = 1.0, np.inf
    for label in labels:
        values = misfits(grid, label)
        for index in np.argsort(values)[:3]:
            ends = grid[max(index - 1, 0)], grid[min(index + 1, grid.size - 1)]
            found = optimize.minimize_scalar(
                lambda scale, label=label: float(misfits(np.array([scale]), label)[0]),
                bounds=ends,
                method="bounded",
                options={"xatol": 1e-12 * abs(grid[index])},
            )
            if found.fun < least:
                best, least = float(found.x), float(found.fun)
    return best
