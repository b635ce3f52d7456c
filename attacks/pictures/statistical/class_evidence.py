"""The class of a single example by gradients that public examples would have sent.

For where the head's signs are hidden (`labels/candidates.py`): every class is given to a
few public examples, and the message is compared with what they would have sent.
"""

from typing import NamedTuple

import numpy as np

from attacks.labels import candidates as candidates_lib
from attacks.pictures.statistical import (
    mask_evidence,
    public_attack,
    public_gradients,
)

_EXAMPLES = 12
_MOST_CLASSES = 100
_ENTRIES = 20_000

_MOSTLY = 0.3
"""Share hidden by magnitude beyond which the mask says more than what is visible."""

_TIE = 10.0
"""Difference of log-likelihoods, of entries that are not independent, up to which"""
_MOST_TIED = 4
"""so many classes are tried."""

_DOUBT = 0.03
"""That an entry is hidden, or not, against all that was sent."""


class Evidence(NamedTuple):
    """What the message is taken for.

    Attributes:
      labels: The classes that nothing here tells apart, the likeliest first.
      source: As `Reconstruction.label_source`.
      by_mask: Whether the mask is of the message's own largest entries.
      gradients: How many were computed.
    """

    labels: tuple[int, ...]
    source: str
    by_mask: bool
    gradients: int


def weigh(case: public_attack.Case) -> Evidence:
    """Infers the class, and what the mask follows.

    Runs on: attacker. Sees: the weights, the mask, the visible entries, and its examples.

    Args:
      case: Of a single example.

    Returns:
      The evidence. Of more than 100 possible classes the label rule's answer is taken.
    """
    knowledge, target = case.knowledge, case.target
    found = candidates_lib.candidates((target,), knowledge)
    offered = [int(np.asarray(classes)[0]) for classes in found.classes]
    if found.source == "guessed" and knowledge.model.num_classes <= _MOST_CLASSES:
        offered = list(range(knowledge.model.num_classes))
    entries = public_gradients.choose_entries(
        np.ones_like(target.visible), _ENTRIES, case.generator
    )
    count = min(_EXAMPLES, len(case.pictures.examples))
    chosen = case.generator.permutation(len(case.pictures.examples))[:count]
    messages = np.stack(
        [
            public_attack.messages(case, case.pictures.examples[chosen], one, entries)
            for one in offered
        ]
    )
    visible, seen = target.visible[entries], target.vector[entries]
    by_mask = mask_evidence.follows(visible, seen, np.concatenate(messages))
    source = found.source if len(offered) == 1 else "guessed"
    hidden = float(np.mean(~visible))
    most = float(np.max(np.abs(target.vector[target.visible])))
    costs = [
        _by_mask(visible, one, most)
        if by_mask and hidden > _MOSTLY
        else _by_values(seen[visible], one[:, visible])
        for one in messages
    ]
    order = np.argsort(costs, kind="stable")
    tie = _TIE if by_mask and hidden > _MOSTLY else 0.0
    # Where all that is visible is zero, no example would explain more of it.
    close = [offered[one] for one in order if costs[one] <= costs[order[0]] + tie]
    labels = tuple(close[: _MOST_TIED if most else 1])
    return Evidence(labels, source, by_mask, count * len(offered))


def _by_mask(visible: np.ndarray, messages: np.ndarray, most: float) -> float:
    """The negative log-likelihood of the mask, entry by entry."""
    sizes = np.abs(messages)
    large = np.mean(sizes >= most if most else sizes > 0, axis=0)
    hidden = _DOUBT + (1 - 2 * _DOUBT) * large
    return -float(np.sum(np.log(np.where(visible, 1 - hidden, hidden))))


def _by_values(seen: np.ndarray, messages: np.ndarray) -> float:
    """The median distance from the mean, in standard deviations."""
    spread = messages.std(axis=0)
    varies = spread > 0
    if not np.any(varies):
        return np.inf
    apart = np.abs(seen - messages.mean(axis=0))[varies] / spread[varies]
    return float(np.median(apart))
