"""The leakage of sentences: ROUGE, tokens, and sentences found whole."""

import re
from types import MappingProxyType

from experiments.outputs.leaks import EXACT, Leaks, Number, Seen, Share

_TEXT = Leaks(
    modality="text",
    main=Number(
        key="rouge1",
        name="rouge1",
        words="ROUGE-1",
        heading="ROUGE-1",
    ),
    tag="leakage_rouge1_{}",
    axis="median ROUGE-1, 0 to 1 (higher = more leaked)",
    caption="ROUGE-1: F1 of the words that are recovered, 0 to 1, median over sentences, "
    "special tokens left out; tokens at their places and found anywhere: shares of a "
    "sentence's, 0 to 1",
    numbers=(
        Number(
            key="rouge2",
            name="rouge2",
            words="ROUGE-2",
            panel="median ROUGE-2, 0 to 1, best of each in hindsight",
        ),
        Number(key="rouge_l", name="rouge_l", words="ROUGE-L"),
        Number(
            key="token_accuracy",
            name="token_accuracy",
            words="token accuracy",
            heading="Tok.\nplace",
            panel="median share of tokens at their places, best of each in hindsight",
        ),
        Number(
            key="bag_recall",
            name="bag_recall",
            words="tokens found anywhere",
            heading="Tok.\nfound",
            panel="median share of tokens found anywhere, best of each in hindsight",
        ),
    ),
    shares=(
        Share(
            key="exact",
            name=EXACT,
            words="share of whole sentences",
            heading="Exact %",
            caption="Exact: share of sentences that the best attack on each has whole",
            panel="share of sentences found whole, best of each in hindsight",
        ),
        Share(key="rouge1", name="rouge1_02", at_least=0.2),
    ),
    shown="{:.2f}".format,
    drawn=float,
    near=0.05,
    beyond=(("rouge1", 0.05), ("token_accuracy", 0.05), ("bag_recall", 0.05)),
    beyond_shortly="above it by 0.05 of ROUGE-1, tokens at their places or tokens found, "
    "beyond chance",
    beyond_words="more than 0.05 above it in ROUGE-1, tokens at their places or tokens "
    "found anywhere, and there above all of up to 99 random public sentences (of the "
    "sentence's class, where the attacker is told or names it)",
    by_chance=("token_accuracy", "bag_recall"),
    alike=True,
    seen=MappingProxyType(
        {
            "rouge1": Seen("ROUGE-1 {rouge1:.2f} (blind {guess:.2f})", ""),
            "token_accuracy": Seen(
                "{token_accuracy:.0%} of its tokens at their places (blind {guess:.0%}), "
                "ROUGE-1 {rouge1:.2f}",
                "tokens at their places {token_accuracy:.0%}",
            ),
            "bag_recall": Seen(
                "{bag_recall:.0%} of its tokens anywhere (blind {guess:.0%}), "
                "{token_accuracy:.0%} at their places, ROUGE-1 {rouge1:.2f}",
                "tokens found {bag_recall:.0%}",
            ),
        }
    ),
)
LETTERS = "tokens_are_letters"
"""In the details of a record: its vocabulary has a token for each letter."""


def _of_letters(text: str) -> str:
    """The same text of letters, but for special tokens, which are none."""
    text = re.sub(r"(?<!special )\btoken(s?)\b", r"letter\1", text)
    return text.replace("Tok.", "Let.")


_LETTERS = _TEXT._replace(
    caption=_of_letters(_TEXT.caption),
    numbers=tuple(
        one._replace(
            words=_of_letters(one.words),
            heading=_of_letters(one.heading),
            panel=_of_letters(one.panel),
        )
        for one in _TEXT.numbers
    ),
    shares=tuple(
        one._replace(
            words=_of_letters(one.words),
            heading=_of_letters(one.heading),
            caption=_of_letters(one.caption),
            panel=_of_letters(one.panel),
        )
        for one in _TEXT.shares
    ),
    beyond_words=_of_letters(_TEXT.beyond_words),
    beyond_shortly=_of_letters(_TEXT.beyond_shortly),
    seen=MappingProxyType(
        {
            key: Seen(_of_letters(one.sentence), _of_letters(one.short))
            for key, one in _TEXT.seen.items()
        }
    ),
    retold=_of_letters,
)

TEXT = _TEXT._replace(told_as=MappingProxyType({LETTERS: _LETTERS}))
"""Measures of a record, all without special tokens (`attacks/metrics/text/`):

* `rouge1`, `rouge2`, `rouge_l`: F1 of words, of pairs, of the longest common
  subsequence, of the decoded texts.
* `token_accuracy`: share of the true tokens at their own places.
* `bag_recall`: share of the true tokens that are there at any place.
* `exact`: whether all tokens are right and there are no others.
"""
