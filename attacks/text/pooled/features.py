"""The vectors that a classifier makes of one sentence, as their layers' gradients show.

Of one sentence the gradient of a dense layer is the outer product of its input and of the
derivative by its output, and that by the bias is the latter (Phong, Aono, Hayashi, Wang,
Moriai, "Privacy-Preserving Deep Learning via Additively Homomorphic Encryption", IEEE
TIFS 2018, section III). BERT's pooling layer and a classifier's head have one input each.

What enters them is what the last normalisation gives out, at one position, and nothing else
of that is used: so its gradients are of this position alone, by beta the derivative by the
output and by gamma that times the normalised vector. Their quotient is the vector again
(this project), with pooling layer and head hidden.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from attacks import target as target_lib
from attacks.labels import head as head_lib
from attacks.text.spans import places as places_lib
from attacks.text.spans import subspace
from attacks.text.spans.places import Place, Shown
from selenc_tf.models.text.structure import Projection
from selenc_tf.models.text.token_model import TokenModel
from selenc_tf.types import Weights


class Feature(NamedTuple):
    """A vector that enters a place above all blocks.

    Attributes:
      place: BERT's pooling layer or the head: what enters it.
      values: float64 [d], zero where unknown.
      known: bool [d].
      exact: Whether its length and sign are known, and not its direction alone.
    """

    place: Place
    values: np.ndarray
    known: np.ndarray
    exact: bool


def read(
    model: TokenModel, target: target_lib.Target, weights: Weights
) -> tuple[Feature, ...]:
    """Reads the vectors of one sentence.

    Runs on: attacker. Sees: the visible entries.

    Args:
      model: A classifier.
      target: The gradient of one sentence.
      weights: Of the round.

    Returns:
      They; none where nothing is to be read. Where all of what enters the pooling layer,
      or without one the head, is known, what else says the same is left out.
    """
    first, *rest = places_lib.above(model.structure)
    ways: tuple[Callable[[], Feature | None], ...] = (
        functools.partial(_feature, model, target, first),
        functools.partial(_of_norm, model, target, weights, first),
        *(functools.partial(_feature, model, target, place) for place in rest),
    )
    found: list[Feature] = []
    for way in ways:
        one = way()
        if one is not None:
            found.append(one)
        if one is not None and one.exact and one.known.all():
            return (one,) if one.place == first else tuple(found)
    return tuple(found)


def _of_norm(
    model: TokenModel, target: target_lib.Target, weights: Weights, place: Place
) -> Feature | None:
    """What the last normalisation gives out, from the gradients of gamma and beta."""
    gamma, beta = model.structure.last_norm
    if gamma is None or beta is None:
        return None
    products, seen = _entries(model, target, gamma)
    slopes, slopes_seen = _entries(model, target, beta)
    known = seen & slopes_seen & (slopes != 0)
    if not known.any():
        return None
    normal = np.where(known, products / np.where(known, slopes, 1.0), 0.0)
    scale, shift = (np.asarray(weights[one], np.float64) for one in (gamma, beta))
    return Feature(place, np.where(known, scale * normal + shift, 0.0), known, True)


def _feature(
    model: TokenModel, target: target_lib.Target, place: Place
) -> Feature | None:
    structure = model.structure
    layer = structure.pooler if place.part == "pooler" else structure.head
    if layer is None:
        return None
    shown = places_lib.shown(target, target.matched, model.spec, structure, place)
    slopes, slopes_seen = _slopes(model, target, layer)
    if place.part == "last" and len(slopes) == shown.values.shape[1]:
        # The classes' derivatives sum to zero.
        shown = Shown(*head_lib.conserve(shown.values, shown.seen))
        slopes, slopes_seen = (
            row[0] for row in head_lib.conserve(slopes[None], slopes_seen[None])
        )
    used = slopes_seen & (slopes != 0)
    if len(slopes) == shown.values.shape[1] and used.any():
        return _scaled(place, shown, np.where(used, slopes, 0.0))
    direction = subspace.of(shown, 1) if shown.values.any() else None
    if direction is None or direction.rank != 1:
        return None
    values = np.zeros(len(shown.values))
    values[direction.rows] = direction.basis[:, 0]
    return Feature(place, values, direction.rows, False)


def _scaled(place: Place, shown: Shown, slopes: np.ndarray) -> Feature | None:
    """Each coordinate as what explains its visible entries best."""
    squares = shown.seen @ np.square(slopes)
    known = squares > 0
    if not known.any():
        return None
    values = np.where(shown.seen, shown.values, 0.0) @ slopes
    return Feature(
        place, np.where(known, values / np.where(known, squares, 1), 0.0), known, True
    )


def _slopes(
    model: TokenModel, target: target_lib.Target, layer: Projection
) -> tuple[np.ndarray, np.ndarray]:
    """What is seen of the derivative by a layer's output; nothing without a bias."""
    if layer.bias is None:
        return np.zeros(0), np.zeros(0, np.bool_)
    return _entries(model, target, layer.bias)


def _entries(
    model: TokenModel, target: target_lib.Target, tensor: int
) -> tuple[np.ndarray, np.ndarray]:
    """The gradient of a tensor of one axis, zero where hidden, and what of it is seen."""
    start = sum(model.spec.sizes[:tensor])
    at = slice(start, start + model.spec.sizes[tensor])
    seen = target.matched[at]
    return np.where(seen, target.vector[at].astype(np.float64), 0.0), seen
