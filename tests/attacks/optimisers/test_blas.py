import numpy as np
import pytest

from attacks.optimisers import blas, lbfgs


def blas_threads():
    threadpoolctl = pytest.importorskip("threadpoolctl")
    return [
        library["num_threads"]
        for library in threadpoolctl.threadpool_info()
        if library["user_api"] == "blas"
    ]


def test_one_thread_inside_and_the_old_number_after():
    before = blas_threads()
    with blas.one_thread():
        assert set(blas_threads()) == {1}
    assert blas_threads() == before


def test_the_optimiser_has_one_thread():
    seen = []

    def square(point):
        seen.extend(blas_threads())
        return float(point @ point), 2 * point

    lbfgs.minimise(
        [square], [np.ones(2)], -np.ones(2), np.ones(2), lbfgs.Budget(restarts=1)
    )
    assert set(seen) == {1}


def test_without_the_package_nothing_changes(monkeypatch):
    monkeypatch.setattr(blas.importlib.util, "find_spec", lambda name: None)
    before = blas_threads()
    with blas.one_thread():
        assert blas_threads() == before
