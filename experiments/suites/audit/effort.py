"""How much attacks may search in the time that is asked for, and which are tried."""

import math
import pathlib
from collections.abc import Iterator
from typing import NamedTuple

from experiments.outputs import run_directory
from experiments.outputs.report.limits import Limit
from experiments.study import dry_run
from experiments.study.inputs import Inputs
from experiments.study.settings import Settings

_LEAST = 20
"""Iterations below which a search says nothing of what an attacker finds."""


class Effort(NamedTuple):
    """What searches may do.

    Attributes:
      iterations: Of each attack, over all of its starts.
      searches: How many searches the run makes, rehearsals included.
      minutes: What they take about, from the time of one gradient.
    """

    iterations: int
    searches: int
    minutes: float


def stored(folder: pathlib.Path) -> int | None:
    """The iterations of an audit that has begun; None if there is none in the folder.

    Raises:
      ValueError: If its configuration is damaged.
    """
    if not (folder / run_directory.FILE_NAME).exists():
        return None
    found = run_directory.read_config(folder)["flags"].get("attack_iterations")
    return found if isinstance(found, int) else None


def of(settings: Settings, inputs: Inputs, minutes: float) -> Effort:
    """As many iterations as are asked for, or as fit into the time.

    What is counted are the gradients that searches evaluate; compiling them and attacks
    by algebra come on top.

    Args:
      settings: Checked; `attack.max_iterations` is the most.
      inputs: The data and the model, of which one gradient is timed.
      minutes: For all searches; 0 for no limit.

    Returns:
      The effort.
    """
    searches = dry_run.searches(settings, inputs)
    gradient = dry_run.gradient_seconds(
        inputs.attacked, inputs, settings.attack.batch_size
    )
    one = searches * dry_run.EVALUATIONS * gradient / 60
    most = settings.attack.max_iterations
    fitting = math.floor(minutes / one) if minutes and one else most
    iterations = min(most, max(_LEAST, fitting))
    return Effort(iterations, searches, iterations * one)


def limits(effort: Effort, settings: Settings, inputs: Inputs) -> list[Limit]:
    """What an audit leaves out, for whoever reads its report.

    Args:
      effort: From `of`.
      settings: That it was made of.
      inputs: The data and the model.

    Returns:
      Sentences; none where every attack that fits searches as long as it was asked. That
      searches were cut is of those that search.
    """
    most = settings.attack.max_iterations
    cut = Limit(
        f"Searches were cut to {effort.iterations} of {most} iterations for time; longer "
        "ones may recover more.",
        dry_run.searching(settings, inputs),
    )
    left = not_tried(settings, inputs)
    return [
        *([cut] if effort.iterations < most else []),
        *([Limit(left)] if left else []),
    ]


def in_words(effort: Effort, settings: Settings, minutes: float) -> str:
    """What was chosen, and what was cut.

    Args:
      effort: From `of`.
      settings: That it was made of.
      minutes: The limit.
    """
    most = settings.attack.max_iterations
    said = f"Effort: {effort.iterations} iterations of each search"
    if effort.iterations < most:
        said += f", cut from {most} by --minutes={minutes:g}"
    said += (
        f"; {effort.searches} searches at most, "
        f"{dry_run.in_minutes(effort.minutes)} from the time of one gradient, and "
        "compiling comes on top."
    )
    if minutes and effort.minutes > minutes:
        said += (
            f" That is more than was asked for: fewer than {_LEAST} iterations are no "
            "attack. Ask for fewer ratios or metrics."
        )
    if effort.iterations < most:
        said += " A longer search may recover more."
    return said


def tried(settings: Settings, inputs: Inputs) -> Iterator[str]:
    """Which members of envelopes are tried, and which attacks are not, line by line.

    Args:
      settings: Checked.
      inputs: The data and the model.
    """
    offered = inputs.modality.attacks
    members = [name for name, entry in offered.items() if entry.is_member]
    if any(offered[name].envelope for name in settings.attack.methods):
        reasons = dry_run.why_not(settings, inputs, members)
        fit = [name for name, reason in reasons.items() if reason is None]
        yield f"Tried by strongest: {', '.join(fit) or 'none'}."
        for why in dict.fromkeys(reasons.values()):
            if why is not None:
                names = [name for name, reason in reasons.items() if reason == why]
                yield f"Not of use here: {', '.join(names)}: {why}"
    left = not_tried(settings, inputs)
    if left:
        yield left


def not_tried(settings: Settings, inputs: Inputs) -> str:
    """The attacks that may apply, but nobody asked for; "" for none."""
    offered, asked = inputs.modality.attacks, settings.attack.methods
    envelope = any(offered[name].envelope for name in asked)
    others = [
        name
        for name, entry in offered.items()
        if name not in asked and not (entry.envelope or (envelope and entry.is_member))
    ]
    reasons = dry_run.why_not(settings, inputs, others)
    left = [name for name, reason in reasons.items() if reason is None]
    if not left:
        return ""
    return f"Not tried, though they may apply: {', '.join(left)}. Name them in `--attacks`."
