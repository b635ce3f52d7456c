"""What is guessed of sentences without a gradient."""

import numpy as np
import pytest

from attacks import knowledge
from attacks.modality import PublicExamples
from attacks.text import sentences
from attacks.text.discrete import blind
from attacks.text.modality import TOKENS
from tests.attacks.text import clients


def known(model, rows=None):
    public = None
    if rows is not None:
        labels = np.zeros([len(rows), 0])
        if model.kind == "classes":
            labels = np.arange(len(rows)) % 2
        examples = sentences.of_rows(rows, clients.LENGTH)
        public = PublicExamples(examples, labels)
    return knowledge.Knowledge(
        model=model, batch_size=2, public_examples=public, modality=TOKENS
    )


@pytest.mark.parametrize("name", clients.NAMES)
def test_as_many_frequent_tokens_as_fit_the_public_sentences_best(name):
    model = clients.tiny(name)
    start, end = model.special.start, model.special.end
    # 10 is in all, 11 in most, the others in one: more than two words cost more F1.
    rows = [[10, 11, 20], [11, 10], [10, 11, 21, 22], [10, 23]]
    rows = [[start, *row, end] for row in rows]
    guess, made_of = blind.blind_guess(known(model, rows))
    assert sentences.rows_of(guess.examples) == [[10, 11]] * 2
    assert made_of == "the 2 most frequent tokens of the attacker's 4 public sentences"
    assert len(guess.labels) == 2


def test_without_public_sentences_there_is_none():
    guess, made_of = blind.blind_guess(known(clients.tiny(clients.NAMES[0])))
    assert guess is None and "no public sentences" in made_of
