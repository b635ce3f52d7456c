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
    percent, tries = f"{100 * (chance(leakage) or 0):.0f} %", leakage.label_tries or 1
    if tries == 1:
        return f"{LABELS} (chance of a guess: {percent})"
    return f"{LABELS} (chance of one of {tries} independent guesses: {percent})"


def chance(leakage: Leakage) -> float | None:
    """How often one of so many independent guesses names a label; None if not known."""
    if not leakage.label_classes:
        return None
    return float(1 - (1 - 1 / leakage.label_classes) ** (leakage.label_tries or 1))


def in_words(rate: Rate) -> str:
    """As "3 of 3 (95 % interval 44 to 100 %)"; of what is not independent no interval."""
    return f"{rate.successes} of {rate.trials}{interval(rate)}"


def interval(rate: Rate) -> str:
    """The interval of a share in brackets behind it; "" where there is none."""
    if rate.low != rate.low:
        return ""
    return f" (95 % interval {100 * rate.low:.0f} to {100 * rate.high:.0f} %)"
