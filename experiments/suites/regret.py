"""What the attacker's choice among several attacks gives away: its regret."""

import math
import statistics
from collections.abc import Sequence

from experiments.outputs.records import AttackRecord

EXACT_DB = 120.0
"""What is better counts as equal, as in the rehearsal (`attacks/rehearsal.py`)."""


def of_record(record: AttackRecord) -> float | None:
    """The best member's PSNR, in hindsight, less that of the result that was believed.

    Of a batch, which has one choice, the best member may be another for each picture.

    Args:
      record: Of an attack that is made of several.

    Returns:
      dB, not negative; None where no member or not the whole has a number.
    """
    reached = [
        one.measures["psnr_db"]
        for one in record.members
        if not math.isnan(one.measures.get("psnr_db", math.nan))
    ]
    believed = record.number("psnr_db")
    if math.isnan(believed) or not reached:
        return None
    return min(max(reached), EXACT_DB) - min(believed, EXACT_DB)


def mean(records: Sequence[AttackRecord]) -> float | None:
    """The mean over cells of the mean regret of their pictures.

    A cell is a point of the grid with the weights, the target, and the batch size.

    Args:
      records: Any; those of other attacks are left out.

    Returns:
      dB; None without a record that has members.
    """
    cells: dict[tuple[object, ...], list[float]] = {}
    for record in records:
        regret = of_record(record)
        if regret is not None:
            place = (
                record.cell,
                record.weights_after_rounds,
                record.target,
                record.batch_size,
                record.attack,
                record.attacker,
            )
            cells.setdefault(place, []).append(regret)
    if not cells:
        return None
    return statistics.mean(statistics.mean(found) for found in cells.values())
