"""The attack suite on small cases, and with a stand-in for PyTorch's process."""

import contextlib
import functools
import io
import sys
import time

import numpy as np
import pytest

from attacks import knowledge as knowledge_lib
from attacks import programs as programs_lib
from attacks.continuous.first_order import engine as first_order_engine
from attacks.matching import matching
from experiments.suites.attack import (
    cases,
    catalog,
    first_order_cases,
    first_order_ours,
    first_order_suite,
    recovery,
    second_order_ours,
    second_order_suite,
    suite,
    tables,
    torch_networks,
    torch_side,
    torch_worker,
    turns,
    whole_attack,
)
from experiments.suites.attack.request import Request
from selenc_tf.models import convnet64, lenet
from tests.attacks import victims

# Tracing takes longer than anything else here.
PROGRAMS = programs_lib.Programs()
small_model = functools.cache(functools.partial(lenet.lenet, (8, 8, 1), 3))


@pytest.fixture(autouse=True)
def traced_once(monkeypatch):
    for module, name in (
        (matching, "build_matching"),
        (first_order_engine, "build_engine"),
        (first_order_ours, "build_single"),
    ):
        build = functools.partial(PROGRAMS.of, getattr(module, name))
        monkeypatch.setattr(module, name, build)


def small_case(pictures, trials, seed):
    model = small_model(seed)
    arrays = noise(model, max(pictures, trials), trials, seed)
    return cases.Case(
        "small", "lenet", model, "noise", *arrays, "float64", "l2", 2, pictures
    )


@functools.cache
def small_first_order(pictures, trials, seed):
    del trials
    # Not the ConvNet, which takes twice as long to trace.
    return first_order_case(small_model(seed), "lenet", pictures)


def first_order_case(model, network, pictures):
    arrays = noise(model, max(pictures, 1), 1, 0)
    return cases.Case(
        "first", network, model, "noise", *arrays, "float32", "cosine", 2, pictures
    )


def noise(model, count, trials, seed):
    generator = np.random.default_rng(seed)
    shape = model.input_shape
    images = generator.uniform(size=(count, *shape)).astype(np.float32)
    labels = np.arange(count) % 3
    vectors = [
        victims.gradient(model, images[index : index + 1], (int(label),))
        for index, label in enumerate(labels)
    ]
    starts = generator.uniform(size=(trials, *shape)).astype(np.float32)
    return images, labels, np.stack(vectors), starts


@pytest.fixture
def only_small(monkeypatch):
    run = catalog.CASES["lenet"].run
    parts = {"small": catalog.Part(f"{__name__}:small_case", run)}
    monkeypatch.setattr(catalog, "CASES", parts)
    # Without XLA, which takes seconds to compile.
    ours = second_order_ours
    monkeypatch.setattr(ours, "COMPILED", {ours.GRAPH: False, ours.XLA: False})


@pytest.fixture
def only_first_order(monkeypatch):
    run = catalog.CASES["convnet64"].run
    parts = {"first": catalog.Part(f"{__name__}:small_first_order", run)}
    monkeypatch.setattr(catalog, "CASES", parts)
    monkeypatch.setattr(first_order_suite, "_MAX_ITERATIONS", 10)


REQUEST = Request(repetitions=1, pictures=1, trials=2, memory=False)


def shown_by(request):
    stream = io.StringIO()
    suite.run(request, stream)
    return stream.getvalue()


@pytest.mark.slow
def test_without_pytorch_it_says_so_and_goes_on(only_small):
    shown = shown_by(REQUEST)
    assert "PyTorch is not compared with: make an environment" in shown
    assert "ours, plain graph, 2" in shown
    assert "1 of 1" in shown and "R-GAP: a fresh call" in shown


def test_environment_without_pytorch_is_named():
    assert "has no PyTorch" in torch_side.why_absent(sys.executable)
    assert "cannot be started" in torch_side.why_absent("/nowhere/python")


def fake_torch(value):
    def ask(request):
        if request["what"] == "recipe":
            reached = {"30.0": [5.0, 4.0]}
            return {"reached": reached, "best": 31.0, "seconds": 5.0, "evaluations": 9}
        return {"seconds": 0.01, "cpu_seconds": 0.01, "value": value}

    @contextlib.contextmanager
    def started(python, path, tune=0, worker=""):
        yield torch_side.Torch("9.9", 1, ask)

    return started


@pytest.fixture
def fake(monkeypatch):
    monkeypatch.setattr(torch_side, "why_absent", lambda python: None)

    def answer(value):
        monkeypatch.setattr(torch_side, "started", fake_torch(value))

    return answer


def says(shown, text):
    """Headings break between words where a table is wide."""
    return all(word in shown.split() for word in text.split())


@pytest.mark.slow
def test_table_beside_pytorch(only_small, fake):
    case = small_case(1, 2, 0)
    fake(
        second_order_ours.build_evaluation(
            case, matching.build_matching(case.model), 1
        )()
    )
    shown = shown_by(REQUEST)
    assert says(shown, "PyTorch 9.9, 1 threads") and says(shown, "speed / PyTorch, 1")
    assert "DLG / recipe, 1 pictures" in shown and "31.0" in shown
    assert "R-GAP / recipe, 1 pictures" in shown


@pytest.mark.slow
def test_another_objective_stops_the_suite(only_small, fake):
    fake(0.5)
    with pytest.raises(RuntimeError, match="All sides must compute the same"):
        shown_by(REQUEST)


def test_every_case_has_a_network_and_a_distance_on_both_sides():
    for case in (small_case(1, 1, 0), small_first_order(1, 1, 0)):
        assert case.network in torch_networks.NETWORKS
        assert case.distance in torch_worker.DISTANCES


@pytest.mark.slow
def test_a_side_is_the_objective_of_its_first_trial():
    case = small_case(2, 2, 0)
    compiled = matching.build_matching(case.model)
    np.testing.assert_allclose(
        second_order_ours.build_evaluation(case, compiled, 2)(),
        second_order_ours.build_evaluation(case, compiled, 1)(),
        rtol=1e-12,
    )


def cosine_distance(case):
    label = (int(case.labels[0]),)
    q = victims.gradient(case.model, case.starts, label).astype(np.float64)
    g = case.gradients[0].astype(np.float64)
    return float(1 - q @ g / np.linalg.norm(q) / np.linalg.norm(g))


def small_convnet(pictures, trials, seed):
    del trials
    model = convnet64.convnet((9, 9, 1), 3, seed, width=2)
    return first_order_case(model, "convnet", pictures)


@pytest.mark.parametrize(
    "make", [small_first_order, pytest.param(small_convnet, marks=pytest.mark.slow)]
)
def test_first_order_side_is_the_cosine_of_whole_gradients(make):
    case = make(1, 1, 0)
    value = first_order_ours.build_single(case)()
    np.testing.assert_allclose(value, cosine_distance(case), rtol=1e-4)


@pytest.mark.slow
def test_first_order_tables_beside_pytorch(only_first_order, fake):
    fake(cosine_distance(small_first_order(1, 1, 0)))
    shown = shown_by(REQUEST)
    assert says(shown, "speed / PyTorch, 1") and says(shown, "ours, plain graph, 1")
    assert "all in this project's code" in shown
    assert "quick / published" in shown and "median iterations" in shown
    assert "peeling / published, 0 pictures" in shown
    assert shown.count("peeling does not apply: `model` (lenet)") == 1


def test_another_first_order_objective_stops_the_suite(only_first_order, fake):
    fake(1.01 * cosine_distance(small_first_order(1, 1, 0)))
    with pytest.raises(RuntimeError, match="All sides must compute the same"):
        shown_by(REQUEST)


@pytest.mark.parametrize(
    ("first", "other", "same"),
    [
        (0.5, 0.5004, True),
        (0.5, 0.501, False),
        (0.005, 0.0050009, True),
        (0.005, 0.0050011, False),
        (float("nan"), float("nan"), False),
    ],
)
def test_small_distances_agree_absolutely(first, other, same):
    assert first_order_suite.agree(first, other) is same


@pytest.mark.slow
def test_a_search_is_watched_until_its_levels_or_its_limits():
    case = small_first_order(2, 1, 0)
    what = first_order_suite.SEARCHES["quick"]
    engine = first_order_ours.traced_engine(case, what)

    def attack(levels, iterations=12, seconds=60.0):
        limits = first_order_ours.Limits(levels, iterations, seconds)
        return first_order_ours.attack(case, engine, what, 1, limits, (0, 1))

    unreached = attack((300.0,))
    assert unreached.evaluations == 12 and not unreached.reached
    # Grey is about 10 dB from noise.
    easy = attack((5.0,))
    assert easy.evaluations == 5 and easy.reached[5.0][1] == 5
    assert easy.reached[5.0][0] <= easy.seconds
    assert attack((5.0, 300.0)).evaluations == 12
    assert attack((300.0,), seconds=0.0).evaluations == 0
    assert attack((300.0,)).best == unreached.best
    assert engine.trace_count() == 1
    # The budget ends a search too, whatever the limit.
    assert attack((300.0,), iterations=1000).evaluations == what.budget


@pytest.mark.parametrize("beside", ["CPU s", "iterations"])
def test_a_whole_attack_reaches_levels_at_its_end(beside):
    case = small_case(2, 1, 0)
    # An error of 0.1 everywhere: 20 dB.
    image = case.images[1] + np.where(case.images[1] < 0.5, 0.1, -0.1)

    def run(view, known, seed):
        assert known.labels == (1,) and known.batch_size == 1 and seed == (3, 1)
        np.testing.assert_array_equal(view.messages[0].plain, case.gradients[1])
        assert len(view.messages) == 1 and not view.mask.any()
        time.sleep(0.05)
        return knowledge_lib.Reconstruction(
            image[np.newaxis], *(None,) * 4, 7, 8, *(None,) * 4
        )

    levels = (5.0, 19.9, 20.1)
    found = whole_attack.attack(case, run, 1, levels, beside, (3, 1))
    assert list(found.reached) == [5.0, 19.9] and found.evaluations == 8
    assert found.reached[5.0] == found.reached[19.9]
    seconds, number = found.reached[5.0]
    assert seconds == found.seconds >= 0.05
    assert number == 7 if beside == "iterations" else 0 <= number
    np.testing.assert_allclose(found.best, 20.0, atol=1e-4)


def test_r_gap_reaches_the_levels_and_needs_no_start():
    case = small_case(1, 1, 0)
    (run,) = second_order_suite.WHOLE.values()
    levels = second_order_suite.LEVELS
    found = whole_attack.attack(case, run, 0, levels, "CPU s", (0, 0))
    assert tuple(found.reached) == levels


def test_ratios_need_the_reference():
    found = {"a": [recovery.Reached({20.0: (1.0, 1)}, 20.0, 1.0, 1)]}
    stream = io.StringIO()
    tables.print_times({**found, "c": found["a"]}, "b", (20.0,), "CPU s", stream)
    assert "/" not in stream.getvalue()


def test_times_are_compared_on_what_both_recovered():
    def one(best, **reached):
        times = {float(key[1:]): value for key, value in reached.items()}
        return recovery.Reached(times, best, 9.0, 9)

    found = {
        "a": [one(26.0, l20=(1.0, 10), l25=(3.0, 30)), one(21.0, l20=(2.0, 20))],
        "c": [one(20.0, l20=(1.0, 0)), one(20.0, l20=(9.0, 0))],
        "b": [one(22.0, l20=(4.0, 40)), one(float("nan"))],
    }
    stream = io.StringIO()
    tables.print_times(found, "b", (20.0, 25.0), "iterations", stream)
    rows = [line.split() for line in stream.getvalue().splitlines()]
    assert ["20", "dB", "a", "2", "of", "2", "1.5", "15.0", "23.5"] in rows
    assert ["20", "dB", "b", "1", "of", "2", "4.0", "40.0", "22.0"] in rows
    assert ["a", "/", "b,", "1", "pictures", "0.25"] in rows
    assert ["c", "/", "b,", "1", "pictures", "0.25"] in rows
    assert ["25", "dB", "b", "0", "of", "2", "-", "-", "22.0"] in rows
    assert ["a", "/", "b,", "0", "pictures", "-"] in rows


def test_first_turn_does_not_count_and_batches_evaluate_less():
    asked = []

    def take(name):
        def taken(evaluations):
            asked.append((name, evaluations))
            return 4.0, 2.0, 1.0

        return taken

    sides = [turns.Side("one", 1, take("one")), turns.Side("four", 4, take("four"))]
    taken = turns.measure(sides, 2, 8, lambda first, other: first == other)
    assert asked == [("one", 8), ("four", 2)] * 3
    np.testing.assert_array_equal(taken["one"], [[4.0, 2.0]] * 2)
    np.testing.assert_array_equal(taken["four"], [[1.0, 0.5]] * 2)


@pytest.mark.slow
def test_few_pictures_are_recovered_on_the_large_network(monkeypatch):
    made = {}

    def build(shape, classes, seed):
        made["shape"] = shape
        return convnet64.convnet(shape, classes, seed, width=1)

    monkeypatch.setattr(first_order_cases.convnet64, "convnet64", build)
    case = first_order_cases.convnet64_cifar100(5, 16, 0)
    assert made["shape"] == (32, 32, 3)
    assert case.attacked == len(case.images) == first_order_cases.MOST_PICTURES
    assert len(case.starts) == 1
    assert first_order_cases.convnet64_cifar100(0, 16, 0).attacked == 0
