import pytest
from hypothesis import given
from hypothesis import strategies as st
from rouge_score import rouge_scorer, tokenizers

from attacks.metrics.text import agreement, evaluation, matching, rouge
from attacks.metrics.text.evaluation import FoundSentences, SentenceTruth

WORDS = ("[CLS]", "[SEP]", "the", "film", "is", "good", "bad", "long")
SPECIAL = frozenset({0, 1})


def decode(ids):
    return " ".join(WORDS[one] for one in ids)


sentences = st.lists(st.integers(2, 7), max_size=6)


@given(sentences, sentences)
def test_agreement_is_a_share(found, truth):
    for measure in (agreement.by_position, agreement.bag_recall, agreement.bag_f1):
        assert 0.0 <= measure(found, truth) <= 1.0
        assert measure(truth, truth) == 1.0
    assert agreement.by_position(found, truth) <= agreement.bag_recall(found, truth)


@given(sentences, st.randoms())
def test_a_bag_has_no_order(sentence, random):
    other = list(sentence)
    random.shuffle(other)
    assert (
        agreement.bag_f1(other, sentence) == agreement.bag_recall(other, sentence) == 1
    )


@pytest.mark.parametrize(
    ("found", "truth", "position", "recall", "f1"),
    [
        # 2 of 4 in place; {2, 3, 4} shared, 5 is missing, one 2 is too many.
        ([2, 3, 2, 4], [2, 3, 4, 5], 1 / 2, 3 / 4, 3 / 4),
        # A word found twice counts once: 1 of 2, and 2 * 1 / (2 + 3).
        ([2, 2, 2], [2, 3], 1 / 2, 1 / 2, 2 / 5),
        ([2], [2, 3, 4, 5], 1 / 4, 1 / 4, 2 / 5),
        ([], [2, 3], 0, 0, 0),
        ([2, 3], [], 0, 0, 0),
        ([], [], 1, 1, 1),
    ],
)
def test_agreement_by_hand(found, truth, position, recall, f1):
    assert agreement.by_position(found, truth) == pytest.approx(position)
    assert agreement.bag_recall(found, truth) == pytest.approx(recall)
    assert agreement.bag_f1(found, truth) == pytest.approx(f1)


def test_rouge_by_hand():
    # Words: 3 of 4 and 3 of 5; pairs: "the film" of 3 and 4; longest: the film is.
    found = rouge.score("The film, is bad", "the film long is good")
    assert found.rouge1 == pytest.approx(2 * 3 / 9)
    assert found.rouge2 == pytest.approx(2 * 1 / 7)
    assert found.rouge_l == pytest.approx(2 * 3 / 9)


@pytest.mark.parametrize(
    ("found", "truth", "expected"),
    [
        ("good", "good", (1, 0, 1)),
        ("", "good", (0, 0, 0)),
        ("good", "", (0, 0, 0)),
        ("", "...", (0, 0, 0)),
        ("...", " ... ", (1, 1, 1)),
        ("", "", (1, 1, 1)),
        ("другое слово", "привет мир", (0, 0, 0)),
        ("Привет, мир", "привет мир", (1, 1, 1)),
        ("caf", "café", (0, 0, 0)),
    ],
)
def test_rouge_of_little(found, truth, expected):
    assert rouge.score(found, truth) == expected


ASCII = st.text(st.characters(max_codepoint=127), max_size=40)


@given(ASCII, ASCII)
def test_ascii_is_cut_as_the_package_cuts_it(found, truth):
    package = tokenizers.DefaultTokenizer(use_stemmer=False)
    if package.tokenize(found) or package.tokenize(truth):
        scorer = rouge_scorer.RougeScorer(["rouge1", "rougeL"], tokenizer=package)
        expected = scorer.score(truth, found)
        scored = rouge.score(found, truth)
        assert scored.rouge1 == expected["rouge1"].fmeasure
        assert scored.rouge_l == expected["rougeL"].fmeasure


def test_a_batch_is_matched_as_a_whole():
    # One by one the first would take the found sentence that the second needs.
    truth = [[2, 3, 4], [2, 3, 5]]
    found = [[2, 3, 5], [2, 7, 7]]
    assert matching.match_sentences(found, truth) == (1, 0)


def test_the_bag_decides_between_equals():
    assert matching.match_sentences([[4, 2], [7, 6]], [[6, 7], [2, 4]]) == (1, 0)


@pytest.mark.parametrize(
    ("found", "order"),
    [([], (None, None)), ([[5]], (None, 0)), ([[7], [5], [3], [2, 3]], (3, 1))],
)
def test_too_few_and_too_many_are_matched(found, order):
    assert matching.match_sentences(found, [[2, 3], [5]]) == order


def test_special_tokens_count_in_their_own_scores_alone():
    truth = SentenceTruth([[0, 2, 3, 4, 5, 1]], [1])
    found = FoundSentences([[0, 3, 2, 4, 6, 1]], [1])
    (record,) = evaluation.evaluate(found, truth, decode, SPECIAL)
    assert record.scores.position_accuracy == pytest.approx(1 / 4)
    assert record.scores.bag_f1 == pytest.approx(3 / 4)
    assert record.scores.rouge1 == pytest.approx(3 / 4)
    assert record.with_special.position_accuracy == pytest.approx(3 / 6)
    assert record.with_special.rouge1 == pytest.approx(5 / 6)
    assert record.label_correct is True
    assert not record.scores.exact


def test_a_whole_batch_in_another_order():
    truth = SentenceTruth([[0, 2, 3, 1], [0, 4, 1], [0, 4, 1]], [1, 0, 0])
    found = FoundSentences([[0, 4, 1], [0, 2, 3, 1], [0, 4, 1]], [0, 0, 0])
    records = evaluation.evaluate(found, truth, decode, SPECIAL)
    assert [one.scores.exact for one in records] == [True] * 3
    assert {one.found_index for one in records} == {0, 1, 2}
    assert records[0].found_index == 1
    assert [one.label_correct for one in records] == [False, True, True]
    assert evaluation.label_accuracy(records) == pytest.approx(2 / 3)


def test_what_is_missing_scores_nothing():
    truth = SentenceTruth([[2, 3], [4, 5]], [0, 1])
    found = FoundSentences([[4, 5]], None)
    lost, there = evaluation.evaluate(found, truth, decode, SPECIAL)
    assert (lost.found_index, there.found_index) == (None, 0)
    assert set(lost.scores) == {0.0}
    assert lost.label_correct is there.label_correct is False


def test_what_the_vocabulary_lost_is_not_found():
    words = ("[CLS]", "[SEP]", "[UNK]", *WORDS[3:])
    truth = SentenceTruth([[0, 2, 3, 1]], None)
    found = FoundSentences([[0, 2, 3, 1]], None)

    def measured(special, unknown):
        def join(ids):
            return " ".join(words[one] for one in ids)

        (leak,) = evaluation.evaluate(found, truth, join, special, unknown)
        return leak

    scores = measured(SPECIAL, 2).scores
    assert (scores.position_accuracy, scores.bag_recall) == (0.5, 0.5)
    assert not scores.exact and scores.rouge1 == pytest.approx(2 / 3)
    assert measured(SPECIAL, 2).with_special.position_accuracy == 0.75
    # Where it is a special token, as the end in some vocabularies, it is left out.
    assert measured(SPECIAL | {2}, 2).scores.exact
    assert measured(SPECIAL, None).scores.exact


def test_without_classes_there_is_no_accuracy():
    truth = SentenceTruth([[2, 3]], None)
    records = evaluation.evaluate(
        FoundSentences([[2, 3]], None), truth, decode, SPECIAL
    )
    assert records[0].label_correct is None
    assert evaluation.label_accuracy(records) is None


def test_labels_must_be_one_each():
    with pytest.raises(ValueError, match=r"`found.labels` must have one entry"):
        evaluation.evaluate(
            FoundSentences([[2]], [1, 0]), SentenceTruth([[2]], [1]), decode, SPECIAL
        )
