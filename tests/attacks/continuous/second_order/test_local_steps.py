"""Unrolled local training, against training by hand, and attacks through it."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from attacks import knowledge
from attacks.continuous.second_order import dlg
from attacks.metrics import evaluation
from attacks.optimisers import lbfgs
from selenc_tf import flatten
from selenc_tf.models import functional, local_steps
from selenc_tf.models.local_steps import LocalTraining
from tests.attacks import victims

build_dlg = victims.shared(dlg.build_dlg)

SEED = (3, 4)
LABELS = (0, 2, 1)


def trained_by_keras(model, images, labels, training):
    """(before - after) / rate by Keras' own SGD, in float32."""
    import keras

    net = keras.models.clone_model(model.keras_model)
    net.set_weights([tensor.numpy() for tensor in model.initial_weights])
    optimizer = keras.optimizers.SGD(training.learning_rate)
    loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    size = training.batch_size or len(images)
    for _ in range(training.epochs):
        for first in range(0, len(images), size):
            with tf.GradientTape() as tape:
                logits = net(images[first : first + size])
                loss = loss_of(labels[first : first + size], logits)
            slopes = tape.gradient(loss, net.trainable_variables)
            optimizer.apply_gradients(zip(slopes, net.trainable_variables, strict=True))
    moved = [
        before.numpy() - after.numpy()
        for before, after in zip(
            model.initial_weights, net.trainable_variables, strict=True
        )
    ]
    return flatten.flatten(moved).numpy() / training.learning_rate


def update(model, images, labels, training):
    wide = functional.in_float64(model)
    return local_steps.update(
        wide,
        wide.initial_weights,
        tf.constant(images, tf.float64),
        tf.one_hot(labels, model.num_classes, dtype=tf.float64),
        training,
    ).numpy()


def view_after(model, images, labels, training, mask=None):
    vector = update(model, images, labels, training).astype(np.float32)
    return victims.view_of(model, [vector], mask)


@pytest.mark.parametrize(
    "training",
    [LocalTraining(0.3, 1, 2), LocalTraining(0.1, 3), LocalTraining(0.2, 2, 1)],
)
def test_update_is_that_of_keras(tiny, training):
    images = victims.tiny_pictures(3)
    np.testing.assert_allclose(
        update(tiny, images, LABELS, training),
        trained_by_keras(tiny, images, np.array(LABELS), training),
        rtol=1e-3,
        atol=1e-5,
    )


@pytest.mark.parametrize("size", [None, 3, 8])
def test_one_step_is_the_gradient(tiny, size):
    images = victims.tiny_pictures(3)
    np.testing.assert_array_equal(
        update(tiny, images, LABELS, LocalTraining(0.3, 1, size)),
        update(tiny, images, LABELS, None),
    )


def test_order_matters_between_batches_only(tiny):
    images, training = victims.tiny_pictures(4), LocalTraining(0.5, 1, 2)

    def reordered(order):
        labels = np.array([0, 1, 2, 1])[list(order)]
        return update(tiny, images[list(order)], labels, training)

    first = reordered((0, 1, 2, 3))
    np.testing.assert_allclose(reordered((1, 0, 3, 2)), first, rtol=1e-12, atol=1e-14)
    assert np.abs(reordered((2, 3, 0, 1)) - first).max() > 1e-3


@pytest.mark.parametrize(
    ("training", "pictures", "steps"),
    [(None, 5, 1), (LocalTraining(1.0), 5, 1), (LocalTraining(1.0, 2, 2), 5, 6)],
)
def test_number_of_steps(training, pictures, steps):
    assert local_steps.num_steps(training, pictures) == steps


@pytest.mark.slow
def test_pictures_are_recovered_from_a_masked_update(tiny, tiny_knowledge):
    images, training = victims.tiny_pictures(2), LocalTraining(0.5, 2, 1)
    mask = victims.random_mask(tiny.spec.size, 0.3)
    view = view_after(tiny, images, (0, 2), training, mask)
    known = dataclasses.replace(
        tiny_knowledge, batch_size=2, labels=(0, 2), local_training=training
    )
    aware = build_dlg()(view, known, SEED)
    unaware = build_dlg()(view, dataclasses.replace(known, local_training=None), SEED)
    truth = evaluation.Truth(images, np.array([0, 2]))
    least = min(record.psnr for record in evaluation.evaluate(aware, truth))
    assert least > 50
    assert least > 20 + min(r.psnr for r in evaluation.evaluate(unaware, truth))


def test_one_local_step_is_dlg(tiny, tiny_knowledge):
    budget = lbfgs.Budget(restarts=1, max_iterations=20)
    view = view_after(tiny, victims.tiny_pictures(1), (1,), None)
    known = dataclasses.replace(tiny_knowledge, labels=(1,))
    stepped = dataclasses.replace(known, local_training=knowledge.LocalTraining(0.1))
    first, second = (
        build_dlg(budget=budget)(view, one, SEED) for one in (known, stepped)
    )
    np.testing.assert_allclose(first.examples, second.examples, atol=1e-6)
