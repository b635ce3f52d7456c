"""Ciphers and keys of the modules that try every cipher: each names its own in CIPHERS."""

import pytest

from tests.selenc_tf.lattice.ciphers import COMPILED


def pytest_generate_tests(metafunc):
    ciphers = getattr(metafunc.module, "CIPHERS", None)
    if ciphers is not None and "cipher" in metafunc.fixturenames:
        # XLA compiles for seconds, once a process: a few tests do for the default run.
        quick = getattr(metafunc.module, "WITH_XLA", ())
        slow = [] if metafunc.function.__name__ in quick else [pytest.mark.slow]
        metafunc.parametrize(
            "cipher",
            [
                pytest.param(one, marks=slow if one.name in COMPILED else [])
                for one in ciphers
            ],
            ids=lambda cipher: cipher.name,
        )


@pytest.fixture(scope="module")
def keys(request):
    return {cipher.name: cipher.keygen() for cipher in request.module.CIPHERS}


@pytest.fixture
def key(cipher, keys):
    return keys[cipher.name]
