import numpy as np
import pytest

from attacks.metrics import identifiability

BLACK, GREY, WHITE = (np.full((1, 2, 2, 1), value) for value in (0.0, 0.5, 1.0))


def test_nearest_neighbour_by_hand():
    truth = np.concatenate([BLACK, WHITE])
    images = np.concatenate([BLACK + 0.1, WHITE - 0.4])
    found = identifiability.identified(images, truth, GREY)
    np.testing.assert_array_equal(found, [True, False])


def test_other_pictures_of_the_batch_compete():
    truth = np.concatenate([BLACK, GREY])
    images = np.concatenate([GREY - 0.1, GREY])
    found = identifiability.identified(images, truth, np.zeros((0, 2, 2, 1)))
    np.testing.assert_array_equal(found, [False, True])


def test_within_the_class_only():
    options = {"truth_labels": np.array([3]), "reference_labels": np.array([7])}
    arguments = (WHITE - 0.4, WHITE, GREY)
    assert not identifiability.identified(*arguments)[0]
    assert identifiability.identified(*arguments, **options)[0]


def test_the_truth_among_the_references_does_not_count():
    references = np.concatenate([WHITE, GREY])
    assert identifiability.identified(WHITE - 0.1, WHITE, references)[0]


def test_a_tie_is_no_identification():
    tie = np.full((1, 2, 2, 1), 0.25)
    assert not identifiability.identified(tie, GREY, BLACK)[0]


def test_not_finite_is_no_identification():
    assert not identifiability.identified(np.full_like(WHITE, np.nan), WHITE, GREY)[0]


def test_features_replace_pixels():
    def corner(images):
        return images[:, 0, 0]

    images = WHITE - 0.4
    images[0, 0, 0] = 1.0
    assert identifiability.identified(images, WHITE, GREY, features=corner)[0]
    assert not identifiability.identified(images, WHITE, GREY)[0]


def test_exact_pictures_are_identified_among_random_ones():
    drawn = np.random.default_rng(0).uniform(size=(30, 3, 3, 1))
    assert identifiability.identified(drawn[:5], drawn[:5], drawn).all()
    # A shifted assignment identifies none.
    assert not identifiability.identified(drawn[1:6], drawn[:5], drawn).any()


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="one shape"):
        identifiability.identified(WHITE[0], WHITE, GREY)
    with pytest.raises(ValueError, match="`references` must be"):
        identifiability.identified(WHITE, WHITE, np.zeros((1, 3, 3, 1)))
    with pytest.raises(ValueError, match="must both be given"):
        identifiability.identified(WHITE, WHITE, GREY, truth_labels=np.zeros(1))
    with pytest.raises(ValueError, match="`reference_labels` must have"):
        identifiability.identified(
            WHITE,
            WHITE,
            GREY,
            truth_labels=np.zeros(1),
            reference_labels=np.zeros(2),
        )


def test_many_pictures_of_one_original_are_counted_as_each_is_asked():
    generator = np.random.default_rng(0)
    references = generator.random((230, 4, 4, 1), np.float32)
    truth = references[7]
    images = np.clip(truth + generator.normal(0, 0.6, (60, 4, 4, 1)), 0, 1)
    each = [
        identifiability.identified(one[None], truth[None], references)[0]
        for one in images
    ]
    found = identifiability.count_identified(images, truth, references)
    assert found == sum(each) and 0 < found < 60
    assert identifiability.count_identified(images, truth, references[:0]) == 60
