"""BERT's vocabulary: words and pieces of words."""

import pathlib
from collections.abc import Sequence

import keras_hub
import numpy as np

from selenc_tf.models.text.tokens import SpecialTokens
from selenc_tf.models.text.vocabulary import Vocabulary

_SPECIAL = ("[CLS]", "[SEP]", "[PAD]", "[UNK]")
_MASK = "[MASK]"


def of_file(path: pathlib.Path, name: str, *, lowercase: bool = True) -> Vocabulary:
    """Reads `vocab.txt`, one piece a line.

    Args:
      path: The file.
      name: What results call it.
      lowercase: Whether it is of words without capitals and accents ("uncased").

    Returns:
      The vocabulary.

    Raises:
      ValueError: If it is no such file.
    """
    try:
        pieces = path.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} must be a vocabulary in UTF-8, one piece a line, but is not."
        ) from error
    while pieces and not pieces[-1]:
        pieces.pop()
    return of_pieces([one.removesuffix("\r") for one in pieces], name, lowercase)


def of_pieces(pieces: Sequence[str], name: str, lowercase: bool = True) -> Vocabulary:
    """Makes a vocabulary of pieces; those that go on with a word begin with "##".

    (Devlin et al., "BERT", NAACL 2019, section 4; Wu et al., "Google's Neural Machine
    Translation System", 2016, section 4.1.)

    Args:
      pieces: In the order of their numbers.
      name: What results call it.
      lowercase: As `of_file` has it.

    Returns:
      The vocabulary.

    Raises:
      ValueError: If a special token is missing, or a piece is there twice.
    """
    places = {piece: place for place, piece in enumerate(pieces)}
    missing = [one for one in _SPECIAL if one not in places]
    if missing or len(places) != len(pieces):
        raise ValueError(
            f"The vocabulary {name!r} must have the pieces {', '.join(_SPECIAL)}, and "
            f"each piece once, but it has {len(pieces) - len(places)} twice and lacks "
            f"{', '.join(missing) or 'none'}."
        )
    # KerasHub keeps accents by default, and takes words that have them for unknown.
    tokenizer = keras_hub.models.BertTokenizer(
        vocabulary=[*pieces, *([] if _MASK in places else [_MASK])],
        lowercase=lowercase,
        strip_accents=lowercase,
        dtype="int32",
    )
    start, end, pad, unknown = (places[one] for one in _SPECIAL)

    def split(sentence: str) -> list[int]:
        return [int(one) for one in np.asarray(tokenizer.tokenize(sentence))]

    def join(token_ids: Sequence[int]) -> str:
        words = " ".join(pieces[one] for one in token_ids)
        return words.replace(" ##", "")

    also = [places[_MASK]] if _MASK in places else []
    return Vocabulary(
        name,
        len(pieces),
        SpecialTokens(start, end, pad, unknown),
        frozenset({start, end, pad, *also}),
        split,
        join,
    )
