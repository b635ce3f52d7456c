"""Walks on a pooled block's input, and that peeling takes them."""

from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf

from attacks import target
from attacks.pictures.peeling import forward, peel, pooled, top, walk
from attacks.structure import network
from tests.attacks.chains import picture


class Case(NamedTuple):
    """The upper block of a network of two, twelve of its outputs with a derivative."""

    problem: peel.Problem
    layer: pooled.Layer
    x: np.ndarray
    walk: walk.Walk


@pytest.fixture(scope="module")
def case(easy):
    read, spec = network.read_network(easy.model), easy.model.spec
    weights = [tf.cast(tensor, tf.float64) for tensor in easy.model.initial_weights]
    block = read.blocks[1]
    x = forward.run(read, weights, tf.constant(picture((8, 8, 3), 0), tf.float64), 1)
    derivative = np.random.default_rng(0).standard_normal(block.output_shape)
    derivative[..., 12:] = 0
    with tf.GradientTape() as tape:
        tape.watch(weights[block.kernel])
        output = forward.run_block(block, weights, x)[0]
        score = tf.reduce_sum(output * derivative)
    gradient = tape.gradient(score, weights[block.kernel]).numpy().astype(np.float32)
    factor, summand = forward.normaliser(block, weights)
    layer = pooled.Layer(
        output=output.numpy(),
        derivative=derivative,
        gradient=gradient.astype(np.float64),
        visible=np.ones(gradient.shape, np.bool_),
        kernel=weights[block.kernel].numpy(),
        factor=factor.numpy(),
        summand=summand.numpy(),
    )
    vector, seen = np.zeros(spec.size, np.float32), np.ones(spec.size, np.bool_)
    end = int(np.cumsum(spec.sizes)[block.kernel])
    vector[end - gradient.size : end] = gradient.ravel()
    sent = target.Target(vector, seen, seen, (1,), np.ones(1))
    problem = peel.Problem(read, spec, tuple(map(np.asarray, weights)), sent)
    return Case(problem, layer, x[0].numpy(), walk.build(read, 1))


def walked(case, start, layer=None):
    weights = case.problem.weights
    return walk.run(case.walk, weights, layer or case.layer, start, walk.RATES[0])


def disturbed(case):
    generator = np.random.default_rng(0)
    generator.standard_normal(case.layer.output.shape)
    noise = np.sqrt(np.mean(case.x**2)) * generator.standard_normal(case.x.shape)
    return np.maximum(case.x + noise, 0)


@pytest.mark.slow
def test_places_that_turns_alone_do_not_find(case):
    block, start = case.problem.network.blocks[1], disturbed(case)
    alone = pooled.solve(block, case.layer, start, positive=True)
    assert alone.residual > 1e-2
    found = pooled.solve(block, case.layer, walked(case, start), positive=True)
    assert found.determined and found.residual < 1e-6
    np.testing.assert_allclose(found.values, case.x, atol=1e-5 * case.x.max())


@pytest.mark.slow
def test_hidden_entries_ask_for_nothing(case):
    """They are zero, which the gradient at the truth is not: it would be left."""
    seen = np.random.default_rng(1).uniform(size=case.layer.visible.shape) > 0.3
    hidden = case.layer._replace(visible=seen, gradient=case.layer.gradient * seen)
    found = walked(case, case.x, hidden)
    np.testing.assert_allclose(found, case.x, atol=1e-5 * case.x.max())


@pytest.mark.parametrize("walks", [True, False])
def test_peeling_walks_where_the_turns_fail(case, monkeypatch, walks):
    solve, calls = pooled.solve, []

    def spoiled(block, layer, start, *, positive):
        calls.append(start)
        found = solve(block, layer, start, positive=positive)
        return found._replace(residual=1.0) if len(calls) == 1 else found

    monkeypatch.setattr(pooled, "solve", spoiled)
    known = np.ones(case.layer.output.shape, np.bool_)
    level = peel.Level(2, top.Known(case.layer.output, known, case.layer.derivative, 0))
    images = [picture((8, 8, 3), 0)[0]]
    compiled = (lambda depth: {1: case.walk}[depth]) if walks else None
    below, resisted = peel.descend(case.problem, level, images, None, compiled)
    if not walks:
        assert (below.depth, resisted, len(calls)) == (2, True, 1)
        return
    assert below.depth < 2 and len(calls) >= 2
