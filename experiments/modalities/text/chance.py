"""What random public sentences have of an attacked one: the control of a result."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from attacks.knowledge import PublicExamples
from attacks.text import sentences
from experiments.data.dataset import Dataset
from experiments.modalities.text import measuring, token_data

TRIES = 99
"""Sentences for each example: one more is above them all in 1 % of cases."""

_SEED = 20_040_913
_MEASURES = ("rouge1", "token_accuracy", "bag_recall")


def control(
    dataset: Dataset, row: int, public: PublicExamples | None, seed: int = 0
) -> Mapping[str, Any]:
    """What chance reaches on a sentence.

    Runs on: the experiment. Sees: the truth.

    Args:
      dataset: The sentences.
      row: Which of them is attacked.
      public: Those of the attacker, drawn without looking.
      seed: Of the draw.

    Returns:
      Of random public sentences, of any class and of the sentence's own, "public" and
      "public_of_class": "tries", at most `TRIES` and all there are where fewer, and
      "measures": the highest of each. Of anything else nothing.
    """
    if public is None:
        return {}
    data = token_data.checked(dataset)
    (true,) = sentences.rows_of(data.examples[[row]])
    pools = {"public": public.examples}
    if data.has_classes:
        same = public.labels == data.labels[row]
        if np.any(same):
            pools["public_of_class"] = public.examples[same]
    generator = np.random.default_rng((_SEED, row, seed))
    found: dict[str, Any] = {"tries": 0, "measures": {}}
    for name, pool in pools.items():
        drawn = sentences.rows_of(pool[generator.permutation(len(pool))[:TRIES]])
        scores = [measuring.alone(data.vocabulary, one, true) for one in drawn]
        highest = {key: max(one[key] for one in scores) for key in _MEASURES}
        found[name] = {"tries": len(drawn), "measures": highest}
    return found
