"""The leakage of sentences: ROUGE, tokens, and sentences found whole."""

from experiments.outputs.leaks import Leaks, Number, Share

TEXT = Leaks(
    modality="text",
    main=Number(
        key="rouge1",
        name="rouge1",
        words="ROUGE-1",
        heading="ROUGE-1",
        curve="leakage_rouge1",
        description="Median ROUGE-1 (F1 of words, 0 to 1) of what the attacker recovers; "
        "higher = more leaked; 1 = every word. `naive` takes hidden entries for zeros, "
        "`mask_aware` knows the mask, `strongest` is the best of all on each sentence.",
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
            curve="leakage_rouge2",
            description="Median ROUGE-2 (F1 of pairs of neighbouring words, 0 to 1) of "
            "the strongest reconstruction; higher = more leaked.",
        ),
        Number(key="rouge_l", name="rouge_l", words="ROUGE-L"),
        Number(
            key="token_accuracy",
            name="token_accuracy",
            words="token accuracy",
            heading="Token\naccur.",
            curve="token_accuracy",
            description="Median share of tokens, 0 to 1, that the strongest "
            "reconstruction has at their own places, special ones left out.",
        ),
        Number(key="bag_recall", name="bag_recall", words="tokens found anywhere"),
    ),
    shares=(
        Share(
            key="exact",
            name="exact",
            words="share of whole sentences",
            heading="Exact %",
            caption="Exact: share of sentences that the strongest attacker has whole",
            curve="exact",
            description="Share of sentences, 0 to 1, that the strongest attacker "
            "recovers token by token, with none missing and none too many.",
        ),
        Share(key="rouge1", name="rouge1_02", at_least=0.2),
    ),
    shown="{:.2f}".format,
    drawn=float,
    near=0.05,
)
"""Measures of a record, all without special tokens (`attacks/metrics/text/`):

* `rouge1`, `rouge2`, `rouge_l`: F1 of words, of pairs, of the longest common
  subsequence, of the decoded texts.
* `token_accuracy`: share of the true tokens at their own places.
* `bag_recall`: share of the true tokens that are there at any place.
* `exact`: whether all tokens are right and there are no others.
"""
