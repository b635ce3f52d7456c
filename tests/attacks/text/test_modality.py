"""Sentences as the shared part of attacks sees them."""

import numpy as np
import pytest

from attacks import knowledge
from attacks.text import sentences
from attacks.text.modality import TOKENS
from selenc_tf.models.text import tokens as tokens_lib
from tests.attacks import victims
from tests.attacks.text import clients

BERT, GPT2 = clients.NAMES


def test_sentences_keep_a_pad_that_is_a_word():
    rows = [[2, 0, 5], [0]]
    examples = sentences.of_rows(rows, 4)
    assert sentences.rows_of(examples) == rows
    tokens = sentences.as_tokens(examples, 0)
    assert tokens.padding_mask.sum(axis=1).tolist() == [3, 1]
    np.testing.assert_array_equal(sentences.of_tokens(tokens), examples)


@pytest.mark.parametrize(
    "name", [clients.NAMES[0], pytest.param(clients.NAMES[1], marks=pytest.mark.slow)]
)
def test_a_batch_sends_the_mean_of_its_sentences(name):
    model = clients.tiny(name)
    examples, classes = clients.batch(model, 3)
    whole = clients.gradient(model, examples, classes)
    each = [
        clients.gradient(model, examples[at : at + 1], classes[at : at + 1])
        for at in range(3)
    ]
    np.testing.assert_allclose(whole, np.mean(each, axis=0), atol=2e-7)


def test_next_tokens_are_the_labels():
    examples = sentences.of_rows([[2, 7, 2]], 4)
    assert sentences.labels_of(examples).tolist() == [[7, 2, -1, -1]]
    assert tokens_lib.NO_LABEL == -1


@pytest.mark.parametrize(
    ("name", "fields", "words"),
    [
        (BERT, {"labels": (3,)}, r"must be classes in \[0, 3\)"),
        (GPT2, {"labels": (1,)}, "must be None for gpt2_tiny_random"),
    ],
)
def test_labels_that_do_not_fit_are_refused(name, fields, words):
    with pytest.raises(ValueError, match=words):
        clients.known(clients.tiny(name), **fields)


@pytest.mark.parametrize(
    ("examples", "words"),
    [
        (np.zeros([2, 7], np.int32), r"must be \[a, 8\]"),
        (np.full([1, 8], 60, np.int32), r"must be tokens in \[0, 60\)"),
    ],
)
def test_public_sentences_that_do_not_fit_are_refused(examples, words):
    public = knowledge.PublicExamples(examples, np.zeros(len(examples), np.int64))
    with pytest.raises(ValueError, match=words):
        clients.known(clients.tiny(BERT), public_examples=public)


def test_another_model_is_refused():
    with pytest.raises(ValueError, match="must be a `TokenModel`"):
        clients.known(victims.tiny_model())


def test_a_score_is_the_share_of_tokens_in_the_best_order():
    truth = sentences.of_rows([[2, 5, 6, 3], [2, 7, 3]], 4)
    found = sentences.of_rows([[2, 7, 3], [2, 5, 9, 3]], 4)
    assert TOKENS.score(found, truth) == pytest.approx((1 + 3 / 4) / 2)
    assert TOKENS.score(truth[::-1], truth) == 1
