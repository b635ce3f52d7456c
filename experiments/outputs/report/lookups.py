"""Where a look-up of public examples is higher than the best of what was recovered.

It stands apart: a similar public example was found, and nothing was reconstructed.
"""

from collections.abc import Sequence

from experiments.outputs.leaks import Leaks
from experiments.outputs.report.outcomes import HINDSIGHT, Mask, Outcome
from experiments.outputs.summary import Context

APART = "look-ups of public examples apart"
"""How what was best is called beside a look-up."""


def higher(context: Context, found: Sequence[Outcome], leaks: Leaks) -> str:
    """Says at which shares the median of a look-up is above that of the best.

    Args:
      context: What was attacked.
      found: Outcomes of a family of runs.
      leaks: What is measured.

    Returns:
      A sentence; "" where none is.
    """
    own = [one for one in found if one.context == context]
    best: dict[Mask, float] = {
        one.mask: one.spread.median
        for one in own
        if one.attack == HINDSIGHT and one.spread
    }
    above: dict[str, dict[str, None]] = {}
    for one in own:
        if one.attack in leaks.lookups and one.spread and not one.is_empty:
            if one.spread.median > best.get(one.mask, one.spread.median):
                above.setdefault(one.attack, {})[one.mask.percent] = None
    said = [
        f"{name}, a look-up of public examples, is higher at {', '.join(at)} %: it "
        "reconstructs nothing and counts in no share"
        for name, at in above.items()
    ]
    text = "; ".join(said)
    return f"{text[:1].upper()}{text[1:]}." if text else ""
