"""The attack suite on a small case, and with a stand-in for PyTorch's process."""

import contextlib
import io
import sys

import numpy as np
import pytest

from attacks.second_order import matching
from experiments.suites.attack import cases, ours, suite, torch_side, torch_worker
from selenc_tf.models import lenet
from tests.attacks import victims


def small_case(pictures, trials, seed):
    model = lenet.lenet((8, 8, 1), 3, seed)
    count = max(pictures, trials)
    generator = np.random.default_rng(seed)
    images = generator.uniform(size=(count, 8, 8, 1)).astype(np.float32)
    labels = np.arange(count) % 3
    vectors = [
        victims.gradient(model, images[index : index + 1], (int(label),))
        for index, label in enumerate(labels)
    ]
    starts = generator.uniform(size=(trials, 8, 8, 1)).astype(np.float32)
    return cases.Case(
        "lenet", model, "noise", images, labels, np.stack(vectors), starts
    )


@pytest.fixture
def only_small(monkeypatch):
    monkeypatch.setattr(cases, "CASES", {"small": small_case})
    monkeypatch.setattr(suite, "CASES", {"small": small_case})
    monkeypatch.setattr(suite, "_EVALUATIONS", 2)
    # Without XLA, which takes seconds to compile.
    monkeypatch.setattr(ours, "COMPILED", {ours.GRAPH: False, ours.XLA: False})


REQUEST = suite.Request(repetitions=1, pictures=1, trials=2, memory=False)


def test_without_pytorch_it_says_so_and_goes_on(only_small):
    stream = io.StringIO()
    suite.run(REQUEST, stream)
    shown = stream.getvalue()
    assert "PyTorch is not compared with: make an environment" in shown
    assert "ours, plain graph, 2" in shown
    assert "1 of 1" in shown


def test_environment_without_pytorch_is_named():
    assert "has no PyTorch" in torch_side.why_absent(sys.executable)
    assert "cannot be started" in torch_side.why_absent("/nowhere/python")


def fake_torch(value):
    def ask(request):
        if request["what"] == "recipe":
            return {"reached": {"30.0": [5.0, 4.0]}, "best": 31.0}
        return {"seconds": 0.01, "cpu_seconds": 0.01, "value": value}

    @contextlib.contextmanager
    def started(python, path, tune=True):
        yield torch_side.Torch("9.9", 1, ask)

    return started


def test_table_beside_pytorch(only_small, monkeypatch):
    case = small_case(1, 2, 0)
    value = ours.build_single(case, matching.build_matching(case.model))()
    monkeypatch.setattr(torch_side, "why_absent", lambda python: None)
    monkeypatch.setattr(torch_side, "started", fake_torch(value))
    stream = io.StringIO()
    suite.run(REQUEST, stream)
    shown = stream.getvalue()
    assert "PyTorch 9.9, 1 threads" in shown and "speed / PyTorch, 1" in shown
    assert "ours / recipe, 1 pictures" in shown and "31.0" in shown


def test_another_objective_stops_the_suite(only_small, monkeypatch):
    monkeypatch.setattr(torch_side, "why_absent", lambda python: None)
    monkeypatch.setattr(torch_side, "started", fake_torch(0.5))
    with pytest.raises(RuntimeError, match="All sides must compute the same"):
        suite.run(REQUEST, io.StringIO())


def test_every_case_has_a_network_on_both_sides():
    assert small_case(1, 1, 0).network in torch_worker.NETWORKS


def test_a_side_is_the_objective_of_its_first_trial():
    case = small_case(2, 2, 0)
    compiled = matching.build_matching(case.model)
    np.testing.assert_allclose(
        ours.build_batch(case, compiled, 2)(),
        ours.build_single(case, compiled)(),
        rtol=1e-12,
    )
