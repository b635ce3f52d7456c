"""The device suite at its smallest."""

import io

import pytest

from experiments.suites.device import steps, suite


def test_every_cipher_and_step_has_a_row():
    output = io.StringIO()
    suite.run(suite.Request(repetitions=1, rlwe_columns=1, pad_columns=8), output)
    text = output.getvalue()
    for words in ("shared key", "a key for each client", "additive_pad", "memory"):
        assert words in text
    for step in ("encrypt", "expand and add a seed", "open a sum of 10"):
        assert step in text
    assert "3.125" in text and "3.250" in text and "2.750" in text


def test_a_cipher_that_opens_to_something_else_has_no_row(monkeypatch):
    def wrong(columns, groups):
        return steps.Side("wrong", 1, 1.0, {}, lambda: False)

    monkeypatch.setattr(steps, "build_pad", wrong)
    monkeypatch.setattr(steps, "build_rlwe", lambda *_: wrong(1, 1))
    with pytest.raises(RuntimeError, match="wrong must open a sum"):
        suite.run(suite.Request(1), io.StringIO())
