import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.data import dataset as dataset_lib
from experiments.data import splits

LABELS = st.lists(st.integers(0, 4), min_size=1, max_size=60)
SEEDS = st.integers(0, 2**32)


def make(labels, groups=None, test_rows=None, clients=None):
    """Every picture is one pixel that holds the number of its row."""
    size = len(labels)
    return dataset_lib.Dataset(
        name="toy",
        examples=(np.arange(size, dtype=np.float32) / 1000).reshape(size, 1, 1, 1),
        labels=np.asarray(labels, np.int32),
        num_classes=5,
        source="test",
        licence="none",
        citation="none",
        note="Numbers.",
        groups=None if groups is None else np.asarray(groups, np.int32),
        test_rows=None if test_rows is None else np.asarray(test_rows, np.bool_),
        clients=None if clients is None else np.asarray(clients, np.int32),
    )


def rows(dataset):
    return np.rint(dataset.examples.reshape(-1) * 1000).astype(int).tolist()


@given(LABELS, st.data(), SEEDS)
def test_iid_clients_hold_everything_once_in_even_parts(labels, data, seed):
    clients = data.draw(st.integers(1, len(labels)))
    whole = make(labels)
    parts = splits.partition(whole, clients, seed)
    assert len(parts) == clients
    assert sorted(row for part in parts for row in rows(part)) == list(
        range(len(labels))
    )
    sizes = [len(part) for part in parts]
    assert max(sizes) - min(sizes) <= 1
    for part in parts:
        assert part.labels.tolist() == [labels[row] for row in rows(part)]
    again = splits.partition(whole, clients, seed)
    assert list(map(rows, parts)) == list(map(rows, again))


@given(LABELS, st.data(), SEEDS, st.floats(0, 1e300, exclude_min=True))
def test_dirichlet_clients_hold_everything_once_in_even_parts(
    labels, data, seed, alpha
):
    clients = data.draw(st.integers(1, len(labels)))
    whole = make(labels)
    parts = splits.partition(whole, clients, seed, alpha)
    assert len(parts) == clients
    assert sorted(row for part in parts for row in rows(part)) == list(
        range(len(labels))
    )
    sizes = [len(part) for part in parts]
    assert min(sizes) >= 1 and max(sizes) - min(sizes) <= 1
    again = splits.partition(whole, clients, seed, alpha)
    assert list(map(rows, parts)) == list(map(rows, again))


def shares(labels, alpha, seeds, clients=10):
    """The share of the first class at the first client, who draws from the whole."""
    parts = [splits.partition_rows(labels, clients, seed, alpha)[0] for seed in seeds]
    return np.array([np.mean(labels[part] == 0) for part in parts])


def test_dirichlet_is_uneven_when_alpha_is_small_and_even_when_large():
    labels = np.repeat(np.arange(5, dtype=np.int32), 400)
    assert np.std(shares(labels, 0.1, range(20))) > 0.25
    # Not below the spread of drawing 200 of 2,000.
    assert np.std(shares(labels, 1e6, range(20))) < 0.04


def test_dirichlet_draws_around_the_shares_of_the_whole():
    labels = np.array([0] * 600 + [1] * 1400, np.int32)
    found = shares(labels, 4.0, range(200), clients=20)
    # Beta(4 * 0.3, 4 * 0.7) has the mean 0.3 and the variance 0.3 * 0.7 / 5; drawing
    # 100 examples by that share adds a hundredth of what is left of 0.3 * 0.7.
    assert abs(found.mean() - 0.3) < 4 * found.std() / np.sqrt(200)
    assert found.var() == pytest.approx(0.21 / 5 + 0.21 * 4 / 5 / 100, rel=0.3)


@given(st.lists(st.integers(0, 6), min_size=1, max_size=40), st.data())
def test_the_first_clients_get_what_is_theirs(owners, data):
    whole = make([0] * len(owners), clients=owners)
    known = sorted(set(owners))
    wanted = data.draw(st.integers(1, len(known)))
    parts = splits.by_client(whole, wanted)
    assert [set(part.clients.tolist()) for part in parts] == [
        {client} for client in known[:wanted]
    ]
    for client, part in zip(known, parts, strict=False):
        assert rows(part) == [row for row, one in enumerate(owners) if one == client]
    with pytest.raises(ValueError, match=f"must be in .1, {len(known)}., the number"):
        splits.by_client(whole, len(known) + 1)


def test_labels_that_are_numbers_count_as_one_class():
    whole = dataclasses.replace(
        make([0] * 10), labels=np.zeros((10, 2), np.float32), num_classes=2
    )
    train, test = splits.split(whole, 0, 0.3)
    assert (len(train), len(test)) == (7, 3) and train.labels.shape == (7, 2)
    assert len(splits.subset(whole, 4, 0)) == 4
    assert [len(part) for part in splits.partition(whole, 3, 0)] == [4, 3, 3]
    with pytest.raises(ValueError, match="`dirichlet_alpha` mixes classes"):
        splits.partition(whole, 3, 0, 1.0)


def test_seeds_make_a_difference():
    whole = make([0] * 50)
    assert rows(splits.partition(whole, 2, 0)[0]) != rows(
        splits.partition(whole, 2, 1)[0]
    )


@given(LABELS, SEEDS, st.floats(0.01, 0.99))
def test_a_split_is_disjoint_complete_and_stratified(labels, seed, fraction):
    whole = make(labels)
    counts = np.bincount(labels, minlength=5)
    if counts.max() < 2:
        with pytest.raises(ValueError, match="too few to split"):
            splits.split(whole, seed, fraction)
        return
    train, test = splits.split(whole, seed, fraction)
    assert sorted(rows(train) + rows(test)) == list(range(len(labels)))
    for label, count in enumerate(counts):
        tested = int((test.labels == label).sum())
        if count < 2:
            assert tested == 0
        else:
            assert 1 <= tested <= count - 1
            assert abs(tested - fraction * count) <= 1


@given(
    st.lists(st.integers(0, 8), min_size=10, max_size=60).filter(
        lambda groups: len(set(groups)) > 5
    ),
    SEEDS,
)
def test_a_split_keeps_groups_together(groups, seed):
    whole = make([group % 2 for group in groups], groups)
    train, test = splits.split(whole, seed, 0.3)
    assert not set(train.groups.tolist()) & set(test.groups.tolist())
    assert len(train) + len(test) == len(groups)


def test_the_publishers_split_is_used_unless_a_fraction_is_given():
    whole = make([0, 1, 0, 1], test_rows=[False, False, True, True])
    train, test = splits.split(whole, 3)
    assert (sorted(rows(train)), sorted(rows(test))) == ([0, 1], [2, 3])
    assert "publisher" in test.note
    halves = {tuple(sorted(rows(splits.split(whole, s, 0.5).test))) for s in range(20)}
    assert len(halves) > 1


def test_sorted_rows_come_out_shuffled():
    whole = make(np.repeat(np.arange(5), 40))
    train, _ = splits.split(whole, 0)
    assert (np.diff(train.labels) < 0).sum() > 20


@settings(max_examples=50)
@given(LABELS, st.data(), SEEDS)
def test_a_subset_keeps_the_proportions(labels, data, seed):
    size = data.draw(st.integers(1, len(labels)))
    part = splits.subset(make(labels), size, seed)
    assert len(set(rows(part))) == len(part) == size
    wanted = np.bincount(labels, minlength=5) * size / len(labels)
    assert np.all(np.abs(np.bincount(part.labels, minlength=5) - wanted) <= 1)
    assert f"{size:,} of these" in part.note


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda d: splits.partition(d, 0, 0), r"`num_clients` must be in \[1, 4\]"),
        (lambda d: splits.partition(d, 5, 0), r"4 examples to share out, got 5"),
        (lambda d: splits.partition(d, 2, -1), "`seed` must be at least 0"),
        (lambda d: splits.partition(d, 2, 0, 0.0), "`dirichlet_alpha` must be pos"),
        (lambda d: splits.partition(d, 2, 0, float("nan")), "`dirichlet_alpha`"),
        (lambda d: splits.by_client(d, 1), "does not say whose an example is"),
        (
            lambda d: splits.by_client(make([0], clients=[3]), 0),
            "`num_clients` must be",
        ),
        (lambda d: splits.split(d, 0, 1.0), "`test_fraction` must be strictly"),
        (lambda d: splits.split(d, 0, 0.0), "`test_fraction` must be strictly"),
        (lambda d: splits.subset(d, 5, 0), r"`size` must be in \[1, 4\]"),
    ],
)
def test_errors_name_the_argument(call, message):
    with pytest.raises(ValueError, match=message):
        call(make([0, 0, 1, 1]))


@pytest.mark.parametrize("row", [-1, 4])
def test_an_image_index_out_of_range_names_the_range(row):
    with pytest.raises(IndexError, match=rf"\[0, 3\].*got {row}"):
        dataset_lib.take(make([0, 0, 1, 1]), [0, row])


def test_a_group_in_two_classes_is_an_error():
    with pytest.raises(ValueError, match="must lie in one class"):
        make([0, 1], groups=[7, 7])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"examples": np.zeros((2, 1, 1, 1), np.float64)},
            "`examples` must be float32",
        ),
        ({"examples": np.full((2, 1, 1, 1), 255, np.float32)}, "divide 8-bit"),
        (
            {"examples": np.full((2, 1, 1, 1), np.nan, np.float32)},
            "`examples` must be in",
        ),
        ({"labels": np.zeros(3, np.int32)}, r"`labels` must be int32 \[2\]"),
        ({"labels": np.array([0, 9], np.int32)}, "`labels` must be in"),
    ],
)
def test_invalid_arrays_are_refused(changes, message):
    fields = {
        "examples": np.zeros((2, 1, 1, 1), np.float32),
        "labels": np.zeros(2, np.int32),
    }
    with pytest.raises(ValueError, match=message):
        dataset_lib.Dataset(
            name="toy",
            num_classes=5,
            source="",
            licence="",
            citation="",
            note="",
            **{**fields, **changes},
        )
