"""Small language models, a batch of sentences, and their labels."""

import functools

import numpy as np
import pytest

from selenc_tf.models.text import catalog, precision, tokens

LENGTH = 8
CLASSES = 3
SPECIAL = tokens.SpecialTokens(start=2, end=3)
QUICK = ("bert_tiny_random", "gpt2_tiny_random")
"""In the default run; the others take as many seconds each."""
EACH = tuple(
    name if name in QUICK else pytest.param(name, marks=pytest.mark.slow)
    for name in catalog.TOKEN_MODELS
)
EACH_PRECISE = (*QUICK, EACH[2])
"""Those that can compute in float64."""
ENCODER_BY_DEFAULT = (
    QUICK[0],
    pytest.param(QUICK[1], marks=pytest.mark.slow),
    *EACH_PRECISE[2:],
)
"""The same, where a second model only repeats it: the gradient's slope has both."""


@functools.cache
def model(name):
    return catalog.token_model(name, LENGTH, CLASSES, seed=0)


@functools.cache
def double(name):
    return precision.in_float64(model(name))


def batch():
    """Four and eight tokens."""
    ids = [[2, 7, 9, 3, 0, 0, 0, 0], [2, 11, 12, 13, 14, 15, 16, 3]]
    token_ids = np.array(ids, np.int32)
    return tokens.Tokens(token_ids, token_ids > 0)


def labels(one):
    if one.kind == "classes":
        return np.array([0, 2], np.int32)
    return tokens.next_token_labels(batch())
