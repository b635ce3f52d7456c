"""The vocabulary of GPT-2 and its kin: bytes, and pairs that were joined."""

import json
import pathlib
import re
from collections.abc import Mapping, Sequence

import keras_hub
import numpy as np

from selenc_tf.models.text.tokens import SpecialTokens
from selenc_tf.models.text.vocabulary import Vocabulary

_GPT2_END = "<|endoftext|>"


def of_gpt2_files(
    vocabulary: pathlib.Path, merges: pathlib.Path, name: str
) -> Vocabulary:
    """Reads GPT-2's two files.

    Args:
      vocabulary: A JSON object, from tokens to their numbers.
      merges: A pair a line, below a line with the version.
      name: What results call it.

    Returns:
      The vocabulary. Sentences start and end with "<|endoftext|>", as KerasHub trains
      GPT-2; the pad is the number 0, a word, as there is none of its own.

    Raises:
      ValueError: If they are no such files.
    """
    try:
        places = json.loads(vocabulary.read_text(encoding="utf-8"))
        lines = merges.read_text(encoding="utf-8").split("\n")
    except ValueError as error:
        raise ValueError(
            f"{vocabulary} must be a JSON object of tokens and {merges} a list of pairs, "
            f"both in UTF-8 ({str(error).splitlines()[0]})."
        ) from error
    pairs = [one for one in lines if one.strip() and not one.startswith("#version")]
    if not isinstance(places, dict) or _GPT2_END not in places:
        raise ValueError(
            f"{vocabulary} must be GPT-2's vocabulary, with {_GPT2_END!r}, but is not."
        )
    end = int(places[_GPT2_END])
    return of_pairs(
        places, pairs, name, SpecialTokens(start=end, end=end, pad=0), [end]
    )


def of_pairs(
    places: Mapping[str, int],
    pairs: Sequence[str],
    name: str,
    special: SpecialTokens,
    special_ids: Sequence[int],
    *,
    single_digits: bool = False,
) -> Vocabulary:
    """Makes a vocabulary of tokens and the pairs that they were joined from.

    (Radford et al., "Language Models are Unsupervised Multitask Learners", 2019, section
    2.2.) A special token that a text spells out is cut as text.

    Args:
      places: The number of each token, from 0 without a gap, written in GPT-2's letters
        for bytes.
      pairs: "left right", in the order in which they are joined.
      name: What results call it.
      special: The tokens that stand for no text.
      special_ids: All of them.
      single_digits: Whether each digit is cut off by itself first (SmolLM).

    Returns:
      The vocabulary.

    Raises:
      ValueError: If numbers are missing or there twice, or there is no pair.
    """
    words = sorted(places, key=lambda word: places[word])
    if not pairs:
        raise ValueError(
            f"The vocabulary {name!r} must join at least one pair, got none."
        )
    if [places[word] for word in words] != list(range(len(words))):
        raise ValueError(
            f"The tokens of {name!r} must have the numbers from 0 to {len(words) - 1}, "
            "each once, but do not: the file is damaged."
        )
    tokenizer = keras_hub.tokenizers.BytePairTokenizer(
        vocabulary=dict(places), merges=list(pairs), dtype="int32"
    )
    to_byte = {letter: byte for byte, letter in _letters().items()}

    def split(sentence: str) -> list[int]:
        parts = re.split(r"(\d)", sentence) if single_digits else [sentence]
        return [
            int(one)
            for part in parts
            if part
            for one in np.asarray(tokenizer.tokenize(part)).reshape(-1)
        ]

    def join(token_ids: Sequence[int]) -> str:
        text = bytearray()
        for one in token_ids:
            word = words[one]
            if one in special_ids:
                text += word.encode()
            else:
                text += bytes(to_byte[letter] for letter in word)
        return text.decode("utf-8", errors="replace")

    return Vocabulary(name, len(words), special, frozenset(special_ids), split, join)


def _letters() -> dict[int, str]:
    """GPT-2's visible letter for each byte: itself, or one from 256 on in order."""
    itself = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in itself]
    return {
        **{byte: chr(byte) for byte in itself},
        **{byte: chr(256 + place) for place, byte in enumerate(others)},
    }
