"""The attack by its catalogue name: what it finds, what it says, and what it refuses."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from attacks import catalog, knowledge
from attacks import effort as effort_lib
from attacks import target as target_lib
from attacks.continuous.features import (
    feature_inversion,
    features,
    guessed,
    inversion,
)
from attacks.metrics import evaluation
from attacks.structure import cut
from selenc_tf.models import functional, lenet
from tests.attacks import victims

SEED = (1, 2)


def attacked(model, images, labels, mask, *, name="feature_inversion", **known):
    vector = victims.gradient(model, images, labels)
    view = victims.view_of(model, [np.where(mask, np.nan, vector)], mask)
    attack = catalog.build(name, programs=victims.PROGRAMS)
    found = attack(view, knowledge.Knowledge(model, len(images), **known), SEED)
    return found, evaluation.evaluate(found, evaluation.Truth(images, np.array(labels)))


def largest(vector, ratio):
    mask = np.zeros(vector.size, np.bool_)
    mask[np.argsort(-np.abs(vector), kind="stable")[: round(ratio * vector.size)]] = (
        True
    )
    return mask


@pytest.fixture(scope="module")
def chain():
    return victims.tiny_convolution("sigmoid", "valid")


def test_some_of_the_large_entries_hidden(chain):
    """Sixteen features of sixteen pixels, and the kernel's visible entries."""
    images = victims.tiny_pictures(1, seed=3)
    mask = largest(victims.gradient(chain, images, (1,)), 0.2)
    found, (leak,) = attacked(chain, images, (1,), mask)
    assert leak.psnr > 60 and leak.label_correct
    assert found.objective < 1e-9


def test_without_the_convolution_the_prior_is_said_to_fill_in(chain):
    """Sixteen equations with errors do not make sixteen pixels exact."""
    mask = np.zeros(chain.spec.size, np.bool_)
    mask[:40] = True
    found, _ = attacked(chain, victims.tiny_pictures(1, seed=3), (1,), mask)
    assert found.stop in ("prior", "closed_form")
    assert found.converged == (found.stop == "closed_form")


def test_a_hidden_head_is_refused(chain):
    mask = np.ones(chain.spec.size, np.bool_)
    mask[:40] = False
    with pytest.raises(knowledge.DoesNotApply, match="layer"):
        attacked(chain, victims.tiny_pictures(1), (1,), mask)


def test_no_dense_layer_is_refused():
    inputs = keras.Input((4, 4, 1))
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(3, 3)(inputs))
    model = functional.from_keras(keras.Model(inputs, pooled))
    with pytest.raises(knowledge.DoesNotApply, match="must have a dense layer"):
        attacked(model, victims.tiny_pictures(1), (1,), np.zeros(model.spec.size, bool))


def test_few_iterations_are_not_called_an_answer(chain):
    images = victims.tiny_pictures(1, seed=3)
    vector = victims.gradient(chain, images, (1,))
    attack = catalog.build(
        "feature_inversion",
        effort=effort_lib.Effort(restarts=1, max_iterations=1),
        programs=victims.PROGRAMS,
    )
    view = victims.view_of(chain, [vector])
    found = attack(view, knowledge.Knowledge(chain), SEED)
    assert found.stop == "iterations" and not found.converged
    assert found.iterations <= 2


@pytest.mark.parametrize(("moved", "stop"), [(0.0, "closed_form"), (0.05, "stalled")])
def test_steps_that_stall_are_an_answer_if_all_is_explained(
    chain, monkeypatch, moved, stop
):
    def stalled(net, features, found, target):
        return found._replace(settled=False, images=found.images + moved)

    monkeypatch.setattr(inversion, "refine", stalled)
    images = victims.tiny_pictures(1, seed=3)
    found, _ = attacked(chain, images, (1,), np.zeros(chain.spec.size, np.bool_))
    assert found.stop == stop and found.converged == (stop == "closed_form")


def test_guessed_labels_of_a_batch_are_read_off_the_visible_head(chain):
    images, labels = victims.tiny_pictures(2, seed=3), (2, 0)
    known = knowledge.Knowledge(chain, 2)
    mask = np.zeros(chain.spec.size, np.bool_)
    mask[41::3] = True  # The class 1 of the head, and no other.
    view = victims.view_of(chain, [victims.gradient(chain, images, labels)], mask)
    target = target_lib.build_target(view, known, 0, "mask_aware")
    (where,) = cut.cuts(chain)
    weights = tuple(tf.constant(one, tf.float64) for one in view.weights)
    values = where.below(weights, tf.constant(images, tf.float64)).numpy()
    wrong = features.Features(
        values, 1e-7 * values, np.array([1, 1]), "guessed", 0.0, 1
    )
    prior = feature_inversion.isotropic_prior(known)
    net = inversion.Below(where, weights, chain, prior, victims.PROGRAMS, 1)
    found = guessed.settle(net, view, target, known, images, wrong)
    assert tuple(found.labels) == labels and found.label_source == "guessed"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ratio", "least"), [pytest.param(0.5, 100, marks=pytest.mark.long), (0.9, 60)]
)
def test_a_digit_through_the_lenet_under_magnitude_masks(ratio, least):
    """Where the largest half or nine tenths of all entries are hidden."""
    model = lenet.lenet((28, 28, 1), 10, seed=3)
    pictures = victims.mnist((1234,))
    vector = victims.gradient(model, pictures.images, pictures.labels)
    public = victims.mnist(tuple(range(3, 5000, 50)))
    _, (leak,) = attacked(
        model,
        pictures.images,
        pictures.labels,
        largest(vector, ratio),
        public_examples=knowledge.PublicExamples(
            public.images, np.array(public.labels)
        ),
    )
    assert leak.psnr > least


def test_a_label_that_the_head_does_not_show_is_settled_by_the_convolution(chain):
    """Two of three classes hidden in the head: either would explain what is left of it."""
    images = victims.tiny_pictures(1, seed=3)
    of_class = np.arange(chain.spec.size - 40) % 3
    mask = np.concatenate([np.zeros(40, np.bool_), of_class > 0])
    for label in (1, 2):
        found, (leak,) = attacked(chain, images, (label,), mask)
        assert leak.label_correct and leak.psnr > 60
        assert found.label_source in ("inferred", "enumerated")
