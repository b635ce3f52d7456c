"""What tests of all packages share: key files, and a TFF context with a tap."""

import gc
import os
import sys
from typing import NamedTuple

import pytest

import federated  # noqa: F401  # Makes TFF importable.

# Before TensorFlow is imported anywhere: no start-up chatter in reports of failures.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# What TensorFlow's modules make stays: to look through it again and again, for what could
# be freed, took a third of the time in which tests are collected.
gc.disable()


def pytest_collection_finish():
    """From here on only what tests make is looked through."""
    gc.freeze()
    gc.set_threshold(50_000)
    gc.enable()


def pytest_sessionfinish():
    """Lets TFF's own executor go while its finaliser still has the modules it uses.

    At the interpreter's exit it has not, and says so on the screen.
    """
    tff = sys.modules.get("tensorflow_federated")
    if tff is not None:
        from federated import runtime

        tff.framework.set_default_context(runtime.InProcessContext())
        gc.collect()


class Federation(NamedTuple):
    """An installed in-process context and what its tap has seen so far."""

    context: object
    crossings: list


@pytest.fixture
def federation():
    """Installs an in-process TFF context for one test; its tap writes a list."""
    import tensorflow_federated as tff

    from federated import runtime

    crossings = []
    context = runtime.InProcessContext([crossings.append])
    with tff.framework.get_context_stack().install(context):
        yield Federation(context, crossings)


@pytest.fixture(scope="session")
def key_for(tmp_path_factory):
    """`key_for(cipher) -> KeySet`: one key for each parameter set of the session."""
    from selenc_tf.lattice import key_store

    folder = tmp_path_factory.mktemp("keys")

    def find(cipher):
        path = folder / f"{cipher.name}-{cipher.digest}.key"
        if path.exists():
            return key_store.find(path)
        return key_store.create(path, cipher)

    return find
