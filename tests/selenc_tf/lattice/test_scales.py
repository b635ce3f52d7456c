import collections

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_federated as tff
from hypothesis import given, settings
from hypothesis import strategies as st

from selenc_tf import flatten
from selenc_tf.lattice import scales
from selenc_tf.lattice.codec import FixedPointCodec

SPEC = flatten.FlatSpec(("kernel", "empty", "bias"), ((2, 3), (0, 4), (2,)))
POLICIES = [
    (scales.public_bound(0.5), (8,), [0.5]),
    (scales.per_tensor([0.5, 1.0, 2.0]), (6, 0, 2), [0.5, 1.0, 2.0]),
    (scales.per_tensor(np.array([0.5, 1.0, 2.0])), (6, 0, 2), [0.5, 1.0, 2.0]),
    (scales.per_block(3, [0.5, 1.0, 2.0]), (3, 3, 2), [0.5, 1.0, 2.0]),
    (scales.per_block(3, np.array([0.5, 1.0, 2.0])), (3, 3, 2), [0.5, 1.0, 2.0]),
    (scales.per_block(4, 0.5), (4, 4), [0.5, 0.5]),
    (scales.per_block(9, 0.5), (8,), [0.5]),
    (scales.clipping_norm(2.0, 3.0), (8,), [6.0]),
    (scales.previous_aggregate(0.5), (6, 0, 2), [0.5, 0.5, 0.5]),
    (scales.previous_aggregate(0.5, block_size=3), (3, 3, 2), [0.5, 0.5, 0.5]),
]
IDS = [f"{policy.name}-{len(groups)}" for policy, groups, _ in POLICIES]


def observe(policy, state, aggregate, clients=1, saturated=0):
    return policy.observe(
        SPEC,
        state,
        tf.constant(aggregate, tf.float32),
        tf.constant(clients, tf.int32),
        tf.constant(saturated, tf.int64),
    )


@pytest.mark.parametrize(("policy", "groups", "bounds"), POLICIES, ids=IDS)
def test_first_bounds(policy, groups, bounds):
    assert policy.groups(SPEC) == groups
    found = policy.bounds(SPEC, policy.init(SPEC))
    assert found.dtype == tf.float32 and found.shape == (len(groups),)
    np.testing.assert_allclose(found, bounds, rtol=1.1e-6)
    assert policy.reveals


@pytest.mark.parametrize(("policy", "groups", "bounds"), POLICIES, ids=IDS)
def test_inside_tff(policy, groups, bounds):
    init = tff.tensorflow.computation(lambda: policy.init(SPEC))
    state = init.type_signature.result

    @tff.tensorflow.computation(
        state, tff.TensorType(np.float32, [8]), np.int32, np.int64
    )
    def observe_round(state, aggregate, clients, saturated):
        return policy.observe(SPEC, state, aggregate, clients, saturated)

    @tff.tensorflow.computation(state)
    def bounds_of(state):
        return policy.bounds(SPEC, state)

    assert observe_round.type_signature.result == state
    assert bounds_of.type_signature.result == tff.TensorType(np.float32, [len(groups)])


@pytest.mark.parametrize("index", range(8))
def test_constant_policies_have_no_state(index):
    policy, _, _ = POLICIES[index]
    state = policy.init(SPEC)
    assert state == collections.OrderedDict()
    assert observe(policy, state, [9.0] * 8, 3, 5) is state


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_expand_gives_each_hidden_entry_the_bound_of_its_group(data):
    lengths = data.draw(st.lists(st.integers(0, 6), min_size=1, max_size=6), "lengths")
    n = sum(lengths)
    mask = data.draw(st.lists(st.booleans(), min_size=n, max_size=n), "mask")
    bounds = np.arange(1, len(lengths) + 1, dtype=np.float32)
    expanded = scales.expand(
        tf.constant(bounds), tuple(lengths), tf.constant(mask, tf.bool, [n])
    )
    assert expanded.dtype == tf.float32
    if len(lengths) == 1:
        assert expanded.shape == () and expanded.numpy() == 1.0
    else:
        expected = np.repeat(bounds, lengths)[np.array(mask, bool)]
        np.testing.assert_array_equal(expanded, expected)


def test_expand_in_a_graph_of_unknown_shapes():
    expand = tf.function(
        lambda bounds, mask: scales.expand(bounds, (3, 2), mask),
        input_signature=[tf.TensorSpec([None]), tf.TensorSpec([None], tf.bool)],
        autograph=False,
    )
    mask = tf.constant([True, False, False, True, True])
    np.testing.assert_array_equal(expand(tf.constant([1.0, 2.0]), mask), [1, 2, 2])


def test_expand_refuses_what_does_not_fit():
    mask = tf.constant([True] * 5)
    with pytest.raises(ValueError, match=r"`bounds` must have 2 entries.*got 3"):
        scales.expand(tf.ones([3]), (3, 2), mask)
    with pytest.raises(ValueError, match=r"`lengths` must add up to the 5.*got 6"):
        scales.expand(tf.ones([2]), (3, 3), mask)


def test_per_tensor_bounds_are_worth_bits():
    # A large kernel beside a small bias: the bias keeps its digits only with its own.
    codec = FixedPointCodec(8)
    mask = tf.constant([True, False] * 4)
    hidden = tf.boolean_mask(tf.constant([9.0] * 6 + [0.011] * 2), mask)
    errors = []
    for policy in (scales.public_bound(10.0), scales.per_tensor([10.0, 1.0, 0.02])):
        bound = scales.expand(
            policy.bounds(SPEC, policy.init(SPEC)), policy.groups(SPEC), mask
        )
        decoded = codec.decode(codec.encode(hidden, bound), bound)
        assert codec.saturated(hidden, bound).numpy() == 0
        errors.append(abs(decoded.numpy() - hidden.numpy())[-1])
    assert errors[0] == pytest.approx(0.011) and errors[1] <= 0.02 / 127 / 2 * 1.01


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_clipped_vectors_never_saturate(data):
    norm = data.draw(st.floats(2**-10, 2**10, width=32), "norm")
    max_weight = data.draw(st.floats(2**-7, 2**7, width=32), "max_weight")
    # Mostly one large entry: that is where an entry comes close to the norm.
    small = st.lists(st.floats(-(2**-7), 2**-7, width=32), min_size=7, max_size=7)
    vector = [data.draw(st.floats(-1e6, 1e6, width=32)), *data.draw(small)]
    clipped, _ = tf.clip_by_global_norm([tf.constant(vector, tf.float32)], norm)
    policy = scales.clipping_norm(norm, max_weight)
    bound = scales.expand(
        policy.bounds(SPEC, policy.init(SPEC)), policy.groups(SPEC), tf.fill([8], True)
    )
    encoded = clipped[0] * tf.constant(max_weight, tf.float32)
    assert FixedPointCodec(16).saturated(encoded, bound).numpy() == 0


def test_previous_aggregate_by_hand():
    policy = scales.previous_aggregate(1.0, headroom=8.0, floor=1e-3)
    state = policy.init(SPEC)
    # Means over 4 clients: 0.25 at most in the kernel, 2 in the bias.
    aggregate = [0.1, -1.0, 0.5, 0.0, 0.0, 0.0, 8.0, -2.0]
    state = observe(policy, state, aggregate, clients=4)
    np.testing.assert_allclose(policy.bounds(SPEC, state), [2.0, 1.0, 16.0])
    # It shrinks at once, but not below the floor.
    state = observe(policy, state, [1e-2] + [0.0] * 5 + [1e-9, 0.0], clients=4)
    np.testing.assert_allclose(policy.bounds(SPEC, state), [0.02, 1.0, 1e-3])


def test_previous_aggregate_of_blocks():
    policy = scales.previous_aggregate(1.0, headroom=2.0, block_size=3)
    aggregate = [0.1, -1.0, 0.5, 0.0, 0.0, 3.0, 8.0, -9.0]
    state = observe(policy, policy.init(SPEC), aggregate, clients=2)
    np.testing.assert_allclose(policy.bounds(SPEC, state), [1.0, 3.0, 9.0])


def test_previous_aggregate_doubles_after_saturation_and_calms_down():
    policy = scales.previous_aggregate(1.0, headroom=8.0)
    aggregate = [0.01] * 8  # A mean that says nothing of clients that cancel.
    state = observe(policy, policy.init(SPEC), aggregate, saturated=3)
    np.testing.assert_allclose(policy.bounds(SPEC, state), [2.0, 2.0, 2.0])
    state = observe(policy, state, aggregate, saturated=1)
    np.testing.assert_allclose(policy.bounds(SPEC, state), [4.0, 4.0, 4.0])
    # Without saturation the kernel's and bias's bounds are 0.95 * 32 * 0.01.
    state = observe(policy, state, aggregate)
    np.testing.assert_allclose(policy.bounds(SPEC, state), [0.304, 4.0, 0.304])
    for _ in range(40):
        state = observe(policy, state, aggregate)
    np.testing.assert_allclose(policy.bounds(SPEC, state), [0.08, 4.0, 0.08])


def test_previous_aggregate_follows_clients_that_cancel():
    # 1000 clients whose entries are independent: the mean is 30 times smaller than
    # they are, more than the headroom covers, yet saturation dies out.
    codec = FixedPointCodec(16)
    policy = scales.previous_aggregate(1e-4)
    step = tf.function(
        lambda state, total, saturated: policy.observe(
            SPEC, state, total, tf.constant(1000), saturated
        ),
        autograph=False,
    )
    generator = np.random.default_rng(0)
    state, saturated = policy.init(SPEC), []
    for _ in range(30):
        values = tf.constant(generator.uniform(-1, 1, [1000, 8]), tf.float32)
        lengths = policy.groups(SPEC)
        bound = scales.expand(
            policy.bounds(SPEC, state), lengths, tf.constant([True] * 8)
        )
        codes = codec.encode(tf.reshape(values, [-1]), tf.tile(bound, [1000]))
        total = codec.decode(tf.reduce_sum(tf.reshape(codes, [1000, 8]), 0), bound)
        count = codec.saturated(values, bound)
        state = step(state, total, count)
        saturated.append(count.numpy() / 8000)
    assert saturated[0] > 0.99  # The initial bound was far too small.
    assert np.mean(saturated[15:]) < 0.1
    assert np.max(policy.bounds(SPEC, state)[::2]) < 100


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_previous_aggregate_keeps_its_bounds_where_a_sum_overflowed(bad):
    policy = scales.previous_aggregate(1.0)
    state = observe(policy, policy.init(SPEC), [bad] + [0.0] * 7, clients=0)
    np.testing.assert_allclose(policy.bounds(SPEC, state), [1.0, 1.0, 1.0])


def test_previous_aggregate_stays_in_the_range_of_the_codec():
    policy = scales.previous_aggregate(1e29)
    state = policy.init(SPEC)
    for _ in range(250):
        state = observe(policy, state, [1e38] * 8, saturated=1)
    bounds = policy.bounds(SPEC, state)
    np.testing.assert_allclose(bounds, [1e30] * 3)
    FixedPointCodec(16).encode(tf.ones([3]), bounds)


@pytest.mark.parametrize("bad", [0.0, -1.0, float("nan"), float("inf"), 1e-40, 1e31])
def test_bounds_out_of_range(bad):
    with pytest.raises(ValueError, match="`bound` must be positive and finite"):
        scales.public_bound(bad)
    with pytest.raises(ValueError, match=r"`bounds\[1\]` must be positive and finite"):
        scales.per_tensor([1.0, bad])
    with pytest.raises(ValueError, match=r"`bounds\[0\]` must be positive and finite"):
        scales.per_block(3, [bad])
    with pytest.raises(ValueError, match="`bounds` must be positive and finite"):
        scales.per_block(3, bad)
    with pytest.raises(ValueError, match=r"`norm.* must be positive and finite"):
        scales.clipping_norm(bad)
    with pytest.raises(ValueError, match="`initial` must be positive and finite"):
        scales.previous_aggregate(bad)
    with pytest.raises(ValueError, match="`floor` must be positive and finite"):
        scales.previous_aggregate(1.0, floor=bad)


def test_other_arguments_out_of_range():
    with pytest.raises(ValueError, match="`max_weight`"):
        scales.clipping_norm(1.0, max_weight=-1.0)
    with pytest.raises(ValueError, match="`norm \\* max_weight`"):
        scales.clipping_norm(1e20, max_weight=1e20)
    with pytest.raises(ValueError, match="`block_size`"):
        scales.per_block(0, 1.0)
    with pytest.raises(ValueError, match="`block_size`"):
        scales.previous_aggregate(1.0, block_size=0)
    with pytest.raises(ValueError, match="`headroom`"):
        scales.previous_aggregate(1.0, headroom=0.5)
    with pytest.raises(ValueError, match="`initial`"):
        scales.previous_aggregate(1e-9, floor=1e-3)


@pytest.mark.parametrize(
    "policy", [scales.per_tensor([1.0, 2.0]), scales.per_block(3, [1.0, 2.0])]
)
def test_number_of_bounds_must_fit_the_model(policy):
    for use in (policy.init, policy.groups, lambda spec: policy.bounds(spec, None)):
        with pytest.raises(
            ValueError, match=f"`bounds` must have 3 entries.*{policy.name}.*got 2"
        ):
            use(SPEC)
