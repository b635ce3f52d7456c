"""Why an attack has no result, in the words of one who has no code before him."""

import re
from collections.abc import Mapping
from types import MappingProxyType

_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "knowledge.model": "the model",
        "knowledge.labels": "the labels",
        "knowledge.batch_size": "the number of examples",
        "knowledge.earlier": "what the server saw of earlier rounds",
        "knowledge.client_sizes": "the sizes of the clients' batches",
        "knowledge.local_training": "knowledge of local training",
        "knowledge.public_examples": "public examples",
        "knowledge.without_draws": "computing without random draws",
        "view.weights": "the weights",
        "view.mask": "the mask",
    }
)


def no_result(status: str, reason: str) -> str:
    """How an attack ended without a result: "does not apply: The model must ..."."""
    return f"{status.replace('_', ' ')}: {in_words(reason)}"


def in_words(reason: str) -> str:
    """A reason without names of code: "`knowledge.model` must" is "The model must"."""

    def named(match: re.Match[str]) -> str:
        name = match.group(1)
        return _NAMES.get(name, name.rpartition(".")[2].replace("_", " "))

    text = re.sub(r"`((?:knowledge|view|target)\.[\w.]+)`", named, reason)
    text = re.sub(
        r"(?<![\d.,])1 (example|picture|client|round|sentence)s\b", r"1 \1", text
    )
    # What a language model learns is a flag's choice.
    text = re.sub(r"(?<=, got )next_token\b", "next_token (`--text_task`)", text)
    return text[:1].upper() + text[1:] if reason.startswith("`") else text
