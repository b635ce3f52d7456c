"""What is freed while memory is overwritten."""

import weakref

import pytest

from selenc_tf.lattice import memory


class Held:
    """Stands for a tensor with a key in it."""


def test_what_an_error_and_its_causes_hold_is_freed_within():
    held = []

    def fails(cause=None):
        secret = Held()
        held.append(weakref.ref(secret))
        raise ValueError from cause

    def fails_again():
        try:
            fails()
        except ValueError as error:
            fails(error)

    with pytest.raises(ValueError) as caught, memory.zeroed():
        fails_again()
    assert caught.value.__cause__ is not None
    assert [one() for one in held] == [None, None]
