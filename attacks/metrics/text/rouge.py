"""ROUGE of a found text, by the package `rouge-score`.

(Lin, "ROUGE: A Package for Automatic Evaluation of Summaries", 2004.) Words are runs of
letters and digits in lower case, without stemming: punctuation counts nothing, and
"[CLS]" is the word "cls". On ASCII texts that is how the package cuts them itself; it drops
all other letters, so that a text of another script would have no word.
"""

import re
from typing import NamedTuple

from rouge_score import rouge_scorer, tokenizers

_KINDS = ("rouge1", "rouge2", "rougeL")
_WORD = re.compile(r"[^\W_]+")


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
      The scores. Where neither has a word, all 1 if the two are the same, else all 0.
    """
    if not _words(found) and not _words(truth):
        return Rouge(*[float(found.split() == truth.split())] * 3)
    scorer = rouge_scorer.RougeScorer(_KINDS, tokenizer=_Words())
    scored = scorer.score(truth, found)
    return Rouge(*(float(scored[kind].fmeasure) for kind in _KINDS))


class _Words(tokenizers.Tokenizer):
    """Cuts a text for the package."""

    def tokenize(self, text: str) -> list[str]:
        return _words(text)


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())
