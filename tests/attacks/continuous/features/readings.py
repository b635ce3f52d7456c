"""Layers read off a view, as the tests of readings want them."""

from attacks import effort
from attacks import target as target_lib
from attacks.continuous.features import reading
from tests.attacks import victims


def lowest(model, cuts, view, known):
    """What is read farthest down."""
    best, *_ = reading.read(
        model,
        cuts,
        target_lib.build_target(view, known, 0, "mask_aware"),
        view.weights,
        known,
        (0, 0),
        effort.Effort(),
        victims.PROGRAMS,
    )
    return best
