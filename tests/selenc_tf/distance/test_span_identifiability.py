"""Counting equations of spans, on patterns that are worked by hand."""

import numpy as np
import pytest

from selenc_tf.distance.span_identifiability import span_identifiability

WIDTH, COLUMNS = 12, 30


def pattern(rows=WIDTH, columns=COLUMNS):
    visible = np.zeros((WIDTH, COLUMNS), bool)
    visible[:rows, :columns] = True
    return visible


@pytest.mark.parametrize(
    ("rows", "columns", "rank", "determined"),
    [
        (WIDTH, COLUMNS, 1, True),
        (WIDTH, COLUMNS, WIDTH - 1, True),
        (WIDTH, COLUMNS, WIDTH, False),
        (5, COLUMNS, 4, True),
        (4, COLUMNS, 4, False),
        (WIDTH, 4, 4, True),
        (WIDTH, 3, 4, False),
        (0, 0, 1, False),
    ],
)
def test_blocks(rows, columns, rank, determined):
    found = span_identifiability(pattern(rows, columns), rank)
    assert found.determined is determined
    if determined:
        assert found.spare == rows - rank
        assert np.flatnonzero(found.coordinates).tolist() == list(range(rows))


def test_the_count_of_low_rank_completion():
    # Columns of more than r entries: |V| - m r >= r (d - r), as |V| >= r (m + d - r).
    generator, rank = np.random.default_rng(0), 3
    for share in (0.3, 0.4, 0.5, 0.6):
        visible = generator.random((WIDTH, COLUMNS)) < share
        visible[: rank + 1] = True
        enough = np.count_nonzero(visible) >= rank * (COLUMNS + WIDTH - rank)
        found = span_identifiability(visible, rank)
        assert (found.spare == WIDTH - rank) == enough


def test_poor_columns_say_nothing():
    visible = pattern(3, 30)
    assert not span_identifiability(visible, 3).determined
    visible[3:, :3] = True
    found = span_identifiability(visible, 3)
    assert found.determined and found.equations == 3 * (WIDTH - 3)


def test_what_is_left_of_a_complete_block_is_found_among_scattered_entries():
    visible = pattern(6, 8)
    visible[6:, 8:] = np.random.default_rng(0).random((6, 22)) < 0.3
    found = span_identifiability(visible, 4)
    assert np.flatnonzero(found.coordinates).tolist() == list(range(6))
    assert (found.equations, found.unknowns, found.spare) == (16, 8, 2)


def test_refusals():
    with pytest.raises(ValueError, match="rank"):
        span_identifiability(pattern(), 0)
    with pytest.raises(ValueError, match="matrix"):
        span_identifiability(np.ones(3, bool), 1)


@pytest.mark.parametrize(
    ("rows", "rank", "told"), [(WIDTH, 3, 12), (WIDTH, 4, 0), (10, 3, 8), (7, 3, 4)]
)
def test_heads_tell_where_they_have_more_coordinates_than_the_rank(rows, rank, told):
    # Three heads of four: of one that is visible in part, no more than that counts.
    found = span_identifiability(pattern(rows=rows), rank, heads=3)
    assert np.count_nonzero(found.coordinates) == told
    assert found.spare == told // 4 and found.determined == (told > 0)


def test_heads_of_other_sizes_are_refused():
    with pytest.raises(ValueError, match="`heads` must divide the 12 rows"):
        span_identifiability(pattern(), 1, heads=5)
