"""A search among sentences for the one whose vectors are those that were read.

A handful of sentences is gone on with, at first those nearest and unlike one another; each
step compares sentences near them, and is cooler than the one before (Kirkpatrick, Gelatt,
Vecchi, "Optimization by Simulated Annealing", Science 1983). Which words are tried is told
by the distance's derivative, and by how frequent they are in the attacker's public
sentences.
"""

import dataclasses
import itertools
import math
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

from attacks.text import sentences
from attacks.text.continuous.word_pairs import Loss
from attacks.text.pooled import proposals
from selenc_tf.models.text.tokens import SpecialTokens

KEPT = 6
"""Sentences that are gone on with."""
COMPARED = 96
"""Sentences in one step."""
_PUBLIC = 10 * COMPARED
"""Public sentences among which the first ones are looked for, at most."""
_UNLIKE = 3
"""Words by which the first sentences differ, beyond the first half of them."""
_WARM, _COLD = 0.5, 0.02
"""Of the first and the last step, in logarithms of the distance."""
_BEGUN_ANEW = 20
"""Steps after which the worst sentence is replaced by the best."""
_DRAWS = 4
"""For each proposal that is wanted, before a step goes on with fewer."""
_PRIOR = 0.01
"""What a nat a token counts, in logarithms of the distance."""
_FOUND = 1e-11
"""A distance that float32's rounding explains."""
_TINY = 1e-12
_SHORTEST = 3

Words: TypeAlias = tuple[int, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class Vocabulary:
    """What is known of words.

    Attributes:
      allowed: int [a], those that may be there; none of the ends.
      frequency: float64 [a], their log-frequencies.
      prior: The nats a token of a sentence, or None.
      public: The attacker's own sentences, without their ends.
    """

    allowed: np.ndarray
    frequency: np.ndarray
    prior: Loss | None
    public: tuple[Words, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class WordSearch:
    """What all searches of one attack share.

    Attributes:
      distance: `(examples [96, L]) -> [96]`.
      slopes: `(examples [6, L]) -> [6, L, d]`.
      words: float32 [v, d], the embeddings.
      vocabulary: Which words there may be.
      special: The ends.
      length: L.
      deadline: `time.monotonic()` at which to end, or infinity.
      report: Called with (steps done, the least distance).
    """

    distance: Callable[[np.ndarray], np.ndarray]
    slopes: Callable[[np.ndarray], np.ndarray]
    words: np.ndarray
    vocabulary: Vocabulary
    special: SpecialTokens
    length: int
    deadline: float
    report: Callable[[int, float], None]


class Near(NamedTuple):
    """A sentence that was compared.

    Attributes:
      words: Without its ends.
      distance: >= 0.
      order: What they are sorted by: the distance's logarithm, and the prior.
    """

    words: Words
    distance: float
    order: float


class Searched(NamedTuple):
    """Where a search ended.

    Attributes:
      kept: The best first.
      iterations: Steps.
      compared: Sentences.
      in_time: Whether the clock did not end it.
    """

    kept: tuple[Near, ...]
    iterations: int
    compared: int
    in_time: bool

    @property
    def is_found(self) -> bool:
        """Whether rounding explains what is left of the distance."""
        return self.kept[0].distance <= _FOUND


def run(
    search: WordSearch, iterations: int, generator: np.random.Generator
) -> Searched:
    """Searches from the nearest of some public, or else drawn, sentences.

    Runs on: attacker. Sees: the vectors that were read, the weights, its own guesses.

    Args:
      search: How.
      iterations: Steps at most.
      generator: Of all draws.

    Returns:
      Where it ended.
    """
    seen: set[Words] = set()
    chains = _unlike(_compared(search, _starts(search, generator), seen))
    best = chains[0]
    done, in_time = 0, True
    while done < iterations and best.distance > _FOUND:
        search.report(done, best.distance)
        if done and time.monotonic() >= search.deadline:
            in_time = False
            break
        warmth = _WARM * (_COLD / _WARM) ** (done / iterations)
        chains = _step(search, chains, best, seen, warmth, generator)
        best = min((best, *chains), key=lambda near: (near.order, near.words))
        done += 1
        if done % _BEGUN_ANEW == 0:
            worst = max(range(len(chains)), key=lambda at: chains[at].order)
            chains = (*chains[:worst], best, *chains[worst + 1 :])
    return Searched((best, *chains), done, len(seen), in_time)


def _step(
    search: WordSearch,
    chains: tuple[Near, ...],
    best: Near,
    seen: set[Words],
    warmth: float,
    generator: np.random.Generator,
) -> tuple[Near, ...]:
    """Each sentence, or the best of those near it that are new.

    One that is worse is taken by chance (Metropolis, Rosenbluth, Rosenbluth, Teller,
    Teller, "Equation of State Calculations by Fast Computing Machines", 1953), so that a
    search does not end where no single change helps.
    """
    # Near a sentence without words there is none.
    chains = tuple(one if one.words else best for one in chains)
    near = _proposals(search, chains, seen, generator)
    found = {
        one.words: one
        for one in _compared(search, itertools.chain.from_iterable(near), seen)
    }
    after = []
    for one, proposed in zip(chains, near, strict=True):
        each = [found[words] for words in proposed if words in found]
        new = min(each, key=lambda other: (other.order, other.words), default=one)
        chance = math.exp(min(0.0, one.order - new.order) / warmth)
        after.append(new if generator.random() < chance else one)
    return tuple(after)


def with_ends(words: Sequence[int], special: SpecialTokens) -> Words:
    """A sentence between the tokens that all sentences begin and end with."""
    start, end = special.start, special.end
    return (
        *(() if start is None else (start,)),
        *words,
        *(() if end is None else (end,)),
    )


def _starts(search: WordSearch, generator: np.random.Generator) -> list[Words]:
    """The empty sentence, and public ones, or words by lot."""
    most = _room(search)
    if search.vocabulary.public:
        count = min(_PUBLIC - 1, len(search.vocabulary.public))
        chosen = generator.choice(len(search.vocabulary.public), count, replace=False)
        return [(), *(search.vocabulary.public[at][:most] for at in chosen)]
    lengths = generator.integers(min(_SHORTEST, most), most + 1, COMPARED - 1)
    words = search.vocabulary
    chances = np.exp(words.frequency - np.max(words.frequency))
    chances /= np.sum(chances)
    drawn = (generator.choice(words.allowed, count, p=chances) for count in lengths)
    return [(), *(tuple(row.tolist()) for row in drawn)]


def _proposals(
    search: WordSearch,
    chains: tuple[Near, ...],
    seen: set[Words],
    generator: np.random.Generator,
) -> list[list[Words]]:
    """For each sentence some near it, which were not compared yet."""
    rows = np.resize(np.arange(len(chains)), KEPT)
    slopes = search.slopes(_examples(search, [chains[row].words for row in rows]))
    first = int(search.special.start is not None)
    others = [one.words for one in chains]
    taken: set[Words] = set()
    found: list[list[Words]] = []
    for row, near in enumerate(chains):
        own: list[Words] = []
        found.append(own)
        if not near.words:
            continue
        likely = proposals.likely_words(
            slopes[row, first : first + len(near.words)] / max(near.distance, _TINY),
            np.array(near.words),
            search.words,
            search.vocabulary.allowed,
            search.vocabulary.frequency,
        )
        wanted = COMPARED // len(chains)
        for _ in range(_DRAWS * wanted):
            one = proposals.propose(
                near.words, likely, others, _room(search), generator
            )
            if one not in seen and one not in taken:
                taken.add(one)
                own.append(one)
            if len(own) == wanted:
                break
    return found


def _compared(
    search: WordSearch, rows: Iterable[Words], seen: set[Words]
) -> list[Near]:
    """The distances of sentences, which are then seen."""
    new = [one for one in dict.fromkeys(rows) if one not in seen]
    seen.update(new)
    found: list[Near] = []
    for start in range(0, len(new), COMPARED):
        some = new[start : start + COMPARED]
        # One shape for all: what is compiled is compiled once.
        padded = [*some, *[some[0]] * (COMPARED - len(some))]
        distances = search.distance(_examples(search, padded))
        for words, distance in zip(some, distances.tolist(), strict=False):
            if not np.isfinite(distance):
                continue
            order = float(np.log(max(distance, _TINY)))
            if search.vocabulary.prior is not None:
                order += _PRIOR * search.vocabulary.prior(
                    with_ends(words, search.special)
                )
            found.append(Near(words, max(distance, 0.0), order))
    return found


def _unlike(found: list[Near]) -> tuple[Near, ...]:
    """The best, beyond the first half of them such as have words of their own."""
    kept: list[Near] = []
    for one in sorted(found, key=lambda near: (near.order, near.words)):
        words = set(one.words)
        apart = all(len(words ^ set(other.words)) >= _UNLIKE for other in kept)
        if apart or len(kept) < KEPT // 2:
            kept.append(one)
        if len(kept) == KEPT:
            break
    return tuple(kept)


def _room(search: WordSearch) -> int:
    return search.length - len(with_ends((), search.special))


def _examples(search: WordSearch, rows: Sequence[Words]) -> np.ndarray:
    return sentences.of_rows(
        [with_ends(one, search.special) for one in rows], search.length
    )
