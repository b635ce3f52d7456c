"""Sentences of a model whose positions see only those before them.

Breadth first, a token at a time: a prefix is right or wrong by itself (Petrov et al.,
"DAGER", NeurIPS 2024, section 5). A beam keeps the best instead of all below a threshold.
"""

import numpy as np

from attacks.text.discrete.candidates import Candidates
from attacks.text.discrete.found import Found
from attacks.text.spans.scoring import Scorer

_KEPT = 8
"""Prefixes that are extended where only the best of each length is wanted."""


def search(
    scorer: Scorer,
    candidates: Candidates,
    batch_size: int,
    end: int | None,
) -> list[Found]:
    """Finds sentences, or what of them is in the spans.

    The last token of a sentence is not, where the next token is predicted: it has no
    loss.

    Runs on: attacker.

    Args:
      scorer: The measure.
      candidates: For each position.
      batch_size: b.
      end: The token that ends a sentence, if there is one.

    Returns:
      Prefixes that cannot be extended, or not for sure, each with its score.
    """
    beam = max(4 * batch_size, 8)
    prefixes, totals = np.zeros([1, 0], np.int64), np.zeros(1)
    done: list[Found] = []
    levels: list[float] = []
    for place, tokens in enumerate(candidates.tokens):
        if not len(tokens) or not len(prefixes):
            break
        parents = np.repeat(np.arange(len(prefixes)), len(tokens))
        longer = np.column_stack([prefixes[parents], np.tile(tokens, len(prefixes))])
        own = scorer.score(longer)[:, -1]
        # Halfway from the level of what was right so far to that of what is wrong. At a
        # first position, some extension is right.
        level = float(np.median(levels)) if levels else float(np.min(own))
        kept = np.flatnonzero(own <= (level + scorer.wrong) / 2)
        sums = totals[parents] + own
        kept = kept[np.argsort(sums[kept], kind="stable")][:beam]
        # Where no extension is as good as what was right so far, the prefix may be all.
        sure = kept[own[kept] <= (3 * level + scorer.wrong) / 4]
        for index in np.setdiff1d(np.arange(len(prefixes)), parents[sure]):
            done.append(_found(prefixes[index], totals[index]))
        if len(kept):
            levels.append(float(np.min(own[kept])))
        ended = longer[kept, -1] == end if end is not None and place else kept < 0
        for index in kept[ended]:
            done.append(_found(longer[index], sums[index]))
        prefixes, totals = longer[kept[~ended]], sums[kept[~ended]]
    done += [_found(*one) for one in zip(prefixes, totals, strict=True)]
    return [one for one in done if one.tokens]


def of_each_length(scorer: Scorer, tokens: np.ndarray, longest: int) -> list[Found]:
    """The best prefix of each length, for a span that is not equally exact everywhere.

    No level divides right from wrong then; the gradient says which length it is.

    Runs on: attacker.

    Args:
      scorer: The measure.
      tokens: int64 [c], at least one, the same at all positions.
      longest: L.

    Returns:
      One sentence for each length.
    """
    prefixes, totals = np.zeros([1, 0], np.int64), np.zeros(1)
    best: list[Found] = []
    for _ in range(longest):
        parents = np.repeat(np.arange(len(prefixes)), len(tokens))
        longer = np.column_stack([prefixes[parents], np.tile(tokens, len(prefixes))])
        sums = totals[parents] + scorer.score(longer)[:, -1]
        kept = np.argsort(sums, kind="stable")[:_KEPT]
        prefixes, totals = longer[kept], sums[kept]
        best.append(_found(prefixes[0], totals[0]))
    return best


def _found(tokens: np.ndarray, total: float) -> Found:
    return Found(tuple(int(one) for one in tokens), float(total) / max(1, len(tokens)))
