"""The settings of a search among embeddings: what published attacks differ in.

Lengths of a search are shares of it, so that a shorter one has the same shape, and
numbers of embeddings are in units of their own size, so that they keep their meaning in
other models than the published ones.
"""

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, TypeAlias

from attacks.matching import distances
from selenc_tf import validation

Name: TypeAlias = Literal["dlg_text", "tag", "lamp_cos", "lamp_l1l2"]


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A distance, priors, and how Adam walks.

    Attributes:
      distance: See `distances.build_distance`.
      alpha: Weight of L1 in `tag`.
      by_layer: Whether L1 counts most in the first tensor, and less and less above it.
      norm_weight: Of the prior on the embeddings' mean norm, relative to the norm that
        words have.
      words_weight: Of the sentences' loss by word pairs (`word_pairs.py`), in nats a
        token; it decides among moves only.
      learning_rate: In units of an embedding's root mean square.
      decay: Factor of the learning rate, 40 times in a search.
      start_spread: Standard deviation of the first embeddings, in the same units.
      drawn: First embeddings that are compared, and then their orders, as a share of the
        iterations.
      moves: How many times tokens are moved in a search; 0 for never.
      moves_tried: Moves that are compared, as a multiple of the iterations.
    """

    distance: distances.Name = "tensor_cosine"
    alpha: float = 0.1
    by_layer: bool = False
    norm_weight: float = 0.0
    words_weight: float = 0.0
    learning_rate: float = 0.2
    decay: float = 1.0
    start_spread: float = 1.0
    drawn: float = 0.0
    moves: int = 0
    moves_tried: float = 0.0

    def __post_init__(self) -> None:
        """Checks the ranges.

        Raises:
          ValueError: If a name is unknown or a number out of range.
        """
        validation.check_in("distance", self.distance, distances.NAMES)
        for name in ("learning_rate", "decay", "start_spread"):
            validation.check_positive(name, getattr(self, name))
        for name in ("alpha", "norm_weight", "words_weight", "drawn", "moves"):
            validation.check_at_least(name, getattr(self, name), 0)
        validation.check_at_least("moves_tried", self.moves_tried, 0)


_PLAIN = Recipe("l2", learning_rate=2.0)
_LAMP = Recipe(
    norm_weight=1.0,
    words_weight=0.2,
    learning_rate=0.2,
    decay=0.89,
    drawn=0.25,
    moves=24,
    moves_tried=2.4,
)

RECIPES: Mapping[Name, Recipe] = MappingProxyType(
    {
        "dlg_text": _PLAIN,
        "tag": dataclasses.replace(_PLAIN, distance="tag", by_layer=True),
        "lamp_cos": _LAMP,
        "lamp_l1l2": dataclasses.replace(_LAMP, distance="tag"),
    }
)
"""The published figures are for BERT, whose embeddings have the norm 1.4 in 768 numbers:
0.05 each. There DLG and TAG walk by 0.1 (2 units), LAMP by 0.01 (0.2 units), for 2,000
iterations with 500 first draws, 500 orders, and 200 moves after every 75. Its two weights
of priors beside L2 + L1 are for distances that are not relative; here both of LAMP's
distances are, and have those of the cosine."""
