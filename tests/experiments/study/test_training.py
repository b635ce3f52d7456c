"""What the server gets to see of a run's training."""

import collections

import numpy as np
import pytest
import tensorflow as tf

from experiments.outputs.stages import Stage
from experiments.study import encryption, training
from experiments.study.recorder import Recorder
from experiments.study.stopwatch import Stopwatch
from federated import runtime
from federated.runtime import tap
from tests.experiments.command import parse
from tests.federated.rounds import HISTORY, batches, small_model

_MESSAGES = (
    {"plain", "ciphertext", "weight", "nonce", "contributes", "checksum"},
    {"rank", "codes"},
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scales", "rotation"),
    [
        pytest.param("public_bound", "run", marks=pytest.mark.long),
        ("clipping_norm", "round"),
    ],
)
def test_no_number_of_a_client_crosses_outside_of_its_messages(scales, rotation):
    settings = parse(
        f"--scales={scales}",
        f"--key_rotation={rotation}",
        "--num_clients=3",
        "--rounds=2",
    )
    recorder, watch, model = Recorder(), Stopwatch(), small_model()
    runtime.install(observers=(recorder,), timer=watch)
    data = [
        tf.data.Dataset.from_tensor_slices(tuple(batch)).batch(2)
        for batch in batches(3, 5, 4)
    ]
    with encryption.fresh_keys(
        settings.encryption, settings.training, settings.attack, weight=5
    ) as lattices:
        aggregation = encryption.selective(
            settings.encryption, 2, HISTORY, model.spec.names, lattices.training()
        )
        process = training.build_process(model, settings.training, 0, aggregation)
        plain = training.build_process(model, settings.training, 0, None)
        state, expected = process.initialize(), plain.initialize()
        for _ in range(2):
            recorder.take()
            watch.take()
            output = process.next(state, data)
            state = output.state
            # The names by which stages are told are those of the round's functions.
            seconds = watch.take()
            assert set(seconds) == set(Stage) and min(seconds.values()) > 0
            for crossing in recorder.take():
                if (
                    crossing.direction is tap.Direction.CLIENTS_TO_SERVER
                    # Of ranks, which are in the view.
                    and crossing.intrinsic != "federated_select"
                ):
                    assert isinstance(crossing.value, collections.abc.Mapping)
                    assert set(crossing.value) in _MESSAGES
            clear = plain.next(expected, data)
            expected = clear.state
            np.testing.assert_allclose(
                output.metrics["client_work"]["train"]["loss"],
                clear.metrics["client_work"]["train"]["loss"],
                rtol=1e-5,
            )
