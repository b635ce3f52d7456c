"""The gradients of an analysis put together."""

from collections.abc import Mapping, Sequence

from experiments.analysis.results import Analysed
from selenc_tf.distance.predict import Prediction


def by_mask(
    results: Sequence[Analysed],
) -> Mapping[tuple[float, str], Sequence[Prediction]]:
    """The predictions of all gradients by asked ratio and metric, ratios rising."""
    groups: dict[tuple[float, str], list[Prediction]] = {}
    for analysed in results:
        for row in analysed.rows:
            groups.setdefault((row.asked_ratio, row.metric), []).append(row.prediction)
    # Stable, so that metrics stay in the order in which they were asked for.
    return dict(sorted(groups.items(), key=lambda item: item[0][0]))


def median_bracket(
    results: Sequence[Analysed], metric: str, criterion: str
) -> tuple[float, float]:
    """The bracket of a metric's threshold for the picture in the middle.

    Of two pictures in the middle it is the later one's.
    """
    found = sorted(
        (each.high, each.low)
        for analysed in results
        for each in analysed.thresholds
        if (each.metric, each.criterion) == (metric, criterion)
    )
    high, low = found[len(found) // 2]
    return low, high
