"""Which classes a batch may have, and how that is known: decided here for all attacks.

    declared by the knowledge                      known
    one batch that the visible entries leave       inferred
    a few, each worth a search                     enumerated
    more, or nothing to tell them apart by         guessed: a label rule's answer

An attack that can optimises labels with the pictures instead of taking a guess.
"""

import itertools
import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from attacks import knowledge as knowledge_lib
from attacks import target as target_lib
from attacks.labels import rules, signs
from attacks.structure import dense_layers
from selenc_tf import flatten
from selenc_tf.models import functional

Source: TypeAlias = Literal["known", "inferred", "enumerated", "guessed", "optimised"]
"""What a reconstruction says about its labels."""

MOST_CANDIDATES = 12
"""Batches of classes that are worth a search each."""

_GUESS_NOISE = 0.3
"""Standard deviation of a varied guess's noise, in pictures."""


class Candidates(NamedTuple):
    """The labels that a batch may have.

    Attributes:
      classes: Tuples of b classes (known labels may be numbers), in the order of the
        pictures; none where they are to be optimised with the pictures.
      source: How they are known.
    """

    classes: tuple[knowledge_lib.Labels, ...]
    source: Source


JOINT = Candidates((), "optimised")
"""Labels that are optimised with the pictures."""


def declared(knowledge: knowledge_lib.Knowledge) -> Candidates:
    """The labels that the knowledge declares, or `JOINT`."""
    if knowledge.labels is None:
        return JOINT
    return Candidates((knowledge.labels,), "known")


def candidates(
    rounds: Sequence[target_lib.Target],
    knowledge: knowledge_lib.Knowledge,
    mode: target_lib.Mode = "mask_aware",
    *,
    most: int = MOST_CANDIDATES,
    rule: str | None = None,
) -> Candidates:
    """Lists the classes to try.

    Runs on: attacker. Sees: the visible entries of the head, and its knowledge.

    Args:
      rounds: Gradients of the batch; of a single picture all of them exclude classes,
        of several the first is read.
      knowledge: The model, the batch size and perhaps labels.
      mode: What to do about hidden entries of a single picture's head.
      most: The longest list worth trying. 1 for an attack that takes one answer.
      rule: For batches and guesses, see `rules.infer_classes`.

    Returns:
      At least one batch of classes.

    Raises:
      DoesNotApply: If labels are unknown and no classes.
    """
    if knowledge.labels is not None:
        return declared(knowledge)
    model, size = knowledge.model, knowledge.batch_size
    if model.kind != "classes":
        raise knowledge_lib.DoesNotApply(
            f"`knowledge.labels` must be there where a model ({model.name}) learns "
            f"{model.kind} and labels are not searched for, got None."
        )
    spec = readable_layout(rounds[0], model)
    answer = rules.infer_classes(rounds[0], spec, model.num_classes, size, rule)
    guess = answer.classes
    if size == 1:
        left = set(range(model.num_classes))
        for target in rounds:
            left &= set(signs.possible_labels(target, mode, spec, model.num_classes))
        batches: tuple[tuple[int, ...], ...] = tuple((one,) for one in sorted(left))
        if batches and guess not in batches:
            guess = batches[0]
    else:
        batches = rules.hypotheses(answer, model.num_classes, most)
    if len(batches) == 1:
        return Candidates(batches, "inferred")
    evidence = any(np.any(one.matched) for one in rounds)
    if evidence and 1 < len(batches) <= most:
        return Candidates(batches, "enumerated")
    return Candidates((guess,), "guessed")


def together(parts: Sequence[Candidates]) -> Candidates:
    """The classes of several batches side by side, if few combinations are possible.

    Args:
      parts: The candidates of each batch.

    Returns:
      All combinations, in the order of the parts; `JOINT` if one part is a guess or
      there are more than `MOST_CANDIDATES`.
    """
    count = math.prod(len(one.classes) for one in parts)
    if count > MOST_CANDIDATES or any(one.source == "guessed" for one in parts):
        return JOINT
    combined = itertools.product(*(one.classes for one in parts))
    classes: Any = tuple(tuple(itertools.chain(*choice)) for choice in combined)
    return Candidates(classes, "inferred" if len(classes) == 1 else "enumerated")


def guess(
    target: target_lib.Target,
    knowledge: knowledge_lib.Knowledge,
    size: int,
    generator: np.random.Generator,
    index: int,
) -> np.ndarray:
    """One of several guesses of a batch's classes, from the head's bias.

    Runs on: attacker. Sees: the visible entries of the head's bias.

    Args:
      target: The gradient.
      knowledge: For the model.
      size: The number of pictures.
      generator: Varies the guesses.
      index: Which guess; the first has only ties broken.

    Returns:
      int64 [size], in the order of `signs.guess_classes`.
    """
    model = knowledge.model
    noise = generator.standard_normal(model.num_classes)
    noise *= _GUESS_NOISE if index else 1e-9
    spec = readable_layout(target, model)
    return signs.guess_classes(target, spec, model.num_classes, size, noise)


def readable_layout(
    target: target_lib.Target, model: functional.FunctionalModel
) -> flatten.FlatSpec:
    """The layout in which a classifier head may be looked for.

    Args:
      target: The gradient.
      model: The architecture.

    Returns:
      The model's; one with no head in it, where no dense layer gives the
      scores of a softmax, or its gradient is not known without the penalties.
    """
    heads = any(layer.head for layer in dense_layers.dense_layers(model))
    readable = model.kind == "classes" and heads and target.penalty is not None
    return model.spec if readable else flatten.FlatSpec(("no head",), ((1,),))


def guesses(
    target: target_lib.Target,
    knowledge: knowledge_lib.Knowledge,
    count: int,
    generator: np.random.Generator,
) -> Candidates:
    """Several guesses of a batch's classes, for an attack that cannot optimise them.

    Runs on: attacker. Sees: the visible entries of the head's bias.

    Args:
      target: The gradient; of entries that are marked visible, imputed ones count too.
      knowledge: The model and the batch size.
      count: How many guesses to make.
      generator: Varies them.

    Returns:
      Those that differ, each ascending.
    """
    found = [
        guess(target, knowledge, knowledge.batch_size, generator, index)
        for index in range(count)
    ]
    distinct = dict.fromkeys(tuple(sorted(int(one) for one in each)) for each in found)
    return Candidates(
        tuple(distinct), "guessed" if len(distinct) == 1 else "enumerated"
    )
