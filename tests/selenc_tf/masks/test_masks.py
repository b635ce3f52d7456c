import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from selenc_tf import flatten
from selenc_tf.masks import agreement, policy, wire
from selenc_tf.significance import magnitude, random
from selenc_tf.significance.context import ScoreContext

SPEC = flatten.FlatSpec(("a", "b"), ((2, 2), (2,)))


@pytest.mark.parametrize(
    ("ratio", "n", "m"),
    [
        (0.0, 10, 0),
        (1e-9, 10, 1),
        (0.04, 10, 1),
        (0.1, 10, 1),
        (0.14, 10, 1),
        (0.15, 10, 2),
        (0.25, 10, 3),
        (0.5, 7, 4),
        (0.999, 10, 10),
        (1.0, 10, 10),
        (0.5, 1, 1),
        (0.1, 85_036, 8504),
        (0.7, 1, 1),
    ],
)
def test_number_of_hidden_entries(ratio, n, m):
    assert policy.hidden_count(ratio, n) == m
    spec = flatten.FlatSpec(("a",), ((n,),))
    chosen = policy.top_fraction(ratio)
    assert chosen.num_hidden(spec) == m
    scores = tf.random.stateless_uniform([n], [1, 2])
    mask, _ = chosen.update(spec, scores, chosen.init(spec))
    assert mask.dtype == tf.bool and mask.shape == (n,)
    assert np.count_nonzero(mask) == m


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(-3, 3), min_size=1, max_size=40).flatmap(
        lambda scores: st.tuples(st.just(scores), st.integers(0, len(scores)))
    )
)
def test_highest_scores_and_of_ties_the_lower_index(case):
    scores, m = case
    # Python's sort is stable.
    best = sorted(range(len(scores)), key=lambda index: -scores[index])[:m]
    mask = policy.top_scores(tf.constant(scores, tf.float32), m)
    assert set(np.flatnonzero(mask)) == set(best)


def test_ties_by_hand():
    mask = policy.top_scores(tf.constant([1.0, 2.0, 1.0, 1.0]), 2)
    np.testing.assert_array_equal(mask, [True, True, False, False])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scores_must_be_finite(bad):
    with pytest.raises(tf.errors.InvalidArgumentError, match="must be finite"):
        policy.top_scores(tf.constant([1.0, bad, 2.0]), 1)


@pytest.mark.parametrize("ratio", [-0.1, 1.1, float("nan")])
def test_ratio_out_of_range(ratio):
    with pytest.raises(ValueError, match="encryption_ratio"):
        policy.top_fraction(ratio)


@pytest.mark.parametrize("length", [2, 4])
def test_scores_of_another_length(length):
    spec = flatten.FlatSpec(("a",), ((3,),))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)], autograph=False)
    def traced(scores):
        return policy.top_fraction(0.5).update(spec, scores, ())[0]

    assert traced(tf.zeros([3])).shape == (3,)
    with pytest.raises(tf.errors.InvalidArgumentError, match="expected shape"):
        traced(tf.zeros([length]))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=70))
def test_packed_masks_come_back(bits):
    mask = tf.constant(bits)
    packed = wire.pack(mask)
    assert packed.dtype == tf.uint8 and packed.shape == (-(-len(bits) // 8),)
    np.testing.assert_array_equal(wire.unpack(packed, len(bits)), bits)
    assert int(wire.count(packed, len(bits))) == sum(bits)


def test_packed_by_hand():
    bits = tf.constant([1, 0, 0, 0, 0, 0, 0, 1, 0, 1, 1]) == 1
    np.testing.assert_array_equal(wire.pack(bits), [129, 6])


def test_bits_behind_the_last_entry_do_not_count():
    packed = tf.constant([129, 6 | 8 | 128], tf.uint8)
    assert int(wire.count(packed, 11)) == 4
    assert int(wire.count(packed, 12)) == 5
    np.testing.assert_array_equal(wire.unpack(packed, 11)[8:], [False, True, True])


def test_magnitude():
    gradient = tf.constant([-2.0, 0.5, 0.0, 1.0, 3.0, -4.0])
    context = ScoreContext(SPEC, tf.constant([0, 0]), gradient)
    np.testing.assert_array_equal(
        magnitude.magnitude(context), [2.0, 0.5, 0.0, 1.0, 3.0, 4.0]
    )


def test_random_scores_depend_on_the_seed_alone():
    def scores(seed, gradient=None):
        return random.random(ScoreContext(SPEC, tf.constant(seed), gradient))

    first = scores([1, 2])
    np.testing.assert_array_equal(first, scores([1, 2], tf.fill([6], 9.0)))
    assert not np.array_equal(first, scores([1, 3]))
    assert 0 <= np.min(first) and np.max(first) < 1


class TestPreviousAggregate:
    def agreed(self, ratio):
        return agreement.previous_aggregate(
            magnitude.magnitude, policy.top_fraction(ratio), (1, 2)
        )

    def test_first_round_hides_everything(self):
        source = self.agreed(1 / 3)
        mask, _ = source.mask(SPEC, source.init(SPEC))
        assert np.all(mask)

    def test_then_the_largest_of_the_last_aggregate(self):
        source = self.agreed(1 / 3)
        state = source.init(SPEC)
        aggregate = tf.constant([0.0, -9.0, 1.0, 2.0, 8.0, -3.0])
        for values, hidden in [(aggregate, {1, 4}), (aggregate[::-1], {1, 4}), (
            tf.constant([5.0, 0, 0, 0, 0, -6.0]), {0, 5}
        )]:  # fmt: skip
            _, state = source.mask(SPEC, state)
            state = source.observe(state, values)
            mask, _ = source.mask(SPEC, state)
            assert set(np.flatnonzero(mask)) == hidden

    def test_ratio_zero_never_encrypts(self):
        source = self.agreed(0.0)
        state = source.init(SPEC)
        for _ in range(2):
            mask, state = source.mask(SPEC, state)
            assert not np.any(mask)
            state = source.observe(state, tf.ones([6]))


def test_public_seed_is_the_same_in_every_round():
    source = agreement.public_seed(random.random, policy.top_fraction(0.5), (1, 2))
    state = source.init(SPEC)
    first, state = source.mask(SPEC, state)
    second, _ = source.mask(SPEC, source.observe(state, tf.ones([6])))
    np.testing.assert_array_equal(first, second)
    assert np.count_nonzero(first) == 3


def test_own_mask_follows_the_gradient():
    source = agreement.OwnMask(magnitude.magnitude, policy.top_fraction(0.5), (1, 2))
    gradient = tf.constant([0.0, -9.0, 1.0, 2.0, 8.0, -3.0])
    context = ScoreContext(SPEC, tf.constant(source.seed), gradient)
    mask = agreement.own_mask(source, SPEC, context)
    assert set(np.flatnonzero(mask)) == {1, 4, 5}
