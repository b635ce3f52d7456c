"""The sizes of a Transformer."""

from typing import NamedTuple


class Sizes(NamedTuple):
    """What an architecture is built from.

    Attributes:
      vocabulary: Tokens.
      layers: Blocks.
      heads: Of the attention (queries), a divisor of `width`.
      width: Of embeddings.
      inner: Of the feed-forward layers.
      positions: The most that a sentence may have; of no effect on Llama.
      key_heads: Heads of keys and values; None for as many as `heads` (Llama alone may
        have fewer).
    """

    vocabulary: int
    layers: int
    heads: int
    width: int
    inner: int
    positions: int
    key_heads: int | None = None


TINY = Sizes(vocabulary=60, layers=2, heads=2, width=16, inner=32, positions=32)
"""For tests: traced in a second."""
