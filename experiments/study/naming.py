"""Which labels of a run are right, and how often a guess is that uses no message."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from attacks.knowledge import PublicExamples
from attacks.metrics import targets
from experiments.data.dataset import Dataset
from experiments.outputs import labels
from experiments.study.modality import Modality
from selenc_tf.models.any_model import AnyModel

_OF_CLASSES = 0.05
"""Where a loss takes classes as numbers, 0 and 1: so near a number names one."""


class Naming(NamedTuple):
    """How labels are compared.

    Attributes:
      tolerance: float64 [k], how far off labels may be that are k numbers; None of
        classes.
      details: What records say of it, and of a guess.
    """

    tolerance: NDArray[np.float64] | None
    details: Mapping[str, Any]


def of(
    modality: Modality,
    model: AnyModel,
    dataset: Dataset,
    public: PublicExamples | None,
) -> Naming:
    """The rule for the labels of a data set, by what the attacker has of others.

    Runs on: the experiment. Sees: all labels, where there are no public ones.

    Args:
      modality: What an example is.
      model: The attacked model.
      dataset: The examples.
      public: Those of the attacker, if any: targets are right to within a share of the
        spread of theirs, else of that of the data set's.

    Returns:
      The rule.
    """
    if not dataset.has_classes and not dataset.labels.shape[1]:
        return Naming(None, {})
    guess = {} if public is None else labels.details(public.labels)
    if model.kind == "classes":
        return Naming(None, guess)
    if dataset.has_classes:
        return Naming(np.full([model.num_classes], _OF_CLASSES), guess)
    known = (
        modality.public(model, dataset, range(len(dataset)))
        if public is None
        else public
    )
    within = targets.tolerance(known.labels)
    whose = "the data's targets" if public is None else "the public targets"
    words = f"{100 * targets.SHARE:g} % of the standard deviation of {whose}"
    share = None if public is None else targets.share_by_guess(public.labels, within)
    return Naming(within, labels.details_of_numbers(words, share))
