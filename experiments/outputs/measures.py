"""The numbers of a summary row that figures and TensorBoard show, each stated once."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from experiments.outputs import blind, hindsight
from experiments.outputs.columns import Columns
from experiments.outputs.leakage_summary import Leakage
from experiments.outputs.leaks import Leaks, Number, Share
from experiments.outputs.statistic import Statistic
from experiments.outputs.summary import SummaryRow

BEST = "best"

ATTACKERS = {
    BEST: hindsight.NAME,
    "naive": "naive attackers, best of each example",
    "mask_aware": "mask-aware attackers, best of each example",
}
"""What they are called in figures and tables."""


BLIND = f"{blind.NAME}, without the gradient"
"""What is no attacker's."""


class Measure(NamedTuple):
    """One number of a row.

    Attributes:
      metric: Its tag in the HParams tab, after "metrics/".
      title: Its name there.
      value: Of a row; None where it was not measured.
      panel: The title of its panel in the figure over the ratio; "" for none.
      attacker: Whose it is.
      unsure: Whether a row's value may be that without protection, by chance.
    """

    metric: str
    title: str
    value: Callable[[SummaryRow], float | None]
    panel: str = ""
    attacker: str = BEST
    unsure: Callable[[SummaryRow], bool] = lambda row: False


def of(leaks: Leaks) -> tuple[Measure, ...]:
    """What a modality measures, and what all have in common."""
    return (*_leakage(leaks), *_COSTS)


def blind_guess(rows: Iterable[SummaryRow]) -> float | None:
    """The main measure of what is guessed without a gradient: the median over examples.

    It is the same under every mask; of the row with the most examples.
    """
    found = [row.leakage.blind for row in rows if row.leakage.blind]
    return max(found, key=lambda one: one.n).median if found else None


def _leakage(leaks: Leaks) -> Iterator[Measure]:
    main = leaks.main
    attackers: dict[str, Callable[[Leakage], Statistic | None]] = {
        BEST: lambda leakage: leakage.best,
        "naive": lambda leakage: leakage.naive,
        "mask_aware": lambda leakage: leakage.mask_aware,
    }
    for attacker, found in attackers.items():
        yield Measure(
            leaks.tag.format(attacker),
            f"leakage, {ATTACKERS[attacker]} ({main.words})",
            _drawn(found, leaks),
            leaks.axis,
            attacker,
        )
    measured: tuple[Number | Share, ...] = (
        # What the table for people has comes first.
        *(one for one in leaks.numbers if one.heading),
        *leaks.shares,
        *(one for one in leaks.numbers if not one.heading),
    )
    for one in measured:
        if one.words:
            yield Measure(
                f"leakage_{one.name}",
                f"leakage, {hindsight.NAME} ({one.words})",
                _median_of(one.name) if isinstance(one, Number) else _rate_of(one.name),
                one.panel,
            )
    if leaks.columns:
        yield from _COLUMNS


def _of_columns(
    number: Callable[[Columns], float | None],
) -> Callable[[SummaryRow], float | None]:
    def value(row: SummaryRow) -> float | None:
        found = row.leakage.columns
        return found and number(found)

    return value


_COLUMNS = (
    Measure(
        "leakage_columns_right",
        "leakage, values of single columns that one attack has exactly (count)",
        _of_columns(lambda found: found.right),
    ),
    Measure(
        "leakage_columns_by_one_value",
        "how many of them one value for all rows has, without the gradient (count)",
        _of_columns(lambda found: found.by_one_value),
    ),
    Measure(
        "leakage_columns_of",
        "values of single columns, rows times columns (count)",
        _of_columns(lambda found: found.of),
    ),
)


def _drawn(
    found: Callable[[Leakage], Statistic | None], leaks: Leaks
) -> Callable[[SummaryRow], float | None]:
    def value(row: SummaryRow) -> float | None:
        statistic = found(row.leakage)
        return statistic and leaks.drawn(statistic.median)

    return value


def _median_of(name: str) -> Callable[[SummaryRow], float | None]:
    def value(row: SummaryRow) -> float | None:
        found = row.leakage.numbers.get(name)
        return found and found.median

    return value


def _rate_of(name: str) -> Callable[[SummaryRow], float | None]:
    def value(row: SummaryRow) -> float | None:
        found = row.leakage.shares.get(name)
        return found and found.rate

    return value


_COSTS = (
    Measure(
        "relative_upload_bytes",
        "bytes that clients send in a round, relative to plain",
        lambda row: row.cost.relative_upload_bytes,
        "bytes up in a round, relative to the one without encryption",
    ),
    Measure(
        "relative_bytes",
        "bytes of a round up and down, relative to plain",
        lambda row: row.cost.relative_bytes,
        "bytes up and down in a round, relative to the one without encryption",
    ),
    Measure(
        "relative_seconds",
        "time of a round, relative to plain",
        lambda row: row.cost.relative_seconds,
        "seconds of a round, relative to the one without encryption",
        unsure=lambda row: row.cost.seconds_unsure,
    ),
    Measure(
        "accuracy",
        "test accuracy",
        lambda row: row.cost.accuracy and row.cost.accuracy.median,
    ),
    Measure(
        "test_loss",
        "test loss",
        lambda row: row.cost.test_loss and row.cost.test_loss.median,
    ),
    Measure(
        "saturated_share",
        "share of encrypted entries beyond the codec's bound",
        lambda row: row.cost.saturated_share,
    ),
)
