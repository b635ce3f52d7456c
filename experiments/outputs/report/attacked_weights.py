"""Which weights were attacked: a network that has learned gives other gradients."""

import pathlib
from collections.abc import Mapping
from typing import Any

from experiments.outputs.summary import Context

_RANDOM = "random"
"""How the source of a language model's weights begins that are drawn."""


def of(context: Context, config: Mapping[str, Any]) -> str:
    """In words that go on after "at".

    Args:
      context: What was attacked.
      config: Of a run; empty where that is not known.

    Returns:
      The weights; "" where nothing is known of them.
    """
    rounds = context.weights_after_rounds
    if rounds:
        return f"weights after {rounds} round{'s' if rounds > 1 else ''} of training"
    if not config:
        return ""
    flags, source = (
        config["flags"],
        str(config.get("facts", {}).get("weights_from", "")),
    )
    if flags.get("weights"):
        return f"the weights of {pathlib.PurePath(flags['weights']).name}"
    if source and not source.startswith(_RANDOM):
        return "weights trained elsewhere"
    if ":" in context.model:
        # What somebody's own code builds may have learned something.
        return "the weights with which the model comes, not trained here"
    return "untrained weights"
