"""Shares of examples in words: how many of how many, and how sure that is."""

from collections.abc import Iterator

from attacks.metrics.success import Rate
from experiments.outputs import labels as labels_lib
from experiments.outputs.leakage_summary import Leakage
from experiments.outputs.leaks import Leaks

LABELS = "label named by one attack alone"
UNREAD = "no attack reads a label"


def rates(leakage: Leakage, leaks: Leaks) -> Iterator[tuple[str, Rate]]:
    """What counts as recovered of the best of each example, by name."""
    for share in leaks.recovered:
        if found := leakage.shares.get(share.name):
            yield share.words, found


def labels(leakage: Leakage) -> Iterator[tuple[str, str]]:
    """The labels that the best single attack names; nothing where none was asked for.

    Yields:
      What it is, with how often a guess is right, and the attack with its number.
    """
    if not leakage.label_by:
        return
    by_chance = f" ({guess})" if (guess := guess_is_right(leakage)) else ""
    if not leakage.labels:
        yield f"{LABELS}{by_chance}", labels_lib.NONE
        return
    yield f"{LABELS}{by_chance}", f"{reader(leakage)} {in_words(leakage.labels)}"


def reader(leakage: Leakage) -> str:
    """The attack that names most labels, without its attacker."""
    return leakage.label_by.partition(" ")[0]


def named(leakage: Leakage) -> str:
    """The same as a part of a sentence: "label: idlg alone names 5 of 5"; or ""."""
    if not leakage.label_by:
        return ""
    if not leakage.labels:
        return UNREAD
    rate = leakage.labels
    said = f"label: {reader(leakage)} alone names {rate.successes} of {rate.trials}"
    guess = guess_is_right(leakage)
    return f"{said}, {guess}" if guess else said


def guess_is_right(leakage: Leakage) -> str:
    """How often a guess of a label is right, in words; "" where that is not known."""
    if not leakage.label_classes:
        return ""
    return f"a guess is right in {100 / leakage.label_classes:.3g} %"


def in_words(rate: Rate) -> str:
    """As "3 of 3 (95 % interval 44 to 100 %)"; of what is not independent no interval."""
    return f"{rate.successes} of {rate.trials}{interval(rate)}"


def interval(rate: Rate) -> str:
    """The interval of a share in brackets behind it; "" where there is none."""
    if rate.low != rate.low:
        return ""
    return f" (95 % interval {100 * rate.low:.0f} to {100 * rate.high:.0f} %)"
