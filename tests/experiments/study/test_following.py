"""Results are shown while a run goes on, and cost it little."""

import itertools

import pytest

from experiments.study import following


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.mark.parametrize("cost", [0.0, 0.5, 3.0, 40.0])
@pytest.mark.parametrize("piece", [0.1, 7.0, 100.0])
def test_it_takes_its_share_at_most(cost, piece):
    clock, shown = Clock(), []

    def publish():
        clock.now += cost
        shown.append(clock.now)

    finished = following.following(publish, share=0.05, clock=clock)
    working = 0.0
    while working < 5000:
        clock.now += piece
        working += piece
        finished()
    # The first time has no measured cost before it.
    assert cost * (len(shown) - 1) <= 0.05 * working
    gaps = [later - earlier for earlier, later in itertools.pairwise(shown)]
    assert all(gap >= 20 for gap in gaps)
    # It is not forgotten either: a piece at most over the time it may wait.
    longest = max(20, cost / 0.05) + piece + cost
    assert gaps and max(gaps) <= longest + 1e-6


def test_a_failure_is_the_callers():
    def publish():
        raise OSError("No space left on device")

    finished = following.following(publish, least_seconds=0.0)
    with pytest.raises(OSError, match="No space left"):
        finished()
