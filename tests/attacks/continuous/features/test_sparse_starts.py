"""Directions of a span against the examples that it was made of."""

import numpy as np
import pytest

from attacks.continuous.features import quiet_units, sparse_starts
from attacks.continuous.features import span as span_lib

WIDTH, UNITS = 60, 300


def made(size, seed=0):
    """A layer's gradient in float32 as a span, its outputs, and the derivatives."""
    generator = np.random.default_rng(seed)
    common = generator.uniform(0.3, 0.7, WIDTH)
    inputs = common + generator.uniform(-0.3, 0.3, (size, WIDTH))
    kernel = generator.uniform(-0.5, 0.5, (WIDTH, UNITS))
    slopes = generator.standard_normal((size, UNITS)) * (inputs @ kernel > 0)
    inputs = np.hstack([inputs, np.ones((size, 1))])
    values = (inputs.T @ slopes / size).astype(np.float32).astype(np.float64)
    span = span_lib.of(values, np.ones_like(values, np.bool_), size)
    through = kernel.T @ span.left[:-1]
    outputs = quiet_units.Outputs(through[span.columns], span.left[-1])
    return span, outputs, slopes


def directions(span, outputs, explained=None, most=50_000, over=lambda: False):
    return sparse_starts.directions(
        span.right[span.columns],
        span_lib.ROUNDING / span.singular,
        outputs,
        explained,
        (0,),
        most,
        over,
    )


def alike(span, found, slopes):
    """Cosines of what was found [r] and the examples' derivatives [b], [r, b]."""
    known = span.columns
    rows = found @ span.right[known].T
    true = slopes[:, known] / span.scale[known]
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return np.abs(rows @ (true / np.linalg.norm(true, axis=1, keepdims=True)).T)


@pytest.mark.parametrize("size", [2, 5, pytest.param(16, marks=pytest.mark.slow)])
def test_every_example_is_told(size):
    span, outputs, slopes = made(size)
    found = directions(span, outputs)
    cosines = alike(span, found, slopes)
    assert sorted(np.argmax(cosines, axis=1)) == list(range(size))
    assert np.all(np.max(cosines, axis=1) > 1 - 1e-6)


def test_a_larger_batch_with_the_model_asked():
    """It ends when all rows are explained, and not before."""
    span, outputs, slopes = made(28)
    asked = []

    def explained(found):
        fits = np.max(alike(span, found, slopes), axis=1) > 1 - 1e-6
        asked.append(fits)
        return fits

    found = directions(span, outputs, explained)
    assert explained(found).all() and asked[-2].all()
    assert not any(fits.all() for fits in asked[:-2])


def test_nothing_is_found_where_all_units_are_on():
    span, outputs, _ = made(4)
    generator = np.random.default_rng(0)
    dense = np.linalg.qr(generator.standard_normal((UNITS, 4)))[0]
    span = span._replace(right=dense, columns=np.ones(UNITS, np.bool_))
    assert directions(span, outputs, most=5_000) is None


def test_no_time_is_no_answer():
    span, outputs, _ = made(4)
    assert directions(span, outputs, over=lambda: True) is None
