"""The text case of the attack suite on a small BERT."""

import contextlib
import functools
import io

import numpy as np
import pytest
import tensorflow as tf

from attacks import programs as programs_lib
from attacks.text import compiled
from attacks.text.continuous import engine
from experiments.suites.attack import (
    catalog,
    suite,
    text_cases,
    text_ours,
    text_suite,
    torch_side,
)
from experiments.suites.attack.request import Request
from selenc_tf.models.text import catalog as models

PROGRAMS = programs_lib.Programs()
tiny = functools.cache(functools.partial(models.token_model, "bert_tiny_random", 8, 2))


@functools.cache
def small_case(pictures=0, trials=1, seed=0):
    del pictures, trials
    return text_cases.of_model("small", tiny(seed), seed, evaluations=1)


@pytest.fixture(autouse=True)
def traced_once(monkeypatch):
    part = catalog.CASES["bert_minilm"]._replace(make=f"{__name__}:small_case")
    monkeypatch.setattr(catalog, "CASES", {"small": part})
    for module, name in ((engine, "build_engine"), (compiled, "build_entering")):
        build = functools.partial(PROGRAMS.of, getattr(module, name))
        monkeypatch.setattr(module, name, build)


def shown():
    stream = io.StringIO()
    suite.run(Request(repetitions=1, memory=False), stream)
    return stream.getvalue()


@pytest.mark.slow
def test_a_step_is_of_the_true_sentence_s_gradient():
    """Zero, but for the prior on norms, where the words are the true ones."""
    case = small_case()
    problem = case.problem._replace(norm_weight=tf.constant(0.0))
    table = case.model.initial_weights[case.model.structure.token_table].numpy()
    span = text_ours.candidates.rank_vocabulary(
        case.model,
        lambda ids: compiled.build_entering(
            case.model, (text_ours.candidates.FIRST[0],)
        )(case.model.initial_weights, ids)[0],
        case.span,
        np.ones([len(table)], bool),
    )
    true = table[np.argmin(span, axis=0)][np.newaxis]
    right = case._replace(problem=problem, starts=true)
    assert text_ours.build_step(right)() < 1e-6
    assert text_ours.build_step(case._replace(problem=problem))() > 0.01
    np.testing.assert_allclose(text_ours.build_check(case)(), span.mean())


def test_without_pytorch_both_parts_are_timed():
    told = shown()
    assert "PyTorch is not compared with: make an environment" in told
    assert "A step of LAMP" in told and "The vocabulary by the first span" in told
    assert told.count("ours, plain graph, 1") == 2


@pytest.mark.parametrize("off", [1.0, 1.01])
def test_beside_pytorch_values_have_to_agree(monkeypatch, off):
    case = small_case()
    values = {
        "step": text_ours.build_step(case)(),
        "check": off * text_ours.build_check(case)(),
    }

    def ask(request):
        return {"seconds": 0.01, "cpu_seconds": 0.01, "value": values[request["what"]]}

    @contextlib.contextmanager
    def started(python, path, tune=0, worker=""):
        with np.load(path) as file:
            assert "weight0" not in file["names"] and file["basis"].shape[0] == 16
        assert worker.endswith(".torch_text_worker") and tune == 1
        yield torch_side.Torch("9.9", 1, ask)

    monkeypatch.setattr(torch_side, "why_absent", lambda python: None)
    monkeypatch.setattr(torch_side, "started", started)
    if off == 1.0:
        assert shown().count("PyTorch, 1") >= 2
    else:
        with pytest.raises(RuntimeError, match="All sides must compute the same"):
            shown()


def test_small_differences_are_rounding():
    assert text_suite.agree(-3.0, -3.001) and not text_suite.agree(-3.0, -3.01)
    assert not text_suite.agree(float("nan"), float("nan"))
