"""Hidden entries imputed from the visible ones, by what public gradients have in common.

The values are the mean of a Gaussian, fitted on the gradients of public pictures, given
the visible entries (`gaussian.py`); the pixels' own conditional mean comes with them.
"""

import dataclasses

import numpy as np

from attacks import target as target_lib
from attacks.matching import objectives
from attacks.pictures.statistical import (
    gaussian,
    public_attack,
    public_examples,
    public_gradients,
    weighted_matching,
)


@dataclasses.dataclass(frozen=True, eq=False)
class Completed:
    """A gradient with some hidden entries filled in.

    Attributes:
      target: `visible` and `matched` hold for the entries that are known or imputed.
      weights: float64 [n], of the weighted matching error: visible entries weigh
        1 / (sum of their squares), imputed ones less, all others nothing.
      images: float32 [b, h, w, c] in [0, 1], the conditional mean of the pictures
        themselves, in the order of `public_examples`.
      conditional: What the fit said of the imputed entries, and then of the pixels.
    """

    target: target_lib.Target
    weights: np.ndarray
    images: np.ndarray
    conditional: gaussian.Conditional


def complete(
    case: public_attack.Case,
    *,
    batches: int,
    max_entries: int,
    slack: float,
) -> Completed:
    """Imputes hidden entries by the mean of a Gaussian given the visible ones.

    Runs on: attacker. Sees: the weights, the visible entries, its public pictures.

    Args:
      case: With at least three public pictures.
      batches: How many public gradients to fit on, at most.
      max_entries: The most visible entries to condition on, and the most hidden ones to
        impute, chosen at random: bounds the memory at 8 * batches * max_entries bytes.
      slack: eps of the weights, as a share of the mean variance of the hidden entries:
        an imputed entry of posterior variance v weighs eps / (v + eps) of a visible one.

    Returns:
      The completed gradient.
    """
    target, knowledge, generator = case.target, case.knowledge, case.generator
    weights = objectives.normalised_weights(target.vector, target.visible)
    hidden = public_gradients.choose_entries(~target.visible, max_entries, generator)
    seen = public_gradients.choose_entries(target.visible, max_entries, generator)
    pairs = public_examples.make_pairs(
        case,
        weighted_matching.settled_labels(target, knowledge),
        np.concatenate([seen, hidden]),
        batches,
    )
    unseen = pairs.gradients[:, len(seen) :]
    found = gaussian.condition(
        pairs.gradients[:, : len(seen)],
        np.concatenate([unseen, pairs.pictures], axis=1),
        target.vector[seen].astype(np.float64),
    )
    vector = target.vector.astype(np.float64)
    vector[hidden] = found.mean[: len(hidden)]
    known = target.visible.copy()
    known[hidden] = True
    if len(hidden):
        variance = found.variance[: len(hidden)]
        floor = slack * float(np.mean(np.var(unseen, axis=0, dtype=np.float64)))
        # Without any variance the imputed entries are as sure as the visible ones.
        share = floor / (variance + floor) if floor > 0 else 1.0
        weights[hidden] = weights.max() * share
    filled = dataclasses.replace(
        target, vector=vector.astype(np.float32), visible=known, matched=known
    )
    shape = (knowledge.batch_size, *knowledge.model.input_shape)
    images = np.clip(found.mean[len(hidden) :], 0, 1).reshape(shape)
    return Completed(filled, weights, images.astype(np.float32), found)
