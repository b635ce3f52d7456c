"""What the prior by frequency is worth where features are fewer than pixels."""

import keras
import numpy as np
import pytest

from attacks import catalog, knowledge
from attacks.metrics import evaluation
from attacks.pictures.priors import frequencies
from selenc_tf.models import functional, lenet
from tests.attacks import tables, victims

SEED = (1, 2)
SHAPE = (8, 8, 1)


def test_priors():
    model = victims.tiny_model()
    general = frequencies.dct_prior_of(knowledge.Knowledge(model))
    assert general.name == "photographs" and general.shape == (1, 4, 4, 1)
    public = knowledge.PublicExamples(victims.tiny_pictures(5), np.zeros(5, np.int64))
    own = frequencies.dct_prior_of(knowledge.Knowledge(model, public_examples=public))
    assert own.name == "dct"
    alike = public._replace(examples=np.full((5, 4, 4, 1), 0.3, np.float32))
    known = knowledge.Knowledge(model, public_examples=alike)
    assert frequencies.dct_prior_of(known).name == "photographs"
    with pytest.raises(knowledge.DoesNotApply, match="must take pictures"):
        frequencies.dct_prior_of(knowledge.Knowledge(tables.row_model("classes")))


def leak_of(name, model, image, mask, **known):
    vector = victims.gradient(model, image, (1,))
    attack = catalog.build(name, programs=victims.PROGRAMS)
    view = victims.view_of(model, [np.where(mask, np.nan, vector)], mask)
    found = attack(view, knowledge.Knowledge(model, **known), SEED)
    truth = evaluation.Truth(image, np.array([1]))
    return found, evaluation.evaluate(found, truth)[0].psnr


def test_smooth_pictures_are_found_from_a_few_features():
    """Sixteen numbers of 64 pixels, the convolution hidden."""
    inputs = keras.Input(SHAPE)
    drawn = keras.initializers.RandomUniform(0.2, 0.5, seed=0)
    hidden = keras.layers.Conv2D(
        1, 2, strides=2, activation="sigmoid", kernel_initializer=drawn
    )(inputs)
    logits = keras.layers.Dense(3)(keras.layers.Flatten()(hidden))
    model = functional.from_keras(keras.Model(inputs, logits, name="coarse"))
    ramp = np.add.outer(np.arange(8), np.arange(8)) / 14
    image = (0.2 + 0.6 * ramp).reshape(1, *SHAPE).astype(np.float32)
    mask = np.zeros(model.spec.size, np.bool_)
    mask[:5] = True
    found, psnr = leak_of("feature_inversion_dct", model, image, mask)
    plain, without = leak_of("feature_inversion", model, image, mask)
    assert psnr > without + 3
    assert found.stop == plain.stop == "prior" and not found.converged
    # Both explain all that is visible.
    assert max(found.objective, plain.objective) < 1e-8


@pytest.mark.slow
def test_a_photograph_through_the_lenet_with_all_convolutions_hidden():
    """A magnitude mask of a tenth hides them; 768 features of 3,072 pixels are left."""
    model = lenet.lenet((32, 32, 3), 100, seed=0)
    picture = victims.cifar100(20)
    image = picture.images[4:5]
    mask = np.zeros(model.spec.size, np.bool_)
    mask[: 900 + 12 + 3600 + 12 + 3600 + 12] = True
    public = knowledge.PublicExamples(
        np.delete(picture.images, 4, axis=0), np.delete(np.array(picture.labels), 4)
    )
    _, psnr = leak_of(
        "feature_inversion_dct", model, image, mask, public_examples=public
    )
    assert psnr > 20
