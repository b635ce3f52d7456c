"""The inputs of a dense layer, read off the gradients of a batch.

    one example      an outer product (`outer.py`)
    a batch          where the network is sure of most, one after the other (`unequal.py`);
                     else the span of the inputs (`span.py`), and then the mixture of it:
                     with exact zeros in the derivatives (ReLU) by them
                     (`sparse_starts.py`), else, and to repair that, by the model's own
                     equations (`mixing.py`)

Every reading is checked against the model: labels must exist that explain the
derivatives that came out. What does not fit is not handed on.
"""

import collections
from typing import NamedTuple, cast

import numpy as np

from attacks import effort as effort_lib
from attacks import knowledge as knowledge_lib
from attacks import programs as programs_lib
from attacks import target as target_lib
from attacks.continuous.analytic import closed_form
from attacks.continuous.features import batch, labelling, outer
from attacks.continuous.features import features as features_lib
from attacks.continuous.features import layer as layer_lib
from attacks.continuous.features import pieces as pieces_lib
from attacks.labels import candidates as candidates_lib
from attacks.structure import cut as cut_lib
from selenc_tf.models import functional
from selenc_tf.types import Seed


class Reading(NamedTuple):
    """What one dense layer shows.

    Attributes:
      cut: At the layer.
      layer: The layer.
      features: Its inputs.
    """

    cut: cut_lib.Cut
    layer: layer_lib.Layer
    features: features_lib.Features

    @property
    def told(self) -> int:
        """How many numbers it says."""
        return int(np.count_nonzero(np.isfinite(self.features.errors)))


def read(
    model: functional.FunctionalModel,
    cuts: tuple[cut_lib.Cut, ...],
    target: target_lib.Target,
    weights: tuple[np.ndarray, ...],
    knowledge: knowledge_lib.Knowledge,
    seed: Seed,
    effort: effort_lib.Effort,
    programs: programs_lib.Programs,
) -> tuple[Reading, ...]:
    """Reads the inputs of the lowest dense layer that shows them.

    Runs on: attacker. Sees: the weights and the visible entries of the dense layers.

    Args:
      model: The architecture.
      cuts: Its cuts, from below.
      target: The gradient of one batch.
      weights: All tensors of the round.
      knowledge: The batch size, and perhaps labels.
      seed: Of what is drawn.
      effort: Of completions and searches.
      programs: What is compiled already.

    Returns:
      First the lowest layer all of whose inputs are known, and else the one of which the
      most are; behind it the other ones that were read, from below.

    Raises:
      DoesNotApply: If no layer shows enough, or what it shows does not fit the model,
        the batch size or the labels; or the message is no mean of single gradients.
    """
    closed_form.check_target(target)
    _check_mean(target, knowledge)
    found, reasons = [], []
    for cut in cuts:
        try:
            layer = layer_lib.of(model, cut, target, weights, programs)
            one = Reading(
                cut, layer, _read_layer(layer, target, knowledge, seed, effort)
            )
        except knowledge_lib.DoesNotApply as error:
            reasons.append(str(error))
            continue
        found.append(one)
        if np.isfinite(one.features.errors).all():
            break
    if not found:
        raise knowledge_lib.DoesNotApply(" ".join(reasons))
    whole = np.isfinite(found[-1].features.errors).all()
    best = found[-1] if whole else max(found, key=lambda one: one.told)
    return best, *(one for one in found if one is not best)


def _check_mean(target: target_lib.Target, knowledge: knowledge_lib.Knowledge) -> None:
    """Every example must count as much as any other, in one gradient."""
    if knowledge.local_training is not None:
        raise knowledge_lib.DoesNotApply(
            "`knowledge.local_training` must be None for a reading of one gradient, but "
            "the message is the sum of several steps. Match gradients."
        )
    each = np.asarray(target.shares) / np.asarray(target.sizes)
    if np.ptp(each) > 1e-6 * np.max(each):
        raise knowledge_lib.DoesNotApply(
            "The examples behind the target must all count the same, but the clients' "
            f"weights are not in proportion to `knowledge.client_sizes` = {target.sizes}."
        )


def _read_layer(
    layer: layer_lib.Layer,
    target: target_lib.Target,
    knowledge: knowledge_lib.Knowledge,
    seed: Seed,
    effort: effort_lib.Effort,
) -> features_lib.Features:
    if knowledge.batch_size == 1:
        pieces = outer.read(layer, _possible(layer, target, knowledge))
    else:
        labels = _batches(layer, target, knowledge)
        known = knowledge.labels is not None
        pieces = batch.read(layer, knowledge.batch_size, labels, known, seed, effort)
    if pieces is None:
        raise knowledge_lib.DoesNotApply(
            f"The gradient of the layer {layer.name!r} must show the inputs of "
            f"{knowledge.batch_size} examples, but its visible entries do not."
        )
    return _labelled(layer, pieces, target, knowledge)


def _possible(
    layer: layer_lib.Layer,
    target: target_lib.Target,
    knowledge: knowledge_lib.Knowledge,
) -> list[np.ndarray]:
    """Labels that a single example may have."""
    if layer.kind == "classes":
        found = candidates_lib.candidates((target,), knowledge)
        count = layer.slopes.classes
        some = np.array([one[0] for one in found.classes], np.int64)
        if found.source == "guessed":
            some = np.arange(count)
        return list(np.eye(count)[some])
    if knowledge.labels is None:
        return []
    return [np.asarray(knowledge.labels[0], np.float64)]


def _batches(
    layer: layer_lib.Layer,
    target: target_lib.Target,
    knowledge: knowledge_lib.Knowledge,
) -> list[np.ndarray]:
    """Labels that a batch may have."""
    if layer.kind == "classes":
        found = candidates_lib.candidates((target,), knowledge)
        one_hot = np.eye(layer.slopes.classes)
        return [one_hot[np.asarray(one, np.int64)] for one in found.classes]
    if knowledge.labels is None:
        return []
    return [np.asarray(knowledge.labels, np.float64)]


def _labelled(
    layer: layer_lib.Layer,
    pieces: pieces_lib.Pieces,
    target: target_lib.Target,
    knowledge: knowledge_lib.Knowledge,
) -> features_lib.Features:
    if layer.kind != "classes":
        raise knowledge_lib.DoesNotApply(
            f"The model must learn classes for its layer {layer.name!r} to be read, got "
            f"{layer.kind}."
        )
    if pieces.some:
        return _of_some(layer, pieces, target, knowledge)
    source: candidates_lib.Source = "inferred"
    if not pieces.known.all():
        found = candidates_lib.candidates((target,), knowledge, most=1)
        labels, source = np.asarray(found.classes[0], np.int64), found.source
        slopes = np.where(pieces.units, pieces.slopes, np.nan)
        return _features(pieces, labels, source)._replace(slopes=slopes)
    told = labelling.classes(layer, pieces)
    if pieces.labels is not None:
        # The equations hold; but where a class's column is hidden, for others too.
        told = labelling.Labelled(pieces.labels, np.zeros(len(told.misfit)), told.sure)
    if not told.fits:
        raise knowledge_lib.DoesNotApply(
            f"What the layer {layer.name!r} shows must be derivatives that the model "
            "makes for some labels, but it is not: another batch size, several steps, or "
            "another model."
        )
    labels = told.labels
    if not told.sure.all():
        source = "guessed"
    if knowledge.classes is not None:
        if sorted(knowledge.classes) != sorted(labels.tolist()) and told.sure.all():
            raise knowledge_lib.DoesNotApply(
                "`knowledge.labels` must be those of the gradient, but its layer "
                f"{layer.name!r} shows others."
            )
        order = _order(labels, knowledge.classes)
        pieces = pieces._replace(
            features=pieces.features[order], errors=pieces.errors[order]
        )
        labels, source = np.asarray(knowledge.classes, np.int64), "known"
    return _features(pieces, labels, source)


def _of_some(
    layer: layer_lib.Layer,
    pieces: pieces_lib.Pieces,
    target: target_lib.Target,
    knowledge: knowledge_lib.Knowledge,
) -> features_lib.Features:
    """Examples with their labels, and of the others nothing but a guess at the label."""
    assert pieces.labels is not None
    found, size = pieces.labels.tolist(), knowledge.batch_size
    labels, source = knowledge.classes, candidates_lib.declared(knowledge).source
    if labels is None:
        labels = _completed(found, target, knowledge)
        source = "inferred" if len(found) == size else "guessed"
    places = _places(found, labels)
    if places is None:
        raise knowledge_lib.DoesNotApply(
            "`knowledge.labels` must be those of the gradient, but its layer "
            f"{layer.name!r} shows others."
        )
    values = np.zeros((size, pieces.features.shape[1]))
    errors = np.full(values.shape, np.inf)
    values[places], errors[places] = pieces.features, pieces.errors
    return features_lib.Features(
        values=values,
        errors=errors,
        labels=np.asarray(labels, np.int64),
        label_source=source,
        residual=pieces.residual,
        entries=pieces.entries,
    )


def _completed(
    found: list[int],
    target: target_lib.Target,
    knowledge: knowledge_lib.Knowledge,
) -> tuple[int, ...]:
    """The labels found, and behind them those of a guess at the batch that are left."""
    missing = knowledge.batch_size - len(found)
    if not missing:
        return tuple(found)
    guess = candidates_lib.candidates((target,), knowledge, most=1).classes
    left = collections.Counter(cast("tuple[int, ...]", guess[0] if guess else ()))
    left.subtract(found)
    others = [*left.elements(), *[found[0]] * missing]
    return (*found, *others[:missing])


def _places(found: list[int], labels: tuple[int, ...]) -> list[int] | None:
    """Where in the labels each found one stands; None if one does not."""
    free = list(range(len(labels)))
    places = []
    for label in found:
        index = next((one for one in free if labels[one] == label), None)
        if index is None:
            return None
        free.remove(index)
        places.append(index)
    return places


def _order(found: np.ndarray, wanted: tuple[int, ...]) -> np.ndarray:
    """Which found example stands where the knowledge has its class."""
    left = list(range(len(found)))
    order = []
    for label in wanted:
        index = next((one for one in left if found[one] == label), left[0])
        left.remove(index)
        order.append(index)
    return np.asarray(order)


def _features(
    pieces: pieces_lib.Pieces, labels: np.ndarray, source: candidates_lib.Source
) -> features_lib.Features:
    return features_lib.Features(
        values=pieces.features,
        errors=pieces.errors,
        labels=labels,
        label_source=source,
        residual=pieces.residual,
        entries=pieces.entries,
    )
