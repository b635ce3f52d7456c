"""From vectors to messages and back, with all ciphers."""

import dataclasses
import functools
from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st

from selenc_tf.lattice import (
    block_tails,
    digits,
    identity_cipher,
    message,
)
from selenc_tf.lattice import engine as engine_lib
from selenc_tf.lattice.codec import FixedPointCodec
from selenc_tf.lattice.engine import Engine
from selenc_tf.lattice.header import Context
from selenc_tf.lattice.key_store import KeySet
from selenc_tf.lattice.refusal import Refusal
from tests.selenc_tf.lattice import ciphers

KEYS = KeySet("nowhere", "00112233445566aa")
SERIES = dataclasses.replace(KEYS, rotates=True)
PACKED_MASK = tf.constant([7, 8, 9], tf.uint8)
SEED = tf.constant([1, 2], tf.int64)
T = 1_099_511_627_791  # A prime just above 2^40.

# Four fields of ten bits in a slot: 60 codes in a block, 120 in a chunk.
IDENTITY = Engine(
    FixedPointCodec(8),
    identity_cipher.build_identity_cipher_INSECURE(16, T, max_summands=4),
    chunk_blocks=2,
)
# Two fields of 22 bits in a slot: 4094 codes in a block, 8188 in a chunk.
SHELL = Engine(
    FixedPointCodec(16),
    ciphers.shell(64, 16),
    chunk_blocks=2,
)
# A code in a slot: 20,476 in a block, whose last four slots are its check value.
DEVICE = Engine(
    FixedPointCodec(16),
    ciphers.device(4, 16),
    chunk_blocks=2,
)
# Likewise: 8188 in a block.
PAD = Engine(
    FixedPointCodec(16),
    ciphers.pad(4, 16),
    chunk_blocks=2,
)
ENGINES = {"identity": IDENTITY, "shell": SHELL, "device": DEVICE, "pad": PAD}
COMPILED = {"device": DEVICE, "pad": PAD}


@functools.cache
def traced(engine):
    """`seal` and `open_codes` of an engine in graphs for all lengths: much called."""
    text, number = tf.TensorSpec([], tf.string), tf.TensorSpec([], tf.int32)
    context = Context(*[tf.TensorSpec([], tf.int64)] * len(Context._fields))
    vector, scalar = tf.TensorSpec([None], tf.float32), tf.TensorSpec([], tf.float32)
    run = functools.partial(tf.function, autograph=False)
    seed, blocks = tf.TensorSpec([2], tf.int64), tf.TensorSpec([None], tf.string)
    return (
        run(
            lambda *of: engine_lib.seal(engine, *of),
            input_signature=[text, vector, scalar, context, seed],
        ),
        run(
            lambda *of: engine_lib.open_codes(engine, *of),
            input_signature=[text, blocks, context, number, number, number],
        ),
        run(
            lambda *of: engine_lib.open_codes(engine, *of, upload=True),
            input_signature=[text, blocks, context, number, number, number],
        ),
    )


class Party(NamedTuple):
    """An engine with a key, for one round.

    Attributes:
      engine: The engine.
      key: string.
      eager: Without graphs, which an engine that is little used is not worth.
    """

    engine: Engine
    key: tf.Tensor
    eager: bool = False

    def __repr__(self):
        return self.engine.cipher.name

    def context(self, m, round_number=3, keys=SERIES, mask=PACKED_MASK):
        return self.engine.context(keys, mask, tf.constant(round_number), m)

    def seal(self, values, bound=1.0, context=None, seed=SEED):
        values = tf.constant(values, tf.float32)
        if context is None:
            context = self.context(tf.size(values))
        bound = tf.constant(bound, tf.float32)
        if self.eager or bound.shape.rank:
            return engine_lib.seal(self.engine, self.key, values, bound, context, seed)
        return traced(self.engine)[0](self.key, values, bound, context, seed)

    def add(self, messages, context, summands=None):
        blocks = self.engine.cipher.add(
            tf.stack([message.blocks_of(one) for one in messages])
        )
        count = len(messages) if summands is None else summands
        return message.assemble(context, tf.constant(count), tf.constant(0), blocks)

    def open(self, sealed, context, summands=1):
        blocks = self.engine.num_blocks(context.values)
        upload = self.is_upload(sealed, summands)
        if self.eager:
            return engine_lib.open_codes(
                self.engine, self.key, sealed, context, summands, 0, blocks, upload
            )
        numbers = (tf.cast(number, tf.int32) for number in (summands, 0, blocks))
        opener = traced(self.engine)[2 if upload else 1]
        return opener(self.key, sealed, context, *numbers)

    def is_upload(self, sealed, summands):
        """Whether one message is there as it was sent, not as a sum of one."""
        sealed = tf.convert_to_tensor(sealed)
        if tf.is_symbolic_tensor(sealed):
            return summands == 1
        lengths = {len(text) for text in sealed.numpy()[1:]}
        cipher = self.engine.cipher
        summed = cipher.sum_bytes != cipher.upload_bytes and cipher.sum_bytes in lengths
        return summands == 1 and not summed

    def with_(self, **changes):
        changed = dataclasses.replace(self.engine, **changes)
        return self._replace(engine=changed, eager=True)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, marks=[pytest.mark.slow] if name in COMPILED else [])
        for name in ENGINES
    ],
)
def party(request):
    engine = ENGINES[request.param]
    return Party(engine, engine.cipher.keygen())


@pytest.fixture(scope="module")
def shell():
    return Party(SHELL, SHELL.cipher.keygen())


@pytest.fixture(scope="module")
def identity():
    return Party(IDENTITY, IDENTITY.cipher.keygen())


def sizes(engine):
    """Lengths around the ends of blocks and chunks, the hidden count included."""
    block = engine.codes_per_block
    chunk = block * engine.chunk_blocks
    ends = (block, chunk, chunk + block)
    return [1, 2, *(end + step for end in ends for step in (-2, -1, 0, 1))]


EDGES = (0, 3, 4, 5, 7, 8)
"""Of these lengths: one entry, the end of the first block and of the first chunk."""


def uniform(m, seed=0, bound=1.0):
    values = np.random.default_rng(seed).uniform(-bound, bound, m)
    return values.astype(np.float32)


def codes_of(engine, values, bound=1.0):
    return engine.codec.encode(tf.constant(values, tf.float32), bound).numpy()


def test_sizes_are_as_computed_by_hand():
    assert IDENTITY.packing.field_bits == 10 and IDENTITY.packing.values_per_slot == 4
    assert SHELL.packing.field_bits == 22 and SHELL.packing.values_per_slot == 2
    assert IDENTITY.codes_per_block == 60 and SHELL.codes_per_block == 8190
    assert DEVICE.packing.values_per_slot == 1 and DEVICE.check_slots == 4
    assert DEVICE.codes_per_block == 5 * 4096 - 4
    assert PAD.codes_per_block == 8192 - 4
    assert [IDENTITY.num_blocks(n) for n in (0, 1, 60, 61, 120)] == [0, 1, 1, 2, 2]
    # With 8 bits, one code counts up to 127.
    counted = {0: 0, 1: 1, 9: 1, 127: 1, 128: 2, 128**2: 3}
    for m, codes in counted.items():
        assert IDENTITY.num_codes(tf.constant(m)).numpy() == m + codes
        assert IDENTITY.count_codes(m) == codes


@pytest.mark.parametrize(
    "index",
    [
        pytest.param(index, marks=[] if index in EDGES else [pytest.mark.slow])
        for index in range(14)
    ],
)
def test_round_trip_around_blocks_and_chunks(party, index):
    m = sizes(party.engine)[index]
    values = [uniform(m, seed) for seed in range(3)]
    context = party.context(m)
    sealed = [party.seal(row) for row in values]
    for one, row in zip(sealed, values, strict=True):
        codes = m + party.engine.count_codes(m)
        assert one.shape == (1 + -(-codes // party.engine.codes_per_block),)
        opened = party.open(one, context)
        assert opened.dtype == tf.int64
        np.testing.assert_array_equal(opened[:m], codes_of(party.engine, row))
        assert opened.shape == (codes,) and not np.any(opened[m:])
    total = party.open(party.add(sealed, context), context, 3)
    np.testing.assert_array_equal(
        total[:m], sum(codes_of(party.engine, row) for row in values)
    )
    decoded = party.engine.codec.decode(total[:m], 1.0)
    error = np.abs(decoded - np.sum(values, axis=0, dtype=np.float64))
    assert np.max(error) <= party.engine.codec.max_abs_error(1.0, 3)


def test_a_bound_for_each_entry(party):
    m = 2 * party.engine.codes_per_block * party.engine.chunk_blocks + 7
    bounds = np.linspace(0.1, 3.0, m).astype(np.float32)
    values = uniform(m) * bounds
    opened = party.open(party.seal(values, bounds), party.context(m))
    np.testing.assert_array_equal(opened[:m], codes_of(party.engine, values, bounds))
    decoded = party.engine.codec.decode(opened[:m], bounds)
    step = bounds / party.engine.codec.max_abs_code
    assert np.all(np.abs(decoded - values) <= 0.52 * step)


def test_stochastic_rounding(party):
    coarse = dataclasses.replace(party.engine.codec, rounding="stochastic")
    party = party.with_(codec=coarse)
    m = party.engine.codes_per_block * party.engine.chunk_blocks + 11
    context = party.context(m)
    values = np.full([m], 0.37, np.float32)
    first = party.open(party.seal(values), context).numpy()[:m]
    again = party.open(party.seal(values), context).numpy()[:m]
    other = party.open(party.seal(values, seed=SEED + 1), context).numpy()[:m]
    exact = 0.37 * coarse.max_abs_code
    assert set(first) == {int(np.floor(exact)), int(np.floor(exact)) + 1}
    np.testing.assert_array_equal(first, again)
    assert np.any(first != other)
    # Chunks do not repeat each other's chances.
    chunk = party.engine.codes_per_block * party.engine.chunk_blocks
    assert np.any(first[:11] != first[chunk:])
    assert abs(np.mean(first) - exact) <= 4 * 0.5 / np.sqrt(m)


def test_the_last_codes_count_saturated_values(party):
    for m in [sizes(party.engine)[index] for index in EDGES]:
        values = uniform(m)
        values[:: max(m // 5, 1)] = 2.0
        count = int(np.sum(values > 1))
        opened = party.open(party.seal(values), party.context(m))
        assert party.engine.count_saturated(opened, m) == count > 0
    context = party.context(m)
    total = party.add([party.seal(values), party.seal(-values)], context)
    opened = party.open(total, context, 2)
    assert party.engine.count_saturated(opened, m) == 2 * count


@settings(max_examples=4, deadline=None)
@given(
    st.integers(2, 32),
    st.integers(1, 400),
    st.lists(st.floats(0, 1), min_size=1, max_size=3),
)
@example(4, 1200, [1.0])
@example(2, 400, [1.0, 0.5, 0.0])
@pytest.mark.slow
def test_saturated_values_are_counted_exactly_with_any_bits(bits, m, shares):
    """Whatever the bits, over chunks' ends, and over sums."""
    engine = Engine(
        FixedPointCodec(bits),
        identity_cipher.build_identity_cipher_INSECURE(16, T, max_summands=4),
        chunk_blocks=2,
    )
    party = Party(engine, engine.cipher.keygen(), eager=True)
    counts = [round(share * m) for share in shares]
    context = party.context(m)
    sealed = [party.seal(np.where(np.arange(m) < count, -3.0, 0.5)) for count in counts]
    opened = party.open(party.add(sealed, context), context, len(sealed))
    assert engine.count_saturated(opened, m) == sum(counts)


@settings(max_examples=4, deadline=None)
@given(
    st.integers(2, 32),
    st.integers(0, 70),
    st.lists(st.integers(1, 2**40), min_size=1, max_size=4),
)
@example(8, 0, [600, 17, 2**40, 1])
@pytest.mark.slow
def test_a_number_beside_the_vector_is_added_exactly(bits, m, numbers):
    engine = Engine(
        FixedPointCodec(bits),
        identity_cipher.build_identity_cipher_INSECURE(16, T, max_summands=4),
        chunk_blocks=2,
    ).with_number()
    party = Party(engine, engine.cipher.keygen(), eager=True)
    context = party.context(m)
    values = tf.fill([m], 3.0)
    sealed = [
        engine_lib.seal(
            engine,
            party.key,
            values,
            tf.constant(1.0),
            context,
            SEED,
            engine.number_codes(tf.constant(float(number), tf.float64)),
        )
        for number in numbers
    ]
    opened = party.open(party.add(sealed, context), context, len(sealed))
    assert opened.shape == (m + engine.count_codes(m),)
    assert engine.number_of(opened, m) == sum(numbers)
    assert engine.count_saturated(opened, m) == m * len(numbers)
    np.testing.assert_array_equal(
        opened[:m], m * [len(numbers) * engine.codec.max_abs_code]
    )


@pytest.mark.parametrize("bits", range(2, 33))
def test_any_count_is_as_many_digits_as_it_needs(bits):
    largest = FixedPointCodec(bits).max_abs_code
    for count in (0, 1, largest, largest + 1, 1200, 2**31 - 1):
        if count >= 2**31:
            continue
        needed = digits.num_digits(count, largest)
        found = digits.to_digits(tf.constant(count, tf.int64), largest)
        assert needed == int(digits.num_digits_of(tf.constant(count), largest))
        assert np.all(found >= 0) and np.all(found <= largest)
        assert not np.any(found[needed:])
        assert needed == 0 or found[needed - 1] > 0
        assert digits.from_digits(3 * found[:needed], largest) == 3 * count


@pytest.mark.parametrize(("k", "m"), [(1, 1), (2, 59), (3, 60), (4, 200)])
def test_sums_of_codes_are_codes_of_sums(identity, k, m):
    check_homomorphism(identity, k, m, seed=k)


@pytest.mark.parametrize(("k", "m"), [(2, 5_000), (9, 1)])
def test_sums_of_codes_are_codes_of_sums_under_encryption(shell, k, m):
    check_homomorphism(shell, k, m, seed=k)


@pytest.mark.long
@settings(max_examples=100, deadline=None)
@given(st.integers(1, 4), st.integers(1, 200), st.integers(0, 2**32))
def test_any_sums_of_codes(identity, k, m, seed):
    check_homomorphism(identity, k, m, seed)


@pytest.mark.long
@settings(max_examples=25, deadline=None)
@given(st.integers(1, 64), st.integers(1, 5_000), st.integers(0, 2**32))
def test_any_sums_of_codes_under_encryption(shell, k, m, seed):
    check_homomorphism(shell, k, m, seed)


def check_homomorphism(party, k, m, seed):
    rows = uniform((k, m), seed, bound=1.1)
    context = party.context(m)
    total = party.add([party.seal(row) for row in rows], context)
    opened = party.open(total, context, k)
    np.testing.assert_array_equal(opened[:m], codes_of(party.engine, rows).sum(axis=0))
    assert party.engine.count_saturated(opened, m) == np.sum(np.abs(rows) > 1)


@pytest.mark.slow
@pytest.mark.parametrize("sign", [1, -1])
def test_16_bits_and_64_summands_at_full_range(sign, shell):
    cipher = identity_cipher.build_identity_cipher_INSECURE(
        2048, shell.engine.cipher.plaintext_modulus, 64
    )
    m = 8000
    values = np.full([m], 7.0 * sign, np.float32)
    values[::3] *= -1
    for party in (shell, shell.with_(cipher=cipher)):
        context = party.context(m)
        total = party.add([party.seal(values, 7.0) for _ in range(64)], context)
        opened = party.open(total, context, 64)
        np.testing.assert_array_equal(opened[:m], np.sign(values) * 64 * 32767)
        assert party.engine.count_saturated(opened, m) == 0


def test_as_many_copies_of_one_message_as_may_be_open(shell):
    # Their noise is 64 times that of one, 8 times that of 64 different messages.
    m = 8000
    context, values = shell.context(m), uniform(m)
    opened = shell.open(shell.add([shell.seal(values)] * 64, context), context, 64)
    np.testing.assert_array_equal(opened[:m], 64 * codes_of(shell.engine, values))


@pytest.mark.parametrize("per_entry", [False, True])
@pytest.mark.slow
def test_the_layout_does_not_depend_on_chunks(party, per_entry):
    m = 5 * party.engine.codes_per_block + 3
    values = uniform(m, bound=2.0)
    bound = np.linspace(0.5, 3.0, m).astype(np.float32) if per_entry else 1.5
    context = party.context(m)
    sealed, opened = [], []
    for chunk_blocks in (1, 4, 64):
        other = party.with_(chunk_blocks=chunk_blocks)
        sealed.append(other.seal(values, bound))
        opened.append(party.open(sealed[-1], context).numpy())
        opened.append(other.open(sealed[0], context).numpy())
    for codes in opened[1:]:
        np.testing.assert_array_equal(codes, opened[0])
    if party.engine.cipher.name == "identity_INSECURE":
        assert len({message.to_bytes(one) for one in sealed}) == 1


def test_weighted_mean(party):
    rng = np.random.default_rng(5)
    weights = np.array([20.0, 1.0, 7.5], np.float32)
    m = party.engine.codes_per_block + 5
    values = rng.uniform(-1, 1, [3, m]).astype(np.float32)
    context = party.context(m)
    bound = 20.0
    total = party.add(
        [party.seal(w * row, bound) for w, row in zip(weights, values, strict=True)],
        context,
    )
    opened = party.open(total, context, 3)
    mean = party.engine.codec.decode(opened[:m], bound) / np.sum(weights)
    exact = np.average(values.astype(np.float64), axis=0, weights=weights)
    # The products are rounded to float32 before they are sealed, the mean after.
    allowed = party.engine.codec.max_abs_error(bound, 3) + 4 * bound * 2.0**-24
    assert np.max(np.abs(mean - exact)) <= allowed / np.sum(weights)
    assert party.engine.count_saturated(opened, m) == 0


def test_nothing_hidden_is_a_header_alone(party):
    context = party.context(0)
    assert context.values == 0
    sealed = [party.seal([]), party.seal([])]
    assert sealed[0].shape == (1,) and len(message.to_bytes(sealed[0])) == 152
    assert party.open(sealed[0], context).shape == (0,)
    total = party.add(sealed, context)
    assert len(message.to_bytes(total)) == 152
    assert party.open(total, context, 2).shape == (0,)
    with pytest.raises(tf.errors.InvalidArgumentError, match="WRONG_SUMMANDS"):
        party.open(total, context, 3)


@pytest.mark.slow
def test_a_graph_for_any_length_does_the_same(party):
    party = party._replace(eager=True)

    @tf.function(
        input_signature=[
            tf.TensorSpec([], tf.string),
            tf.TensorSpec([None], tf.float32),
            tf.TensorSpec([None], tf.float32),
        ],
        autograph=False,
    )
    def seal(key, values, bounds):
        own = party._replace(key=key)
        context = own.context(tf.size(values))
        return engine_lib.seal(own.engine, key, values, bounds, context, SEED)

    @tf.function(
        input_signature=[
            tf.TensorSpec([], tf.string),
            tf.TensorSpec([None], tf.string),
            tf.TensorSpec([], tf.int64),
        ],
        autograph=False,
    )
    def opened(key, sealed, hidden):
        own = party._replace(key=key, eager=True)
        return own.open(sealed, own.context(hidden))

    for m in (0, 1, *sizes(party.engine)[3:7]):
        values, bounds = uniform(m), np.full([m], 0.9, np.float32)
        from_graph = seal(party.key, values, bounds)
        eagerly = party.seal(values, bounds)
        if party.engine.cipher.name == "identity_INSECURE":
            np.testing.assert_array_equal(from_graph, eagerly)
        np.testing.assert_array_equal(from_graph[:1].shape, eagerly[:1].shape)
        expected = party.open(eagerly, party.context(m))
        for one in (from_graph, eagerly):
            np.testing.assert_array_equal(opened(party.key, one, m), expected)
        found = party.open(from_graph, party.context(m))
        np.testing.assert_array_equal(found, expected)
    for function in (seal, opened):
        assert function.experimental_get_tracing_count() == 1


def test_no_two_messages_are_alike(shell):
    values = np.zeros([10], np.float32)
    first, second = shell.seal(values), shell.seal(values)
    assert first[1] != second[1]


# Forgeries whose header is what the receiver expects: only decryption finds them out.


def is_garbled(party, sealed, context, summands=1):
    verdict = engine_lib.judge(
        party.engine,
        sealed,
        context,
        summands,
        0,
        party.engine.num_blocks(context.values),
        party.is_upload(sealed, summands),
    )
    assert Refusal(int(verdict)) is Refusal.ACCEPTED
    with pytest.raises(tf.errors.InvalidArgumentError, match="GARBLED: ") as error:
        party.open(sealed, context, summands)
    # No number of what was decrypted, nor a block.
    assert len(str(error.value)) < 2000
    return True


def resealed(sealed, context, summands=1, order=None):
    blocks = message.blocks_of(sealed)
    if order is not None:
        blocks = tf.gather(blocks, order)
    return message.assemble(context, tf.constant(summands), tf.constant(0), blocks)


@pytest.mark.parametrize("field", Context._fields)
def test_a_message_of_something_else_with_a_forged_header(party, field):
    m = 100
    context = party.context(m)
    value = getattr(context, field)
    # Still as many blocks.
    other = context._replace(**{field: value + 1})
    sealed = party.seal(uniform(m), context=other)
    with pytest.raises(tf.errors.InvalidArgumentError, match="WRONG_"):
        party.open(sealed, context)
    assert is_garbled(party, resealed(sealed, context), context)


def test_another_key_with_a_forged_header(shell):
    other = shell._replace(key=SHELL.cipher.keygen())
    for m in (1, 5000):
        context = shell.context(m)
        assert is_garbled(shell, other.seal(uniform(m)), context)
        mixed = shell.add([shell.seal(uniform(m)), other.seal(uniform(m))], context)
        assert is_garbled(shell, mixed, context, 2)


def test_a_sum_of_more_or_fewer_with_a_forged_count(party):
    m = 150
    context = party.context(m)
    sealed = [party.seal(uniform(m, seed)) for seed in range(3)]
    a, b, c = sealed
    codes = party.open(party.add([a, b], context), context, 2)
    assert codes.shape == (m + party.engine.count_codes(m),)
    for summed, claimed in [
        ([a, b, c], 2),
        ([a, b], 3),
        ([a], 2),
        ([a, b], 1),
        # One of two taken twice.
        ([a, a, b], 2),
    ]:
        forged = party.add(summed, context, claimed)
        assert is_garbled(party, forged, context, claimed)


def test_a_sum_with_a_message_of_another_round(party):
    m = 150
    now, before = party.context(m), party.context(m, round_number=2)
    mixed = party.add(
        [party.seal(uniform(m)), party.seal(uniform(m), context=before)], now
    )
    assert is_garbled(party, mixed, now, 2)


def test_chunks_where_nobody_says_another_size():
    sizes = [
        dataclasses.replace(engine, chunk_blocks=None).blocks_at_a_time
        for engine in ENGINES.values()
    ]
    groups = [engine.cipher.group_blocks for engine in COMPILED.values()]
    assert sizes == [40, 40, *groups] and min(groups) > 1


@pytest.mark.slow
@pytest.mark.parametrize("engine", COMPILED.values(), ids=COMPILED)
def test_what_clients_send_is_no_sum_and_a_sum_is_not_what_they_send(engine):
    party = Party(engine, engine.cipher.keygen())
    context, blocks = party.context(10), engine.num_blocks(party.context(10).values)
    sent = party.seal(uniform(10))
    for sealed, upload in ((sent, True), (party.add([sent], context), False)):
        verdicts = [
            Refusal(int(engine_lib.judge(engine, sealed, context, 1, 0, blocks, as_)))
            for as_ in (upload, not upload)
        ]
        other = Refusal.TRUNCATED if upload else Refusal.CORRUPTED
        assert verdicts == [Refusal.ACCEPTED, other]


def test_blocks_in_another_order_with_a_forged_header(party):
    filled = 4 * party.engine.codes_per_block
    m = filled - party.engine.count_codes(filled)
    context = party.context(m)
    sealed = party.seal(uniform(m))
    for order in ([1, 0, 2, 3], [3, 2, 1, 0], [0, 0, 2, 3], [0, 1, 2, 2]):
        assert is_garbled(party, resealed(sealed, context, order=order), context)
    intact = resealed(sealed, context, order=[0, 1, 2, 3])
    np.testing.assert_array_equal(intact, sealed)


def test_a_block_of_another_message_of_the_round_in_its_place_is_not_noticed(party):
    """The limit of check values: they tell what a block is of, not whose it is."""
    block = party.engine.codes_per_block
    m = 2 * block - party.engine.count_codes(2 * block)
    context = party.context(m)
    values = uniform(m, 1), uniform(m, 2)
    first, second = (message.blocks_of(party.seal(row)) for row in values)
    mixed = message.assemble(
        context, tf.constant(1), tf.constant(0), [first[0], second[1]]
    )
    opened = party.open(mixed, context)
    codes = [codes_of(party.engine, row) for row in values]
    np.testing.assert_array_equal(opened[:block], codes[0][:block])
    np.testing.assert_array_equal(opened[block:m], codes[1][block:])


def test_damaged_ciphertext_with_a_forged_header(shell):
    m = 10_000
    context = shell.context(m)
    _, first, second = shell.seal(uniform(m)).numpy().tolist()
    tail = len(second) - block_tails.NUM_BYTES
    # Of 401 messages is no sum; of 5, what the last digit would say, it well could be.
    for at in (0, 1, 5000, tail // 2, tail - 1, tail, len(second) - 3):
        damaged = bytearray(second)
        damaged[at] ^= 0x04
        blocks = tf.constant([first, bytes(damaged)])
        forged = message.assemble(context, tf.constant(1), tf.constant(0), blocks)
        assert is_garbled(shell, forged, context)


def test_refused_before_anything_is_decrypted(identity):
    def must_not_run(key, blocks):
        raise AssertionError("decrypted a refused message")

    careful = identity.with_(
        cipher=identity.engine.cipher._replace(decrypt=must_not_run)
    )
    sealed = identity.seal(uniform(100))
    context = identity.context(100, round_number=4)
    with pytest.raises(tf.errors.InvalidArgumentError, match="WRONG_ROUND"):
        careful.open(sealed, context)


def test_context_is_what_every_party_knows(party):
    context = party.context(9, round_number=5)
    assert all(field.dtype == tf.int64 and field.shape == () for field in context)
    assert context.values == 10 and context.round == 5 and context.key_number == 5
    assert party.context(9, round_number=5, keys=KEYS).key_number == 0
    again = party.context(tf.constant(9), round_number=5)
    assert [int(field) for field in context] == [int(field) for field in again]
    other = party.context(9, 5, mask=PACKED_MASK[::-1])
    assert other.mask != context.mask
    assert other._replace(mask=context.mask) == context
    assert context.key_id == int.from_bytes(
        bytes.fromhex("00112233445566aa"), "little", signed=True
    )


def test_values_must_be_finite(party):
    for at in (0, 99):
        values = uniform(100)
        values[at] = np.nan
        with pytest.raises(tf.errors.InvalidArgumentError, match="finite"):
            party.seal(values)


@pytest.mark.parametrize("name", COMPILED)
@pytest.mark.parametrize("wrong", ["value", "bound"])
def test_a_full_chunk_that_xla_encodes_must_be_encodable_too(name, wrong):
    engine = COMPILED[name]
    party = Party(engine, engine.keyed_cipher.keygen(), eager=True)
    size = engine.blocks_at_a_time * engine.codes_per_block + 1
    values, bounds = np.full(size, 0.5, np.float32), np.ones(size, np.float32)
    (values if wrong == "value" else bounds)[5] = np.nan
    text = "must be finite" if wrong == "value" else "must be positive and finite"
    with pytest.raises(tf.errors.InvalidArgumentError, match=text):
        party.seal(values, bounds)


def test_codecs_whose_sums_do_not_fit():
    small = identity_cipher.build_identity_cipher_INSECURE(16, 2**20 + 7, 4)
    assert Engine(FixedPointCodec(16), small).packing.values_per_slot == 1
    with pytest.raises(ValueError, match="`plaintext_modulus` must be at least"):
        Engine(FixedPointCodec(20), small)
    many = identity_cipher.build_identity_cipher_INSECURE(16, 2**20 + 7, 4096)
    with pytest.raises(ValueError, match="`plaintext_modulus` must be at least"):
        Engine(FixedPointCodec(16), many)


def test_ciphers_whose_check_values_would_overflow():
    large = identity_cipher.build_identity_cipher_INSECURE(16, 2**61 - 1, 3)
    with pytest.raises(ValueError, match="leaves int64"):
        Engine(FixedPointCodec(8), large)


def test_chunks_need_a_block():
    with pytest.raises(ValueError, match="`chunk_blocks`"):
        dataclasses.replace(IDENTITY, chunk_blocks=0)
