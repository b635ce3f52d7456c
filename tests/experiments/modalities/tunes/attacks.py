"""Two attacks on tunes, and what all attacks ask of them."""

import collections

import numpy as np
import tensorflow as tf

from attacks import catalog
from attacks import knowledge as knowledge_lib
from attacks import target as target_lib
from attacks.modality import Modality
from selenc_tf.models import local_steps
from tests.experiments.modalities.tunes import model as model_lib

HERE = "tests.experiments.modalities.tunes.attacks"
INPUTS = "tunes"


def recall(found, truth):
    """The share of a tune's notes that are found, each as often as it is there."""
    bags = [
        collections.Counter(int(n) for n in tune if n >= 0) for tune in (found, truth)
    ]
    return (bags[0] & bags[1]).total() / bags[1].total()


def _check(model, batch_size, labels, public):
    if labels is not None and not all(0 <= one < model.num_classes for one in labels):
        raise ValueError("`labels` must be genres.")


def _message(model, weights, examples, labels, training):
    return local_steps.update(
        model,
        tuple(tf.constant(tensor) for tensor in weights),
        tuple(tf.constant(part) for part in model_lib.heard(examples)),
        tf.one_hot(labels, model.num_classes),
        training,
    )


def _score(found, truth):
    return float(np.mean([recall(*pair) for pair in zip(found, truth, strict=True)]))


TUNES = Modality(
    inputs=lambda model: (INPUTS,),
    shape=lambda model: (model_lib.LENGTH,),
    check=_check,
    message=_message,
    precise=lambda programs, model: model,
    without_draws=lambda model: model,
    penalty=lambda model, weights: 0.0,
    score=_score,
)


def build_table_rows(mode="mask_aware", *, source=0):
    """Reads the notes off the rows of the embedding table whose gradient is visible."""

    def attack(view, knowledge, seed):
        target = target_lib.build_target(view, knowledge, source, mode)
        rows = target.vector[: model_lib.NOTES * 4].reshape(model_lib.NOTES, 4)
        sizes = np.abs(rows).max(axis=1)
        if not sizes.any():
            raise knowledge_lib.DoesNotApply("Some row of the table must be visible.")
        # The smallest is that of a note that sounds once.
        counts = np.round(sizes / sizes[sizes > 0].min()).astype(int)
        return _result(np.repeat(np.arange(model_lib.NOTES), counts), knowledge, "rows")

    return attack


def build_usual_notes():
    """Guesses the notes of the public tunes that are there most often."""

    def attack(view, knowledge, seed):
        played = knowledge.public_examples.examples
        counts = np.bincount(played[played >= 0], minlength=model_lib.NOTES)
        return _result(np.argsort(-counts)[:3], knowledge, "prior_only")

    return attack


def _result(notes, knowledge, stop):
    tune = np.full((1, model_lib.LENGTH), -1, np.int32)
    tune[0, : len(notes)] = notes[: model_lib.LENGTH]
    return knowledge_lib.Reconstruction(
        examples=tune,
        labels=np.array(knowledge.labels),
        label_source="known",
        objective=0.0,
        start_objectives=(0.0,),
        iterations=0,
        evaluations=0,
        seconds=0.0,
        converged=False,
        stop=stop,
        matched_entries=0,
    )


def _entry(build, *needs):
    return catalog.Entry(
        f"{HERE}:{build}",
        inputs=INPUTS,
        needs=frozenset({"labels", *needs}),
        one_example=True,
    )


ATTACKS = {
    "table_rows": _entry("build_table_rows"),
    "usual_notes": _entry("build_usual_notes", "public_examples"),
    "strongest": catalog.ATTACKS["strongest"],
}
