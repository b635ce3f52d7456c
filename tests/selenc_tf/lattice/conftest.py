"""Ciphers and keys of the modules that try every cipher: each names its own in CIPHERS."""

import pytest


def pytest_generate_tests(metafunc):
    ciphers = getattr(metafunc.module, "CIPHERS", None)
    if ciphers is not None and "cipher" in metafunc.fixturenames:
        metafunc.parametrize("cipher", ciphers, ids=lambda cipher: cipher.name)


@pytest.fixture(scope="module")
def keys(request):
    return {cipher.name: cipher.keygen() for cipher in request.module.CIPHERS}


@pytest.fixture
def key(cipher, keys):
    return keys[cipher.name]
