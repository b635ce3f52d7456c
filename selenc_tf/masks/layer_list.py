"""Whole tensors by name."""

from collections.abc import Sequence

from selenc_tf.masks import parts
from selenc_tf.masks.policy import MaskPolicy


def layer_list(patterns: Sequence[str]) -> MaskPolicy:
    """Hides the tensors in whose names one of some regular expressions is found.

    What NVIDIA FLARE calls `encrypt_layers`. There is no ratio, scores are not looked
    at, and the mask is the same in every round: it says nothing about the data.

    Runs on: any party.

    Args:
      patterns: Regular expressions, searched for anywhere in a name: "head",
        "^conv0/", "/bias$".

    Returns:
      The policy; all its functions raise ValueError for a pattern that is in no name.

    Raises:
      TypeError: If `patterns` is one string.
      ValueError: If there is no pattern, or one is not a regular expression.
    """
    select = parts.tensors_matching(patterns)
    return MaskPolicy(
        name="layer_list",
        num_hidden=lambda spec: parts.count(spec, select(spec)),
        init=lambda spec: (),
        update=lambda spec, scores, state: (parts.region(spec, select(spec)), state),
    )
