"""Peak memory of a call, here and in a process of its own."""

import pytest

from experiments.suites import memory


def test_a_large_array_is_the_peak_of_making_it():
    taken = memory.in_fresh_process(f"{__name__}:peak_of_bytes", 50_000_000)
    assert 49e6 < taken < 60e6
    assert memory.mebibytes(50 * 2**20) == "50 MiB"


def peak_of_bytes(number):
    found = memory.of_call(lambda: b"x" * number)
    assert len(found.result) == number
    return found.peak_bytes


def test_arguments_and_results_are_carried_as_json():
    assert memory.in_fresh_process("os.path:join", "a", "b") == "a/b"


def test_a_failure_is_named():
    with pytest.raises(RuntimeError, match=r"math:sqrt(.|\n)*math domain error"):
        memory.in_fresh_process("math:sqrt", -1)
