import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attacks import knowledge, target
from attacks.labels import signs as labels
from selenc_tf import flatten
from selenc_tf.models import cnn, lenet
from tests.attacks import victims


def only_consistent(kernel, bias):
    classes = labels.consistent_classes(kernel, bias)
    return classes[0] if len(classes) == 1 else None


RULES = (labels.opposed_column, only_consistent)


@pytest.mark.parametrize("rule", RULES)
def test_worked_by_hand(rule):
    # Features [1, -2], probabilities [.2, .5, .3], class 1: p - onehot = [.2, -.5, .3].
    kernel = np.array([[0.2, -0.5, 0.3], [-0.4, 1.0, -0.6]])
    assert rule(kernel, None) == 1
    assert rule(kernel, np.array([0.2, -0.5, 0.3])) == 1


def test_two_classes_need_the_bias():
    kernel = np.array([[0.4, -0.4]])
    assert labels.consistent_classes(kernel, None) == (0, 1)
    assert labels.opposed_column(kernel, None) is None
    for rule in RULES:
        assert rule(kernel, np.array([0.4, -0.4])) == 1


@pytest.mark.parametrize("rule", RULES)
def test_hidden_head_says_nothing(rule):
    assert rule(np.zeros((5, 4)), np.zeros(4)) is None
    assert rule(np.zeros((5, 4)), None) is None


def test_proof_by_elimination():
    # The bias shows that classes 0 and 2 are not the label; class 1 is hidden.
    bias = np.array([0.2, 0.0, 0.3])
    assert labels.consistent_classes(np.zeros((2, 3)), bias) == (1,)


def test_rows_are_combined():
    # Row 0 leaves {0, 1}, row 1 leaves {1, 2}.
    kernel = np.array([[0.1, -0.3, 0.0], [0.0, 0.5, -0.1]])
    assert labels.consistent_classes(kernel, None) == (1,)


def test_no_single_picture_explains_two_negative_biases():
    bias = np.array([0.1, -1, -1, 1])
    assert labels.consistent_classes(np.zeros((1, 4)), bias) == ()


@st.composite
def heads(draw):
    classes = draw(st.integers(3, 12))
    features = draw(st.integers(1, 20))
    label = draw(st.integers(0, classes - 1))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    delta = generator.dirichlet(np.ones(classes))
    delta[label] -= 1
    rows = generator.standard_normal((features, 1)) * delta
    visible = generator.random((features + 1, classes)) < draw(st.floats(0, 1))
    return label, np.where(visible[:-1], rows, 0), np.where(visible[-1], delta, 0)


@given(heads())
@settings(max_examples=300, deadline=None)
def test_visible_entries_never_exclude_the_label(head):
    label, kernel, bias = head
    assert label in labels.consistent_classes(kernel, bias)
    assert label in labels.consistent_classes(kernel, None)


@given(heads())
@settings(max_examples=300, deadline=None)
def test_more_entries_only_narrow_the_choice(head):
    label, kernel, bias = head
    with_bias = set(labels.consistent_classes(kernel, bias))
    assert with_bias <= set(labels.consistent_classes(kernel, None))
    if bias[label] < 0:
        assert labels.opposed_column(kernel, bias) == label
        assert with_bias == {label}


def test_guess_by_hand():
    spec = flatten.FlatSpec(("kernel", "bias"), ((1, 3), (3,)))
    vector = np.array([9, 9, 9, -0.4, 0.1, -0.2], np.float32)
    seen = target.Target(vector, np.ones(6, bool), np.ones(6, bool), (3,), np.ones(1))
    # Two pictures: 0 (-.4 -> .1), then 2. With the bias hidden the noise decides.
    noise = np.array([0.0, -0.01, 0.0])
    np.testing.assert_array_equal(
        labels.guess_classes(seen, spec, 3, 2, np.zeros(3)), [0, 2]
    )
    hidden = dataclasses.replace(seen, visible=np.zeros(6, bool))
    np.testing.assert_array_equal(labels.guess_classes(hidden, spec, 3, 1, noise), [1])


def test_head_is_the_last_kernel_with_its_bias():
    spec = flatten.FlatSpec(
        ("a", "b", "c", "d", "e"), ((2, 3), (3,), (4, 3), (3,), (5,))
    )
    # 6 + 3 entries before the kernel of 12, then the bias of 3.
    assert labels.find_head(spec, 3) == labels.Head(slice(9, 21), 4, slice(21, 24))
    assert labels.find_head(spec, 7) is None


def test_head_without_bias():
    spec = flatten.FlatSpec(("a", "b"), ((2, 3), (4,)))
    assert labels.find_head(spec, 3) == labels.Head(slice(0, 6), 2, None)


@pytest.fixture(
    scope="module",
    params=[lenet.lenet, pytest.param(cnn.small_cnn, marks=pytest.mark.slow)],
)
def ten_digits(request):
    model = request.param((28, 28, 1), 10, 3)
    pictures = victims.mnist(tuple(range(0, 5000, 500)))
    assert sorted(pictures.labels) == list(range(10))
    gradients = [
        victims.gradient(model, image[np.newaxis], (label,))
        for image, label in zip(pictures.images, pictures.labels, strict=True)
    ]
    return model, gradients, pictures.labels


@pytest.mark.parametrize(
    ("hidden", "mode"),
    # Zeros in place of hidden entries are misread: nothing to hold the naive reading to.
    [
        (0.0, "naive"),
        (0.0, "mask_aware"),
        (0.5, "mask_aware"),
        (0.95, "mask_aware"),
    ],
)
def test_real_pictures(ten_digits, hidden, mode):
    model, gradients, truth = ten_digits
    mask = victims.random_mask(model.spec.size, hidden)
    view = victims.view_of(model, gradients, mask)
    known = knowledge.Knowledge(model)
    found = [
        labels.possible_labels(
            target.build_target(view, known, client, mode), mode, model.spec, 10
        )
        for client in range(10)
    ]
    right = sum(one == (label,) for one, label in zip(found, truth, strict=True))
    if hidden == 0.0:
        assert right == 10
    else:
        # Never wrong; at 95 % hidden, 38 entries of the small head may say too little.
        assert right + sum(len(one) > 1 for one in found) == 10
        assert right >= 8


@pytest.mark.parametrize("mode", target.MODES)
def test_cifar_labels(mode):
    model = lenet.lenet((32, 32, 3), 100, 0)
    pictures = victims.cifar100(6)
    for picture, label in zip(pictures.images, pictures.labels, strict=True):
        vector = victims.gradient(model, picture[np.newaxis], (label,))
        seen = target.build_target(
            victims.view_of(model, [vector]), knowledge.Knowledge(model), 0, mode
        )
        assert labels.possible_labels(seen, mode, model.spec, 100) == (label,)


def test_unknown_mode_is_named(tiny):
    with pytest.raises(ValueError, match="`mode` must be one of"):
        labels.possible_labels(None, "guess", tiny.spec, 3)
