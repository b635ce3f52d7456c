"""What decrypts to a sum, and what to nothing."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_federated as tff

import federated  # noqa: F401
from federated import key_flow, runtime
from federated.key_flow.labels import Label
from tests.federated.key_flow.leaking import LEAKS
from tests.federated.key_flow.openings import (
    added_up,
    added_with_other_parameters,
    decrypted_with_other_parameters,
    four_to_the_fifth,
    opened_at_the_clients,
    through_errors_that_nobody_reads,
    under_a_fresh_key,
    with_another_modulus,
)
from tests.federated.rounds import CIPHER

tf_comp = tff.tensorflow.computation
fed_comp = tff.federated_computation


# What is no sum within the bounds, under this key and these parameters. The analysis does
# not see it, and need not: to decrypt it gives nothing.
OPENS_TO_NOTHING = {
    "five": (added_up(1, 4), {}),
    "eight": (added_up(4, 4), {}),
    "five and a message": (
        lambda b: CIPHER.add(tf.stack([added_up(1, 4)(b), b[1]])),
        {},
    ),
    "many": (four_to_the_fifth, {}),
    "fresh key": (CIPHER.add, {"encrypt_": under_a_fresh_key}),
    "elements": (four_to_the_fifth, {"open_": through_errors_that_nobody_reads}),
}


def claiming(tensor, shape):
    return tf.raw_ops.PlaceholderWithDefault(input=tensor, shape=shape)


def what_the_server_gets(process):
    crossings = []
    context = runtime.InProcessContext([crossings.append], default_num_clients=2)
    with tff.framework.get_context_stack().install(context):
        process([np.full([1, CIPHER.num_slots], 3)] * 2)
    return crossings[-1].value


@pytest.mark.parametrize(
    "name",
    [
        name if name == "five" else pytest.param(name, marks=pytest.mark.slow)
        for name in OPENS_TO_NOTHING
    ],
)
def test_what_is_no_sum_within_the_bounds_opens_to_nothing(name, path):
    make, others = OPENS_TO_NOTHING[name]
    with_another_modulus()  # Not while a graph is traced: it learns by encrypting.
    process = opened_at_the_clients(path, make, **others)
    if name == "elements":
        # Whatever it would give out: nobody needs a data set beside a key.
        with pytest.raises(
            key_flow.KeyLeakError, match=r"MapDataset.* of a kind that no"
        ):
            key_flow.check(process, path)
    else:
        key_flow.check(process, path)
    found = what_the_server_gets(process)
    assert found.shape == (1, CIPHER.num_slots) and not np.any(found)


def test_an_adder_of_parameters_that_nothing_is_encrypted_with_is_none(path):
    """Its sums would open to zeros; it is not known, and so is refused."""
    with_another_modulus()
    report = key_flow.analyse(opened_at_the_clients(path, added_with_other_parameters))
    assert Label.KEY in {violation.label for violation in report.violations}


@pytest.mark.slow
def test_a_key_opens_nothing_with_other_parameters(path):
    with_another_modulus()
    process = opened_at_the_clients(
        path, CIPHER.add, open_=decrypted_with_other_parameters
    )
    key_flow.check(process, path)
    with pytest.raises(tf.errors.InvalidArgumentError, match="same_parameters"):
        what_the_server_gets(process)


def test_what_is_one_opens(path):
    process = opened_at_the_clients(path, added_up(1, 3))
    key_flow.check(process, path)
    np.testing.assert_array_equal(
        what_the_server_gets(process), np.full([1, CIPHER.num_slots], 12)
    )


@pytest.mark.parametrize(
    "shape", [[1, None], pytest.param([None, 1], marks=pytest.mark.slow)]
)
def test_what_claims_a_size_is_nothing_that_the_cipher_made(path, shape):
    """Nobody checks the claim, and the adder's loop is as long as it says."""
    process = opened_at_the_clients(path, lambda b: CIPHER.add(claiming(b, shape)))
    with pytest.raises(key_flow.KeyLeakError, match="key"):
        key_flow.check(process, path)


def test_what_claims_no_size_opens(path):
    either = [None, None]
    process = opened_at_the_clients(path, lambda b: CIPHER.add(claiming(b, either)))
    key_flow.check(process, path)


@pytest.mark.slow
def test_a_header_that_is_opened_leaks(path):
    """All of it comes from the key: what was chosen has one coefficient only."""
    process = LEAKS["chosen header"][0](path)
    assert len(np.unique(what_the_server_gets(process))) > CIPHER.num_slots // 2
