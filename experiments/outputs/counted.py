"""Shares of examples in words: how many of how many, and how sure that is."""

from collections.abc import Iterator

from attacks.metrics.success import Rate
from experiments.outputs.leakage_summary import Leakage
from experiments.outputs.leaks import Leaks

LABELS = "label right by some attack"


def rates(leakage: Leakage, leaks: Leaks) -> Iterator[tuple[str, Rate]]:
    """What counts as recovered of the best of each example, and its label, by name."""
    for share in leaks.recovered:
        if found := leakage.shares.get(share.name):
            yield share.words, found
    if leakage.labels:
        yield _labels(leakage), leakage.labels


def _labels(leakage: Leakage) -> str:
    if not leakage.label_classes:
        return LABELS
    return f"{LABELS} ({_chance(leakage.label_tries or 1, leakage.label_classes)})"


def _chance(tries: int, classes: int) -> str:
    """How often one of several attacks names a label that none of them knows."""
    if tries == 1:
        return f"chance of a guess: {100 / classes:.0f} %"
    percent = 100 * (1 - (1 - 1 / classes) ** tries)
    return f"chance of one of {tries} independent guesses: {percent:.0f} %"


def in_words(rate: Rate) -> str:
    """As "3 of 3 (95 % interval 44 to 100 %)"; of what is not independent no interval."""
    return f"{rate.successes} of {rate.trials}{interval(rate)}"


def interval(rate: Rate) -> str:
    """The interval of a share in brackets behind it; "" where there is none."""
    if rate.low != rate.low:
        return ""
    return f" (95 % interval {100 * rate.low:.0f} to {100 * rate.high:.0f} %)"
