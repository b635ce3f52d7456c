"""Which measured share is about a tenth, and from which on nothing more leaks."""

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from experiments.outputs import attackers, blind, counted
from experiments.outputs.blind import Past
from experiments.outputs.leaks import Leaks
from experiments.outputs.report import spread as spread_lib
from experiments.outputs.report.outcomes import HINDSIGHT, Mask, Outcome, percent

ABOUT, LEAST, MOST = 0.1, 0.05, 0.2
"""The share that is asked for, and what still counts as about as much."""


class Compared(NamedTuple):
    """The best of what was tried under one mask, against the blind guess.

    Attributes:
      outcome: The best of each example in hindsight.
      past: On how many examples it is better.
    """

    outcome: Outcome
    past: Past

    @property
    def mask(self) -> Mask:
        """What was hidden."""
        return self.outcome.mask


def enough(compared: Sequence[Compared]) -> Compared | None:
    """The least measured share from which on nothing is better than the blind guess.

    A share at which only naive attackers failed is none: that is no protection shown.

    Args:
      compared: Of one metric, in ascending order of shares.
    """
    found = None
    for one in reversed(compared):
        if not one.past.none or one.outcome.naive_only:
            break
        found = one
    return found


def open_at(compared: Iterable[Compared]) -> list[str]:
    """The shares, in percent, of which too few examples were attacked to tell."""
    return [one.mask.percent for one in compared if one.past.open]


def labels_beside(compared: Sequence[Compared], at: Compared) -> str:
    """What is said of labels where examples are protected; "" where none are read.

    Args:
      compared: Of one metric, in ascending order of shares.
      at: The least share from which on nothing of the examples themselves leaks.
    """
    beyond = [
        (one.mask.percent, one.outcome.summary)
        for one in compared[compared.index(at) :]
        if one.outcome.summary
    ]
    read = [percent for percent, found in beyond if counted.surely_reads(found)]
    open_ = [percent for percent, found in beyond if counted.is_open(found)]
    what = "target numbers" if any(one.label_numbers for _, one in beyond) else "labels"
    said = [f"{what} are read at {', '.join(read)} %"] if read else []
    said += [f"of {what} too few tell at {', '.join(open_)} %"] if open_ else []
    return " and ".join(said)


def labels_between(compared: Iterable[Compared], told: Collection[Mask]) -> str:
    """The other shares at which labels are read, as a sentence; "" for none.

    Args:
      compared: Of one metric.
      told: The masks of which labels were told.
    """
    found: dict[str, list[str]] = {}
    for one in compared:
        summary = one.outcome.summary
        if summary and one.mask.share > 0 and one.mask not in told:
            if counted.surely_reads(summary):
                count = counted.named_shortly(summary)
                found.setdefault(count, []).append(one.mask.percent)
    if not found:
        return ""
    listed = "; ".join(f"{count} at {', '.join(at)} %" for count, at in found.items())
    return f"{listed[:1].upper()}{listed[1:]}."


def stopped_naive_only(found: Iterable[Outcome]) -> str:
    """Says where naive attackers failed and no other one was there; "" for nowhere.

    Args:
      found: Of one metric.
    """
    open_ = [
        one.mask.percent
        for one in sorted(found, key=lambda one: one.mask.low)
        if one.attack == HINDSIGHT and one.naive_only and one.past and one.past.none
    ]
    if not open_:
        return ""
    listed = ", ".join(open_)
    return (
        f"With {listed} % hidden {attackers.NAIVE}, are {blind.NO_BETTER}; no attacker "
        f"who uses the mask has a result there: no evidence that {listed} % protects."
    )


def compared(found: Sequence[Outcome]) -> list[Compared]:
    """The comparisons of one metric by the share hidden, where there is a guess."""
    return sorted(
        (
            Compared(one, one.past)
            for one in found
            if one.attack == HINDSIGHT and one.past is not None
        ),
        key=lambda one: one.mask.low,
    )


def where(mask: Mask, masks: Sequence[Mask]) -> str:
    """What a mask that is nearest to `ABOUT` is, where it is not about as much; or "".

    With nothing hidden measured, and nearer, it is the smallest above that.

    Args:
      mask: The nearest of those that hide something.
      masks: All that were measured.
    """
    if is_about(mask):
        return ""
    bare = any(one.share == 0.0 for one in masks)
    if bare and ABOUT < abs(mask.share - ABOUT):
        return "the smallest measured share above 0"
    return "the measured share nearest to 10 %"


def nearest(masks: Sequence[Mask]) -> Mask:
    """The mask that really hides nearest to `ABOUT`, of at least one."""
    return min(masks, key=lambda mask: (abs(mask.share - ABOUT), mask.asked))


def is_about(mask: Mask) -> bool:
    """Whether what a mask really hides is about as much as `ABOUT`."""
    return LEAST <= mask.share <= MOST


def in_words(own: Sequence[Outcome], leaks: Leaks) -> str:
    """From which measured share on attacks are no better than without a gradient.

    Where no blind guess is on record: leak no more than with everything hidden.
    """
    pairs = compared(own)
    if pairs:
        parts = (_by_guess(pairs), stopped_naive_only(own))
        return " ".join(part for part in parts if part)
    found = sorted(
        (one.mask.low, one.spread)
        for one in own
        if one.attack == HINDSIGHT and one.spread
    )
    whole = [spread for share, spread in found if share == 1.0]
    if not whole:
        return (
            "From which share on no more leaks than with everything hidden cannot be "
            "said: everything hidden was not measured."
        )
    naive = [
        one.mask.percent for one in own if one.attack == HINDSIGHT and one.naive_only
    ]
    if naive:
        return (
            f"With {', '.join(naive)} % hidden only {attackers.NAIVE}, have a result: "
            "no evidence that it protects."
        )
    end = spread_lib.ends(whole[0])[1]
    shown = f"what everything hidden gives (at most {leaks.shown(end)})"
    least, bare = found[0]
    # Numbers that look the same are no difference.
    if least == 0.0 and (
        bare.median <= end or leaks.shown(bare.median) == leaks.shown(end)
    ):
        return (
            "Even with no mask at all these attacks get nothing from the message: with "
            f"nothing hidden they recover no more than {shown}. So this run shows nothing "
            "about the mask."
        )
    down = 1.0
    for share, spread in reversed(found):
        if spread.median > end:
            break
        down = share
    if down == 1.0:
        return f"At no measured share below 100 % is it down to {shown}."
    said = f"It is down to {shown} from the measured share of {percent(down)} % on"
    if down == least:
        return (
            f"{said}, the least that has a result: with nothing hidden there is none, so "
            "these attacks may fail without a mask, too."
        )
    return f"{said}."


def _by_guess(pairs: Sequence[Compared]) -> str:
    """The same against the blind guess, of comparisons by ascending shares."""
    least, found = pairs[0], enough(pairs)
    if least.mask.low == 0.0 and (least.past.none or least.past.by_luck):
        what = f"are {blind.NO_BETTER}"
        if least.past.by_luck:
            what = f"are {least.past.text} ({least.past.chance_text})"
        return (
            f"Even with no mask at all these attacks {what}. So this run shows nothing "
            "about the mask."
        )
    if found is None and pairs[-1].mask.high == 0.0:
        return "Nothing was measured with a part hidden."
    if found is None:
        last = pairs[-1]
        if last.past.open:
            few = "too few rows were attacked to tell"
            why = "chance may give as many" if last.past.by_luck else few
            return (
                f"At {', '.join(open_at(pairs))} % it is open whether some attack is "
                f"better than a blind guess: {why}."
            )
        if last.past.none:
            # Only naive attackers failed there, which is said beside it.
            return ""
        where = "every measured share"
        if not all(one.past.more for one in pairs):
            where = f"the largest measured share, {last.mask.percent} %,"
        return f"At {where} some attack is better than a blind guess."
    if found.outcome.is_empty:
        return (
            f"Only with {found.mask.text} hidden, where nothing is visible, is no attack "
            "tried better than a blind guess."
        )
    said = (
        f"From the measured share of {found.mask.percent} % on no attack tried is "
        "better than a blind guess"
    )
    if labels := labels_beside(pairs, found):
        said += f" of the examples themselves; {labels}"
    if found is least:
        return (
            f"{said}, the least that has a result: with nothing hidden there is none, so "
            "these attacks may fail without a mask, too."
        )
    return f"{said}."
