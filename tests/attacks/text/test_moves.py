"""Orders of tokens, pairs of words, and exchanges."""

import numpy as np
import pytest

from attacks.text import sentences
from attacks.text.continuous import moves, polishing, word_pairs


def test_orders_keep_the_ends_and_all_tokens():
    free = np.array([1, 2, 3, 4])
    found = moves.orders(free, 7, 40, np.random.default_rng(0))
    assert found.shape == (40, 7)
    assert np.all(np.sort(found, axis=1) == np.arange(7))
    assert np.all(found[:, [0, 5, 6]] == [0, 5, 6])
    # Two exchanged, one moved, some moved, a beginning at the end.
    for row in found[::4]:
        assert (row != np.arange(7)).sum() == 2
    for row in found[3::4]:
        inner = row[free].tolist()
        turn = inner.index(1)
        assert inner[turn:] + inner[:turn] == [1, 2, 3, 4] and turn > 0


@pytest.mark.parametrize("draw", [moves.orders, moves.shuffles])
def test_a_single_token_has_no_other_order(draw):
    assert len(draw(np.array([1]), 4, 9, np.random.default_rng(0))) == 0


def test_pairs_that_were_seen_are_likelier():
    public = sentences.of_rows([[2, 5, 6, 3], [2, 5, 7, 3]], 6)
    loss = word_pairs.of_public(public, 100)
    assert loss([2, 5, 6, 3]) < loss([2, 6, 5, 3]) < loss([2, 8, 9, 3])
    # By hand: p(6 | 5) = 0.6 / 2 + 0.35 / 8 + 0.05 / 100.
    np.testing.assert_allclose(loss([5, 6]), -np.log(0.3 + 0.35 / 8 + 0.0005))
    assert loss([2]) == 0.0
    assert word_pairs.of_public(None, 100) is None


def test_exchanges_go_down_to_the_truth():
    truth = np.array([[2, 7, 5, 9, 3]])
    free = np.array([[False, True, True, True, False]])
    allowed = np.isin(np.arange(12), [5, 7, 9])

    def errors(tokens):
        return float((tokens != truth).sum())

    start = np.array([[2, 9, 9, 7, 3]])
    found, error, count = polishing.polished(
        errors, start, free, allowed, allowed, 99, np.random.default_rng(0)
    )
    assert error == 0 and 1 < count <= 99
    np.testing.assert_array_equal(found, truth)
    stopped = polishing.polished(
        errors, start, free, allowed, allowed, 1, np.random.default_rng(0)
    )
    # The word that has to be there is put in all the same.
    np.testing.assert_array_equal(stopped[0], [[2, 5, 9, 7, 3]])
