"""A convolution's input where a max-pooling follows: which positions count is unknown.

Of each window only the largest output has a derivative, and only its place is unknown.
Given the places, the input solves linear equations, of which there are several times as
many as unknowns; given the input, each output channel's places are those that explain
its gradient best. The two take turns. Channels whose places are still wrong misfit by
far the most, so equations are weighted by the inverse misfit of their channel
(iteratively reweighted least squares; Daubechies et al., Communications on Pure and
Applied Mathematics 2010): a minority that is right outvotes the others.
"""

from typing import NamedTuple

import numpy as np

from attacks.pictures.peeling import convolution
from attacks.structure import network as network_lib

_TURNS = 40
_SWEEPS = 3
_PULL = 1e-3
"""Towards the present input; it slows the turns down, and leaves their end as it is."""

_FLOOR = 1.0
"""Misfits below this share of the median one count no more than it. With 0.1 the few best
channels said nearly all, and trained networks' turns ended early: on five digits on the
ConvNet of width 16 after 20 rounds 13 of 45 starts at public pictures became exact, with
1.0 22 of them."""

_TRUST = 0.1
"""Weight of the outputs' values beside the gradient's misfit in the choice of places."""

_CORRECTIONS, _REWEIGHTINGS = 3, 5
_UNDOUBTED = 1e-6
"""A residual that rounding alone may leave."""

_ROUNDING = 1e-4
"""Outputs below this share of their root mean square may be positive by rounding."""

_SETTLED = 1e-7

_MOST_OPEN, _RANK, _FITTED = 64, 1e-4, 1e-5
"""Directions of the input that are taken from the outputs instead, their rank, and how
well the outputs must fit, relative to their norm."""


class Layer(NamedTuple):
    """What is known of a block whose output is.

    Attributes:
      output: float64 [rows, columns, outputs], after the pooling.
      derivative: float64 of that shape.
      gradient: float64 [h, w, channels in, outputs], the kernel's, zero where hidden.
      visible: bool of that shape.
      kernel: float64 of that shape.
      factor: float64 [outputs], see `forward.normaliser`.
      summand: float64 [outputs].
    """

    output: np.ndarray
    derivative: np.ndarray
    gradient: np.ndarray
    visible: np.ndarray
    kernel: np.ndarray
    factor: np.ndarray
    summand: np.ndarray


def solve(
    block: network_lib.Block, layer: Layer, start: np.ndarray, *, positive: bool
) -> convolution.Input:
    """Finds places and input in turns.

    Runs on: attacker. Sees: the visible entries of the kernel's gradient and what is
    known of the layers above.

    Args:
      block: The block, with or without pooling.
      layer: What is known.
      start: float64 [h, w, channels in], a first idea of the input.
      positive: Whether the input comes from a ReLU.

    Returns:
      The input, solved once more with the places that its own outputs say, or with those
      of the last turn if they fit better. Its `residual` is of rounding size if and only
      if those places are right.
    """
    slopes = layer.derivative * layer.factor
    active = layer.output > 0
    x = np.array(start, np.float64)
    if block.pool == 1:
        return _without_pooling(block, layer, slopes, active)
    slopes = slopes * active
    chosen = largest(outputs_of(block, layer, x))
    for _ in range(_TURNS):
        chosen, error = _choose(block, layer, slopes, x, chosen)
        weights = _trust(layer, error)
        if not weights.any():
            break
        moved = convolution.solve(
            block,
            place(block, slopes, chosen),
            layer.gradient,
            layer.visible,
            equation_weights=weights,
            near=x,
            pull=_PULL,
        ).values
        moved = np.maximum(moved, 0.0) if positive else moved
        step = np.linalg.norm(moved - x) / (np.linalg.norm(x) + 1e-300)
        x = moved
        if step < _SETTLED:
            break
    ends = [
        (
            convolution.solve(
                block, place(block, slopes, places), layer.gradient, layer.visible
            ),
            places,
        )
        for places in (largest(outputs_of(block, layer, x)), chosen)
    ]
    found, places = min(ends, key=lambda end: end[0].residual)
    return _closed(block, layer, found, places)


def _closed(
    block: network_lib.Block,
    layer: Layer,
    found: convolution.Input,
    places: np.ndarray,
) -> convolution.Input:
    """Takes from the outputs' values what hidden entries of the gradient leave open.

    An input that only few outputs read may have all its equations hidden.
    """
    if found.determined or not 0 < len(found.open) <= _MOST_OPEN:
        return found
    wanted = layer.output.reshape(len(places), -1)
    told = (wanted > 0) & np.any(layer.visible, axis=(0, 1, 2))

    def outputs(x: np.ndarray) -> np.ndarray:
        every = outputs_of(block, layer, x)
        return np.take_along_axis(every, places[:, np.newaxis], axis=1)[:, 0][told]

    present = outputs(found.values)
    moves = np.stack([outputs(found.values + one) - present for one in found.open], 1)
    steps, _, rank, _ = np.linalg.lstsq(moves, wanted[told] - present, rcond=_RANK)
    left = np.linalg.norm(wanted[told] - present - moves @ steps)
    return found._replace(
        values=found.values + np.tensordot(steps, found.open, 1),
        determined=bool(
            rank == len(steps) and left < _FITTED * np.linalg.norm(wanted[told])
        ),
    )


def _without_pooling(
    block: network_lib.Block, layer: Layer, slopes: np.ndarray, active: np.ndarray
) -> convolution.Input:
    """Solves once, and again where an output near zero was on the other side of it."""
    unsure = layer.output < _ROUNDING * np.sqrt(np.mean(np.square(layer.output)))
    found = convolution.solve(block, slopes * active, layer.gradient, layer.visible)
    for _ in range(_CORRECTIONS):
        if found.residual < _UNDOUBTED:
            break
        # A wrong sign spoils its own channel only: let the others say what it is.
        robust = found.values
        for _ in range(_REWEIGHTINGS):
            error = layer.gradient - _gradient_of(block, layer, slopes * active, robust)
            error = np.where(layer.visible, error, 0.0)
            robust = convolution.solve(
                block,
                slopes * active,
                layer.gradient,
                layer.visible,
                equation_weights=_trust(
                    layer, np.sum(np.square(error), axis=(0, 1, 2))
                ),
            ).values
        outputs = outputs_of(block, layer, robust).reshape(active.shape)
        corrected = np.where(unsure, outputs > 0, active)
        if np.array_equal(corrected, active):
            break
        active = corrected
        found = convolution.solve(block, slopes * active, layer.gradient, layer.visible)
    return found


def _gradient_of(
    block: network_lib.Block, layer: Layer, k: np.ndarray, x: np.ndarray
) -> np.ndarray:
    """The kernel's gradient at an input, in the shape of the kernel."""
    read = _patches(block, layer.kernel.shape[:2], x).reshape(
        k.shape[0] * k.shape[1], -1
    )
    return (read.T @ k.reshape(-1, k.shape[-1])).reshape(layer.kernel.shape)


def _trust(layer: Layer, squared_error: np.ndarray) -> np.ndarray:
    """Factors of the channels' equations: small where they are explained badly."""
    energy = np.sum(np.square(layer.gradient), axis=(0, 1, 2))
    used = energy > 0
    weights = np.zeros_like(energy)
    if not used.any():
        return weights
    misfit = squared_error[used] / energy[used]
    typical = float(np.median(misfit)) + np.finfo(np.float64).tiny
    weights[used] = np.sqrt(typical / (energy[used] * (misfit + _FLOOR * typical)))
    return weights / weights.max()


def outputs_of(block: network_lib.Block, layer: Layer, x: np.ndarray) -> np.ndarray:
    """The normalised products before the ReLU at every window's places.

    Returns:
      float64 [windows, places, outputs].
    """
    patches = _patches(block, layer.kernel.shape[:2], x)
    products = patches @ layer.kernel.reshape(-1, layer.kernel.shape[-1])
    return products * layer.factor + layer.summand


def largest(outputs: np.ndarray) -> np.ndarray:
    """The place of the maximum of every window, int [windows, outputs]."""
    return np.argmax(outputs, axis=1)


def place(
    block: network_lib.Block, slopes: np.ndarray, chosen: np.ndarray
) -> np.ndarray:
    """Puts pooled derivatives at the places that they come from.

    Args:
      block: The block.
      slopes: float64 [rows, columns, outputs].
      chosen: int [windows, outputs].

    Returns:
      float64 [h, w, outputs], zero elsewhere.
    """
    rows, columns, outputs = slopes.shape
    placed = np.zeros(block.map_shape)
    window = np.arange(rows * columns)[:, np.newaxis]
    row = window // columns * block.pool + chosen // block.pool
    column = window % columns * block.pool + chosen % block.pool
    placed[row, column, np.arange(outputs)] = slopes.reshape(-1, outputs)
    return placed


def _patches(
    block: network_lib.Block, taps: tuple[int, ...], x: np.ndarray
) -> np.ndarray:
    """What the kernel reads at every window's places, [windows, places, taps * in]."""
    above, left = block.padding
    padded = np.pad(x, ((above, above), (left, left), (0, 0)))
    read = np.lib.stride_tricks.sliding_window_view(padded, taps, axis=(0, 1))
    read = read.transpose(0, 1, 3, 4, 2)
    rows, columns, _ = block.output_shape
    size = block.pool
    cut = read[: rows * size, : columns * size]
    windows = cut.reshape(rows, size, columns, size, -1).transpose(0, 2, 1, 3, 4)
    return windows.reshape(rows * columns, size * size, -1)


def _choose(
    block: network_lib.Block,
    layer: Layer,
    slopes: np.ndarray,
    x: np.ndarray,
    chosen: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Places that explain the gradient, and what each channel leaves unexplained."""
    outputs = slopes.shape[-1]
    patches = _patches(block, layer.kernel.shape[:2], x)
    windows = len(patches)
    products = patches @ layer.kernel.reshape(-1, outputs)
    wanted = layer.output.reshape(windows, 1, outputs)
    off = np.square(products * layer.factor + layer.summand - wanted)
    off *= _TRUST / (np.mean(np.square(layer.output)) + 1e-300)
    d = slopes.reshape(windows, outputs)
    seen = layer.visible.reshape(-1, outputs).astype(np.float64)
    left = layer.gradient.reshape(-1, outputs).copy()
    energy = np.sum(np.square(left), axis=0)
    scale = np.where(energy > 0, energy, 1.0)
    chosen = chosen.copy()
    for window in range(windows):
        left -= d[window] * patches[window][chosen[window]].T * seen
    for _ in range(_SWEEPS):
        before = chosen.copy()
        for window in range(windows):
            read = patches[window]
            without = left + d[window] * read[chosen[window]].T * seen
            cost = np.square(d[window]) * (np.square(read) @ seen)
            cost -= 2 * d[window] * (read @ without)
            chosen[window] = np.argmin(cost / scale + off[window], axis=0)
            left = without - d[window] * read[chosen[window]].T * seen
        if np.array_equal(before, chosen):
            break
    return chosen, np.sum(np.square(left), axis=0)
