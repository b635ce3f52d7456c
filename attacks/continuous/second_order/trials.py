"""Many pictures, masks, hypotheses and restarts, attacked by one compiled program.

Every trial has its own target, mask, labels and start; the model and its weights are
the same for all. The objective of all trials is one call, and the optimiser moves them
together (`batched_lbfgs.py`), so the machine's cores are busy although each trial is
too small to be divided.
"""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from attacks import effort as effort_lib
from attacks import knowledge as knowledge_lib
from attacks import target as target_lib
from attacks.continuous.second_order import matching_attack, problems
from attacks.labels import signs as labels_lib
from attacks.matching import matching
from attacks.optimisers import batched_lbfgs, lbfgs
from federated import views
from selenc_tf import validation
from selenc_tf.types import Seed

_DEFAULT_EFFORT = effort_lib.Effort()


class Case(NamedTuple):
    """One gradient to attack.

    Attributes:
      view: The server's view of its round.
      knowledge: What is known about it; the same model, matching and batch size in all
        cases.
      seed: Of its starts.
    """

    view: views.ServerView
    knowledge: knowledge_lib.Knowledge
    seed: Seed


class _Trial(NamedTuple):
    """One start of one case."""

    case: int
    labels: tuple[int, ...]
    start: np.ndarray


def build_trials(
    mode: target_lib.Mode = "mask_aware",
    *,
    source: int = 0,
    initial: matching_attack.Initial = "grey",
    effort: effort_lib.Effort = _DEFAULT_EFFORT,
    budget: lbfgs.Budget | None = None,
    progress: lbfgs.Progress | None = None,
) -> Callable[[Sequence[Case]], tuple[knowledge_lib.Reconstruction, ...]]:
    """Builds DLG with known labels, or iDLG, for many gradients at once.

    Runs on: attacker. Sees: the views.

    All starts run to their end (the attack on one gradient scouts them first), so
    `max_iterations` is for each start; `max_seconds` is for all cases together.

    Args:
      mode: What to do about hidden entries; see `target.Mode`.
      source: One client's message by its index.
      initial: The distribution of the starting pictures.
      effort: Starts and iterations of each case, seconds of all.
      budget: All settings of the optimiser; replaces `effort`.
      progress: Called with (trial, its iterations, its objective).

    Returns:
      The attack: cases to reconstructions, in order; `seconds` is that of all together.

    Raises:
      ValueError: If `mode` or `initial` is not one of those offered. The attack raises
        one if cases differ in model, weights or batch size, declare local training, or
        leave labels open: a single picture's label has to be known or be among a few.
    """
    validation.check_in("mode", mode, target_lib.MODES)
    validation.check_in("initial", initial, matching_attack.INITIALS)
    limits = lbfgs.budget_of(effort) if budget is None else budget

    def attack(cases: Sequence[Case]) -> tuple[knowledge_lib.Reconstruction, ...]:
        began = time.monotonic()
        if not cases:
            return ()
        _check(cases)
        targets = [
            target_lib.build_target(case.view, case.knowledge, source, mode)
            for case in cases
        ]
        labels = [
            _hypotheses(case, target, mode)
            for case, target in zip(cases, targets, strict=True)
        ]
        listed = _trials(cases, targets, labels, initial, limits)
        pixels = listed[0].start.size
        minima = batched_lbfgs.minimise(
            _objective(cases, targets, listed),
            np.stack([trial.start.ravel() for trial in listed]),
            np.zeros(pixels),
            np.ones(pixels),
            limits,
            progress,
        )
        seconds = time.monotonic() - began
        return tuple(
            _reconstruction(index, case, target, few, listed, minima, seconds)
            for index, (case, target, few) in enumerate(
                zip(cases, targets, labels, strict=True)
            )
        )

    return attack


def _check(cases: Sequence[Case]) -> None:
    first = cases[0]
    for index, case in enumerate(cases):
        same = (
            case.knowledge.model is first.knowledge.model
            and case.knowledge.matching is first.knowledge.matching
            and case.knowledge.batch_size == first.knowledge.batch_size
        )
        if not same:
            raise ValueError(
                f"`cases[{index}].knowledge` must have the model, matching and batch "
                "size of the first case. Attack others by themselves."
            )
        if case.knowledge.local_training is not None:
            raise ValueError(
                f"`cases[{index}].knowledge.local_training` must be None: trials match "
                "one gradient each. Use DLG."
            )
        target_lib.check_view(case.view, case.knowledge.model)
        pairs = zip(case.view.weights, first.view.weights, strict=True)
        if not all(one is other or np.array_equal(one, other) for one, other in pairs):
            raise ValueError(
                f"`cases[{index}].view.weights` must be those of the first case. "
                "Attack each round's gradients by themselves."
            )


def _hypotheses(
    case: Case, target: target_lib.Target, mode: target_lib.Mode
) -> tuple[tuple[int, ...], ...]:
    known = case.knowledge
    if known.labels is not None:
        return (known.labels,)
    if known.batch_size == 1:
        possible = labels_lib.possible_labels(
            target, mode, known.model.spec, known.model.num_classes
        )
        few = problems.few_hypotheses([possible], [target], mode)
        if few:
            return few
    raise ValueError(
        "`knowledge.labels` must be declared, or follow from the visible entries of a "
        "single picture's gradient. Use DLG, which optimises labels."
    )


def _trials(
    cases: Sequence[Case],
    targets: Sequence[target_lib.Target],
    labels: Sequence[tuple[tuple[int, ...], ...]],
    initial: matching_attack.Initial,
    budget: lbfgs.Budget,
) -> list[_Trial]:
    listed = []
    for index, (case, target, few) in enumerate(
        zip(cases, targets, labels, strict=True)
    ):
        nothing = not np.any(target.matched)
        count = 1 if nothing else max(budget.restarts, len(few))
        for start in range(count):
            drawn = matching_attack.draw_start(
                target, case.knowledge, initial, case.seed, start
            )
            listed.append(_Trial(index, few[start % len(few)], drawn.images))
    return listed


def _objective(
    cases: Sequence[Case],
    targets: Sequence[target_lib.Target],
    listed: Sequence[_Trial],
) -> batched_lbfgs.BatchFunction:
    """All trials' objectives; the trials that still run are padded to a power of 2."""
    known = cases[0].knowledge
    compiled = knowledge_lib.matching_of(known)
    observed = [
        problems.observed_of(
            problems.Round(
                tuple(np.asarray(tensor) for tensor in cases[0].view.weights),
                target.vector,
                target.matched,
                target.shares,
            ),
            compiled.dtype,
        )
        for target in targets
    ]
    shape = listed[0].start.shape
    one_hot = [
        tf.one_hot(trial.labels, known.model.num_classes, dtype=compiled.dtype)
        for trial in listed
    ]

    def stacked(trials: np.ndarray) -> tuple[matching.Observed, tf.Tensor]:
        chosen = [observed[listed[trial].case] for trial in trials]
        return chosen[0]._replace(
            target=tf.stack([one.target for one in chosen]),
            entry_weights=tf.stack([one.entry_weights for one in chosen]),
        ), tf.stack([one_hot[trial] for trial in trials])

    # Of the same trials as before the targets need not be stacked again.
    last: tuple[np.ndarray, matching.Observed, tf.Tensor] | None = None

    def evaluate(
        points: np.ndarray, trials: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        nonlocal last
        count = len(trials)
        padded = np.resize(np.arange(count), 1 << (count - 1).bit_length())
        wanted = trials[padded]
        if last is None or not np.array_equal(last[0], wanted):
            last = (wanted, *stacked(wanted))
        images = tf.constant(points[padded].reshape(-1, *shape), compiled.dtype)
        values, slopes = compiled.trials(last[1], targets[0].sizes, images, last[2])
        flat = slopes.numpy().reshape(len(padded), -1)
        return (
            values.numpy()[:count].astype(np.float64),
            flat[:count].astype(np.float64),
        )

    return evaluate


def _reconstruction(
    index: int,
    case: Case,
    target: target_lib.Target,
    few: tuple[tuple[int, ...], ...],
    listed: Sequence[_Trial],
    minima: Sequence[lbfgs.Minimum],
    seconds: float,
) -> knowledge_lib.Reconstruction:
    """The best of a case's trials, by the matching error."""
    own = [trial for trial in range(len(listed)) if listed[trial].case == index]
    ranked = sorted(own, key=lambda trial: (np.isnan(minima[trial].value), trial))
    finite = [trial for trial in ranked if not np.isnan(minima[trial].value)]
    best = min(finite, key=lambda trial: minima[trial].value) if finite else ranked[0]
    matched = int(np.count_nonzero(target.matched))
    known = case.knowledge.labels is not None
    inferred = "inferred" if len(few) == 1 else "enumerated"
    minimum = minima[best]
    return knowledge_lib.Reconstruction(
        images=minimum.point.reshape(listed[best].start.shape).astype(np.float32),
        labels=np.array(listed[best].labels, np.int64),
        label_source="known" if known else inferred,
        objective=minimum.value,
        start_objectives=tuple(minima[trial].value for trial in own),
        iterations=sum(minima[trial].iterations for trial in own),
        evaluations=sum(minima[trial].evaluations for trial in own),
        seconds=seconds,
        converged=minimum.stop == "tolerance" and matched > 0,
        stop=minimum.stop if matched else "nothing_visible",
        matched_entries=matched,
    )
