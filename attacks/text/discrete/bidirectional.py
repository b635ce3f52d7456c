"""Sentences of a model whose positions see all others.

Whether a vector is in a span of the second place is a matter of the whole sentence. Few
combinations of candidates are all tried (Petrov et al., "DAGER", NeurIPS 2024, section
5); many are searched position by position, from several starts.
"""

import math

import numpy as np

from attacks.text.discrete.candidates import Candidates
from attacks.text.discrete.found import Found
from attacks.text.spans.scoring import Scorer
from selenc_tf.types import Seed

SWEEPS = 4
"""Over all positions, at most."""


def search(
    scorer: Scorer,
    candidates: Candidates,
    start: int | None,
    end: int | None,
    starts: int,
    most: int,
    seed: Seed,
) -> list[Found]:
    """Finds sentences.

    Runs on: attacker.

    Args:
      scorer: The measure.
      candidates: For each position.
      start: The token at the first position, if it is always the same.
      end: The token at the last one, if it is always the same.
      starts: Of the search among more than `most` combinations, for each length.
      most: Sentences that one step compares. All steps together compare no more than
        one length may take: where the end is open, lengths share that.
      seed: Of the starts.

    Returns:
      Sentences with their scores.
    """
    found: list[Found] = []
    lengths = _lengths(candidates, end)
    budget = SWEEPS * len(candidates.tokens) * most // max(1, len(lengths))
    for length in lengths:
        choices = [one.copy() for one in candidates.tokens[:length]]
        if start is not None and start in choices[0]:
            choices[0] = np.array([start])
        if end is not None and end in choices[-1]:
            choices[-1] = np.array([end])
            # It ends a sentence: elsewhere it would be another's.
            choices[1:-1] = [one[one != end] for one in choices[1:-1]]
        if not all(map(len, choices)):
            continue
        if math.prod(map(len, choices)) <= most:
            grid = np.meshgrid(*choices, indexing="ij")
            found += _scored(scorer, np.stack([one.ravel() for one in grid], axis=1))
        else:
            generator = np.random.default_rng([*seed, length])
            drawn = [generator.choice(one, starts) for one in choices]
            drawn[0][:1], first = choices[0][0], [one[0] for one in choices]
            rows = np.stack(drawn, axis=1)
            rows[0] = first
            found += improved(scorer, choices, rows, generator, most, budget)
    return found


def _lengths(candidates: Candidates, end: int | None) -> list[int]:
    """Lengths that sentences can have."""
    filled = [len(one) > 0 for one in candidates.tokens]
    most = filled.index(False) if False in filled else len(filled)
    ends = [
        place + 1
        for place in range(1, most)
        if end is not None and end in candidates.tokens[place]
    ]
    return ends or ([most] if most else [])


def _scored(scorer: Scorer, rows: np.ndarray) -> list[Found]:
    scores = scorer.score(rows).mean(axis=1)
    return [
        Found(tuple(map(int, row)), float(score))
        for row, score in zip(rows, scores, strict=True)
    ]


def improved(
    scorer: Scorer,
    choices: list[np.ndarray],
    rows: np.ndarray,
    generator: np.random.Generator,
    most: int,
    budget: int,
) -> list[Found]:
    """Changes every start, its positions one at a time, as long as that helps.

    Args:
      scorer: The measure.
      choices: int64 [c] of each position, the likeliest first.
      rows: int64 [k, l], the starts.
      generator: Of the order of positions.
      most: Sentences that one step compares.
      budget: Sentences that all steps compare.

    Returns:
      Each start where it ended.
    """
    rows, left = rows.copy(), budget
    best = scorer.score(rows).mean(axis=1)
    for _ in range(SWEEPS):
        before = best.copy()
        for place in generator.permutation(len(choices)):
            some = choices[place][: max(1, most // len(rows))]
            if len(some) < 2 or left < len(rows) * len(some):
                continue
            left -= len(rows) * len(some)
            tried = np.repeat(rows, len(some), axis=0)
            tried[:, place] = np.tile(some, len(rows))
            scores = scorer.score(tried).mean(axis=1).reshape(len(rows), len(some))
            chosen = np.argmin(scores, axis=1)
            better = scores[np.arange(len(rows)), chosen] < best
            rows[better, place] = some[chosen[better]]
            best = np.minimum(best, scores[np.arange(len(rows)), chosen])
        if np.array_equal(before, best):
            break
    return [
        Found(tuple(map(int, row)), float(score))
        for row, score in zip(rows, best, strict=True)
    ]
