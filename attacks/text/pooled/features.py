"""The vectors that a classifier makes of one sentence, as their layers' gradients show.

Of one sentence the gradient of a dense layer is the outer product of its input and of the
derivative by its output, and that by the bias is the latter (Phong, Aono, Hayashi, Wang,
Moriai, "Privacy-Preserving Deep Learning via Additively Homomorphic Encryption", IEEE
TIFS 2018, section III). BERT's pooling layer and a classifier's head have one input each.

What enters them is what the last normalisation gives out, at one position, and nothing else
of that is used: so its gradients are of this position alone, by beta the derivative by the
output and by gamma that times the normalised vector. Their quotient is the vector again
(this project), with pooling layer and head hidden.

Of the last block the position above is all that is used. So its attention output and its
feed-forward layers have one input each, too: their gradients say it like those of the
layers above, and so do those of their biases alone (`feedforward_biases.py`).
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from attacks import target as target_lib
from attacks.labels import head as head_lib
from attacks.text.pooled import feedforward_biases
from attacks.text.spans import places as places_lib
from attacks.text.spans import subspace
from attacks.text.spans.places import Place, Shown
from selenc_tf.models.text.structure import Projection, Structure
from selenc_tf.models.text.token_model import TokenModel
from selenc_tf.types import Weights


class Feature(NamedTuple):
    """A vector that enters a place where one position of a sentence is used.

    Attributes:
      place: BERT's pooling layer, the head, or one of the last block's: what enters it.
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
      They; none where nothing is to be read. Where all of one is known, what lies below it
      is left out, and where all of what enters the pooling layer, or without one the head,
      what lies above that.
    """
    structure = model.structure
    first, *rest = places_lib.above(structure)
    block, depth = structure.blocks[-1], len(structure.blocks) - 1
    feedforward = Place(depth, "feedforward")
    read, of_norm = (
        functools.partial(way, model, target) for way in (_feature, _of_norm)
    )
    ways: tuple[Callable[[], Feature | None], ...] = (
        functools.partial(read, first),
        functools.partial(of_norm, weights, structure.last_norm, first),
        *(functools.partial(read, place) for place in rest),
        functools.partial(read, Place(depth, "middle")),
        functools.partial(read, feedforward),
        functools.partial(of_norm, weights, block.feedforward_norm, feedforward),
        functools.partial(_of_biases, model, target, weights),
        functools.partial(read, Place(depth, "mixed")),
    )
    found: list[Feature] = []
    for way in ways:
        one = way()
        if one is not None:
            found.append(one)
        if one is not None and one.exact and one.known.all():
            return (one,) if one.place == first else tuple(found)
    return tuple(found)


def _of_biases(
    model: TokenModel, target: target_lib.Target, weights: Weights
) -> Feature | None:
    """What enters the last block's feed-forward layers, from their biases' gradients."""
    structure = model.structure
    block = structure.blocks[-1]
    first, second = block.feedforward, block.feedforward_output
    if block.gate is not None or first.bias is None or second.bias is None:
        return None
    if first.kernel is None or second.kernel is None:
        return None
    slopes, seen = _slopes(model, target, first)
    after, all_seen = _slopes(model, target, second)
    if not all_seen.all():
        return None
    kernel, behind, bias = (
        np.asarray(weights[one], np.float64)
        for one in (first.kernel, second.kernel, first.bias)
    )
    known = feedforward_biases.Biases(
        kernel[:, seen],
        bias[seen],
        slopes[seen],
        behind[seen] @ after,
        block.activation,
    )
    values = feedforward_biases.solve(known)
    if values is None:
        return None
    place = Place(len(structure.blocks) - 1, "feedforward")
    return Feature(place, values, np.ones(len(values), np.bool_), True)


def _of_norm(
    model: TokenModel,
    target: target_lib.Target,
    weights: Weights,
    norm: tuple[int | None, int | None],
    place: Place,
) -> Feature | None:
    """What a normalisation gives out, from the gradients of gamma and beta."""
    gamma, beta = norm
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
    layer = _layer(structure, place)
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


def _layer(structure: Structure, place: Place) -> Projection | None:
    """What multiplies the vector that enters."""
    match place.part:
        case "pooler":
            return structure.pooler
        case "last":
            return structure.head
    block = structure.blocks[place.depth]
    of_blocks = {
        "mixed": block.output,
        "feedforward": block.feedforward,
        "middle": block.feedforward_output,
    }
    return of_blocks[place.part]


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
