"""Examples from a message of several local steps: read, simulate, correct, read again."""

import functools
import itertools
import math
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np

from attacks import knowledge as knowledge_lib
from attacks import target as target_lib
from attacks.continuous.features import bounds, inversion, local_steps
from attacks.continuous.features import features as features_lib
from attacks.continuous.features import span as span_lib
from attacks.structure import cut as cut_lib
from selenc_tf.types import Weights

_READINGS = 16
_GAIN, _PATIENCE = 0.5, 3
"""Share of the error that a reading has to leave at most, and readings in a row that leave
more after which none follows."""

_EXPLAINED = 1e-12
"""Squared error of the simulated message, relative, at which nothing is left to gain."""
_MATCHED = 1e-9
"""And up to which it is the client's."""
_REFUSED = 0.1
"""And from which on the examples are not those of the message."""

_FIRST = 0.1
"""Share of what a layer's factors leave that its inputs are uncertain by at first."""
_LEFT = 0.1
"""Share of the last change of the features that is still wrong."""
_MOST_ORDERS = 24
_GRID = 1 / 255
_NEAREST, _FARTHEST = 3e-5, 0.02
"""From a bound, between which numbers are held there, by what is open of them."""

NoiseOf: TypeAlias = Callable[[features_lib.Features], float]
"""What features are uncertain by, relative."""


class Explained(NamedTuple):
    """One reading and what it makes of the examples.

    Attributes:
      cut: Where it was read.
      features: What was read there.
      found: The examples.
    """

    cut: cut_lib.Cut
    features: features_lib.Features
    found: inversion.Inverted


Explain: TypeAlias = Callable[[target_lib.Target, Weights, NoiseOf | None], Explained]
"""From a target and the weights below."""


def solve(
    client: local_steps.Client,
    target: target_lib.Target,
    classes: tuple[int, ...] | None,
    explain: Explain,
    over: Callable[[], bool],
) -> Explained:
    """Reads until the simulated message is the client's.

    Runs on: attacker. Sees: the weights and the visible entries.

    Args:
      client: How it trains.
      target: Its message.
      classes: Of the examples in the order in which they are taken, if known.
      explain: Reads one gradient and inverts what it shows.
      over: Whether time is up.

    Returns:
      The examples whose message came closest, in the order in which they are taken. They
      are "settled" only if it is the client's up to rounding.

    Raises:
      DoesNotApply: If nothing can be read, the examples' message is another one, or they
        can be taken in too many orders.
    """
    simulated: local_steps.Simulated | None = None
    before: np.ndarray | None = None
    best: Explained | None = None
    least, late, steps = np.inf, 0, 0
    for _ in range(_READINGS):
        one, lower = local_steps.standing(client, target, simulated)
        try:
            now = explain(one, lower, functools.partial(_noise, before))
        except knowledge_lib.DoesNotApply:
            if best is None:
                raise
            break
        steps += now.found.steps
        before = now.features.values
        error, now, simulated = min(
            (
                _tried(client, target, now._replace(found=found), order)
                for found in _candidates(now.found)
                for order in _orders(client, now, classes)
            ),
            key=lambda tried: tried[0],
        )
        late = late + 1 if error > _GAIN * least else 0
        if best is None or error < least:
            best, least = now, error
        if least < _EXPLAINED or late == _PATIENCE or over():
            break
    if best is None or not least < _REFUSED:
        raise knowledge_lib.DoesNotApply(
            "Local training on what the dense layers show must make the message, but it "
            "makes another one: other steps than `knowledge.local_training`, or too "
            "little is visible."
        )
    exact, source = least < _MATCHED, best.features.label_source
    if source != "known":
        source = "inferred" if exact else "guessed"
    return best._replace(
        features=best.features._replace(label_source=source),
        found=best.found._replace(settled=exact and best.found.settled, steps=steps),
    )


def _noise(before: np.ndarray | None, features: features_lib.Features) -> float:
    """What features are uncertain by, relative, given those of the reading before."""
    left = _FIRST * float(np.sqrt(features.residual))
    if before is not None:
        # The examples may come in another order.
        far = np.linalg.norm(features.values[:, None] - before, axis=-1).min(axis=1)
        sizes = np.linalg.norm(features.values, axis=1)
        left = _LEFT * float(np.max(far / np.maximum(sizes, 1e-300)))
    return max(left, span_lib.ROUNDING)


def _candidates(found: inversion.Inverted) -> list[inversion.Inverted]:
    """The examples as found, and where that may be on the grid of 8 bits too.

    Past a ReLU or a maximum what lies a billionth beside an example trains another way,
    and most pictures are on this grid. What is not shows in the message.
    """
    near = np.clip(2 * found.deviation, _NEAREST, _FARTHEST)
    several = [found._replace(images=bounds.held(found.images, near))]
    if np.max(found.deviation) < _GRID:
        several.append(found._replace(images=np.round(found.images / _GRID) * _GRID))
    return several


def _orders(
    client: local_steps.Client, now: Explained, classes: tuple[int, ...] | None
) -> list[np.ndarray]:
    """In which the examples may be taken: those that differ for the steps."""
    size, each = client.size, client.training.batch_size or client.size
    if each >= size:
        return [np.arange(size)]
    batches = -(-size // each)
    count = math.factorial(size) // math.factorial(each) ** (size // each)
    if count // math.factorial(size % each) > _MOST_ORDERS:
        raise knowledge_lib.DoesNotApply(
            f"At most {_MOST_ORDERS} orders in which a client takes its examples can be "
            f"tried, but {size} examples in {batches} batches of {each} have more."
        )
    labels = now.features.labels
    found: dict[tuple[tuple[int, ...], ...], np.ndarray] = {}
    for order in itertools.permutations(range(size)):
        parts = tuple(
            tuple(sorted(order[at : at + each])) for at in range(0, size, each)
        )
        same = classes is None or [int(labels[one]) for one in order] == list(classes)
        if same:
            found.setdefault(parts, np.array(order))
    return list(found.values())


def _tried(
    client: local_steps.Client,
    target: target_lib.Target,
    now: Explained,
    order: np.ndarray,
) -> tuple[float, Explained, local_steps.Simulated]:
    """The error of the message of examples in an order, and these."""
    features, found = now.features, now.found
    now = now._replace(
        features=features._replace(
            values=features.values[order],
            errors=features.errors[order],
            labels=features.labels[order],
        ),
        found=found._replace(
            images=found.images[order], deviation=found.deviation[order]
        ),
    )
    made = local_steps.simulate(client, now.found.images, now.features.labels, target)
    return local_steps.misfit(client, target, made.update), now, made
