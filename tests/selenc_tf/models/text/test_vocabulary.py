import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selenc_tf.models.text import byte_pairs, vocabulary, word_pieces
from selenc_tf.models.text.tokens import SpecialTokens
from tests.selenc_tf.models.text import language

PIECES = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "the",
    "film",
    "is",
    "good",
    "un",
    "##able",
]
END = "<|endoftext|>"


def words(count=60):
    """As many pieces as the tiny models know."""
    rest = [f"w{number}" for number in range(count - len(PIECES))]
    return word_pieces.of_pieces([*PIECES, *rest], "tiny")


def pairs(**options):
    # GPT-2 writes a space as its 257th letter but one; two pairs and the end.
    letters = byte_pairs._letters()
    places = {letters[byte]: byte for byte in range(256)}
    places |= {"th": 256, f"{letters[32]}th": 257, END: 258}
    special = SpecialTokens(start=258, end=258, pad=0)
    merges = ["t h", f"{letters[32]} th"]
    return byte_pairs.of_pairs(places, merges, "small", special, [258], **options)


def test_a_sentence_stands_between_its_special_tokens():
    made = vocabulary.encode(words(), ["The film is good", "unable"], 7)
    np.testing.assert_array_equal(
        made.tokens.token_ids, [[2, 4, 5, 6, 7, 3, 0], [2, 8, 9, 3, 0, 0, 0]]
    )
    np.testing.assert_array_equal(made.tokens.padding_mask.sum(1), [6, 4])
    assert made.tokens.token_ids.dtype == np.int32
    rows = vocabulary.sentences_of(made.tokens)
    assert rows == [[2, 4, 5, 6, 7, 3], [2, 8, 9, 3]]
    texts = [vocabulary.decode(words(), row) for row in rows]
    assert texts == ["the film is good", "unable"]
    whole = vocabulary.decode(words(), rows[1], special=True)
    assert whole == "[CLS] unable [SEP]"


def test_what_does_not_fit_is_counted_and_the_end_stays():
    made = vocabulary.encode(words(), ["the the the the the the", "the"], 5)
    np.testing.assert_array_equal(made.tokens.token_ids[0], [2, 4, 4, 4, 3])
    np.testing.assert_array_equal(made.left_out, [3, 0])


def test_an_empty_sentence_is_its_special_tokens():
    made = vocabulary.encode(words(), [""], 4)
    np.testing.assert_array_equal(made.tokens.token_ids, [[2, 3, 0, 0]])


def test_without_special_tokens_an_empty_sentence_is_refused():
    bare = pairs()._replace(special=SpecialTokens())
    with pytest.raises(ValueError, match="number 1 has none"):
        vocabulary.encode(bare, ["x", ""], 4)


@pytest.mark.parametrize(("sentences", "length"), [([], 8), (["good"], 2)])
def test_no_sentence_and_no_room_are_refused(sentences, length):
    with pytest.raises(ValueError, match="leave room for a token"):
        vocabulary.encode(words(), sentences, length)


def test_what_is_no_text_is_refused():
    with pytest.raises(TypeError, match="number 0 is bytes"):
        vocabulary.encode(words(), [b"good"], 8)


def test_a_number_that_is_no_token_is_refused():
    with pytest.raises(ValueError, match=r"in \[0, 59\]"):
        vocabulary.decode(words(), [60])


def test_unknown_words_and_special_ones_in_a_text():
    assert words().split("good [SEP] zzz") == [7, 1, 1, 1, 1]


@settings(max_examples=30, deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=12))
def test_byte_pairs_keep_every_text(text):
    small = pairs()
    assert vocabulary.decode(small, small.split(text)) == text


def test_words_have_no_capitals_and_no_accents():
    assert words().split("The f\u00eflm, U\u0301nable") == [4, 5, 1, 8, 9]


def test_byte_pairs_are_joined_in_order():
    assert pairs().split("the the") == [256, 101, 257, 101]
    assert vocabulary.decode(pairs(), [258, 256, 258], special=True) == f"{END}th{END}"


def test_any_tokens_are_some_text():
    assert vocabulary.decode(pairs(), [200, 256]) == "\ufffdth"


def test_digits_can_stand_alone():
    letters = byte_pairs._letters()
    places = {letters[byte]: byte for byte in range(256)} | {"12": 256}
    made = [
        byte_pairs.of_pairs(
            places, ["1 2"], "digits", SpecialTokens(), [], single_digits=alone
        ).split("a12")
        for alone in (False, True)
    ]
    assert made == [[97, 256], [97, 49, 50]]


def test_gpt2_files_are_read(tmp_path):
    letters = byte_pairs._letters()
    places = {letters[byte]: byte for byte in range(256)} | {"th": 256, END: 257}
    (tmp_path / "a.json").write_text(json.dumps(places))
    (tmp_path / "b.bpe").write_text("#version: 0.2\nt h\n")
    made = byte_pairs.of_gpt2_files(tmp_path / "a.json", tmp_path / "b.bpe", "two")
    assert (made.size, made.special) == (258, SpecialTokens(start=257, end=257, pad=0))
    assert made.split("th") == [256]
    (tmp_path / "a.json").write_text("no json")
    with pytest.raises(ValueError, match="must be a JSON object of tokens"):
        byte_pairs.of_gpt2_files(tmp_path / "a.json", tmp_path / "b.bpe", "two")


def test_pieces_are_read_from_a_file(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_text("\r\n".join(PIECES) + "\r\n")
    assert word_pieces.of_file(path, "file").split("unable good") == [8, 9, 7]


def test_pieces_without_special_tokens_are_refused():
    with pytest.raises(ValueError, match=r"lacks \[CLS\]"):
        word_pieces.of_pieces(["[PAD]", "[UNK]", "[SEP]", "good"], "half")


def test_a_vocabulary_with_a_gap_is_refused():
    with pytest.raises(ValueError, match="the numbers from 0 to 1"):
        byte_pairs.of_pairs({"a": 0, "b": 2}, ["a b"], "gap", SpecialTokens(), [])
    with pytest.raises(ValueError, match="at least one pair"):
        byte_pairs.of_pairs({"a": 0}, [], "none", SpecialTokens(), [])


def test_a_vocabulary_that_does_not_fit_the_weights_is_refused():
    model = language.model("bert_tiny_random")
    fitting = words()._replace(special=model.special)
    vocabulary.check_fits(fitting, model)
    with pytest.raises(ValueError, match=r"60, got 61: every token would be another"):
        vocabulary.check_fits(words(61), model)
    other = fitting._replace(special=SpecialTokens(start=3, end=2))
    with pytest.raises(ValueError, match="must have the special tokens"):
        vocabulary.check_fits(other, model)
