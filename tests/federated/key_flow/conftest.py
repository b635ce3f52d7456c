"""The key file that the processes read."""

import pytest

from tests.federated.key_flow.parts import find


@pytest.fixture(scope="module")
def path(keys):
    return find(keys.path).path
