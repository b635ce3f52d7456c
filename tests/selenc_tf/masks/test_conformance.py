"""What holds for every policy."""

import numpy as np
import pytest
import tensorflow as tf

from selenc_tf import flatten
from tests.selenc_tf.masks.policies import OTHERS, RATIO_BUILDERS, SPEC, N, scores

RATIOS = (0.0, 0.37, 1.0)
ALL = [
    *((name, build(0.37)) for name, build in RATIO_BUILDERS.items()),
    *OTHERS.items(),
]


def policies(names_and_policies):
    return pytest.mark.parametrize(
        "policy",
        [policy for _, policy in names_and_policies],
        ids=[name for name, _ in names_and_policies],
    )


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("name", RATIO_BUILDERS)
def test_number_hidden_is_exact(name, ratio):
    policy = RATIO_BUILDERS[name](ratio)
    m = policy.num_hidden(SPEC)
    assert isinstance(m, int) and round(ratio * N) <= m <= N
    update = tf.function(lambda values: policy.update(SPEC, values, policy.init(SPEC)))
    for values in (scores(1), np.zeros([N]), -scores(2), np.full([N], 3e38)):
        mask, _ = update(tf.constant(values, tf.float32))
        assert mask.dtype == tf.bool and mask.shape == (N,)
        assert np.count_nonzero(mask) == m


@policies(ALL)
def test_traced_once_as_eager_and_state_keeps_its_form(policy):
    traces = []

    @tf.function
    def traced(values, state):
        traces.append(1)
        return policy.update(SPEC, values, state)

    state = eager_state = policy.init(SPEC)
    for seed in range(2):
        values = tf.constant(scores(seed))
        mask, new = traced(values, state)
        eager, eager_state = policy.update(SPEC, values, eager_state)
        np.testing.assert_array_equal(mask, eager)
        assert mask.shape == (N,) and np.count_nonzero(mask) == policy.num_hidden(SPEC)
        tf.nest.assert_same_structure(state, new)
        for before, after in zip(
            tf.nest.flatten(state), tf.nest.flatten(new), strict=True
        ):
            assert before.dtype == after.dtype and before.shape == after.shape
        state = new
    assert len(traces) == 1


@pytest.mark.parametrize("name", RATIO_BUILDERS)
def test_scores_must_be_finite(name):
    policy = RATIO_BUILDERS[name](0.3)
    update = tf.function(lambda values: policy.update(SPEC, values, policy.init(SPEC)))
    # In the embedding table, in the middle, at the end.
    for place in (0, N // 2, N - 1):
        for bad in (np.nan, np.inf, -np.inf):
            values = scores(1)
            values[place] = bad
            with pytest.raises(tf.errors.InvalidArgumentError, match="must be finite"):
                update(tf.constant(values))


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
    values, before = tf.constant(scores(5)), np.zeros([N], np.bool_)
    for ratio in RATIOS:
        mask, _ = RATIO_BUILDERS[name](ratio).update(SPEC, values, ())
        # The share of a tensor may fall by one as the whole grows: no chain there.
        if name != "per_layer":
            assert np.all(mask.numpy() >= before)
        before = mask.numpy()


def test_names_are_different():
    names = {build(0.1).name for build in RATIO_BUILDERS.values()}
    assert len(names) == len(RATIO_BUILDERS)
