"""Found sentences against the true ones: the only place where the two meet."""

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from attacks.metrics.text import agreement, matching, rouge

_LOST = -1
"""Equal to no token."""


class SentenceTruth(NamedTuple):
    """What was really in the batch. Never given to an attack.

    Attributes:
      sentences: The tokens of each, special tokens included, without padding.
      labels: The class of each, or None where the model has no classes.
    """

    sentences: Sequence[Sequence[int]]
    labels: Sequence[int] | None


class FoundSentences(NamedTuple):
    """What an attack hands back.

    Attributes:
      sentences: The tokens of each, special tokens included, without padding. There may
        be fewer or more than in the batch.
      labels: The class of each, or None where it did not look for any.
    """

    sentences: Sequence[Sequence[int]]
    labels: Sequence[int] | None


class Scores(NamedTuple):
    """How much of one sentence was found, all in [0, 1].

    Attributes:
      position_accuracy: `agreement.by_position`.
      bag_recall: `agreement.bag_recall`.
      bag_f1: `agreement.bag_f1`.
      exact: Whether all tokens are right and there are no others.
      rouge1: Of the decoded texts, see `rouge.py`.
      rouge2: As above.
      rouge_l: As above.
    """

    position_accuracy: float
    bag_recall: float
    bag_f1: float
    exact: bool
    rouge1: float
    rouge2: float
    rouge_l: float


class SentenceLeakage(NamedTuple):
    """How much of one true sentence was recovered.

    Attributes:
      true_index: Its place in the batch.
      found_index: The place of the found sentence that was matched to it; None if there
        were too few, and then everything is scored against an empty sentence.
      scores: Of the sentence's own tokens. Special tokens are taken out of both sides
        first, so that positions are those among the rest.
      with_special: The same with special tokens, which many publications keep. They are
        known, and make short sentences look better than they are.
      label_correct: Whether the matched sentence has the true class; None where there is
        no class to know.
    """

    true_index: int
    found_index: int | None
    scores: Scores
    with_special: Scores
    label_correct: bool | None


def evaluate(
    found: FoundSentences,
    truth: SentenceTruth,
    decode: Callable[[Sequence[int]], str],
    special: Collection[int],
    unknown: int | None = None,
) -> tuple[SentenceLeakage, ...]:
    """Measures every true sentence against the found one that is matched to it.

    Runs on: the experiment. Sees: the truth.

    Args:
      found: What an attack returned.
      truth: The batch, in any order.
      decode: The text of tokens, special ones written out.
      special: The tokens that stand for no text.
      unknown: The token for what the vocabulary cannot write. What stood there was lost
        before any attack: where it is found, nothing is, and its sentence is never whole.

    Returns:
      One record for each true sentence, in the order of `truth`. They are matched by
      their own tokens, without special ones.

    Raises:
      ValueError: If labels and sentences differ in number.
    """
    for name, one in (("found", found), ("truth", truth)):
        if one.labels is not None and len(one.labels) != len(one.sentences):
            raise ValueError(
                f"`{name}.labels` must have one entry for each of the "
                f"{len(one.sentences)} sentences, got {len(one.labels)}."
            )

    def own(sentence: Sequence[int]) -> list[int]:
        return [token for token in sentence if token not in special]

    lost = None if unknown in special else unknown
    guesses = [
        [_LOST if token == lost else token for token in one] for one in found.sentences
    ]
    order = matching.match_sentences(
        [own(one) for one in guesses], [own(one) for one in truth.sentences]
    )
    records = []
    for index, place in enumerate(order):
        true = truth.sentences[index]
        guess = [] if place is None else guesses[place]
        records.append(
            SentenceLeakage(
                true_index=index,
                found_index=place,
                scores=score(own(guess), own(true), decode),
                with_special=score(guess, true, decode),
                label_correct=_label_correct(found, truth, index, place),
            )
        )
    return tuple(records)


def score(
    found: Sequence[int], truth: Sequence[int], decode: Callable[[Sequence[int]], str]
) -> Scores:
    """Scores one sentence.

    Args:
      found: Its tokens as found; a negative number is none, and equal to none.
      truth: Its true tokens.
      decode: The text of tokens.

    Returns:
      The scores.
    """
    return Scores(
        agreement.by_position(found, truth),
        agreement.bag_recall(found, truth),
        agreement.bag_f1(found, truth),
        list(found) == list(truth),
        *rouge.score(decode([one for one in found if one >= 0]), decode(truth)),
    )


def label_accuracy(records: Sequence[SentenceLeakage]) -> float | None:
    """The share of true sentences whose matched one has the right class.

    Returns:
      In [0, 1]; None where there are no classes.
    """
    known = [one.label_correct for one in records if one.label_correct is not None]
    return sum(known) / len(known) if known else None


def _label_correct(
    found: FoundSentences, truth: SentenceTruth, index: int, place: int | None
) -> bool | None:
    if truth.labels is None:
        return None
    if place is None or found.labels is None:
        return False
    return int(found.labels[place]) == int(truth.labels[index])
