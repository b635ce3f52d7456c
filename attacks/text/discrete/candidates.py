"""Which tokens can stand at which position, by the span of the first block alone.

What enters the first block is a function of a token and its position, so that the whole
vocabulary can be tried one by one (Petrov et al., "DAGER: Exact Gradient Inversion for
Large Language Models", NeurIPS 2024, section 4). Where entries are hidden no fixed
threshold is right; true tokens are told from others by the gap between them.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from attacks.text.spans import subspace
from attacks.text.spans.places import Place
from attacks.text.spans.subspace import Subspace
from selenc_tf.models.text.token_model import TokenModel

FIRST = (Place(0, "attention"), Place(0, "values"))
"""Of one of them spans are read."""
_CHUNK = 4_000_000
_CLEAR = 1.0
"""The smallest gap, in logarithms, that is one."""


class Candidates(NamedTuple):
    """Tokens for each position, the likeliest first.

    Attributes:
      tokens: int64 [c_p] for each position p.
      clear: Whether a gap divides them from the rest; otherwise they are so many of the
        best.
    """

    tokens: tuple[np.ndarray, ...]
    clear: bool


def rank_vocabulary(
    model: TokenModel,
    entering: Callable[[np.ndarray], np.ndarray],
    span: Subspace,
    allowed: np.ndarray,
) -> np.ndarray:
    """The log-distance of every token at every position.

    Runs on: attacker.

    Args:
      model: The model.
      entering: `(ids [k, l]) -> [k, l, d]`, the vectors that enter one of `FIRST`.
      span: Of that place.
      allowed: bool [v], tokens that may be there.

    Returns:
      float64 [v, L]; infinite for the others.
    """
    scores = np.full([model.vocabulary_size, model.length], np.inf)
    # Without position embeddings all positions have the same vectors.
    two = np.zeros([1, 2], np.int64)
    pair = entering(two)[0]
    length = 1 if np.array_equal(pair[0], pair[1]) else model.length
    step = max(1, _CHUNK // (model.length * pair.shape[-1]))
    kept = np.flatnonzero(allowed)
    for at in range(0, len(kept), step):
        some = kept[at : at + step]
        ids = np.repeat(some[:, np.newaxis], length, axis=1)
        scores[some] = subspace.log_distances(span, entering(ids))
    return scores


def choose(scores: np.ndarray, rank: int, batch_size: int) -> Candidates:
    """Divides true tokens from others.

    In the exact case at least as many pairs of token and position are in the span as it
    has directions. More are, where a token stands at several positions: what enters is
    the sum of a token's vector and a position's, so that the difference of two positions
    is in the span, and each token of the one is at the other. At one position no more
    tokens can be than there are directions.

    Args:
      scores: float64 [v, L].
      rank: Of the span.
      batch_size: b.

    Returns:
      The tokens below the largest gap; without a gap the best of each position.
    """
    same = bool(np.all(scores == scores[:, :1]))
    pool = np.sort(scores[:, 0] if same else scores, axis=None)
    pool = pool[np.isfinite(pool)]
    most = rank * max(4, 1 if same else scores.shape[1])
    low, high = max(1, rank // 2), min(len(pool) - 1, most)
    gaps = pool[low : high + 1] - pool[low - 1 : high]
    clear = bool(gaps.size and gaps.max() >= _CLEAR)
    order = np.argsort(scores, axis=0, kind="stable")
    positions = range(scores.shape[1])
    if clear:
        cut = low + int(np.argmax(gaps))
        limit = (pool[cut - 1] + pool[cut]) / 2
        counts = np.count_nonzero(scores <= limit, axis=0)
    else:
        some = rank if same else 2 * batch_size + 6
        counts = np.minimum(some, np.count_nonzero(np.isfinite(scores), axis=0))
    return Candidates(tuple(order[: counts[at], at] for at in positions), clear)
