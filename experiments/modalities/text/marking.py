"""A recovered sentence as text in which wrong tokens can be marked."""

import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, TypeAlias

Mark: TypeAlias = Literal["right", "elsewhere", "wrong"]
"""Right at its place; of the sentence, but of another place; not of the sentence."""

_ORDER: tuple[Mark, ...] = ("right", "elsewhere", "wrong")


class Piece(NamedTuple):
    """Text whose tokens have one mark."""

    text: str
    mark: Mark


def pieces(
    found: Sequence[int], truth: Sequence[int], join: Callable[[Sequence[int]], str]
) -> list[Piece]:
    """Cuts the text of found tokens where their mark changes.

    Args:
      found: Tokens.
      truth: The true ones.
      join: The text of tokens.

    Returns:
      The text in pieces. Several tokens that are one letter together (bytes) have the
      worst of their marks.
    """
    marks, whole = _marks(found, truth), join(found)
    cut: list[Piece] = []
    begin, done = 0, ""
    for end in range(1, len(found) + 1):
        text = join(found[:end]) if end < len(found) else whole
        if not whole.startswith(text) or len(text) <= len(done):
            continue
        worst = max(marks[begin:end], key=_ORDER.index)
        cut.append(Piece(text[len(done) :], worst))
        begin, done = end, text
    grouped = itertools.groupby(cut, key=lambda piece: piece.mark)
    return [Piece("".join(one.text for one in run), mark) for mark, run in grouped]


def written(
    found: Sequence[Piece],
    marked: Callable[[str, Mark], str],
    plain: Callable[[str], str],
) -> str:
    """One text of pieces.

    Args:
      found: The pieces.
      marked: What stands for a text that is not right.
      plain: What stands for one that is right, and for spaces around others.

    Returns:
      The text; letters that do not print are written out.
    """
    parts = []
    for piece in found:
        text = printable(piece.text)
        if piece.mark == "right":
            parts.append(plain(text))
            continue
        core = text.strip(" ")
        before = text[: len(text) - len(text.lstrip(" "))] if core else ""
        after = text[len(text.rstrip(" ")) :] if core else ""
        parts += [before, marked(core or "_" * len(text), piece.mark), after]
    return "".join(parts)


def printable(text: str) -> str:
    """The text with letters that do not print, as ends of lines, written out."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )


def _marks(found: Sequence[int], truth: Sequence[int]) -> list[Mark]:
    right = [a == b for a, b in itertools.zip_longest(found, truth)][: len(found)]
    places = range(min(len(found), len(truth)))
    left = Counter(truth) - Counter(truth[place] for place in places if right[place])
    marks: list[Mark] = []
    for token, at_place in zip(found, right, strict=True):
        if at_place:
            marks.append("right")
        elif left[token]:
            left[token] -= 1
            marks.append("elsewhere")
        else:
            marks.append("wrong")
    return marks
