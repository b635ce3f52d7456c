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
