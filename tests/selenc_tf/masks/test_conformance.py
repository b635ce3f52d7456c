"""What holds for every policy."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from selenc_tf import catalog, flatten
from tests.selenc_tf.masks.policies import OTHERS, RATIO_BUILDERS, SPEC, N, scores

RATIO = 0.37
RATIOS = (0.0, RATIO, 1.0)
ALL = (*RATIO_BUILDERS, *OTHERS)


# Without defaults: a cache takes a default and the same argument for two calls.
@functools.cache
def built(name, ratio):
    return RATIO_BUILDERS[name](ratio) if name in RATIO_BUILDERS else OTHERS[name]


@functools.cache
def traced(name, ratio):
    """`(scores, state) -> (mask, state)` in a graph."""
    policy = built(name, ratio)
    return tf.function(
        lambda values, state: policy.update(SPEC, values, state), autograph=False
    )


def update(name, values, ratio=RATIO):
    state = built(name, ratio).init(SPEC)
    return traced(name, ratio)(tf.constant(values, tf.float32), state)[0]


@pytest.mark.parametrize("name", catalog.POLICIES)
def test_every_policy_of_the_catalogue_is_here(name):
    assert name in ALL


@pytest.mark.parametrize(
    "ratio",
    [
        ratio if ratio == RATIO else pytest.param(ratio, marks=pytest.mark.slow)
        for ratio in RATIOS
    ],
)
@pytest.mark.parametrize("name", RATIO_BUILDERS)
def test_number_hidden_is_exact(name, ratio):
    m = built(name, ratio).num_hidden(SPEC)
    assert isinstance(m, int) and round(ratio * N) <= m <= N
    for values in (scores(1), np.zeros([N]), -scores(2), np.full([N], 3e38)):
        mask = update(name, values, ratio)
        assert mask.dtype == tf.bool and mask.shape == (N,)
        assert np.count_nonzero(mask) == m


@pytest.mark.parametrize("name", ALL)
def test_traced_once_as_eager_and_state_keeps_its_form(name):
    policy = built(name, RATIO)
    state = eager_state = policy.init(SPEC)
    for seed in range(2):
        values = tf.constant(scores(seed))
        mask, new = traced(name, RATIO)(values, state)
        eager, eager_state = policy.update(SPEC, values, eager_state)
        np.testing.assert_array_equal(mask, eager)
        assert mask.shape == (N,) and np.count_nonzero(mask) == policy.num_hidden(SPEC)
        tf.nest.assert_same_structure(state, new)
        for before, after in zip(
            tf.nest.flatten(state), tf.nest.flatten(new), strict=True
        ):
            assert before.dtype == after.dtype and before.shape == after.shape
        state = new
    assert traced(name, RATIO).experimental_get_tracing_count() == 1


@pytest.mark.parametrize("name", RATIO_BUILDERS)
def test_scores_must_be_finite(name):
    # In the embedding table, in the middle, at the end.
    for place, bad in ((0, np.nan), (N // 2, np.inf), (N - 1, -np.inf)):
        values = scores(1)
        values[place] = bad
        with pytest.raises(tf.errors.InvalidArgumentError, match="must be finite"):
            update(name, values)


@pytest.mark.parametrize("name", RATIO_BUILDERS)
@pytest.mark.parametrize("ratio", [-0.1, 1.1, float("nan")])
def test_ratio_out_of_range(name, ratio):
    with pytest.raises(ValueError, match="encryption_ratio"):
        RATIO_BUILDERS[name](ratio)


@pytest.mark.parametrize("name", ["top_fraction", "per_layer", "rows", "tensors"])
def test_one_parameter(name):
    spec = flatten.FlatSpec(("a",), ((1,),))
    for ratio, hidden in ((0.0, 0), (0.1, 1), (1.0, 1)):
        policy = RATIO_BUILDERS[name](ratio)
        assert policy.num_hidden(spec) == hidden
        mask, _ = policy.update(spec, tf.zeros([1]), policy.init(spec))
        assert np.count_nonzero(mask) == hidden


@pytest.mark.parametrize(
    "name", ["top_fraction", "per_layer", "rows", "columns", "heads", "tensors"]
)
def test_more_budget_hides_more(name):
    before = np.zeros([N], np.bool_)
    for ratio in RATIOS:
        mask = update(name, scores(5), ratio)
        # The share of a tensor may fall by one as the whole grows: no chain there.
        if name != "per_layer":
            assert np.all(mask.numpy() >= before)
        before = mask.numpy()


def test_names_are_different():
    names = {build(0.1).name for build in RATIO_BUILDERS.values()}
    assert len(names) == len(RATIO_BUILDERS)
