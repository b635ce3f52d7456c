import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attacks import knowledge, target
from attacks.labels import bias_corrected, head, rules, single, wainakh, yin
from selenc_tf import flatten
from selenc_tf.models import cnn
from tests.attacks import victims

SPEC = flatten.FlatSpec(("kernel", "bias"), ((2, 3), (3,)))


def plain(kernel, bias):
    kernel, bias = np.array(kernel, float), np.array(bias, float)
    return head.HeadGradient(
        kernel, np.ones(kernel.shape, bool), bias, np.ones(bias.shape, bool)
    )


def masked(vector, visible):
    vector, visible = np.array(vector, np.float32), np.array(visible, bool)
    return target.Target(vector, visible, visible, (1,), np.ones(1))


def test_yin_by_hand():
    seen = plain([[0.1, -0.3, 0.2], [-0.4, 0.3, 0.1]], [0, 0, 0])
    assert yin.yin(seen, 2) == head.Labels((0, 1), (0, 1))
    # The third class has no negative entry: a guess. The fourth starts over.
    assert yin.yin(seen, 4) == head.Labels((0, 0, 1, 2), (0, 1))


def test_wainakh_by_hand():
    # Impact (4/3) / 2 * -3 = -2: class 0 once (-1), then again.
    assert wainakh.wainakh_simple(plain([[-3, 1, 2]], [0, 0, 0]), 2) == head.Labels(
        (0, 0), (0,)
    )
    # Impact (4/3) / 3 * -4 = -16/9: 0 (-2/9), 2 (7/9), then 0 again.
    found = wainakh.wainakh_simple(plain([[-2, 1, -1], [0, 2, 0]], [0, 0, 0]), 3)
    assert found == head.Labels((0, 0, 2), (0, 2))


def test_bias_corrected_by_hand():
    seen = plain([[0, 0, 0, 0]], [-0.6, 0.2, -0.2, 0.6])
    assert bias_corrected.bias_corrected(seen, 4).classes == (0, 0, 0, 2)


def test_the_bias_is_used_where_all_of_it_is_known():
    values = [-3, 1, 2, 0, 0, 0, 0.5, -0.8, 0.3]
    seen = masked(values, np.ones(9))
    assert rules.infer_classes(seen, SPEC, 3, 1).classes == (1,)
    hidden = masked(values, [True] * 6 + [False, True, False])
    assert rules.infer_classes(hidden, SPEC, 3, 1).classes == (0,)


def test_idlg_is_for_one_picture():
    seen = plain([[0.1, -0.3, 0.2]], [0.1, -0.3, 0.2])
    assert single.idlg(seen, 1) == head.Labels((1,), (1,))
    with pytest.raises(ValueError, match="`batch_size` must be 1"):
        single.idlg(seen, 2)


def test_one_hidden_entry_of_a_row_is_known():
    rows = np.array([[0.1, 0.0, 0.2], [0.0, 0.0, 0.2]])
    known = np.array([[True, False, True], [False, False, True]])
    filled, now = head.conserve(rows, known)
    np.testing.assert_allclose(filled[0], [0.1, -0.3, 0.2])
    assert now.tolist() == [[True, True, True], [False, False, True]]
    np.testing.assert_array_equal(filled[1], rows[1])


def test_hidden_values_are_not_read():
    visible = [True] * 6 + [True, False, True]
    for hidden in (np.nan, -7.0):
        seen = head.read_head(
            masked([1, -2, 1, 3, -5, 2, 0.1, hidden, 0.3], visible), SPEC, 3
        )
        # A float32 sum: the law fills the bias of class 1.
        np.testing.assert_allclose(seen.bias, [0.1, -0.4, 0.3], atol=1e-7)
        assert seen.bias_known.all()


def test_sums_are_scaled_and_compared_only_where_seen():
    kernel = np.array([[2.0, 0, 0], [0, 4.0, 0], [0, 0, 0], [0, 6.0, 0]])
    seen = head.HeadGradient(kernel, kernel != 0, np.zeros(3), np.zeros(3, bool))
    np.testing.assert_array_equal(head.column_sums(seen), [8, 20, np.nan])


@pytest.mark.parametrize("rule", sorted(rules.RULES))
def test_hidden_head_has_no_evidence(rule):
    seen = masked(np.full(9, np.nan), np.zeros(9))
    found = rules.infer_classes(seen, SPEC, 3, 1, rule)
    assert found.evident == () and len(found.classes) == 1
    # One picture: all classes are to be tried.
    assert sorted(rules.hypotheses(found, 3, 10)) == [(0,), (1,), (2,)]
    assert rules.hypotheses(found, 3, 2) == ()


def test_hypotheses_keep_what_is_evident():
    found = head.Labels((0, 2, 2), (2, 2))
    assert rules.hypotheses(found, 3, 10) == ((0, 2, 2), (1, 2, 2), (2, 2, 2))
    settled = head.Labels((1, 2), (1, 2))
    assert rules.hypotheses(settled, 3, 10) == ((1, 2),)


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="`rule` must be one of"):
        rules.infer_classes(masked(np.ones(9), np.ones(9)), SPEC, 3, 1, "vote")
    for rule in (yin.yin, wainakh.wainakh_simple, bias_corrected.bias_corrected):
        with pytest.raises(ValueError, match="`batch_size` must be at least 1"):
            rule(plain([[1, -1]], [1, -1]), 0)


@st.composite
def batches(draw):
    classes = draw(st.integers(2, 8))
    labels = draw(st.lists(st.integers(0, classes - 1), min_size=1, max_size=6))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    features = generator.uniform(0.1, 1, (len(labels), 12))
    # Nearly uniform probabilities: an untrained net.
    delta = generator.dirichlet(np.full(classes, 1000.0), len(labels))
    delta[np.arange(len(labels)), labels] -= 1
    hide = draw(st.floats(0, 1))
    kernel = features.T @ delta / len(labels)
    bias = delta.mean(axis=0)
    kernel_known = generator.random(kernel.shape) >= hide
    bias_known = generator.random(bias.shape) >= hide
    return labels, head.HeadGradient(
        np.where(kernel_known, kernel, 0),
        kernel_known,
        np.where(bias_known, bias, 0),
        bias_known,
    )


@given(batches())
@settings(max_examples=100, deadline=None)
def test_evident_classes_are_there_and_answers_are_whole(batch):
    labels, seen = batch
    for name in ("yin", "bias_corrected", "wainakh_simple"):
        found = rules.RULES[name](seen, len(labels))
        assert len(found.classes) == len(labels)
        assert list(found.classes) == sorted(found.classes)
        left = list(found.classes)
        for label in found.evident:
            left.remove(label)
    # Features are positive, so a negative entry of the kernel proves its class.
    assert set(yin.yin(seen, len(labels)).evident) <= set(labels)


def test_a_digit_of_each_class():
    model = cnn.small_cnn((28, 28, 1), 10, 3)
    pictures = victims.mnist(tuple(range(0, 4000, 500)))
    vector = victims.gradient(model, pictures.images, pictures.labels)
    known = knowledge.Knowledge(model, batch_size=8)
    seen = target.build_target(victims.view_of(model, [vector]), known, 0, "mask_aware")
    found = rules.infer_classes(seen, model.spec, 10, 8, "bias_corrected")
    assert found == head.Labels(pictures.labels, pictures.labels)
