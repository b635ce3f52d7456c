"""Sentences of letters are told in letters, and always with their words, too."""

from experiments.data.text import tiny
from experiments.modalities.text import token_data
from experiments.modalities.text.leaks import LETTERS, TEXT
from experiments.outputs import blind, told
from experiments.outputs.blind import Decided
from selenc_tf.models.text.tokens import SpecialTokens
from tests.experiments.outputs.example_records import attack


def test_which_vocabulary_is_one_of_letters():
    letters = tiny.letters(SpecialTokens(pad=0, unknown=1, start=2, end=3))
    assert token_data.of_letters(letters)
    words = letters._replace(join=lambda ids: " ".join(f"word{one}" for one in ids))
    assert not token_data.of_letters(words)
    assert not token_data.of_letters(letters._replace(size=30_000))


def test_what_is_found_is_told_in_letters_and_by_rouge():
    measures = {"rouge1": 0.25, "token_accuracy": 0.17, "bag_recall": 0.8}
    found = Decided("bag_recall", 2, 0.43, 0.37, measures)
    for details, what in (({LETTERS: True}, "letters"), ({}, "tokens")):
        leaks = told.of(TEXT, [attack(details=details)])
        ((said, _),) = blind.seen([found], leaks)
        assert said == (
            f"80 % of its {what} anywhere (blind 37 %), 17 % at their places, ROUGE-1 0.25"
        )
        ((said, _),) = blind.seen([found, None], leaks)
        assert said.startswith(f"on 1 of 2 examples 80 % of its {what} ")


def test_nothing_is_told_in_tokens_but_special_ones():
    own = told.of(TEXT, [attack(details={LETTERS: True})])
    said = " ".join(
        [own.axis, own.caption, own.beyond_words]
        + [one.words + one.heading + one.panel for one in own.numbers]
        + [one.words + one.heading + one.panel + one.caption for one in own.shares]
        + [one.sentence + one.short for one in own.seen.values()]
    ).replace("{token_accuracy", "")
    assert "special tokens left out" in said
    assert "token" not in said.replace("special tokens", "")
    assert own.retold("the 12 most frequent tokens") == "the 12 most frequent letters"
    assert TEXT.retold("the 12 most frequent tokens") == "the 12 most frequent tokens"
