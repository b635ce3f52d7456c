"""Steps to the picture that activations determine."""

import numpy as np
import pytest
import tensorflow as tf

from attacks.pictures.peeling import forward, linearised, newton, top
from attacks.structure import network
from selenc_tf.models import convnet64
from tests.attacks.chains import build_net, picture

DEPTH = 2


class Case:
    """Two convolutions, the upper under a pooling, below what is known."""

    def __init__(self, net):
        self.network = network.read_network(net.model)
        self.image = picture(net.model.input_shape)[0]
        self.weights = tuple(tf.constant(one) for one in net.model.initial_weights)
        exact = [tf.cast(one, tf.float64) for one in self.weights]
        images = tf.constant(self.image[np.newaxis], tf.float64)
        values = forward.run(self.network, exact, images, DEPTH)[0].numpy()
        known = np.ones(values.shape, np.bool_)
        self.reached = top.Known(values, known, np.zeros(values.shape), 0)
        self.maps = linearised.build(self.network, DEPTH)

    def solve(self, reached=None, most=40, **options):
        problem = newton.pose(self.weights, reached or self.reached)
        grey = np.full(self.image.shape, 0.5)
        return newton.solve(self.maps, problem, grey, most, **options)


@pytest.fixture(scope="module")
def case():
    return Case(build_net((12, 12, 1), ((12, 0), (32, -2)), seed=3))


def test_to_rounding_from_grey(case):
    seen = []
    found = case.solve(report=lambda *step: seen.append(step))
    assert found.misfit < newton.EXACT and found.steps < 40
    np.testing.assert_allclose(found.image, case.image, atol=1e-4)
    assert [count for count, _ in seen] == list(range(1, found.steps + 1))
    assert seen[-1][1] == found.misfit


def test_what_is_not_known_is_not_read(case):
    known = np.random.default_rng(0).uniform(size=case.reached.values.shape) > 0.2
    answers = []
    for value in (7.0, np.nan):
        values = np.where(known, case.reached.values, value)
        answers.append(case.solve(case.reached._replace(values=values, known=known)))
    np.testing.assert_equal(answers[0], answers[1])
    assert answers[0].misfit < newton.EXACT
    np.testing.assert_allclose(answers[0].image, case.image, atol=1e-4)


def test_activations_of_no_picture(case):
    noise = np.random.default_rng(0).uniform(size=case.reached.values.shape)
    found = case.solve(case.reached._replace(values=noise), 12)
    assert found.steps == 12 and found.misfit > 100 * newton.EXACT
    assert np.all((found.image >= 0) & (found.image <= 1))


def test_it_ends_where_it_circles(case):
    noise = np.random.default_rng(0).uniform(size=case.reached.values.shape)
    found = case.solve(case.reached._replace(values=noise), 400)
    assert 12 < found.steps < 200


def test_no_time(case):
    assert case.solve(deadline=0.0).steps == 0


def test_what_cannot_say_all_pixels(case):
    assert newton.applies(case.network, DEPTH, case.reached)
    assert not newton.applies(case.network, 0, case.reached)
    few = case.reached._replace(values=np.where(case.reached.values > 2.0, 1.0, 0.0))
    assert not newton.applies(case.network, DEPTH, few)
    hidden = case.reached._replace(known=case.reached.values <= 0)
    assert not newton.applies(case.network, DEPTH, hidden)
    large = network.read_network(convnet64.convnet16((36, 36, 1), 3, 0))
    assert not newton.applies(large, 6, case.reached)
