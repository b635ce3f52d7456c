import keras
import numpy as np
import pytest

from attacks import knowledge
from attacks.continuous.analytic import dense_inversion, isolation
from attacks.metrics import evaluation
from selenc_tf.models import functional, mlp
from tests.attacks import victims

SEED = (1, 2)


def layer(pictures, deltas):
    """Kernel gradient with the bias as last row: sum over pictures of [x; 1] d^T."""
    return np.vstack([np.array(pictures).T, np.ones(len(pictures))]) @ np.array(deltas)


def test_one_picture_by_hand():
    values = layer([[0.2, 0.8]], [[2.0, 0.0, -1.0]])
    known = np.ones((3, 3), bool)
    known[0, 0] = known[1, 2] = False
    found = isolation.isolate(np.where(known, values, 0), known, 1)
    # Pixel 0 from unit 2, pixel 1 from unit 0; unit 1 did not fire.
    np.testing.assert_allclose(found.pictures, [[0.2, 0.8]])
    assert found.known.all() and found.agreed.all()
    np.testing.assert_array_equal(found.units, [[2.0, 0.0, -1.0]])


def test_a_hidden_bias_makes_its_unit_useless():
    values = layer([[0.2, 0.8]], [[2.0, 1.0]])
    known = np.ones((3, 2), bool)
    known[2] = False
    found = isolation.isolate(np.where(known, values, 0), known, 1)
    assert not found.known.any() and found.entries == 0


def test_units_that_agree_come_before_units_that_mix():
    first, second = [0.1, 0.9, 0.5, 0.3], [0.7, 0.2, 0.4, 0.8]
    deltas = [
        [1.0, -2.0, 0.0, 0.0, 5.0, 0.0],
        [0.0, 0.0, 0.5, 1.5, 3.0, 0.0],
    ]
    found = isolation.isolate(layer([first, second], deltas), np.ones((5, 6), bool), 2)
    # Unit 4 mixes both (and is the loudest); unit 5 is silent.
    assert found.agreed.all()
    recovered = sorted(picture.tolist() for picture in found.pictures)
    np.testing.assert_allclose(recovered, [first, second])
    assert not found.units[:, 4:].any()


def test_a_single_unit_is_not_proof():
    found = isolation.isolate(
        layer([[0.1, 0.9], [0.7, 0.2]], [[1.0], [1.0]]), np.ones((3, 1), bool), 2
    )
    assert not found.agreed.any()


@pytest.fixture(scope="module")
def model():
    return mlp.mlp((28, 28, 1), 10, 0, hidden=(256,))


@pytest.mark.parametrize("hidden", [0.0, 0.5])
def test_a_digit(model, hidden):
    digit = victims.mnist((1400,))
    vector = victims.gradient(model, digit.images, digit.labels)
    view = victims.view_of(model, [vector], victims.random_mask(vector.size, hidden))
    attack = dense_inversion.build_dense_inversion()
    found = attack(view, knowledge.Knowledge(model), SEED)
    truth = evaluation.Truth(digit.images, np.array(digit.labels))
    record = evaluation.evaluate(found, truth)[0]
    assert record.psnr >= 60 and record.label_correct
    assert found.stop == "closed_form"


def test_two_digits(model):
    digits = victims.mnist((1400, 3200))
    vector = victims.gradient(model, digits.images, digits.labels)
    attack = dense_inversion.build_dense_inversion()
    known = knowledge.Knowledge(model, batch_size=2)
    found = attack(victims.view_of(model, [vector]), known, SEED)
    truth = evaluation.Truth(digits.images, np.array(digits.labels))
    records = evaluation.evaluate(found, truth)
    assert min(record.psnr for record in records) >= 60
    assert evaluation.label_accuracy(records) == 1.0


def test_a_mixture_is_not_passed_off_as_the_batch(model):
    # Two zeros: before training their derivatives are nearly proportional.
    digits = victims.mnist((0, 250))
    vector = victims.gradient(model, digits.images, digits.labels)
    attack = dense_inversion.build_dense_inversion()
    known = knowledge.Knowledge(model, batch_size=2)
    found = attack(victims.view_of(model, [vector]), known, SEED)
    truth = evaluation.Truth(digits.images, np.array(digits.labels))
    exact = min(record.psnr for record in evaluation.evaluate(found, truth)) > 60
    assert exact == found.converged


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        (
            [keras.layers.Rescaling(0.5), keras.layers.Flatten()],
            "but 'rescaling.*' .Rescaling. changes the picture before it",
        ),
        (
            [keras.layers.Conv2D(2, 2, name="edges"), keras.layers.Flatten()],
            "but its first weights are '.*edges/kernel'",
        ),
        (
            [keras.layers.Dense(2, name="rows"), keras.layers.Flatten()],
            "but its first one, 'rows', sees something else",
        ),
    ],
)
def test_what_stands_before_the_dense_layer_is_named(layers, said):
    inputs = keras.Input((4, 4, 1))
    made = keras.Sequential([inputs, *layers, keras.layers.Dense(3)])
    known = knowledge.Knowledge(functional.from_keras(made))
    gradient = np.ones(known.model.spec.size, np.float32)
    view = victims.view_of(known.model, [gradient], np.zeros(gradient.shape, bool))
    with pytest.raises(knowledge.DoesNotApply, match=said):
        dense_inversion.build_dense_inversion()(view, known, SEED)
