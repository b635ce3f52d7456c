"""Who attacked: what a naive attacker does not get shows nothing of protection.

Every server knows the mask. One who takes hidden entries for zeros gives away what it
tells, so that only the failure of attackers who use it says something.
"""

from collections.abc import Collection, Iterator

from experiments.outputs.records import AttackRecord

NAIVE = "naive attackers, who take hidden entries for zeros"
"""What they are called in sentences."""

IN_TABLES = (
    "naive = the attack as its authors published it, with zeros for hidden entries (what "
    "this project adds to attacks is in aware ones alone, so that the two may differ at "
    "0 % hidden too); aware = the attacker uses the mask"
)
"""What tables call both."""

_NONE = "no attacker who uses the mask"


def are_naive(records: Collection[AttackRecord]) -> bool:
    """Whether only naive attackers have a result where a part of a message is hidden.

    Args:
      records: Of one setting.
    """
    if not any(map(_is_partial, records)):
        return False
    ended = {one.attacker for one in records if one.status == "ok"}
    return ended == {"naive"}


def missing(records: Collection[AttackRecord]) -> str:
    """What is missing where only naive attackers have a result, as a part of a sentence."""
    tried = any(one.attacker != "naive" for one in records)
    how = "has a result" if tried else "was run so far"
    return f"{_NONE} {how}, though every server knows it"


def of(records: Collection[AttackRecord]) -> Iterator[str]:
    """Says in a note that only naive attackers have a result, and what that leaves open.

    Args:
      records: Of one run or of runs of the same settings.
    """
    partial = [one for one in records if _is_partial(one)]
    if are_naive(partial):
        yield (
            f"Only {NAIVE}, have a result here; {missing(partial)}. So this shows what "
            "leaks at least, and is no evidence that hiding protects. Take mask_aware "
            "into --attackers, if it is not still to come."
        )


def _is_partial(one: AttackRecord) -> bool:
    return one.target != "aggregate" and 0 < one.hidden < one.parameters
