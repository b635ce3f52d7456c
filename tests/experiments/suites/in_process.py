"""Memory measured in the test's own process: a fresh one would import TensorFlow."""

import json
import pkgutil

import pytest

from experiments.suites import memory


def call(function, *arguments):
    """`memory.in_fresh_process` without the process; what it carries is JSON."""
    called = pkgutil.resolve_name(function)
    return json.loads(json.dumps(called(*json.loads(json.dumps(arguments)))))


@pytest.fixture
def no_fresh_process(monkeypatch):
    monkeypatch.setattr(memory, "in_fresh_process", call)
