"""The attack study: real rounds, the tap's view of them, and what attackers make of it.

One client's message is attacked in a `server_blind` round, where nothing but that
message speaks of the client. The aggregate is attacked in a `reveal_aggregate` round
with everything encrypted: what every server learns there, whatever was hidden. A cohort
is attacked in a `reveal_aggregate` round with a part encrypted: all its messages and the
aggregate together.
"""

import time
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from typing import Any, NamedTuple

from attacks import effort, envelope
from attacks import knowledge as knowledge_lib
from experiments.outputs import blind, told
from experiments.outputs.records import Cell, Target
from experiments.study import attack_records, attacking, naming
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
      controls: What chance reaches on each example, made once.
      rule: How labels are compared; `run` finds it.
    """

    attackers: attacking.Attackers
    rounds: study_views.Rounds
    seed: int
    session: int
    progress: effort.Progress
    weights_after_rounds: int = 0
    controls: MutableMapping[int, Mapping[str, Any]] | None = None
    rule: naming.Naming = naming.Naming(None, {})


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
      Each task with its results, one for each example, and beside each in its details
      what a blind guess has of the example.
    """
    observe = _observer(study.rounds, cell_tasks[0].cell, cell_tasks[0].target)
    seen: dict[tuple[int, ...], tuple[views.ServerView, ...]] = {}
    guesses: dict[tuple[int, ...], Sequence[Mapping[str, Any]]] = {}
    attackers = study.attackers
    rule = naming.of(
        attackers.modality,
        attackers.model,
        study.rounds.dataset,
        attackers.public_examples,
    )
    study = study._replace(rule=rule)
    one_for_all = attackers.modality.one_for_all(
        attackers.model, study.rounds.dataset, attackers.public_examples
    )
    for task in cell_tasks:
        if task.rows not in seen:
            seen[task.rows] = observe(task.rows)
            guesses[task.rows] = _blind(study, task, seen[task.rows])
        found = _attack(study, task, seen[task.rows])
        yield (
            task,
            [
                attack_records.beside(result, {**guess, **rule.details, **one_for_all})
                for result, guess in zip(found, guesses[task.rows], strict=True)
            ],
        )


def _observer(
    rounds: study_views.Rounds, cell: Cell, target: Target
) -> study_views.Observe:
    if target == "client":
        return study_views.of_messages(rounds, cell.metric, cell.encryption_ratio)
    if target == "cohort":
        return study_views.of_a_cohort(rounds, cell.metric, cell.encryption_ratio)
    return study_views.of_an_aggregate(rounds, cell.agreement)


def _blind(
    study: Study, task: Task, seen: tuple[views.ServerView, ...]
) -> Sequence[Mapping[str, Any]]:
    """What a guess without a gradient has of each example, as details of records."""
    subject = _subject(study, task, seen)
    rows, modality = list(subject.task.rows), subject.modality
    try:
        labels = subject.dataset.labels[rows]
        guess = modality.blind(attacking.knowledge(study.attackers, labels, ()))
    except knowledge_lib.DoesNotApply as reason:
        guess = knowledge_lib.BlindGuess(None, f"none: {reason}")
    visible = any(map(study_views.shows_something, seen))
    zero = all(map(study_views.is_zero, seen))
    if guess.reconstruction is None:
        return [blind.details(guess.made_of, visible=visible, zero=zero)] * len(rows)
    measured = modality.measure(subject.victims, guess.reconstruction)
    return [
        blind.details(
            told.of_details(modality.leaks, [one.details]).retold(guess.made_of),
            one.measures,
            _control(study, row),
            visible,
            zero,
        )
        for row, one in zip(rows, measured, strict=True)
    ]


def _control(study: Study, row: int) -> Mapping[str, Any]:
    """What chance reaches on an example."""
    known = {} if study.controls is None else study.controls
    if row not in known:
        attackers = study.attackers
        known[row] = attackers.modality.chance(
            study.rounds.dataset, row, attackers.public_examples, study.seed
        )
    return known[row]


def _subject(
    study: Study, task: Task, seen: tuple[views.ServerView, ...]
) -> attack_records.Subject:
    entry = study.attackers.modality.attacks[task.method]
    return attack_records.Subject(
        task,
        study.attackers.modality,
        study.rounds.dataset,
        # An attack on one round gets the first; one on several the last.
        seen[-1] if entry.takes_rounds else seen[0],
        study.attackers.model,
        study.session,
        study.weights_after_rounds,
        study.rule.tolerance,
    )


def _attack(
    study: Study, task: Task, seen: tuple[views.ServerView, ...]
) -> list[Result]:
    subject = _subject(study, task, seen)
    # One on several rounds gets those before, too.
    takes_rounds = subject.modality.attacks[task.method].takes_rounds
    earlier = seen[:-1] if takes_rounds else ()
    attack = attacking.build(
        study.attackers,
        task.method,
        task.attacker,
        "aggregate" if task.target == "aggregate" else 0,
        study.progress,
    )
    began = time.monotonic()
    try:
        labels = subject.dataset.labels[list(task.rows)]
        known = attacking.knowledge(study.attackers, labels, earlier)
        found = attack(subject.view, known, (study.seed, task.rows[0]))
    except knowledge_lib.DoesNotApply as reason:
        seconds = time.monotonic() - began
        return attack_records.without(subject, "does_not_apply", str(reason), seconds)
    except envelope.FAILURES as failure:
        seconds = time.monotonic() - began
        text = envelope.text_of(failure)
        return attack_records.without(subject, "failed", text, seconds)
    return attack_records.measured(subject, found)
