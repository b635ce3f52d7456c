import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacks import knowledge
from attacks.metrics import assignment, evaluation


def reconstruction(images, labels):
    return knowledge.Reconstruction(
        examples=images,
        labels=np.array(labels),
        label_source="known",
        objective=0.0,
        start_objectives=(0.0,),
        iterations=1,
        evaluations=1,
        seconds=1.0,
        converged=True,
        stop="tolerance",
        matched_entries=1,
    )


def test_black_and_white_by_hand():
    white, black = np.ones((2, 2, 1)), np.zeros((2, 2, 1))
    order = assignment.match_pictures(
        np.stack([black, white]), np.stack([white, black])
    )
    np.testing.assert_array_equal(order, [1, 0])


@given(st.permutations(range(5)), st.integers(0, 1000))
def test_permutation_is_recovered(permutation, seed):
    generator = np.random.default_rng(seed)
    truth = generator.uniform(size=(5, 3, 3, 1))
    noisy = truth + generator.normal(0, 0.01, truth.shape)
    shuffled = noisy[list(permutation)]
    order = assignment.match_pictures(shuffled, truth)
    np.testing.assert_array_equal(shuffled[order], noisy)


def test_each_reconstruction_counts_once():
    # Both look like picture 0; one of them has to stand for picture 1.
    truth = np.stack([np.zeros((2, 2, 1)), np.ones((2, 2, 1))])
    images = np.stack([np.full((2, 2, 1), 0.1), np.full((2, 2, 1), 0.2)])
    np.testing.assert_array_equal(assignment.match_pictures(images, truth), [0, 1])


def test_picture_that_is_not_finite_is_left_over():
    truth = np.stack([np.zeros((2, 2, 1)), np.ones((2, 2, 1))])
    images = np.stack([np.full((2, 2, 1), np.nan), np.zeros((2, 2, 1))])
    np.testing.assert_array_equal(assignment.match_pictures(images, truth), [1, 0])


def test_shapes_must_agree():
    with pytest.raises(ValueError, match="`images` and `truth` must have one shape"):
        assignment.match_pictures(np.zeros((2, 2, 2, 1)), np.zeros((1, 2, 2, 1)))


def test_evaluation_by_hand():
    truth = np.stack([np.full((12, 12, 1), 0.2), np.full((12, 12, 1), 0.8)])
    # Swapped; off by 0.1 and by 0.01: 20 and 40 dB. Labels travel with the pictures.
    images = np.stack([np.full((12, 12, 1), 0.81), np.full((12, 12, 1), 0.3)])
    records = evaluation.evaluate(
        reconstruction(images, (5, 6)), evaluation.Truth(truth, np.array([3, 5]))
    )
    np.testing.assert_allclose([record.psnr for record in records], [20.0, 40.0])
    assert [record.reconstruction_index for record in records] == [1, 0]
    assert [record.true_index for record in records] == [0, 1]
    assert [record.label_correct for record in records] == [False, True]
    assert evaluation.label_accuracy(records) == 0.5
    # Constant pictures: only the luminance term, (2*.2*.3 + 1e-4)/(.04 + .09 + 1e-4).
    # float32 leaves 4e-5 of variance where there is none.
    np.testing.assert_allclose(records[0].ssim, 0.1201 / 0.1301, atol=1e-4)


def test_small_pictures_have_no_ssim():
    truth = np.zeros((1, 4, 4, 1))
    records = evaluation.evaluate(
        reconstruction(truth, (0,)), evaluation.Truth(truth, np.array([0]))
    )
    assert np.isnan(records[0].ssim) and records[0].psnr == np.inf


def test_labels_must_go_with_the_pictures():
    with pytest.raises(ValueError, match=r"`truth.labels` must have one entry"):
        evaluation.evaluate(
            reconstruction(np.zeros((1, 4, 4, 1)), (0,)),
            evaluation.Truth(np.zeros((1, 4, 4, 1)), np.array([0, 1])),
        )


def test_rows_with_labels_that_are_numbers():
    rows = np.array([[0.2, 0.4], [0.9, 0.1]], np.float32)
    labels = np.array([[100.0, 0.001], [-2.0, 0.002]], np.float32)
    within = np.array([5.0, 0.0001])
    truth = evaluation.Truth(rows, labels, within)
    near = labels + np.float32([4.0, 0.00009])
    found = reconstruction(rows[::-1] + 0.1, near[::-1])
    first, second = evaluation.evaluate(found, truth)
    assert (first.reconstruction_index, second.reconstruction_index) == (1, 0)
    assert np.isnan(first.ssim) and first.psnr == pytest.approx(20, abs=1e-4)
    assert first.label_correct and second.label_correct
    # However small numbers are: each is compared in its own units.
    off = found._replace(labels=near[::-1] + np.float32([0.0, 0.0001]))
    first, second = evaluation.evaluate(off, truth)
    assert not first.label_correct and not second.label_correct
    with pytest.raises(ValueError, match=r"`truth\.tolerance` must say how far off"):
        evaluation.evaluate(found, truth._replace(tolerance=None))


def test_a_truth_in_other_units_is_refused():
    """Clamped, every picture of 0..255 would be white, and a white guess exact."""
    white = np.ones((1, 4, 4, 1), np.float32)
    truth = evaluation.Truth(255 * white, np.zeros(1, np.int64))
    with pytest.raises(ValueError, match=r"`truth` must be in \[0, 1\]"):
        evaluation.evaluate(reconstruction(white, (0,)), truth)
