"""The attack study: real rounds, the tap's view of them, and what attackers make of it.

One client's message is attacked in a `server_blind` round, where nothing but that
message speaks of the client. The aggregate is attacked in a `reveal_aggregate` round
with everything encrypted: what every server learns there, whatever was hidden. A cohort
is attacked in a `reveal_aggregate` round with a part encrypted: all its messages and the
aggregate together.
"""

import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from attacks import effort, envelope
from attacks import knowledge as knowledge_lib
from experiments.outputs.records import Cell, Target
from experiments.study import attack_records, attacking
from experiments.study import views as study_views
from experiments.study.attack_records import Result
from experiments.study.tasks import Task
from federated import views


class Study(NamedTuple):
    """What all attacks of a run share.

    Attributes:
      attackers: Who attacks.
      rounds: What the attacked rounds are run with.
      seed: Of the attacks.
      session: Of the run.
      progress: Called now and then with (start, iterations, objective).
      weights_after_rounds: How many rounds the attacked weights have behind them.
    """

    attackers: attacking.Attackers
    rounds: study_views.Rounds
    seed: int
    session: int
    progress: effort.Progress
    weights_after_rounds: int = 0


def run(
    study: Study, cell_tasks: Sequence[Task]
) -> Iterator[tuple[Task, list[Result]]]:
    """Runs the tasks of one cell.

    Every gradient is sent once, in rounds of its own; all attackers get those rounds'
    views. An attack that does not apply, or fails on its data, has results that say so.

    Args:
      study: What all attacks share.
      cell_tasks: Tasks of one cell and one target.

    Yields:
      Each task with its results, one for each example.
    """
    observe = _observer(study.rounds, cell_tasks[0].cell, cell_tasks[0].target)
    seen: dict[tuple[int, ...], tuple[views.ServerView, ...]] = {}
    for task in cell_tasks:
        if task.rows not in seen:
            seen[task.rows] = observe(task.rows)
        yield task, _attack(study, task, seen[task.rows])


def _observer(
    rounds: study_views.Rounds, cell: Cell, target: Target
) -> study_views.Observe:
    if target == "client":
        return study_views.of_messages(rounds, cell.metric, cell.encryption_ratio)
    if target == "cohort":
        return study_views.of_a_cohort(rounds, cell.metric, cell.encryption_ratio)
    return study_views.of_an_aggregate(rounds, cell.agreement)


def _attack(
    study: Study, task: Task, seen: tuple[views.ServerView, ...]
) -> list[Result]:
    rows, dataset = list(task.rows), study.rounds.dataset
    modality = study.attackers.modality
    entry = modality.attacks[task.method]
    # An attack on one round gets the first; one on several the last, and those before.
    view, earlier = (seen[-1], seen[:-1]) if entry.takes_rounds else (seen[0], ())
    attack = attacking.build(
        study.attackers,
        task.method,
        task.attacker,
        "aggregate" if task.target == "aggregate" else 0,
        study.progress,
    )
    subject = attack_records.Subject(
        task,
        modality,
        dataset,
        view,
        study.attackers.model,
        study.session,
        study.weights_after_rounds,
    )
    began = time.monotonic()
    try:
        known = attacking.knowledge(study.attackers, dataset.labels[rows], earlier)
        found = attack(view, known, (study.seed, task.rows[0]))
    except knowledge_lib.DoesNotApply as reason:
        seconds = time.monotonic() - began
        return attack_records.without(subject, "does_not_apply", str(reason), seconds)
    except envelope.FAILURES as failure:
        seconds = time.monotonic() - began
        text = envelope.text_of(failure)
        return attack_records.without(subject, "failed", text, seconds)
    return attack_records.measured(subject, found)
