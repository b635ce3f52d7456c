"""Selectively encrypted sums and means, executed in process and listened to."""

import collections
import dataclasses
import functools
import pathlib
import shutil

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_federated as tff

import federated  # noqa: F401
from federated import aggregators, tff_models
from federated.runtime import tap
from selenc_tf.lattice import (
    codec,
    identity_cipher,
    parameters,
    scales,
    shell_cipher,
)
from selenc_tf.masks import agreement, policy
from selenc_tf.significance import magnitude, random
from tests.federated import rounds

SUMMANDS = 6
BOUND = 8.0
CODEC = codec.FixedPointCodec(bits=24)
SHELL = shell_cipher.build_shell_cipher(
    parameters.choose_parameters(SUMMANDS, CODEC.bits)
)
# Few slots: 17 codes and the count of saturated ones take six blocks of three.
IDENTITY = identity_cipher.build_identity_cipher_INSECURE(4, 2**40 + 1, SUMMANDS)

# 12 and 5 entries: n = 17.
VALUE_TYPE = tff.to_type(
    collections.OrderedDict(
        a=tff.TensorType(np.float32, [3, 4]), b=tff.TensorType(np.float32, [5])
    )
)
N = 17
TO_SERVER = tap.Direction.CLIENTS_TO_SERVER


# Cached, so that equal terms are the same object and one process serves all tests.
@functools.cache
def public(ratio):
    return agreement.public_seed(random.random, policy.top_fraction(ratio), (1, 2))


@functools.cache
def history(ratio):
    return agreement.previous_aggregate(
        magnitude.magnitude, policy.top_fraction(ratio), (1, 2)
    )


@pytest.fixture(scope="module")
def parts(key_for):
    def build(source, cipher=SHELL, fixed_point=CODEC, bound=BOUND, **more):
        return aggregators.SelectiveEncryption(
            source,
            fixed_point,
            scales.public_bound(bound),
            cipher,
            key_for(cipher),
            **more,
        )

    return build


@pytest.fixture(scope="module")
def summing(parts):
    """Sums, each traced once."""

    @functools.cache
    def trace(source, cipher, value_type, min_clients):
        encryption = parts(source, cipher, min_clients=min_clients)
        return aggregators.selective_encryption_sum(encryption).create(value_type)

    def build(source, cipher=SHELL, value_type=VALUE_TYPE, min_clients=2):
        return trace(source, cipher, value_type, min_clients)

    return build


@pytest.fixture(scope="module")
def clipped_mean(parts):
    """A weighted mean of values that are clipped to a norm of 1 first."""
    factory = aggregators.selective_encryption(parts(public(0.5), IDENTITY))
    return tff.aggregators.clipping_factory(1.0, factory).create(
        VALUE_TYPE, tff.TensorType(np.float32)
    )


def values(clients, scale=1.0):
    rng = np.random.default_rng(7)
    return [
        collections.OrderedDict(
            a=rng.normal(scale=scale, size=[3, 4]).astype(np.float32),
            b=rng.normal(scale=scale, size=[5]).astype(np.float32),
        )
        for _ in range(clients)
    ]


def flat(value):
    return np.concatenate([np.ravel(part) for part in tf.nest.flatten(value)])


def sum_of(cohort):
    """In float32, in the clients' order."""
    total = np.zeros([N], np.float32)
    for value in cohort:
        total = total + flat(value)
    return total


def seen(crossings, field, direction=TO_SERVER):
    return [
        crossing.value[field]
        for crossing in crossings
        if crossing.direction is direction
        and isinstance(crossing.value, dict | collections.abc.Mapping)
        and field in crossing.value
    ]


def mask_of(crossings):
    """The mask that every client of a round was sent."""
    packed = seen(crossings, "packed_mask", tap.Direction.SERVER_TO_CLIENTS)
    assert len({mask.tobytes() for mask in packed}) == 1
    return np.unpackbits(packed[0], bitorder="little")[:N]


# --- Types -------------------------------------------------------------------------


@pytest.mark.slow
def test_type_of_the_sum(summing):
    process = summing(public(0.5))
    assert process.initialize.type_signature.compact_representation() == (
        "( -> <agreement=<policy=<>>,scales=<>,run=int64,round=int64>@SERVER)"
    )
    assert process.next.type_signature.compact_representation() == (
        "(<state=<agreement=<policy=<>>,scales=<>,run=int64,round=int64>@SERVER,"
        "value={<a=float32[3,4],b=float32[5]>}@CLIENTS> -> "
        "<state=<agreement=<policy=<>>,scales=<>,run=int64,round=int64>@SERVER,"
        "result=<a=float32[3,4],b=float32[5]>@SERVER,"
        "measurements=<hidden=int64,saturated=int64,clients=int32,idle=int32,"
        "refused=int32,refusals=int32[20]>@SERVER>)"
    )
    assert process.is_weighted is False


@pytest.mark.slow
def test_type_of_the_state_with_history(summing):
    process = summing(history(0.3), IDENTITY)
    assert process.initialize.type_signature.compact_representation() == (
        "( -> <agreement=<has_history=bool,previous=float32[17],policy=<>>,scales=<>,"
        "run=int64,round=int64>@SERVER)"
    )


@pytest.mark.slow
def test_type_of_the_weighted_mean(clipped_mean):
    assert clipped_mean.is_weighted
    result = clipped_mean.next.type_signature.result.result
    assert result.member.is_equivalent_to(VALUE_TYPE)


@pytest.mark.parametrize(
    ("value_type", "words"),
    [
        (tff.to_type([np.float32, np.int32]), "int32"),
        (tff.to_type([np.float32, np.float64]), "float64"),
        (tff.TensorType(np.float32, [None]), r"float32\[\?\]"),
        (tff.to_type([(np.str_, [2])]), "str"),
    ],
)
def test_types_that_cannot_be_summed(summing, value_type, words):
    with pytest.raises(TypeError, match=f"float32 tensors of static shape.*{words}"):
        summing(public(0.5), value_type=value_type)


# --- Results -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cipher", "ratio"),
    [
        (SHELL, 0.5),
        pytest.param(IDENTITY, 0.0, marks=pytest.mark.long),
        pytest.param(IDENTITY, 1.0, marks=pytest.mark.long),
        pytest.param(SHELL, 0.0, marks=pytest.mark.slow),
        pytest.param(SHELL, 1.0, marks=pytest.mark.slow),
        pytest.param(IDENTITY, 0.3, marks=pytest.mark.slow),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_sum(summing, federation, cipher, ratio):
    cohort = values(3)
    process = summing(public(ratio), cipher)
    output = process.next(process.initialize(), cohort)
    hidden = policy.hidden_count(ratio, N)
    assert output.measurements["hidden"] == hidden
    assert output.measurements["clients"] == 3
    assert output.measurements["saturated"] == 0
    assert output.result["a"].shape == (3, 4)
    exact = np.sum([flat(value).astype(np.float64) for value in cohort], axis=0)
    error = np.abs(flat(output.result) - exact)
    assert np.all(error <= CODEC.max_abs_error(BOUND, 3) + 1e-6)
    # Exactly the visible entries are those of a plain float32 sum.
    same = flat(output.result) == sum_of(cohort)
    mask = mask_of(federation.crossings)
    assert mask.sum() == hidden and np.all(same[mask == 0])
    for plain in seen(federation.crossings, "plain"):
        assert plain.shape == (N - hidden,)


@pytest.mark.slow
def test_the_cipher_changes_no_bit(summing, federation):
    cohort = values(5)
    results = []
    for cipher in (SHELL, IDENTITY):
        process = summing(public(0.4), cipher)
        results.append(flat(process.next(process.initialize(), cohort).result))
    assert results[0].tobytes() == results[1].tobytes()


@pytest.mark.slow
def test_ratio_zero_is_the_plain_sum_bit_for_bit(summing, federation):
    cohort = values(4)
    cohort[0]["b"][:] = -0.0
    for value in cohort:
        value["a"][0, 0] = -0.0
    plain = tff.aggregators.SumFactory().create(VALUE_TYPE)
    ours = summing(public(0.0), IDENTITY)
    expected = plain.next(plain.initialize(), cohort).result
    found = ours.next(ours.initialize(), cohort).result
    assert flat(found).tobytes() == flat(expected).tobytes()


@pytest.mark.slow
def test_saturated_entries_are_counted(summing, federation):
    cohort = values(2)
    cohort[0]["a"][0, :2] = [9.0, -100.0]
    cohort[1]["b"][0] = 8.5
    # Without a history everything is hidden.
    process = summing(history(0.3), IDENTITY)
    output = process.next(process.initialize(), cohort)
    assert output.measurements["hidden"] == N
    assert output.measurements["saturated"] == 3
    np.testing.assert_allclose(
        output.result["a"][0, :2],
        cohort[1]["a"][0, :2] + [8, -8],
        atol=CODEC.max_abs_error(BOUND, 2),
    )


@pytest.mark.slow
def test_saturated_entries_are_counted_whatever_the_bits(parts, federation):
    """4 bits carry numbers up to 7, and three clients have 400 entries each."""
    encryption = parts(public(1.0), IDENTITY, dataclasses.replace(CODEC, bits=4))
    value_type = tff.TensorType(np.float32, [400])
    process = aggregators.selective_encryption_sum(encryption).create(value_type)
    cohort = [np.full([400], 100.0 * sign, np.float32) for sign in (1, -1, 1)]
    output = process.next(process.initialize(), cohort)
    assert output.measurements["saturated"] == 1200
    np.testing.assert_allclose(output.result, np.full([400], BOUND), rtol=1e-6)


def test_mean_with_weights(clipped_mean, federation):
    cohort, weights = values(3, scale=0.1), [1.0, 0.0, 3.0]
    assert all(np.linalg.norm(flat(value)) < 1.0 for value in cohort)
    result = clipped_mean.next(clipped_mean.initialize(), cohort, weights).result
    exact = (flat(cohort[0]) + 3.0 * flat(cohort[2]).astype(np.float64)) / 4.0
    assert (
        np.max(np.abs(flat(result) - exact)) <= CODEC.max_abs_error(BOUND, 3) / 4 + 1e-6
    )


def test_weights_are_among_what_is_encrypted(clipped_mean, federation):
    cohort, weights = values(3, scale=0.1), [600.0, 17.25, 2.0**-16]
    state = clipped_mean.initialize()
    federation.crossings.clear()
    result = clipped_mean.next(state, cohort, weights).result
    scaled = [w * flat(one) for w, one in zip(weights, cohort, strict=True)]
    # The bound is that of weight times value, which saturates here.
    clipped = [np.clip(one, -BOUND, BOUND) for one in scaled]
    hidden = mask_of(federation.crossings).astype(bool)
    expected = np.where(hidden, sum(clipped), sum(scaled)) / sum(weights)
    np.testing.assert_allclose(flat(result), expected, rtol=1e-5, atol=1e-5)
    assert seen(federation.crossings, "weight") == [1.0] * 3
    sent = [one.value for one in federation.crossings if one.direction is TO_SERVER]
    for leaf in tf.nest.flatten(sent):
        if np.asarray(leaf).dtype != object:
            assert not np.any(np.isin(leaf, weights))


@pytest.mark.parametrize("bad", [2.0**-17, 1e19])
def test_weights_out_of_range_are_refused(clipped_mean, federation, bad):
    message = refusal(clipped_mean, values(2), [1.0, bad])
    assert "weight must lie between 2^-16 and 2^63" in message


@pytest.mark.slow
@pytest.mark.parametrize("hide", [True, False])
def test_what_is_told_of_a_weight_for_bounds_per_weight(parts, federation, hide):
    encryption = parts(public(0.5), IDENTITY, bound_per_weight=True, hide_weights=hide)
    process = aggregators.selective_encryption(encryption).create(
        VALUE_TYPE, tff.TensorType(np.float32)
    )
    cohort, weights = values(3), [600.0, 16.0, 5.5]
    output = process.next(process.initialize(), cohort, weights)
    told = [1024.0, 16.0, 8.0] if hide else weights
    assert seen(federation.crossings, "weight_limit") == told
    assert seen(federation.crossings, "weight") == ([1.0] * 3 if hide else weights)
    (bounds, *_) = seen(federation.crossings, "bounds", tap.Direction.SERVER_TO_CLIENTS)
    assert bounds.tolist() == [BOUND * max(told)]
    exact = np.average([flat(one) for one in cohort], axis=0, weights=weights)
    error = CODEC.max_abs_error(BOUND * max(told), 3) / sum(weights)
    assert np.max(np.abs(flat(output.result) - exact)) <= error + 1e-5


@pytest.mark.slow
def test_mean_without_weights(parts, federation):
    cohort = values(3)
    factory = aggregators.selective_encryption_unweighted(parts(public(0.5)))
    process = factory.create(VALUE_TYPE)
    result = process.next(process.initialize(), cohort).result
    exact = np.mean([flat(value).astype(np.float64) for value in cohort], axis=0)
    assert (
        np.max(np.abs(flat(result) - exact)) <= CODEC.max_abs_error(BOUND, 3) / 3 + 1e-6
    )


def test_inside_clipping(clipped_mean, federation):
    cohort = values(2, scale=5.0)
    output = clipped_mean.next(clipped_mean.initialize(), cohort, [1.0, 1.0])
    clipped = [flat(value) / np.linalg.norm(flat(value)) for value in cohort]
    np.testing.assert_allclose(flat(output.result), np.mean(clipped, axis=0), atol=3e-6)
    for plain in seen(federation.crossings, "plain"):
        assert np.linalg.norm(plain) <= 1.0


def test_first_round_is_hidden_completely_then_the_largest(summing, federation):
    process = summing(history(0.3), IDENTITY)
    state, last = process.initialize(), None
    for number in range(3):
        federation.crossings.clear()
        output = process.next(state, values(3, scale=number + 1.0))
        plain = seen(federation.crossings, "plain")
        assert len(plain) == 3
        hidden = N if number == 0 else 5  # 0.3 * 17 = 5.1
        assert all(visible.shape == (N - hidden,) for visible in plain)
        assert output.measurements["hidden"] == hidden
        if last is not None:
            mask = mask_of(federation.crossings)
            expected = sorted(range(N), key=lambda i: -abs(last[i]))[:5]
            assert set(np.flatnonzero(mask)) == set(expected)
        last, state = flat(output.result), output.state


# --- What crosses ------------------------------------------------------------------


def test_no_scores_and_no_second_copy_reach_the_server(summing, federation):
    process = summing(history(0.3), IDENTITY)
    state = process.initialize()
    for _ in range(2):
        federation.crossings.clear()
        state = process.next(state, values(3)).state
    visible = N - 5
    sent = [c for c in federation.crossings if c.direction is TO_SERVER]
    assert len(sent) == 3 * 3
    arrays = [np.asarray(leaf) for c in sent for leaf in tf.nest.flatten(c.value)]
    sizes = [array.size for array in arrays if array.dtype.kind == "f"]
    # Of each client its visible entries, and its weight.
    assert sorted(sizes) == [1] * 3 + [visible] * 3
    assert {c.intrinsic for c in sent} == {"federated_aggregate", "federated_select"}


def test_clients_share_one_decryption(summing, federation):
    # Without a history everything is hidden.
    process = summing(history(0.3), IDENTITY)
    process.next(process.initialize(), values(3))
    uploads = seen(federation.crossings, "ciphertext")
    assert all(len(upload) == 1 + 6 for upload in uploads)
    shares = [
        len(crossing.value[0])
        for crossing in federation.crossings
        if crossing.direction is not TO_SERVER
        and crossing.intrinsic == "federated_select"
    ]
    # Six blocks (the last code counts saturated entries): two and a header for each.
    assert shares == [3, 3, 3]


def test_equal_clients_do_not_look_equal(summing, federation):
    value = values(1)[0]
    process = summing(public(0.5))
    for _ in range(2):
        process.next(process.initialize(), [value, value])
    uploads = seen(federation.crossings, "ciphertext")
    blocks = [block for upload in uploads for block in upload[1:]]
    assert len(blocks) == 4 and len(set(blocks)) == 4
    plain = seen(federation.crossings, "plain")
    assert plain[0].tobytes() == plain[1].tobytes()


# --- Refusals ----------------------------------------------------------------------


def refusal(process, *cohort):
    with pytest.raises(tf.errors.InvalidArgumentError) as error:
        process.next(process.initialize(), *cohort)
    return str(error.value)


@pytest.mark.parametrize(
    ("min_clients", "clients"), [(2, 1), pytest.param(4, 3, marks=pytest.mark.slow)]
)
def test_too_small_a_cohort(summing, federation, min_clients, clients):
    process = summing(public(0.5), min_clients=min_clients)
    message = refusal(process, values(clients))
    assert "min_clients" in message and "refuses to decrypt" in message
    # The clients refuse before anything is opened.
    assert seen(federation.crossings, "codes") == []


@pytest.mark.slow
def test_empty_cohort(summing, federation):
    assert "cohort is empty" in refusal(summing(public(0.5)), [])


@pytest.mark.slow
def test_too_large_a_cohort(summing, federation):
    assert "max_summands" in refusal(summing(public(0.5)), values(SUMMANDS + 1))


@pytest.mark.parametrize("bad", [np.nan, pytest.param(np.inf, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("cipher", "source"),
    [
        pytest.param(IDENTITY, public(0.0), marks=pytest.mark.slow),
        (SHELL, public(0.5)),
        pytest.param(IDENTITY, history(0.3), marks=pytest.mark.slow),
    ],
    ids=["none hidden", "half hidden", "all hidden"],
)
def test_update_that_is_not_finite(summing, federation, bad, cipher, source):
    """As in TFF it counts for nothing, and least of all as one of `min_clients`."""
    process, cohort = summing(source, cipher), values(3)
    cohort[1]["b"][2] = bad
    cohort[1]["b"][3] = 3.140625
    output = process.next(process.initialize(), cohort)
    kept = [cohort[0], cohort[2]]
    np.testing.assert_allclose(flat(output.result), sum_of(kept), atol=1e-5)
    assert output.measurements["clients"] == 2 and output.measurements["idle"] == 1
    message = refusal(process, cohort[:2])
    assert "min_clients" in message and "3.14" not in message


@pytest.mark.parametrize("idle", [0.0, np.nan, -1.0])
def test_clients_of_no_weight_hide_nobody(clipped_mean, federation, idle):
    """Nine of them beside a real one: the mean would be that one's value."""
    message = refusal(clipped_mean, values(10), [idle] * 4 + [1.0] + [idle] * 5)
    assert "refuses to decrypt" in message and "1" in message
    assert seen(federation.crossings, "codes") == []
    assert [len(one) > 0 for one in seen(federation.crossings, "ciphertext")] == [
        at == 4 for at in range(10)
    ]


def test_weights_that_add_up_to_more_than_a_float(clipped_mean, federation):
    message = refusal(clipped_mean, values(2), [3e38, 3e38])
    assert "weight must lie between 2^-16 and 2^63" in message


def test_zeros_are_nobodys_shelter_in_a_sum(summing, federation):
    """A client without examples, where there are no weights to tell it."""
    process, cohort = summing(public(0.5)), values(3)
    for value in (cohort[0], cohort[2]):
        value["a"][:], value["b"][:] = 0.0, -0.0
    assert "refuses to decrypt" in refusal(process, cohort)
    cohort[0]["b"][0] = 1.0
    output = process.next(process.initialize(), cohort)
    np.testing.assert_allclose(flat(output.result), sum_of(cohort), atol=1e-5)
    assert output.measurements["idle"] == 1


def test_every_training_has_a_number_of_its_own(summing, federation):
    process = summing(public(0.5))
    runs = {int(process.initialize().run) for _ in range(3)}
    assert len(runs) == 3
    state = process.initialize()
    after = process.next(state, values(2)).state
    assert after.run == state.run and after.round == state.round + 1


def test_missing_key_and_key_of_another_cipher(summing, federation, key_for):
    process = summing(public(0.5))
    other = shell_cipher.build_shell_cipher(parameters.choose_parameters(2, 11))
    path = pathlib.Path(key_for(SHELL).path)
    aside = path.rename(path.with_suffix(".aside"))
    try:
        with pytest.raises(tf.errors.NotFoundError, match=path.name):
            process.next(process.initialize(), values(2))
        shutil.copy(key_for(other).path, path)
        # Its id is another too, and the graph may find that first.
        assert "The key file has other" in refusal(process, values(2))
    finally:
        aside.replace(path)


@pytest.mark.parametrize("few", [1, 0, -3])
def test_min_clients_below_two(parts, few):
    with pytest.raises(ValueError, match="`min_clients` must be at least 2"):
        parts(public(0.5), min_clients=few)


def test_codec_too_wide_for_the_cipher(parts):
    wide = codec.FixedPointCodec(bits=32)
    narrow = shell_cipher.build_shell_cipher(parameters.choose_parameters(2**10, 16))
    with pytest.raises(ValueError, match="Quantise to 16 bits fewer"):
        parts(public(0.5), narrow, wide)


def test_fewer_summands_than_clients(parts):
    with pytest.raises(ValueError, match="fewer than `min_clients` = 7"):
        parts(public(0.5), min_clients=7)


# --- Training ----------------------------------------------------------------------


def averaging_with(build, model, aggregator=None):
    return build(
        tff_models.tff_model(model.task),
        tff.learning.optimizers.build_sgdm(0.3),
        model_aggregator=aggregator,
    )


def train(process, num_rounds=3, sizes=(8, 4, 10)):
    data = [
        tf.data.Dataset.from_tensor_slices(tuple(batch)).batch(4)
        for batch in rounds.batches(*sizes)
    ]
    state = process.initialize()
    for _ in range(num_rounds):
        state = process.next(state, data).state
    trained = process.get_model_weights(state).trainable
    return [np.asarray(tensor) for tensor in trained.values()]


def as_bytes(weights):
    return [tensor.tobytes() for tensor in weights]


@pytest.mark.slow
def test_ratio_zero_trains_as_plain_averaging_bit_for_bit(model, averaging, federation):
    build = tff.learning.algorithms.build_weighted_fed_avg
    # One of the clients has no examples.
    sizes = (8, 0, 4, 10)
    plain = train(averaging_with(build, model), sizes=sizes)
    ours = train(averaging, sizes=sizes)
    assert as_bytes(ours) == as_bytes(plain)
    assert [tensor.shape for tensor in plain] == [(5, 6), (6,), (6, 3), (3,)]
    sent = seen(federation.crossings, "contributes")
    assert sent[-4:] == [True, False, True, True]


@pytest.mark.slow
def test_unweighted_ratio_zero_bit_for_bit(model, parts, federation):
    build = tff.learning.algorithms.build_unweighted_fed_avg
    ours = aggregators.selective_encryption_unweighted(parts(public(0.0)))
    plain = train(averaging_with(build, model))
    assert as_bytes(train(averaging_with(build, model, ours))) == as_bytes(plain)


@pytest.mark.slow
def test_encrypted_training(model, parts, federation):
    """Fixed point costs no more than its declared error; the cipher costs nothing."""
    build = tff.learning.algorithms.build_weighted_fed_avg
    wide = codec.FixedPointCodec(bits=28)
    shell = shell_cipher.build_shell_cipher(
        parameters.choose_parameters(SUMMANDS, wide.bits)
    )
    plain = train(averaging_with(build, model), 2)
    encrypted = [
        train(
            averaging_with(
                build,
                model,
                aggregators.selective_encryption(
                    parts(history(0.25), cipher, fixed_point=wide, bound=100.0)
                ),
            ),
            2,
        )
        for cipher in (shell, IDENTITY)
    ]
    assert as_bytes(encrypted[0]) == as_bytes(encrypted[1])
    assert as_bytes(encrypted[0]) != as_bytes(plain)
    for one, two in zip(encrypted[0], plain, strict=True):
        np.testing.assert_allclose(one, two, atol=1e-5)
