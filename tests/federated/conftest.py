"""One context and one trace of each round: what was compiled once serves every test."""

import functools

import pytest
import tensorflow_federated as tff

import federated  # noqa: F401
from federated import aggregators, processes, runtime, tff_models
from selenc_tf.lattice import scales
from tests.conftest import Federation
from tests.federated import rounds


@pytest.fixture(scope="session")
def shared_federation():
    """A context that compiles each computation once a session, and its tap's list."""
    crossings = []
    return Federation(runtime.InProcessContext([crossings.append]), crossings)


@pytest.fixture
def federation(shared_federation):
    """Installs the context for one test, whose crossings alone are in the list."""
    shared_federation.crossings.clear()
    with tff.framework.get_context_stack().install(shared_federation.context):
        yield shared_federation


@pytest.fixture(scope="session")
def keys(key_for):
    return key_for(rounds.CIPHER)


@pytest.fixture(scope="session")
def model():
    return rounds.small_model()


@pytest.fixture(scope="session")
def blind(model, keys):
    """`blind(source)`: a round whose server keeps ciphertexts."""

    @functools.cache
    def build(source):
        return processes.build_server_blind_round(
            model, source, rounds.ENGINE, rounds.BOUND, keys
        )

    return build


def weighted(source, keys):
    return aggregators.selective_encryption(
        aggregators.SelectiveEncryption(
            source, rounds.CODEC, scales.public_bound(rounds.BOUND), rounds.CIPHER, keys
        )
    )


@pytest.fixture(scope="session")
def reveal(model, keys):
    """`reveal(source)`: a round whose server learns the mean."""

    @functools.cache
    def build(source):
        return processes.build_reveal_round(model, weighted(source, keys))

    return build


@pytest.fixture(scope="session")
def averaging(model, keys):
    """Federated averaging that hides no entry: only its counts are encrypted."""
    return tff.learning.algorithms.build_weighted_fed_avg(
        tff_models.tff_model(model.task),
        tff.learning.optimizers.build_sgdm(0.3),
        model_aggregator=weighted(rounds.NOTHING, keys),
    )
