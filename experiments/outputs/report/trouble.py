"""What went wrong, and what to change: nothing of it is left to be found in a file."""

from collections.abc import Iterable, Iterator, Sequence

from experiments.outputs import chance_accuracy
from experiments.outputs.report.costs import Rounds
from experiments.outputs.report.outcomes import HINDSIGHT, Outcome, percent


def of(found: Iterable[Outcome], rounds: Sequence[Rounds]) -> Iterator[str]:
    """A sentence for everything that is not as it should be.

    Args:
      found: The outcomes of a family of runs.
      rounds: Its trainings.

    Yields:
      What happened, where, and what to change.
    """
    for one in rounds:
        setting = one.setting
        name = f"Training with {setting.metric} at {one.hidden_in_words} hidden"
        if one.saturated:
            share = percent(one.saturated / one.hidden)
            yield (
                f"{name}: {one.saturated:,} encrypted entries ({share} %) were beyond the "
                "codec's bound and cut off, so what was learned is not what it would be. "
                "Raise --codec_bound, or take --scales=previous_aggregate."
            )
        for reason, count in one.refused.items():
            yield (
                f"{name}: the server refused {count} upload{'s' if count > 1 else ''} "
                f"({reason}). docs/lattice.md says what each reason means."
            )
        if one.not_finite:
            yield (
                f"{name}: rounds with a loss or measure that is no finite number: "
                f"{one.not_finite}. Lower --client_learning_rate."
            )
    at_chance = [one for one in rounds if one.accuracy_by_guess is not None]
    if at_chance:
        listed = ", ".join(
            f"{one.setting.metric} at {one.hidden_in_words} hidden" for one in at_chance
        )
        yield (
            f"Accuracy after training with {listed}: {chance_accuracy.SAYS}. More "
            "--rounds, or another --client_learning_rate."
        )
    for outcome in found:
        if outcome.diverged and outcome.attack != HINDSIGHT:
            where = f"{outcome.mask.metric} at {outcome.mask.text} hidden"
            yield (
                f"{outcome.name} on {where}: reconstructions that are no finite numbers: "
                f"{outcome.diverged}. They are in no median: what leaked there may be "
                "more. More --attack_restarts help."
            )
        for reason, count in outcome.reasons:
            if reason.startswith("failed"):
                why = reason.partition(": ")[2].rstrip(".")
                yield (
                    f"{outcome.name} on {outcome.mask.metric} at {outcome.mask.text} "
                    f"hidden failed ({count} x): {why}. That says "
                    "nothing of the protection; the same command tries it again."
                )
