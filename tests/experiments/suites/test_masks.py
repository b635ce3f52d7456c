"""The masks suite on a tiny transformer."""

import functools
import io

import pytest
import tensorflow as tf

from experiments.suites.masks import sides, suite, transformer
from tests.experiments.suites.in_process import no_fresh_process  # noqa: F401

TINY = transformer.Shape("tiny transformer", 50, 1, 8, 2, 16)

# Tracing the sides takes longer than running them.
ONCE = {name: functools.cache(build) for name, build in sides.SIDES.items()}


@pytest.mark.slow
@pytest.mark.usefixtures("no_fresh_process")
def test_tables(monkeypatch):
    monkeypatch.setattr(suite, "_MEMORY_VALUES", 3000)
    monkeypatch.setattr(sides, "SIDES", ONCE)
    monkeypatch.setattr(sides, "_TINY", 100)
    monkeypatch.setattr(transformer, "TOKENS", 16)
    stream = io.StringIO()
    small, large = TINY, TINY._replace(vocabulary=1000)
    suite.run(suite.Request((100, 3000), 1, (small, large)), stream)
    shown = stream.getvalue()
    assert "3,000 values, magnitude: peak memory beyond the gradient" in shown
    assert shown.count("tf.math.top_k, ") == 2
    # The larger transformer has over 8,000 parameters.
    assert shown.count("one gradient: tiny transformer, ") == 1


@pytest.mark.slow
def test_gradient_of_the_transformer():
    model = transformer.build(TINY)
    # Words, positions, a normalisation; attention, two normalisations, feed-forward.
    layer = 4 * (64 + 8) + 2 * 16 + (8 * 16 + 16) + (16 * 8 + 8)
    assert model.spec.size == 50 * 8 + 128 * 8 + 16 + layer + (8 * 2 + 2)
    assert TINY.parameters == model.spec.size
    assert transformer.BASE.parameters == 108_596_738
    gradient = transformer.build_gradient(model)()
    assert gradient.shape == (model.spec.size,)
    assert float(tf.norm(gradient)) > 0


@pytest.mark.slow
def test_a_wrong_mask_stops_the_suite(monkeypatch):
    wrong = {
        sides.MAGNITUDE: ONCE[sides.MAGNITUDE],
        sides.IN_CHUNKS: ONCE[sides.SORTED],
        sides.SORTED: lambda n: lambda _: tf.zeros([n], tf.bool),
    }
    monkeypatch.setattr(sides, "SIDES", wrong)
    with pytest.raises(RuntimeError, match=r"\['tf.math.top_k'\] differ"):
        suite.run(suite.Request((100,), 1, ()), io.StringIO())
