"""Language models by name, each with the vocabulary that goes with it."""

from __future__ import annotations

import pathlib
import pkgutil
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from selenc_tf import validation

if TYPE_CHECKING:
    from selenc_tf.models.text.token_model import TokenModel
    from selenc_tf.models.text.vocabulary import Vocabulary


class LanguageModel(NamedTuple):
    """What is trained and attacked, and what cuts its sentences.

    Attributes:
      model: With the weights that its `weights_from` names.
      vocabulary: It fits the weights.
    """

    model: TokenModel
    vocabulary: Vocabulary


class Request(NamedTuple):
    """What is asked of a loader.

    Attributes:
      length: L, positions of each sentence.
      num_classes: c of a classifier; None to predict the next token.
      seed: Of the weights of a classifier's head, which are new.
      directory: A folder with the weights, or None.
    """

    length: int
    num_classes: int | None
    seed: int
    directory: pathlib.Path | None


class Entry(NamedTuple):
    """Where a model comes from.

    Attributes:
      loader: "module:function" that makes a `LanguageModel` of a `Request`.
      classifies: Whether it can have a head for classes.
      predicts: Whether it can predict the next token.
      takes_folder: Whether a user's own folder may have its weights.
    """

    loader: str
    classifies: bool
    predicts: bool
    takes_folder: bool = False


_ROOM = "experiments.data.text"

MODELS: Mapping[str, Entry] = MappingProxyType(
    {
        "minilm": Entry(f"{_ROOM}.packaged:minilm", True, False),
        "smollm2": Entry(f"{_ROOM}.packaged:smollm2", False, True),
        "gpt2_small_scratch": Entry(f"{_ROOM}.scratch:gpt2_small_scratch", True, True),
        "bert_base_en_uncased": Entry(
            f"{_ROOM}.original_models:bert_base_en_uncased", True, False, True
        ),
        "gpt2_base_en": Entry(
            f"{_ROOM}.original_models:gpt2_base_en", True, True, True
        ),
        "bert_tiny_random": Entry(f"{_ROOM}.tiny:bert_tiny_random", True, False),
        "gpt2_tiny_random": Entry(f"{_ROOM}.tiny:gpt2_tiny_random", True, True),
    }
)
"""Language models by name. A substitute never has the original's name."""


def load(
    name: str,
    length: int,
    *,
    num_classes: int | None = None,
    seed: int = 0,
    directory: str | pathlib.Path | None = None,
    lora_rank: int = 0,
) -> LanguageModel:
    """Loads a model and its vocabulary.

    Args:
      name: A key of `MODELS`.
      length: L, positions of each sentence, special tokens and padding included.
      num_classes: c of a classifier of sentences, with a new head; None for a model that
        predicts the next token.
      seed: Of a head's weights, and of adapters.
      directory: A folder with the original's weights, in KerasHub's or in Hugging Face's
        layout, where the model takes one.
      lora_rank: Of adapters that are all that is trained (`adapters.with_adapters`); 0
        to train the whole model.

    Returns:
      Both.

    Raises:
      FileNotFoundError: If the weights are not there and not to be had; the message says
        what to do.
      ValueError: If there is no such model, or it does not do what is asked of it.
    """
    entry = MODELS[validation.check_in("model", name, MODELS)]
    task = "predicts the next token" if num_classes is None else "has classes"
    if not (entry.predicts if num_classes is None else entry.classifies):
        able = [
            other
            for other, one in MODELS.items()
            if (one.predicts if num_classes is None else one.classifies)
        ]
        raise ValueError(
            f"`model` must be one that {task} here: {', '.join(able)}; got {name!r}."
        )
    if num_classes is not None:
        validation.check_at_least("num_classes", num_classes, 2)
    if directory is not None and not entry.takes_folder:
        raise ValueError(
            f"A folder of weights must not be given for {name!r}, whose weights have one "
            f"source, got {directory}. Leave it out."
        )
    folder = None if directory is None else pathlib.Path(directory).expanduser()
    asked = Request(length, num_classes, seed, folder)
    made: LanguageModel = pkgutil.resolve_name(entry.loader)(asked)
    if not lora_rank:
        return made
    # It loads TensorFlow, which this file does without.
    from selenc_tf.models.text import adapters

    adapted = adapters.with_adapters(made.model, lora_rank, seed)
    return made._replace(model=adapted)
