"""Ciphers and keys of the modules that try every cipher: each names its own in CIPHERS."""

import pytest

from tests.selenc_tf.lattice import either
from tests.selenc_tf.lattice.ciphers import COMPILED


def pytest_generate_tests(metafunc):
    ciphers = getattr(metafunc.module, "CIPHERS", None)
    if ciphers is not None and "cipher" in metafunc.fixturenames:
        # XLA compiles for seconds, once a process: a few tests do by default. Those
        # of a cipher without a key are in a module of its own.
        quick = getattr(metafunc.module, "WITH_XLA", ())
        few = metafunc.function.__name__ in quick
        metafunc.parametrize(
            "cipher",
            [
                pytest.param(
                    one,
                    marks=[]
                    if one.name not in COMPILED or (few and either.has_key(one))
                    else [pytest.mark.slow],
                )
                for one in ciphers
            ],
            ids=either.name_of,
        )


@pytest.fixture(scope="module")
def keys(request):
    return {either.name_of(one): either.new_key(one) for one in request.module.CIPHERS}


@pytest.fixture
def key(cipher, keys):
    return keys[either.name_of(cipher)]
