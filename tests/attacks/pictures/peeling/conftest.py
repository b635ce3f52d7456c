import pytest

from attacks.optimisers import blas
from tests.attacks.chains import build_net


@pytest.fixture(autouse=True)
def one_thread():
    """As in the attack: many small matrices, tens of times slower on two threads."""
    with blas.one_thread():
        yield


@pytest.fixture(scope="package")
def deep():
    """Both kinds of pooling, which cut rows, and a dense layer below the head."""
    return build_net((15, 14, 3), ((8, 0), (12, 2), (12, 0), (16, -3)), (10,))


@pytest.fixture(scope="package")
def easy():
    """Every layer has equations to spare."""
    return build_net((8, 8, 3), ((16, 0), (32, -2)), (12,))


@pytest.fixture(scope="package")
def told():
    """The first convolution has 108 equations for 144 positions, and outputs enough."""
    return build_net((12, 12, 1), ((12, 0), (32, -2)), (10,))


@pytest.fixture(scope="package")
def hard():
    """The first convolution has 72 equations for 144 positions."""
    return build_net((12, 12, 3), ((8, 0), (16, 2), (32, 2)), (10,))
