"""Rounds without a shared key: what they give, what the server sees, and who leaves."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_federated as tff

import federated
from federated import aggregators, mask_rounds, observed, processes
from federated.round import client
from federated.runtime import secure_sums, tap
from selenc_tf.lattice import codec, engine, message, scales
from selenc_tf.lattice.per_client import PerClientKeys
from tests.federated import rounds
from tests.federated.round import faults
from tests.selenc_tf.lattice import ciphers

SUMMANDS = 4
CODEC = codec.FixedPointCodec(bits=16)
CIPHER = ciphers.per_client(SUMMANDS, CODEC.bits)
N = 57
WEIGHTS = [3.0, 1.0, 2.5, 7.0]


def encryption(cipher=CIPHER, keys=None, **more):
    return aggregators.SelectiveEncryption(
        rounds.HISTORY,
        CODEC,
        scales.previous_aggregate(4.0),
        cipher,
        PerClientKeys() if keys is None else keys,
        **more,
    )


def mean_process(parts):
    factory = aggregators.selective_encryption(parts)
    return factory.create(tff.TensorType(np.float32, [N]), tff.TensorType(np.float32))


@pytest.fixture(scope="module")
def process():
    return mean_process(encryption())


@pytest.fixture
def released(monkeypatch):
    """What each client put into the secure sums, call by call."""
    calls, real = [], secure_sums.bounded_sum

    def spy(values, *rest):
        calls.append([np.asarray(value) for value in values])
        return real(values, *rest)

    monkeypatch.setattr(secure_sums, "bounded_sum", spy)
    return calls


def values(clients=SUMMANDS, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.uniform(-0.5, 0.5, N).astype(np.float32) for _ in range(clients)]


def sum_crossings(crossings):
    summed = tap.Direction.SECURE_SUM_TO_SERVER
    return [one for one in crossings if one.direction is summed]


@pytest.mark.slow
class TestTheMean:
    def test_it_is_bit_for_bit_that_under_a_shared_key(self, process, federation, keys):
        """Two rounds, under a mask and bounds that follow the first one's mean."""
        shared = ciphers.named(rounds.CIPHER.name, SUMMANDS, rounds.CODEC.bits)
        assert shared is rounds.CIPHER
        keyed = mean_process(encryption(shared, keys))
        states = [one.initialize() for one in (process, keyed)]
        for number in range(2):
            cohort = values(3, seed=number)
            outputs = [
                one.next(state, cohort, WEIGHTS[:3])
                for one, state in zip((process, keyed), states, strict=True)
            ]
            ours, theirs = (output.result.tobytes() for output in outputs)
            assert ours == theirs
            found, expected = (output.measurements for output in outputs)
            for name in ("hidden", "saturated", "clients", "idle", "refused"):
                assert found[name] == expected[name], name
            states = [output.state for output in outputs]
        assert found["hidden"] == 23

    def test_who_has_nothing_to_add_releases_nothing(
        self, process, federation, released
    ):
        cohort = values()
        cohort[3] = np.full([N], np.nan, np.float32)
        output = process.next(process.initialize(), cohort, [3.0, 0.0, 2.5, 1.0])
        assert output.measurements["idle"] == 2
        expected = (3.0 * cohort[0] + 2.5 * cohort[2]) / 5.5
        assert output.measurements["saturated"] == 0
        np.testing.assert_allclose(output.result, expected, atol=1e-3)
        (call,) = released
        assert [bool(np.any(one)) for one in call] == [True, False, True, False]


@pytest.mark.slow
class TestWhoLeaves:
    def test_after_its_upload_fails_the_round_which_can_be_run_again(
        self, process, federation, monkeypatch
    ):
        real, state, cohort = secure_sums.bounded_sum, process.initialize(), values(3)

        def without_the_last(given, *rest):
            return real(given[:-1], *rest)

        with monkeypatch.context() as patch:
            patch.setattr(secure_sums, "bounded_sum", without_the_last)
            with pytest.raises(tf.errors.InvalidArgumentError) as error:
                process.next(state, cohort, WEIGHTS[:3])
        text = str(error.value)
        assert "SECRET_MISSING: the sum does not open" in text
        assert "run the round again, with new secrets" in text
        # No number of what did not open.
        assert len(text) < 2000
        federation.crossings.clear()
        output = process.next(state, cohort, WEIGHTS[:3])
        assert output.measurements["clients"] == 3

    def test_a_round_that_is_run_again_has_other_secrets(
        self, process, federation, released
    ):
        state, cohort = process.initialize(), values(3)
        for _ in range(2):
            process.next(state, cohort, WEIGHTS[:3])
        secrets = [one.tobytes() for call in released for one in call]
        assert len(set(secrets)) == 6
        uploads = [
            one.value["ciphertext"]
            for one in federation.crossings
            if one.seen_by_server and "ciphertext" in getattr(one.value, "keys", set)()
        ]
        pieces = {text[-1000:-200] for blocks in uploads for text in blocks[1:]}
        assert len(pieces) == 6

    @pytest.mark.slow
    @pytest.mark.parametrize(("least", "clients"), [(3, 2), (2, 1)])
    def test_too_few_release_nothing(self, federation, released, least, clients):
        process = mean_process(encryption(min_clients=least))
        with pytest.raises(tf.errors.InvalidArgumentError, match="refuses to decrypt"):
            process.next(process.initialize(), values(clients), WEIGHTS[:clients])
        assert not released and not sum_crossings(federation.crossings)


def faulty_own(name):
    """`client.protect_own`: of a client with weight `faults.MARK` the upload is bad."""
    real = client.protect_own

    def protect(vector, weight, mask, bound, context, nonce, engine):
        wrong = weight >= faults.MARK
        made = real(
            vector,
            tf.where(wrong, 1.0, weight),
            mask,
            bound,
            context,
            nonce,
            engine,
        )
        good = faults.any_length(made.upload)
        bad = faults.any_length(faults.FAULTS[name].change(made.upload, context))
        sent = tf.nest.map_structure(
            lambda one, other: tf.cond(wrong, lambda: one, lambda: other), bad, good
        )
        return made._replace(upload=sent)

    return protect


@pytest.mark.parametrize(
    "name",
    [
        "an earlier round",
        "other bytes",
        "a weight of zero",
        "another key",
    ],
)
@pytest.mark.slow
def test_a_refused_upload_never_has_its_secret_in_the_sum(
    name, process, federation, monkeypatch, released
):
    with monkeypatch.context() as patch:
        patch.setattr(client, "protect_own", faulty_own(name))
        process = mean_process(encryption())
    state, cohort = process.initialize(), values()
    output = process.next(state, cohort, [3.0, faults.MARK, 2.5, 7.0])
    refusals = output.measurements["refusals"]
    assert refusals[faults.FAULTS[name].verdict] == 1 and refusals.sum() == 1
    assert [bool(np.any(one)) for one in released[-1]] == [True, False, True, True]
    rest = [cohort[0], cohort[2], cohort[3]]
    alone = process.next(state, rest, [3.0, 2.5, 7.0])
    assert output.result.tobytes() == alone.result.tobytes()


@pytest.mark.slow
class TestWhatTheServerSees:
    @pytest.fixture
    def view(self, model, federation, released):
        built = processes.build_reveal_round(
            model, aggregators.selective_encryption(encryption())
        )
        output = rounds.run(built, model, rounds.batches(8, 4, 10))
        crossings = list(federation.crossings)
        view = observed.server_view(
            crossings,
            rounds.N,
            output.result,
            measurements=output.measurements,
            hidden_weights=True,
            multiplied=True,
        )
        return crossings, view

    def test_of_the_secrets_the_sum_alone(self, view, released):
        crossings, view = view
        secure = "federated_secure_sum_bitwidth"
        sent = [one for one in crossings if one.intrinsic == secure]
        *summands, total = sent
        assert [(one.client, one.value) for one in summands] == [
            (0, None), (1, None), (2, None),
        ]  # fmt: skip
        assert not any(one.seen_by_server for one in summands)
        assert total.seen_by_server and total.wire_bytes == 0
        (call,) = released
        np.testing.assert_array_equal(view.secret_sum, np.sum(call, axis=0))
        np.testing.assert_array_equal(total.value, view.secret_sum)
        # Nobody opened a share, and nothing else is left over.
        assert not view.opened and not view.ranks and not view.shares
        assert view.others == () and len(view.messages) == 3

    def test_it_opens_the_sum_and_no_message(self, view, released):
        """From the view alone: all that the server needs is in it."""
        _, view = view
        parts = engine.Engine(CODEC, CIPHER).with_number()
        sent = [
            message.from_bytes(one.ciphertext, CIPHER.upload_bytes)
            for one in view.messages
        ]
        context = message.header_of(sent[0]).context
        blocks = [message.blocks_of(one) for one in sent]
        secrets = tf.constant(view.secret_sum)

        def opened(blocks, clients):
            total = message.assemble(context, clients, tf.constant(0), blocks)
            return engine.open_released(parts, secrets, total, context, clients)

        codes = opened(CIPHER.add(tf.stack(blocks)), 3)
        assert parts.number_of(codes, view.mask.sum()) == 22
        hidden = CODEC.decode(codes[: rounds.N], tf.constant(view.bounds[0]))
        np.testing.assert_array_equal(hidden / 22.0, view.aggregate)
        for one in blocks:
            with pytest.raises(tf.errors.InvalidArgumentError, match="SECRET_MISSING"):
                opened(one, 1)
        with pytest.raises(tf.errors.InvalidArgumentError, match="SECRET_MISSING"):
            opened(CIPHER.add(tf.stack(blocks[:2])), 2)


def averaging(aggregator):
    return federated.build_weighted_fed_avg(
        federated.tff_model(rounds.small_model().task),
        tff.learning.optimizers.build_sgdm(0.1),
        model_aggregator=aggregator,
    )


def trained(process):
    data = [
        tf.data.Dataset.from_tensor_slices(
            (batch.examples, batch.labels)
        ).batch(4)
        for batch in rounds.batches(8, 4, 10)
    ]  # fmt: skip
    state, metrics = process.initialize(), []
    for _ in range(2):
        output = process.next(state, data)
        state = output.state
        metrics.append(output.metrics["client_work"]["train"])
    return process.get_model_weights(state), metrics


@pytest.mark.slow
def test_a_learning_process_with_its_metrics(federation, released):
    """Everything encrypted, under no key: weights, metrics, examples."""
    ours, found = trained(
        averaging(
            federated.selective_encryption(
                ratio=1.0, keys=federated.PerClientKeys(), max_clients=SUMMANDS
            )
        )
    )
    # A sum of updates and one of metrics in each round.
    assert len(released) == 4
    assert all(np.ravel(call).any() for call in released)
    crossed = [
        set(one.value)
        for one in federation.crossings
        if one.direction is tap.Direction.CLIENTS_TO_SERVER and one.seen_by_server
    ]
    assert all(
        fields in ({"weight_limit"}, set(client.Upload._fields)) for fields in crossed
    )
    plain, expected = trained(averaging(tff.aggregators.MeanFactory()))
    for one, other in zip(found, expected, strict=True):
        for name in other:
            np.testing.assert_allclose(one[name], other[name], rtol=1e-3)
    for one, other in zip(ours.trainable, plain.trainable, strict=True):
        np.testing.assert_allclose(
            ours.trainable[one], plain.trainable[other], atol=5e-3
        )


class TestWhatIsRefused:
    ENGINE = engine.Engine(CODEC, CIPHER)

    def test_a_blind_server(self):
        with pytest.raises(ValueError, match="server-blind round needs a key that"):
            processes.build_server_blind_round(
                rounds.small_model(), rounds.SEED, self.ENGINE, 1.0, PerClientKeys()
            )

    def test_a_mask_round_that_clients_open(self):
        scoring = mask_rounds.Scoring(rounds.small_model(), None, rounds.POLICY, (1, 2))
        with pytest.raises(ValueError, match="`score_sum` needs a key that clients"):
            mask_rounds.build_score_sum(scoring, self.ENGINE, PerClientKeys())

    def test_keys_of_the_other_kind(self, keys):
        for cipher, given in ((CIPHER, keys), (rounds.CIPHER, PerClientKeys())):
            with pytest.raises(
                ValueError, match="`cipher` and `keys` must go together"
            ):
                encryption(cipher, given)

    def test_a_cipher_alone_says_that_there_is_no_key(self, recwarn):
        factory = federated.selective_encryption(ratio=0.5, cipher=CIPHER)
        assert factory.encryption.keys == PerClientKeys()
        # No key was made that somebody would have to be told of.
        assert not recwarn.list

    def test_who_needs_a_key_file(self):
        parts = encryption()
        with pytest.raises(
            TypeError, match="`keys` must name a key that clients share"
        ):
            _ = aggregators.collecting.Rules(
                parts.engine, parts.keys, (N,), False
            ).shared_keys
