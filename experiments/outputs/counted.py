"""Shares of examples in words: how many of how many, and how sure that is."""

from collections.abc import Iterator

from attacks.metrics.success import Rate
from experiments.outputs import labels as labels_lib
from experiments.outputs.leakage_summary import Leakage
from experiments.outputs.leaks import EXACT, Leaks

LABELS = "label named by one attack alone"
TARGETS = "target number to within"
COLUMNS = "single columns exactly"
UNREAD = "no attack reads a label"
NO_TARGET = "target number: not read"
NO_RATE = "how often a guess is right is not known: no public targets"
COMMONEST = "the commonest public class"
NOT_TRIED = "not tried (nothing is visible)"
GUESSING = "no better than guessing"
TOO_FEW = "too few examples to tell it from guessing"
NOT_SHOWN = "not shown to be better than guessing"

THESE_WEIGHTS = "for these weights alone"
"""What an interval of one seed is of: with others more or less may leak."""
INTERVALS = f"Intervals of shares are {THESE_WEIGHTS}."

_LUCK = 0.05
"""As many labels as guesses name more often than that are no evidence."""


def rates(leakage: Leakage, leaks: Leaks) -> Iterator[tuple[str, Rate]]:
    """What counts as recovered of the best of each example, by name."""
    for share in leaks.recovered:
        if found := leakage.shares.get(share.name):
            yield share.words, found


def columns(leakage: Leakage) -> Iterator[tuple[str, str]]:
    """The values of single columns that one attack has exactly; nothing but of rows.

    Nor where all rows are exact, as that says so.
    """
    exact = leakage.shares.get(EXACT)
    if exact and exact.successes == exact.trials:
        return
    if found := leakage.columns:
        yield COLUMNS, f"{found.attack} {found.text.removeprefix(f'{COLUMNS}: ')}"


def labels(leakage: Leakage) -> Iterator[tuple[str, str]]:
    """The labels that the best single attack names; nothing where none was asked for.

    Yields:
      What it is, with how often a guess is right, and the attack with its number, and
      whether that is more than guessing gives.
    """
    if not leakage.label_by:
        return
    name = LABELS
    if leakage.label_numbers:
        name = f"{TARGETS} {leakage.label_within} by one attack alone"
    by_guess = f" ({guess})" if (guess := guess_is_right(leakage)) else ""
    if not leakage.labels:
        untried = leakage.label_by == labels_lib.NOT_TRIED
        yield f"{name}{by_guess}", NOT_TRIED if untried else labels_lib.NONE
        return
    right = f"{in_words(leakage.labels)}{unread(leakage)}"
    no_more = f", {said}" if (said := verdict(leakage)) else ""
    yield f"{name}{by_guess}", f"{reader(leakage)} {right}{no_more}"


def reader(leakage: Leakage) -> str:
    """The attack that names most labels, without its attacker."""
    return leakage.label_by.partition(" ")[0]


def named(leakage: Leakage) -> str:
    """The same as a part of a sentence: "label: idlg alone names 5 of 5"; or ""."""
    if not leakage.label_by:
        return ""
    if leakage.label_by == labels_lib.NOT_TRIED:
        what = "target number" if leakage.label_numbers else "label"
        return f"{what}: {NOT_TRIED}"
    if not leakage.labels:
        return NO_TARGET if leakage.label_numbers else UNREAD
    rate = leakage.labels
    count = f"{rate.successes} of {rate.trials}"
    said = f"label: {reader(leakage)} alone names {count}{unread(leakage)}"
    if leakage.label_numbers:
        within = f"{reader(leakage)} alone has {count} to within {leakage.label_within}"
        said = f"target number: {within}{unread(leakage)}"
    guess, no_more = guess_is_right(leakage), verdict(leakage)
    said = f"{said}, {guess}" if guess else said
    return f"{said}: {no_more}" if no_more else said


def named_shortly(leakage: Leakage) -> str:
    """The same where the attack and the guess were told before: "label: 5 of 6"."""
    what = "target number" if leakage.label_numbers else "label"
    rate = leakage.labels
    return f"{what}: {rate.successes} of {rate.trials}" if rate else ""


def verdict(leakage: Leakage) -> str:
    """Says so where as many labels are named by guessing; "" elsewhere."""
    rate, likely = leakage.labels, leakage.label_by_chance
    if rate is None or likely is None:
        return ""
    if rate.rate <= share_by_guess(leakage):
        return GUESSING
    if likely <= _LUCK:
        return ""
    if (examples := leakage.label_examples_to_decide) is None:
        return NOT_SHOWN
    return (
        f"{TOO_FEW}; about {examples:,} would (--num_images="
        f"{leakage.label_images_to_decide})"
    )


def reads(leakage: Leakage) -> bool:
    """Whether one attack names more labels than guesses do, by more than chance."""
    if not leakage.labels or verdict(leakage):
        return False
    return leakage.labels.rate > share_by_guess(leakage)


def surely_reads(leakage: Leakage) -> bool:
    """The same where it is known what guesses name, as of earlier versions it is not."""
    return reads(leakage) and leakage.label_by_chance is not None


def is_open(leakage: Leakage) -> bool:
    """Whether too few examples were attacked to tell."""
    return verdict(leakage).startswith(TOO_FEW)


def unread(leakage: Leakage) -> str:
    """Of how many examples the best attack on labels reads none; "" where of each one."""
    return f", {leakage.labels_unread} not read" if leakage.labels_unread else ""


def guess_is_right(leakage: Leakage) -> str:
    """How often a guess of a label is right, in words; "" where that is not known."""
    if leakage.label_guess is not None:
        what = COMMONEST
        if leakage.label_numbers:
            what = "one number for all"
        return f"{what} is right in {100 * leakage.label_guess:.3g} %"
    if leakage.label_within == labels_lib.WITHIN_BEFORE:
        return "how often a guess is right is not on record"
    if leakage.label_numbers:
        return NO_RATE
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
