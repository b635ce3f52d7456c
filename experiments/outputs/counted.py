"""Shares of examples in words: how many of how many, and how sure that is."""

from collections.abc import Iterator

from attacks.metrics.success import Rate
from experiments.outputs import labels as labels_lib
from experiments.outputs.leakage_summary import Leakage
from experiments.outputs.leaks import Leaks

LABELS = "label named by one attack alone"
TARGETS = "target number to within 5 % (0.05 below 1) by one attack alone"
UNREAD = "no attack reads a label"
NO_TARGET = "target number: not read"


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
    name = TARGETS if leakage.label_numbers else LABELS
    by_chance = f" ({guess})" if (guess := guess_is_right(leakage)) else ""
    if not leakage.labels:
        yield f"{name}{by_chance}", labels_lib.NONE
        return
    right = f"{in_words(leakage.labels)}{unread(leakage)}"
    yield f"{name}{by_chance}", f"{reader(leakage)} {right}"


def reader(leakage: Leakage) -> str:
    """The attack that names most labels, without its attacker."""
    return leakage.label_by.partition(" ")[0]


def named(leakage: Leakage) -> str:
    """The same as a part of a sentence: "label: idlg alone names 5 of 5"; or ""."""
    if not leakage.label_by:
        return ""
    if not leakage.labels:
        return NO_TARGET if leakage.label_numbers else UNREAD
    rate = leakage.labels
    count = f"{rate.successes} of {rate.trials}"
    if leakage.label_numbers:
        within = f"{reader(leakage)} alone has {count} to within 5 % (0.05 below 1)"
        return f"target number: {within}{unread(leakage)}"
    said = f"label: {reader(leakage)} alone names {count}{unread(leakage)}"
    guess = guess_is_right(leakage)
    return f"{said}, {guess}" if guess else said


def unread(leakage: Leakage) -> str:
    """Of how many examples the best attack on labels reads none; "" where of each one."""
    return f", {leakage.labels_unread} not read" if leakage.labels_unread else ""


def guess_is_right(leakage: Leakage) -> str:
    """How often a guess of a label is right, in words; "" where that is not known."""
    if leakage.label_numbers:
        return ""
    if leakage.label_guess is not None:
        return f"a guess is right in {100 * leakage.label_guess:.3g} %"
    if leakage.label_classes:
        return f"a uniform guess is right in {100 / leakage.label_classes:.3g} %"
    return ""


def share_by_guess(leakage: Leakage) -> float:
    """The same as a share; 0 where it is not known."""
    if leakage.label_guess is not None:
        return leakage.label_guess
    return 1 / leakage.label_classes if leakage.label_classes else 0.0


def in_words(rate: Rate) -> str:
    """As "3 of 3 (95 % interval 44 to 100 %)"; of what is not independent no interval."""
    return f"{rate.successes} of {rate.trials}{interval(rate)}"


def interval(rate: Rate) -> str:
    """The interval of a share in brackets behind it; "" where there is none."""
    if rate.low != rate.low:
        return ""
    return f" (95 % interval {100 * rate.low:.0f} to {100 * rate.high:.0f} %)"
