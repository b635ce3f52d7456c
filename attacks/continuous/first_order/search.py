"""What the attacks by Adam share: from a view to trials, and back to pictures."""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from attacks import coupling
from attacks import effort as effort_lib
from attacks import knowledge as knowledge_lib
from attacks import programs as programs_lib
from attacks import target as target_lib
from attacks.continuous.first_order import engine as first_order
from attacks.continuous.first_order import recipes, starts
from attacks.labels import candidates
from attacks.labels import head as head_lib
from attacks.matching import matching
from federated import views
from selenc_tf import validation
from selenc_tf.types import Seed

_CHUNK = 50
"""Iterations between two looks at the clock, and two reports of progress."""

_MOST_HYPOTHESES = 128

_DEFAULT_EFFORT = effort_lib.Effort()


class _Search(NamedTuple):
    """How an attack searches; see `build_attack`."""

    mode: target_lib.Mode
    recipe: recipes.Recipe
    label_rule: str
    effort: effort_lib.Effort
    progress: effort_lib.Progress | None
    programs: programs_lib.Programs


class _Found(NamedTuple):
    """Where one group of trials ended."""

    images: np.ndarray
    errors: np.ndarray
    iterations: int
    stop: str


def build_attack(
    mode: target_lib.Mode = "mask_aware",
    *,
    source: target_lib.Source = 0,
    effort: effort_lib.Effort = _DEFAULT_EFFORT,
    progress: effort_lib.Progress | None = None,
    programs: programs_lib.Programs | None = None,
    recipe: recipes.Recipe,
    label_rule: str = "bias_corrected",
) -> knowledge_lib.Attack:
    """Builds the attack of a recipe.

    Labels that the knowledge declares are used as they are. Otherwise the classes that
    one picture can have are each tried with a start, on half of the iterations, and the
    matching error decides; of a batch the rule's answer is taken.

    Runs on: attacker. Sees: the weights, the visible entries and its knowledge.

    Args:
      mode: What to do about hidden entries; see `target.Mode`.
      source: One client's message by its index, or "aggregate".
      effort: Starts, and iterations over all of them.
      progress: Called after every fifty iterations with the best start so far.
      programs: What is compiled already, shared with other attacks; None for its own.
      recipe: The objective and the steps.
      label_rule: For batches of unknown classes, one of `rules.RULES`.

    Returns:
      The attack.

    Raises:
      ValueError: If `mode` is not one of those offered. The attack itself raises one if
        view, knowledge and `source` do not go together.
    """
    validation.check_in("mode", mode, target_lib.MODES)
    if programs is None:
        programs = programs_lib.Programs()
    search = _Search(mode, recipe, label_rule, effort, progress, programs)

    def attack(
        view: views.ServerView, knowledge: knowledge_lib.Knowledge, seed: Seed
    ) -> knowledge_lib.Reconstruction:
        target = target_lib.build_target(view, knowledge, source, mode)
        view_weights = tuple(np.asarray(tensor) for tensor in view.weights)
        return _reconstruct(view_weights, target, knowledge, search, seed)

    return attack


def _reconstruct(
    view_weights: tuple[np.ndarray, ...],
    target: target_lib.Target,
    knowledge: knowledge_lib.Knowledge,
    search: _Search,
    seed: Seed,
) -> knowledge_lib.Reconstruction:
    """The start with the smallest distance.

    Where nothing is visible to match, it is the first start as it was drawn.
    """
    began = time.monotonic()
    _check_groups(target, knowledge)
    most = _MOST_HYPOTHESES if knowledge.batch_size == 1 else 1
    found_labels = candidates.candidates(
        (target,), knowledge, search.mode, most=most, rule=search.label_rule
    )
    hypotheses = found_labels.classes
    nothing = not bool(np.any(target.matched))
    if nothing:
        found = _Found(
            starts.draw_images(knowledge, search.recipe.initial, seed, 0)[np.newaxis],
            np.zeros(1),
            0,
            "nothing_visible",
        )
        labels, scouted = hypotheses[0], 0
    else:
        found, labels, scouted = _search(
            view_weights, target, knowledge, search, hypotheses, seed, began
        )
    finite = np.isfinite(found.errors)
    best = int(np.argmin(np.where(finite, found.errors, np.inf)))
    per_start = found.iterations * len(found.images)
    return knowledge_lib.Reconstruction(
        examples=found.images[best],
        labels=knowledge_lib.label_array(knowledge.model, labels),
        label_source=found_labels.source,
        objective=float(found.errors[best]) if finite[best] else float("nan"),
        start_objectives=tuple(
            float(error) if np.isfinite(error) else float("nan")
            for error in found.errors
        ),
        iterations=scouted + per_start,
        evaluations=scouted + per_start,
        seconds=time.monotonic() - began,
        converged=False,
        stop=found.stop if finite[best] else "not_finite",
        matched_entries=int(np.count_nonzero(target.matched)),
    )


def _check_groups(
    target: target_lib.Target, knowledge: knowledge_lib.Knowledge
) -> None:
    """Refuses several batches at once that are more than the sum of their examples."""
    model = knowledge.model
    if len(target.sizes) > 1 and (
        coupling.mixes_examples(model) or target.penalty is None
    ):
        raise knowledge_lib.DoesNotApply(
            f"`knowledge.model` ({model.name}) must treat the examples of a batch one by "
            "one for this attack on several batches together, but it has batch statistics "
            "or penalties on activities. Use DLG."
        )


def _search(
    view_weights: tuple[np.ndarray, ...],
    target: target_lib.Target,
    knowledge: knowledge_lib.Knowledge,
    search: _Search,
    hypotheses: tuple[knowledge_lib.Labels, ...],
    seed: Seed,
    began: float,
) -> tuple[_Found, knowledge_lib.Labels, int]:
    """Tries the hypotheses, then the starts of the best; also says what trying cost."""
    engine = search.programs.of(
        first_order.build_engine, knowledge.model, search.recipe
    )
    problem = _problem_of(view_weights, target, knowledge)
    seconds = search.effort.max_seconds

    def run(
        batches: Sequence[knowledge_lib.Labels], images: np.ndarray, iterations: int
    ) -> _Found:
        return _run(
            engine,
            problem(batches),
            images,
            iterations,
            seed,
            None if seconds is None else began + seconds,
            search.progress,
        )

    count = min(search.effort.restarts, search.effort.max_iterations)
    begins = [
        starts.draw_images(knowledge, search.recipe.initial, seed, index)
        for index in range(count)
    ]
    left, scouted, labels = search.effort.max_iterations, 0, hypotheses[0]
    if len(hypotheses) > 1:
        each = max(1, left // 2 // len(hypotheses))
        # One start for all, so that only the labels make the difference.
        scouts = run(hypotheses, np.stack([begins[0]] * len(hypotheses)), each)
        errors = np.where(np.isfinite(scouts.errors), scouts.errors, np.inf)
        winner = int(np.argmin(errors))
        labels = hypotheses[winner]
        scouted = scouts.iterations * len(hypotheses)
        left -= scouted
        begins[0] = scouts.images[winner]
        if left < 1 or scouts.stop == "seconds":
            one = scouts.errors[winner : winner + 1]
            return _Found(scouts.images[[winner]], one, 0, scouts.stop), labels, scouted
        begins = begins[: max(1, min(count, left))]
    found = run([labels] * len(begins), np.stack(begins), max(1, left // len(begins)))
    return found, labels, scouted


def _problem_of(
    view_weights: tuple[np.ndarray, ...],
    target: target_lib.Target,
    knowledge: knowledge_lib.Knowledge,
) -> Callable[[Sequence[knowledge_lib.Labels]], first_order.Problem]:
    """The inputs of the compiled search, as a function of the trials' labels."""
    model = knowledge.model
    vector = np.where(target.visible, target.vector, np.float32(0))
    shares = np.repeat(target.shares / np.array(target.sizes), target.sizes)

    spec = candidates.readable_layout(target, model)

    def head_input(labels: knowledge_lib.Labels) -> tuple[np.ndarray, np.ndarray]:
        label = labels[0]
        # Of several pictures the head shows a mixture of inputs.
        if len(labels) > 1 or isinstance(label, tuple):
            return np.zeros(0, np.float32), np.zeros(0, np.float32)
        return head_lib.head_input(target, spec, model.num_classes, label)

    def problem(batches: Sequence[knowledge_lib.Labels]) -> first_order.Problem:
        count = len(batches)
        features, known = zip(*(head_input(batch) for batch in batches), strict=True)
        return first_order.Problem(
            weights=tuple(tf.constant(tensor, tf.float32) for tensor in view_weights),
            targets=tf.constant(vector[np.newaxis], tf.float32),
            matched=tf.constant(target.matched[np.newaxis], tf.float32),
            labels=matching.as_targets(model, np.array(batches), tf.float32),
            shares=tf.constant(shares, tf.float32),
            which=tf.zeros([count], tf.int32),
            group=tf.zeros([count], tf.int32),
            features=tf.constant(np.stack(features)),
            known_features=tf.constant(np.stack(known)),
        )

    return problem


def _run(
    engine: first_order.Engine,
    problem: first_order.Problem,
    images: np.ndarray,
    iterations: int,
    seed: Seed,
    deadline: float | None,
    progress: effort_lib.Progress | None,
) -> _Found:
    """Runs trials to the end of their iterations, or of their time."""
    state = first_order.start(tf.constant(images))
    numbers = tf.constant(
        np.random.default_rng(seed).integers(0, 2**30, 2), dtype=tf.int32
    )
    done, stop = 0, "iterations"
    while done < iterations:
        done = min(iterations, done + _CHUNK)
        state = engine.advance(
            problem, state, tf.constant(done), tf.constant(iterations), numbers
        )
        errors = state.best_error.numpy()
        if progress is not None:
            best = int(np.argmin(errors))
            progress(best, done * len(images), float(errors[best]))
        if done < iterations and deadline is not None and time.monotonic() > deadline:
            stop = "seconds"
            break
    return _Found(state.best_images.numpy(), errors, done, stop)
