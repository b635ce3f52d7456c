"""What attacked gradients were assumed to be, where that changes what a number means.

A small number may come from there and not from the mask, and nothing else shows it.
"""

from collections.abc import Iterable, Iterator, Sequence

from experiments.outputs import blind
from experiments.outputs.records import AttackRecord, Record

_DRAWS = (
    "The attacker is not given the clients' draws (dropout masks, noise), with which the "
    "attacked gradients were made, and computes without them: one who guesses or averages "
    "them may recover more, and little leakage here is no protection by the mask. With "
    "--notraining_mode there are none."
)
_BATCH = (
    "The attacked gradients were made in training mode, with the statistics of their "
    "batch: some attacks refuse that, and a normalisation of few examples may hide them "
    "whatever the mask. With --notraining_mode the statistics are those of the model."
)


def named(records: Iterable[Record]) -> Iterator[str]:
    """The same in a few words each, for where there is no room."""
    attacked = [one for one in records if isinstance(one, AttackRecord)]
    details = [one.details for one in attacked]
    if any(one.get("without_draws") for one in details):
        yield "attackers are not given the clients' draws"
    if any(one.get("batch_statistics") for one in details):
        yield "gradients are of training mode"
    if blind.says_nothing(attacked):
        yield "some examples have a gradient of zeros"
    if any(one.get("loss_guessed") for one in details):
        yield "the loss is guessed"


def of(records: Iterable[Record]) -> Iterator[str]:
    """Says what records have in `details`; those of earlier versions have less.

    Args:
      records: Of one run or of runs of the same settings.

    Yields:
      A sentence for each assumption.
    """
    records = list(records)
    attacked = [one.details for one in records if isinstance(one, AttackRecord)]
    if any(one.get("without_draws") for one in attacked):
        yield _DRAWS
    if any(one.get("batch_statistics") for one in attacked):
        yield _BATCH
    names = dict.fromkeys(name for one in attacked if (name := one.get("loss_guessed")))
    yield from _zeros([one for one in records if isinstance(one, AttackRecord)])
    for name in names:
        yield (
            f"The model was not compiled and no --loss was given: its loss was taken to be "
            f"{name}, as its outputs suggest. With another loss gradients, and what leaks, "
            "are others."
        )


def _zeros(attacked: Sequence[AttackRecord]) -> Iterator[str]:
    """Which examples no mask can protect or expose."""
    everyone = {blind.message_of(one) for one in attacked}
    nothing = blind.says_nothing(attacked)
    if nothing:
        have = "has" if len(nothing) == 1 else "have"
        left = "so they say nothing of hiding, whatever is hidden"
        if len(nothing) < len(everyone):
            left = "so that they are left out of what follows"
        yield (
            f"{len(nothing)} of {len(everyone)} attacked examples {have} a gradient of "
            "zeros, with nothing hidden too (loss 0 in float32; are the columns scaled?), "
            f"{left}."
        )
