"""How much of true sentences a reconstruction has."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from attacks.knowledge import Reconstruction
from attacks.metrics.text import evaluation
from attacks.metrics.text.evaluation import (
    FoundSentences,
    Scores,
    SentenceLeakage,
    SentenceTruth,
)
from attacks.text import sentences
from experiments.modalities.text import leaks, token_data
from experiments.study.modality import Measured, Victims
from selenc_tf.models.text import vocabulary
from selenc_tf.models.text.vocabulary import Vocabulary


def measure(victims: Victims, found: Reconstruction) -> list[Measured]:
    """Measures each true sentence on the found one that belongs to it."""
    told = found.label_source == "known"
    words = token_data.checked(victims.dataset).vocabulary
    more = {leaks.LETTERS: True} if token_data.of_letters(words) else {}
    return [_measured(found, leak, told, more) for leak in _leakage(victims, found)]


def measure_member(victims: Victims, found: Reconstruction) -> list[Mapping[str, Any]]:
    """The same scores, for one of several attacks."""
    return [_scores(leak.scores) for leak in _leakage(victims, found)]


def alone(
    words: Vocabulary, found: Sequence[int], true: Sequence[int]
) -> Mapping[str, Any]:
    """The same scores of one sentence against another, each as its tokens."""
    (leak,) = _evaluated(
        words, FoundSentences([found], None), SentenceTruth([true], None)
    )
    return _scores(leak.scores)


def _leakage(victims: Victims, found: Reconstruction) -> tuple[SentenceLeakage, ...]:
    dataset, rows = token_data.checked(victims.dataset), list(victims.rows)
    classes = victims.model.kind == "classes"
    truth = SentenceTruth(
        sentences.rows_of(dataset.examples[rows]),
        [int(one) for one in dataset.labels[rows]] if classes else None,
    )
    guess = FoundSentences(
        sentences.rows_of(found.examples),
        [int(one) for one in found.labels] if classes else None,
    )
    return _evaluated(dataset.vocabulary, guess, truth)


def _evaluated(
    words: Vocabulary, guess: FoundSentences, truth: SentenceTruth
) -> tuple[SentenceLeakage, ...]:
    def decode(ids: Sequence[int]) -> str:
        return vocabulary.decode(words, ids, special=True)

    return evaluation.evaluate(
        guess, truth, decode, words.special_ids, words.special.unknown
    )


def _measured(
    found: Reconstruction, leak: SentenceLeakage, told: bool, more: Mapping[str, Any]
) -> Measured:
    place = leak.found_index
    nothing = np.full(found.examples.shape[1:], sentences.NO_TOKEN, np.int32)
    named = leak.label_correct is not None and not told and place is not None
    return Measured(
        example=nothing
        if place is None
        else np.asarray(found.examples[place], np.int32),
        measures=_scores(leak.scores),
        recovered_label=int(found.labels[place]) if named else None,
        label_correct=None if told else leak.label_correct,
        details={"with_special": _scores(leak.with_special), **more},
    )


def _scores(scores: Scores) -> dict[str, Any]:
    return {
        "rouge1": scores.rouge1,
        "rouge2": scores.rouge2,
        "rouge_l": scores.rouge_l,
        "token_accuracy": scores.position_accuracy,
        "bag_recall": scores.bag_recall,
        "exact": scores.exact,
    }
