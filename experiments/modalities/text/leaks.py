"""The leakage of sentences: ROUGE, tokens, and sentences found whole."""

from experiments.outputs.leaks import Leaks, Number, Share

TEXT = Leaks(
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
    "special tokens left out",
    numbers=(
        Number(
            key="rouge2",
            name="rouge2",
            words="ROUGE-2",
            heading="ROUGE-2",
            panel="median ROUGE-2, 0 to 1, best of each in hindsight",
        ),
        Number(key="rouge_l", name="rouge_l", words="ROUGE-L"),
        Number(
            key="token_accuracy",
            name="token_accuracy",
            words="token accuracy",
            heading="Token\naccur.",
            panel="median share of tokens at their places, best of each in hindsight",
        ),
        Number(key="bag_recall", name="bag_recall", words="tokens found anywhere"),
    ),
    shares=(
        Share(
            key="exact",
            name="exact",
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
    beyond_words="more than 0.05 above it in ROUGE-1, tokens at their places or tokens "
    "found anywhere",
)
"""Measures of a record, all without special tokens (`attacks/metrics/text/`):

* `rouge1`, `rouge2`, `rouge_l`: F1 of words, of pairs, of the longest common
  subsequence, of the decoded texts.
* `token_accuracy`: share of the true tokens at their own places.
* `bag_recall`: share of the true tokens that are there at any place.
* `exact`: whether all tokens are right and there are no others.
"""
