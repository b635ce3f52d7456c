"""A key is in a process's memory while a graph reads it, and not afterwards."""

import json
import subprocess
import sys

import pytest

from selenc_tf.lattice import memory


@pytest.mark.slow
@pytest.mark.skipif(
    not memory.can_be_zeroed(),
    reason="This C library does not overwrite what is freed (M_PERTURB).",
)
def test_nothing_of_a_key_stays_in_memory(tmp_path):
    tmp_path.chmod(0o700)
    command = [sys.executable, "-m", "tests.federated.resident_keys", str(tmp_path)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found = json.loads(done.stdout.splitlines()[-1])
    # The search finds one that somebody holds.
    assert found.pop("held") > 0
    assert len(found) == 6 and set(found.values()) == {0}, found


@pytest.mark.slow
@pytest.mark.skipif(
    not memory.can_be_zeroed(),
    reason="This C library does not overwrite what is freed (M_PERTURB).",
)
@pytest.mark.parametrize(
    "name",
    [
        "device_rlwe",
        "device_rlwe_per_client",
        pytest.param("additive_pad", marks=pytest.mark.long),
    ],
)
def test_nothing_that_determines_a_key_stays_in_memory(name):
    """Neither a seed nor enough of the lines that it is made of."""
    command = [sys.executable, "-m", "tests.federated.resident_seeds", name]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found = json.loads(done.stdout.splitlines()[-1])
    # The search finds one that somebody holds.
    assert found.pop("held") > 0
    assert found.keys() == {"encrypted"} | (
        set() if name.endswith("per_client") else {"key made"}
    )
    for step in found.values():
        assert step["seeds"] == 0, found
        # Of each of these 52 bits are lost.
        assert step["not whole"] >= 5, found
