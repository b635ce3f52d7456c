"""Messages of several local steps: read, simulated, corrected and read again."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from attacks import catalog, knowledge
from attacks import target as target_lib
from attacks.continuous.features import local_steps as features_steps
from attacks.metrics import evaluation
from attacks.structure import cut
from selenc_tf.models import functional, lenet, local_steps
from tests.attacks import victims


def attacked(model, images, labels, training, *, mask=None, told=None, **known):
    vector = victims.update(model, images, labels, training)
    if mask is None:
        mask = np.zeros(vector.size, np.bool_)
    view = victims.view_of(model, [np.where(mask, np.nan, vector)], mask)
    attack = catalog.build("feature_inversion", programs=victims.PROGRAMS)
    declared = knowledge.Knowledge(
        model, len(images), local_training=told or training, **known
    )
    found = attack(view, declared, (1, 2))
    return found, evaluation.evaluate(found, evaluation.Truth(images, np.array(labels)))


@pytest.fixture(scope="module")
def dense():
    """30 numbers -> 100 ReLUs -> 5 classes."""
    hidden = inputs = keras.Input((30,))
    for index, units in enumerate((100, 5)):
        hidden = keras.layers.Dense(
            units,
            activation=None if index else "relu",
            kernel_initializer=keras.initializers.RandomUniform(-0.5, 0.5, seed=index),
        )(hidden)
    return functional.from_keras(keras.Model(inputs, hidden, name="dense"))


def rows(count):
    generator = np.random.default_rng(0)
    return generator.uniform(0.1, 0.9, (count, 30)).astype(np.float32)


@pytest.fixture(scope="module")
def chain():
    return victims.tiny_convolution("sigmoid", "valid")


def test_one_example_below_a_convolution(chain):
    """Its features move with the convolution, whose own gradient is hidden."""
    mask = np.arange(chain.spec.size) < 40
    training = local_steps.LocalTraining(0.1, 3)
    images = victims.tiny_pictures(1, seed=3)
    found, (leak,) = attacked(chain, images, (1,), training, mask=mask)
    assert found.converged and found.label_source == "inferred"
    assert leak.psnr > 90 and leak.label_correct


def test_a_batch_through_relus_one_by_one(dense):
    """The order in which they are taken is found too."""
    images, labels = rows(3), (1, 3, 1)
    training = local_steps.LocalTraining(0.03, 2, 1)
    found, leaks = attacked(dense, images, labels, training)
    assert found.converged and min(leak.psnr for leak in leaks) > 120
    assert tuple(found.labels) == labels
    assert np.max(np.abs(found.examples - images)) < 1e-5


@pytest.mark.parametrize("change", [{"epochs": 2}, {"learning_rate": 0.3}])
def test_other_steps_than_declared_are_refused(chain, change):
    images = victims.tiny_pictures(1, seed=3)
    training = local_steps.LocalTraining(0.1, 4)
    told = training._replace(**change)
    with pytest.raises(knowledge.DoesNotApply, match="another one"):
        attacked(chain, images, (1,), training, told=told)


def test_smooth_batches_and_many_orders_are_refused(chain, dense):
    training = local_steps.LocalTraining(0.1, 2)
    with pytest.raises(knowledge.DoesNotApply, match="of 3 examples"):
        attacked(chain, victims.tiny_pictures(3), (1, 0, 2), training)
    with pytest.raises(knowledge.DoesNotApply, match="At most 24 orders"):
        attacked(dense, rows(5), (1, 3, 1, 0, 2), training._replace(batch_size=2))


def test_the_corrected_message_has_the_inputs_at_the_mean_weights(chain):
    """By the true example: an outer product up to rounding, with that left factor."""
    images, labels = victims.tiny_pictures(1, seed=5), (2,)
    training = local_steps.LocalTraining(0.3, 4)
    view = victims.view_of(chain, [victims.update(chain, images, labels, training)])
    declared = knowledge.Knowledge(chain, local_training=training)
    target = target_lib.build_target(view, declared, 0, "mask_aware")
    client = features_steps.Client(
        chain,
        cut.cuts(chain),
        tuple(tf.constant(one, tf.float64) for one in view.weights),
        training,
        1,
        victims.PROGRAMS,
    )
    exact = images.astype(np.float64)
    made = features_steps.simulate(client, exact, np.array(labels), target)
    assert features_steps.misfit(client, target, made.update) < 1e-12
    one, mean = features_steps.standing(client, target, made)
    layer = client.cuts[0].layer
    kernel = one.vector[layer.kernel].reshape(layer.features, layer.units)
    features = client.cuts[0].below(mean, tf.constant(exact)).numpy()[0]
    np.testing.assert_allclose(
        kernel, np.outer(features, one.vector[layer.bias]), atol=1e-6
    )
    plain, _ = features_steps.standing(client, target, None)
    raw = plain.vector[layer.kernel].reshape(kernel.shape)
    assert np.abs(raw - kernel).max() > 1e-4


@pytest.mark.slow
def test_a_digit_through_the_lenet_after_five_local_epochs():
    """Half of the entries hidden, the largest ones."""
    model = lenet.lenet((28, 28, 1), 10, seed=3)
    pictures = victims.mnist((1234,))
    training = local_steps.LocalTraining(0.01, 5)
    vector = victims.update(model, pictures.images, pictures.labels, training)
    mask = np.zeros(vector.size, np.bool_)
    mask[np.argsort(-np.abs(vector), kind="stable")[: vector.size // 2]] = True
    public = victims.mnist(tuple(range(3, 5000, 50)))
    found, (leak,) = attacked(
        model,
        pictures.images,
        pictures.labels,
        training,
        mask=mask,
        public_examples=knowledge.PublicExamples(
            public.images, np.array(public.labels)
        ),
    )
    assert leak.psnr > 40 and leak.label_correct
    assert found.objective < 1e-3
