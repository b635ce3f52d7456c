"""Sentences that no package has to be fetched for, and models that are built once."""

import functools

import numpy as np

from experiments.data.text import models
from experiments.data.text.sentences import Sentences

TEXTS = (
    "Go & see it",
    "dull",
    "a *bad* one",
    "fine acting",
    "what a mess | <b>",
    "good fun",
    "so slow",
    "I laughed",
    "no plot",
    "well made",
    "weak end",
    "a hit",
)


def sentences(labelled=True):
    return Sentences(
        name="made-up",
        texts=TEXTS,
        labels=np.arange(len(TEXTS), dtype=np.int32) % 2 if labelled else None,
        num_classes=2 if labelled else 0,
        class_names=("bad", "good") if labelled else (),
        source="nowhere",
        licence="none",
        citation="",
        note="Made up.",
    )


model = functools.cache(models.load)
