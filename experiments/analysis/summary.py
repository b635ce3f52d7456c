"""The gradients of an analysis put together."""

from collections.abc import Sequence
from typing import NamedTuple

from experiments.analysis.results import Analysed
from selenc_tf.distance.predict import Prediction


class Line(NamedTuple):
    """One line of the summary: a metric and a ratio over all pictures.

    Attributes:
      metric: What chose the hidden entries.
      ratio: As asked for.
      hidden: m.
      unknowns: d.
      pictures: How many gradients.
      cosines: Zero-fill cosines, one for each gradient.
      ranks: Likewise.
      degrees: Degrees of freedom.
      psnrs: PSNR bounds in dB.
    """

    metric: str
    ratio: float
    hidden: int
    unknowns: int
    pictures: int
    cosines: tuple[float, ...]
    ranks: tuple[float, ...]
    degrees: tuple[float, ...]
    psnrs: tuple[float, ...]


def summarise(results: Sequence[Analysed]) -> tuple[Line, ...]:
    """Puts the gradients together: one line for each ratio and metric."""
    groups: dict[tuple[float, str], list[Prediction]] = {}
    for analysed in results:
        for row in analysed.rows:
            groups.setdefault((row.asked_ratio, row.metric), []).append(row.prediction)
    return tuple(
        Line(
            metric=metric,
            ratio=ratio,
            hidden=found[0].hidden,
            unknowns=found[0].unknowns,
            pictures=len(found),
            cosines=tuple(each.zero_fill_cosine for each in found),
            ranks=tuple(each.rank for each in found),
            degrees=tuple(each.degrees_of_freedom for each in found),
            psnrs=tuple(each.psnr_bound_db for each in found),
        )
        for (ratio, metric), found in sorted(
            groups.items(), key=lambda item: item[0][0]
        )
    )


def median_bracket(
    results: Sequence[Analysed], metric: str, criterion: str
) -> tuple[float, float]:
    """Where the masks of a metric begin to protect the picture in the middle.

    Args:
      results: Of all gradients.
      metric: What chose the hidden entries.
      criterion: What counts as protection.

    Returns:
      The bracket of the threshold; of two pictures in the middle the later one's.
    """
    found = sorted(
        (each.high, each.low)
        for analysed in results
        for each in analysed.thresholds
        if (each.metric, each.criterion) == (metric, criterion)
    )
    high, low = found[len(found) // 2]
    return low, high
