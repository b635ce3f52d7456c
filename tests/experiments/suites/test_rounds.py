"""The tables of where a round's time goes."""

import io

import pytest

from experiments.suites import round_profile, round_steps
from experiments.suites.measurement import Measurement
from selenc_tf.lattice import identity_cipher, key_store
from selenc_tf.lattice.codec import FixedPointCodec
from selenc_tf.lattice.engine import Engine

CIPHER = identity_cipher.build_identity_cipher_INSECURE(64, 65537, 8)


def test_seconds_by_graph():
    watch = round_profile.Watch()
    for name, seconds in (("train", 1.0), ("protect", 2.0), ("protect", 0.5)):
        watch(name, seconds)
    watch("x_00000", 0.25)
    taken = watch.take(4.0)
    assert taken == {
        "train": 1.0,
        "protect": 2.5,
        round_profile.OTHERS: 0.25,
        round_profile.RUNTIME: 0.25,
    }
    assert watch.take(1.0) == {round_profile.RUNTIME: 1.0}
    rounds = [
        round_profile.Profiled(Measurement("plain", (2.0,)), ({"train": 1.0},)),
        round_profile.Profiled(Measurement("random", (4.0,)), (taken,)),
    ]
    stream = io.StringIO()
    round_profile.print_by_graph(rounds, stream)
    lines = [line.split() for line in stream.getvalue().splitlines()]
    assert ["train", "1.000", "50%", "1.000", "25%"] in lines
    assert ["protect", "-", "-", "2.500", "62%"] in lines


@pytest.mark.slow
@pytest.mark.parametrize("ratio", [0.5, 1.0])
def test_steps(tmp_path, ratio):
    engine = Engine(FixedPointCodec(8), CIPHER)
    keys = key_store.create(tmp_path / "key", engine.keyed_cipher)
    asked = round_steps.Request(engine, keys, 100, ratio, 3, 1)
    steps = round_steps.profile(asked)
    assert {"protect", "collect", "open_share", "finish"} <= {s.graph for s in steps}
    assert all(len(s.seconds) == len(s.as_it_is) == 1 for s in steps)
    stream = io.StringIO()
    round_steps.print_table(steps, stream)
    assert "add 3 messages" in stream.getvalue()
