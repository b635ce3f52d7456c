"""The attacks on real pictures and the network of the papers."""

import numpy as np
import pytest

from attacks import knowledge
from attacks.continuous.second_order import idlg
from attacks.metrics import evaluation
from attacks.optimisers import lbfgs
from selenc_tf.models import lenet
from tests.attacks import victims

build_idlg = victims.shared(idlg.build_idlg)


@pytest.fixture(scope="module")
def mnist_lenet():
    model = lenet.lenet((28, 28, 1), 10, 0)
    return knowledge.Knowledge(model)


def attack(known, mode, pictures, index, hidden, budget):
    image, label = pictures.images[index][np.newaxis], pictures.labels[index]
    vector = victims.gradient(known.model, image, (label,))
    mask = victims.random_mask(known.model.spec.size, hidden)
    view = victims.view_of(known.model, [vector], mask)
    found = build_idlg(mode, budget=budget)(view, known, (0, index))
    truth = evaluation.Truth(image, np.array([label]))
    return evaluation.evaluate(found, truth)[0]


@pytest.mark.parametrize(
    ("index", "hidden"), [pytest.param(350, 0.0, marks=pytest.mark.slow), (1400, 0.5)]
)
@pytest.mark.slow
def test_mnist_is_recovered(mnist_lenet, index, hidden):
    leakage = attack(
        mnist_lenet, "mask_aware", victims.mnist((index,)), 0, hidden, lbfgs.Budget()
    )
    assert leakage.psnr >= 60 and leakage.ssim > 0.999 and leakage.label_correct


@pytest.mark.slow
def test_zero_filling_hides_that_mnist_leaks(mnist_lenet):
    leakage = attack(
        mnist_lenet, "naive", victims.mnist((1400,)), 0, 0.5, lbfgs.Budget()
    )
    assert leakage.psnr < 10


@pytest.mark.long
@pytest.mark.timeout(900)
def test_most_cifar_pictures_are_recovered():
    model = lenet.lenet((32, 32, 3), 100, 0)
    known = knowledge.Knowledge(model)
    pictures = victims.cifar100(3)
    found = [
        attack(known, "mask_aware", pictures, index, 0.0, lbfgs.Budget())
        for index in range(3)
    ]
    assert all(leakage.label_correct for leakage in found)
    assert sum(leakage.psnr >= 40 for leakage in found) >= 2
