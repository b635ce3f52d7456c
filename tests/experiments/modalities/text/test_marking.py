"""Wrong tokens are marked, whatever the text."""

import dataclasses
import html
import warnings

from experiments.data.text import tiny
from experiments.modalities.text import marking, showing
from experiments.modalities.text.marking import Piece
from experiments.outputs import blind
from selenc_tf.models.text.tokens import SpecialTokens
from tests.experiments.outputs.example_records import attack

LETTERS = tiny.letters(SpecialTokens(2, 3, 0, 1))


def pieces(found, truth):
    cut = LETTERS.split
    return marking.pieces(cut(found), cut(truth), LETTERS.join)


def test_marks_are_those_of_the_places():
    assert pieces("abcd", "abcd") == [Piece("abcd", "right")]
    assert pieces("abdc", "abcd") == [Piece("ab", "right"), Piece("dc", "elsewhere")]
    assert pieces("axc", "abc") == [
        Piece("a", "right"),
        Piece("x", "wrong"),
        Piece("c", "right"),
    ]
    # Each true token counts once.
    assert pieces("bb", "ab") == [Piece("b", "wrong"), Piece("b", "right")]
    assert pieces("abc", "ab")[-1] == Piece("c", "wrong")
    assert pieces("", "ab") == []


def test_letters_of_several_tokens_stay_whole():
    """Bytes of one letter, as GPT-2's vocabulary has them."""
    whole = "a\N{LATIN SMALL LETTER E WITH ACUTE}b".encode()

    def join(ids):
        return bytes(ids).decode("utf-8", errors="replace")

    found = marking.pieces(list(whole), [whole[0], whole[1], 0, whole[3]], join)
    assert [one.text for one in found] == [
        "a",
        "\N{LATIN SMALL LETTER E WITH ACUTE}",
        "b",
    ]
    assert [one.mark for one in found] == ["right", "wrong", "right"]


def test_spaces_and_signs_are_readable():
    def marked(text, mark):
        return f"<{text}>"

    parts = [Piece("a ", "right"), Piece(" b\n ", "wrong"), Piece("  ", "wrong")]
    assert marking.written(parts, marked, str) == "a  <b\\n> <__>"


def test_markdown_shows_a_text_as_it_is():
    """By TensorBoard's own renderer, in a table's cell."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Of what TensorBoard has.
        from tensorboard import plugin_util
    hostile = r"*a* _b_ `c` <b>d</b> | [e](f) \g #h &amp; ~i~ 1. !"
    cell = showing._escaped(hostile)
    page = plugin_util.markdown_to_safe_html(
        f"| x | y |\n| --- | --- |\n| {cell} | z |"
    )
    shown = page.split("<td>")[1].removesuffix("\n").split("</td>")[0]
    assert "<" not in shown and ">" not in shown
    assert html.unescape(shown) == hostile


def test_the_recovered_sentence_is_that_of_the_best_on_all_screens():
    """By the order of `hindsight`; what is no better than a guess says so."""
    reached = {"tries": 99, "measures": {"rouge1": 0.0, "bag_recall": 0.4}}
    control = {"tries": 0, "measures": {}, "public": reached}
    guess = blind.details("words", {"rouge1": 0.0, "bag_recall": 0.3}, control)

    def record(name, attacker, bag_recall):
        return dataclasses.replace(
            attack(0, attacker, attack=name, details=guess),
            measures={"rouge1": 0.0, "token_accuracy": 0.0, "bag_recall": bag_recall},
            modality="text",
        )

    made = [
        record("dager", "naive", 0.1),
        record("dager", "mask_aware", 0.5),
        record("bag_of_words", "mask_aware", 0.9),
    ]
    assert showing._strongest(made) == [made[2]]
    assert showing._compared(made[2]) == " (tokens found 90 %)"
    details = {**made[2].details, "tokens_are_letters": True}
    spelt = dataclasses.replace(made[2], details=details)
    assert showing._compared(spelt) == " (letters found 90 %)"
    assert showing._compared(made[0]) == " (no better than a blind guess)"
