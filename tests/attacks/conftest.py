import dataclasses

import pytest

from attacks import knowledge
from tests.attacks import victims


@pytest.fixture(scope="session")
def tiny():
    return victims.tiny_model()


@pytest.fixture(scope="session")
def tiny_knowledge(tiny):
    return knowledge.Knowledge(tiny)


@pytest.fixture
def with_labels(tiny_knowledge):
    def declare(*labels):
        return dataclasses.replace(
            tiny_knowledge, batch_size=len(labels), labels=labels
        )

    return declare
