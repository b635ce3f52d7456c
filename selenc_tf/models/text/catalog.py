"""Language models with random weights by name, for the conformance tests.

Models with real weights need files, which experiments find or fetch. A new one is a
builder and one line here.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from selenc_tf import validation

if TYPE_CHECKING:
    from selenc_tf.models.text.token_model import TokenModel

_ROOM = "selenc_tf.models.text"

TOKEN_MODELS: Mapping[str, str] = MappingProxyType(
    {
        "bert_tiny_random": f"{_ROOM}.bert:bert_tiny_random",
        "gpt2_tiny_random": f"{_ROOM}.gpt2:gpt2_tiny_random",
        "gpt2_tiny_classifier_random": f"{_ROOM}.gpt2:gpt2_tiny_classifier_random",
        "llama_tiny_random": f"{_ROOM}.llama:llama_tiny_random",
    }
)
"""Builders: `(length, num_classes, seed) -> TokenModel`."""


def token_model(name: str, length: int, num_classes: int, seed: int) -> TokenModel:
    """Builds a model of `TOKEN_MODELS`.

    Args:
      name: Of the model.
      length: L, positions of each sentence.
      num_classes: At least 2; of no effect where the next token is predicted.
      seed: Of the weights.

    Returns:
      The model.

    Raises:
      ValueError: If there is none of that name, or it cannot have this length.
    """
    place = TOKEN_MODELS[validation.check_in("model", name, TOKEN_MODELS)]
    built: TokenModel = pkgutil.resolve_name(place)(length, num_classes, seed)
    return built
