"""Lengths and classes that a batch's sentences may have, before their words are known."""

import itertools
import math
from typing import NamedTuple

import numpy as np

from attacks import target as target_lib
from attacks.knowledge import Knowledge
from attacks.labels import head as head_lib
from attacks.labels import rules, signs
from attacks.text.continuous import lengths as lengths_lib
from selenc_tf.models.text.token_model import TokenModel

_MOST = 12
"""Hypotheses that are worth a search each."""
_ARRANGED = 6
"""The largest batch whose classes are tried at all lengths."""


class Hypothesis(NamedTuple):
    """One of them, sentence by sentence.

    Attributes:
      lengths: int of each sentence, special tokens included.
      classes: The class of each.
    """

    lengths: tuple[int, ...]
    classes: tuple[int, ...]


class Hypotheses(NamedTuple):
    """Those that are tried.

    Attributes:
      tried: At least one.
      source: How classes are known, as `Reconstruction.label_source`.
    """

    tried: tuple[Hypothesis, ...]
    source: str


def of_target(
    target: target_lib.Target, knowledge: Knowledge[TokenModel], mode: target_lib.Mode
) -> Hypotheses:
    """Lists what is worth a search.

    Runs on: attacker. Sees: the visible entries, and its knowledge.

    Args:
      target: The gradient.
      knowledge: With the model, the batch size and perhaps labels.
      mode: What to do about hidden entries.

    Returns:
      The hypotheses. Known classes keep their order; otherwise the order of a batch is
      of no meaning, and the longest sentence is the first.
    """
    batches, source = _classes(target, knowledge, mode)
    options = lengths_lib.candidates(target, knowledge, mode, _MOST)
    pairs = [
        one
        for classes in batches
        for each in options
        for one in _arranged(each, classes, knowledge.labels is not None)
    ]
    found = tuple(dict.fromkeys(pairs))
    if len(found) > _MOST:
        # All at the longest length, so that only the classes are left to try.
        longest = (max(options[0]),) * knowledge.batch_size
        found = tuple(Hypothesis(longest, one) for one in batches)
    return Hypotheses(found, source)


def _arranged(
    each: tuple[int, ...], classes: tuple[int, ...], in_order: bool
) -> list[Hypothesis]:
    """Which sentence has which class; sentences of the same kind are exchangeable."""
    size = len(classes)
    if size > _ARRANGED or len(set(each)) == 1:
        return [Hypothesis(each, classes)]
    if in_order:
        orders = sorted(set(itertools.permutations(each)), reverse=True)
        return [Hypothesis(one, classes) for one in orders]
    mixed = [
        tuple(sorted(zip(each, one, strict=True), reverse=True))
        for one in itertools.permutations(classes)
    ]
    return [
        Hypothesis(*(tuple(part) for part in zip(*one, strict=True)))
        for one in dict.fromkeys(mixed)
    ]


def _classes(
    target: target_lib.Target, knowledge: Knowledge[TokenModel], mode: target_lib.Mode
) -> tuple[list[tuple[int, ...]], str]:
    model, size, count = (
        knowledge.model,
        knowledge.batch_size,
        knowledge.model.num_classes,
    )
    if knowledge.classes is not None:
        return [tuple(int(one) for one in knowledge.classes)], "known"
    guess = signs.guess_classes(target, model.spec, count, size, np.zeros(count))
    answer = tuple(sorted(int(one) for one in guess))
    if size == 1:
        left = signs.possible_labels(target, mode, model.spec, count)
        found: list[tuple[int, ...]] = [(one,) for one in left]
    else:
        found = _of_batch(target, model, size)
    if len(found) == 1:
        return found, "inferred"
    if 1 < len(found) <= _MOST:
        return found, "enumerated"
    return [answer], "guessed"


def _of_batch(
    target: target_lib.Target, model: TokenModel, size: int
) -> list[tuple[int, ...]]:
    """Classes of several sentences; a kernel alone says nothing without signs of inputs."""
    head = head_lib.read_head(target, model.spec, model.num_classes)
    if head is not None and head.bias_known.all() and head.bias.any():
        rule = "bias_corrected"
        answer = rules.infer_classes(target, model.spec, model.num_classes, size, rule)
        return list(rules.hypotheses(answer, model.num_classes, _MOST))
    if math.comb(model.num_classes + size - 1, size) > _MOST:
        return []
    every = itertools.combinations_with_replacement(range(model.num_classes), size)
    return list(every)
