"""Sentences that know what they are and where they came from."""

import dataclasses
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray


@dataclasses.dataclass(frozen=True, eq=False)
class Sentences:
    """Sentences, with a class each or without. The arrays are read-only.

    Attributes:
      name: What they really are.
      texts: N sentences, none of them empty; equal ones may occur.
      labels: int32 [N] in [0, num_classes), or None if there are none: such sentences
        are for models that predict the next token.
      num_classes: At least 2, and maybe more than occur; 0 without labels.
      class_names: What the classes are called, in the order of their numbers.
      source: What delivered them, with its version.
      licence: The licence or the terms, as far as the source states them.
      citation: Whom to cite.
      note: One sentence or more for reports: how much of what, from where.
      rows: int64 [N], where the sentences of a part stand in the whole. None of the whole.
    """

    name: str
    texts: tuple[str, ...]
    labels: NDArray[np.int32] | None
    num_classes: int
    class_names: tuple[str, ...]
    source: str
    licence: str
    citation: str
    note: str
    rows: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        """Checks that everything fits, and makes the arrays read-only.

        Raises:
          ValueError: If it does not.
        """
        if not self.texts or not all(one.strip() for one in self.texts):
            raise ValueError(
                f"`texts` of {self.name!r} must be at least one sentence, none of them "
                f"empty, got {len(self.texts)}."
            )
        for name, array, dtype in (
            ("labels", self.labels, np.int32),
            ("rows", self.rows, np.int64),
        ):
            if array is None:
                continue
            if array.shape != (len(self.texts),) or array.dtype != dtype:
                raise ValueError(
                    f"`{name}` must be {np.dtype(dtype)} [{len(self.texts)}], one entry "
                    f"for each sentence, got {array.dtype} {list(array.shape)}."
                )
            array.setflags(write=False)
        if self.labels is None:
            if self.num_classes or self.class_names:
                raise ValueError(
                    "`num_classes` and `class_names` must be 0 and () without `labels`, "
                    f"got {self.num_classes} and {len(self.class_names)} names."
                )
        elif self.num_classes < 2 or not (
            0 <= self.labels.min() and self.labels.max() < self.num_classes
        ):
            raise ValueError(
                f"`labels` must be in [0, num_classes), and `num_classes` at least 2, got "
                f"{self.num_classes} classes and labels in [{self.labels.min()}, "
                f"{self.labels.max()}]."
            )

    def __len__(self) -> int:
        """The number of sentences, N."""
        return len(self.texts)

    @property
    def groups(self) -> NDArray[np.int32]:
        """int32 [N]: equal sentences have one number, so that splits keep them together."""
        numbers: dict[str, int] = {}
        return np.array(
            [numbers.setdefault(one, len(numbers)) for one in self.texts], np.int32
        )


def take(
    sentences: Sentences, rows: Sequence[int] | NDArray[np.integer], note: str = ""
) -> Sentences:
    """The sentences with the given indices, in that order.

    Args:
      sentences: The whole.
      rows: Indices in [0, N), at least one.
      note: Appended to the note of the whole; says how the rows were chosen.

    Returns:
      Those sentences under the same name.

    Raises:
      IndexError: If an index is outside [0, N).
    """
    indices = np.asarray(rows, dtype=np.int64).reshape(-1)
    outside = indices[(indices < 0) | (indices >= len(sentences))]
    if outside.size:
        raise IndexError(
            f"Indices of sentences must be in [0, {len(sentences) - 1}], as "
            f"{sentences.name!r} has {len(sentences)} here; got {int(outside[0])}."
        )
    return dataclasses.replace(
        sentences,
        texts=tuple(sentences.texts[one] for one in indices),
        labels=None if sentences.labels is None else sentences.labels[indices],
        note=f"{sentences.note} {note}".strip(),
        rows=indices if sentences.rows is None else sentences.rows[indices],
    )


def repeated(texts: Sequence[str]) -> str:
    """What a note says of equal sentences; empty if there are none."""
    count = len(texts) - len(set(texts))
    return f" {count:,} of them repeat another word for word." if count else ""


def alone(classes: Collection[object]) -> str:
    """What a note says where all sentences are of one class; empty where they are not."""
    if len(set(classes)) != 1:
        return ""
    return " All have one class, so that the model's second is never right."
