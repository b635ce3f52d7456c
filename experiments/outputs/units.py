"""What counts as one observation of a sample, and whether observations are independent."""

from collections.abc import Hashable, Sequence
from typing import NamedTuple

from experiments.outputs.records import AttackRecord


class Units(NamedTuple):
    """What the attacks of a sample were measured on.

    Attributes:
      of: For each attack its unit: the example, or the seed where there are several.
        Examples of one seed share its weights.
      independent: Whether units tell of each other nothing: seeds, or examples of
        messages of their own. Only then has their median an interval.
    """

    of: tuple[Hashable, ...]
    independent: bool


def of_records(records: Sequence[AttackRecord]) -> Units:
    """The units of these attacks, in their order."""
    if len({record.cell.seed for record in records}) > 1:
        return Units(tuple(record.cell.seed for record in records), True)
    return Units(
        tuple(record.image_index for record in records),
        all(record.batch_size == 1 for record in records),
    )
