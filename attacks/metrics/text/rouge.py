"""ROUGE of a found text, by the package `rouge-score`.

(Lin, "ROUGE: A Package for Automatic Evaluation of Summaries", 2004.) Words are runs of
letters and digits in lower case, without stemming: punctuation counts nothing, and
"[CLS]" is the word "cls".
"""

from typing import NamedTuple

from rouge_score import rouge_scorer, tokenizers

_KINDS = ("rouge1", "rouge2", "rougeL")


class Rouge(NamedTuple):
    """F1 scores in [0, 1].

    Attributes:
      rouge1: Of words.
      rouge2: Of pairs of neighbours; 0 where the truth has one word, found or not.
      rouge_l: Of the longest common subsequence.
    """

    rouge1: float
    rouge2: float
    rouge_l: float


def score(found: str, truth: str) -> Rouge:
    """Scores a text.

    Args:
      found: The reconstruction.
      truth: The true text.

    Returns:
      The scores; all 1 where neither has a word.
    """
    # The scorer's own tokenizer, named: else it logs a line for each sentence.
    words = tokenizers.DefaultTokenizer(use_stemmer=False)
    scored = rouge_scorer.RougeScorer(_KINDS, tokenizer=words).score(truth, found)
    if not _words(found) and not _words(truth):
        return Rouge(1.0, 1.0, 1.0)
    return Rouge(*(float(scored[kind].fmeasure) for kind in _KINDS))


def _words(text: str) -> bool:
    """Whether the package sees a word: it knows ASCII alone."""
    return any(letter.isascii() and letter.isalnum() for letter in text.lower())
