"""A single example by regressions about ever closer guesses.

Gradients of public examples at the round's weights tell how what is visible goes with the
example behind it. Where layers are many that is far from linear over all examples, and
nearly linear close to the right one: so the next regression is over examples about the
last guess, as far from it as leave-one-out says that it may be from the truth. It is the
regression of approximate Bayesian computation (Beaumont, Zhang, Balding, "Approximate
Bayesian Computation in Population Genetics", Genetics, 2002), iterated, with the mask as
evidence.
"""

import dataclasses
import math
from typing import NamedTuple

import numpy as np

from attacks import effort as effort_lib
from attacks import knowledge as knowledge_lib
from attacks import programs as programs_lib
from attacks import target as target_lib
from attacks.optimisers import blas
from attacks.pictures.statistical import (
    class_evidence,
    gradient_kernels,
    kernel_ridge,
    mask_evidence,
    nearby_examples,
    prior_pictures,
    public_attack,
)

FEWEST_EXAMPLES = 8

MOST_NUMBERS = 1024
"""Of an example: a step has more gradients than these."""

_STEPS = 6
_SAMPLES_PER_NUMBER = 1.3
_FEWEST_SAMPLES = 100
_POOL = 15_000
_SURE = 0.0178
"""Mean square left out, 17.5 dB, up to which copies of public examples are used."""

_WIDENING = 1.25
_BETTER = 0.92
"""Of the mean square left out: what a step has to bring it down to for another."""

_PROBES = 40
_TRIED = 3
"""Times as many entries are looked at by these, to choose among those that differ."""

_DEFAULT_EFFORT = effort_lib.Effort(restarts=1, max_iterations=_STEPS)


def build_posterior_regression(
    *,
    source: target_lib.Source = 0,
    effort: effort_lib.Effort = _DEFAULT_EFFORT,
    progress: effort_lib.Progress | None = None,
    programs: programs_lib.Programs | None = None,
) -> knowledge_lib.Attack:
    """Builds the attack; it is mask-aware by nature.

    Args:
      source: One client's message by its index, or "aggregate".
      effort: `max_iterations` counts regressions, of which more than six are not made;
        the time is looked at after each. Where the mask leaves several classes alike, each
        of up to four has two before.
      progress: Called after each with its mean square left out.
      programs: What is compiled already, shared with other attacks; None for its own.

    Returns:
      The attack. `start_objectives` are the mean squares that leave-one-out says of each
      regression, over its own examples: what the attacker expects, not what is true.
      It raises `DoesNotApply` for batches, with fewer than `FEWEST_EXAMPLES` public
      examples, for examples of more than `MOST_NUMBERS` numbers, after several local
      steps, and where nothing that is visible differs between examples; a ValueError if
      view, knowledge and `source` do not go together.
    """

    def solve(case: public_attack.Case) -> knowledge_lib.Reconstruction:
        _check(case.knowledge)
        shape = case.knowledge.model.input_shape
        evidence = class_evidence.weigh(case)
        spec = case.knowledge.model.spec
        bounds = (
            mask_evidence.bounds(case.target, spec.sizes) if evidence.by_mask else None
        )
        public = case.pictures.examples
        numbers = int(np.prod(shape))
        count = max(_FEWEST_SAMPLES, math.ceil(_SAMPLES_PER_NUMBER * numbers))
        samples = nearby_examples.first(public, count, case.generator)
        label, tried = _settle(case, bounds, samples, evidence.labels, effort)
        found = _iterate(case, bounds, samples, label, effort, progress)
        images = found.guess.reshape(1, *shape)
        labels = np.array([label])
        return prior_pictures.as_reconstruction(
            images,
            labels,
            evidence.source,
            case.visible_error(images, labels),
            found.stop,
            iterations=len(found.errors),
            evaluations=evidence.gradients + tried + found.gradients,
            seconds=case.seconds,
            matched_entries=found.entries,
        )._replace(start_objectives=found.errors)

    return public_attack.build(solve, source, programs, FEWEST_EXAMPLES)


def _check(knowledge: knowledge_lib.Knowledge) -> None:
    knowledge_lib.check_one_picture(knowledge, "this attack")
    numbers = int(np.prod(knowledge.model.input_shape))
    if numbers > MOST_NUMBERS:
        raise knowledge_lib.DoesNotApply(
            f"`knowledge.model` ({knowledge.model.name}) must take examples of at most "
            f"{MOST_NUMBERS:,} numbers for this attack, which needs more gradients than "
            f"these, got {numbers:,}."
        )


class _Found(NamedTuple):
    """What regressions about ever closer guesses ended with.

    Attributes:
      guess: float32 [d], of the regression with the smallest error.
      errors: The mean square left out by each.
      gradients: How many were computed.
      entries: How many entries of each the last one looked at.
      stop: As in the result.
    """

    guess: np.ndarray
    errors: tuple[float, ...]
    gradients: int
    entries: int
    stop: str


def _settle(
    case: public_attack.Case,
    bounds: mask_evidence.Bounds | None,
    samples: np.ndarray,
    labels: tuple[int, ...],
    effort: effort_lib.Effort,
) -> tuple[int, int]:
    """The class whose example explains most after two regressions, and their gradients."""
    if len(labels) == 1:
        return labels[0], 0
    short = dataclasses.replace(effort, max_iterations=min(effort.max_iterations, 2))
    shape = case.knowledge.model.input_shape
    errors, gradients = [], 0
    for label in labels:
        found = _iterate(case, bounds, samples, label, short, None)
        images = found.guess.reshape(1, *shape)
        errors.append(case.visible_error(images, np.array([label])))
        gradients += found.gradients
        if found.stop == "seconds":
            break
    return labels[int(np.argmin(np.nan_to_num(errors, nan=np.inf)))], gradients


def _iterate(
    case: public_attack.Case,
    bounds: mask_evidence.Bounds | None,
    samples: np.ndarray,
    label: int,
    effort: effort_lib.Effort,
    progress: effort_lib.Progress | None,
) -> _Found:
    """Regressions on examples of one class, each about the guess before."""
    shape, public = samples.shape[1:], case.pictures.examples
    pool: np.ndarray | None = None
    errors: list[float] = []
    gradients, entries, stop = 0, 0, "trained"
    guess = np.zeros(int(np.prod(shape)), np.float32)
    for step in range(min(effort.max_iterations, _STEPS)):
        with blas.one_thread():
            seen = _look(case, bounds, samples, label)
        gradients, entries = gradients + seen.gradients, seen.entries
        if not seen.kernels:
            break
        flat = samples.reshape(len(samples), -1).astype(np.float64)
        found = _regress(seen, flat, case.generator)
        latest = np.clip(found.prediction, 0, 1)
        errors.append(found.error)
        if found.error <= min(errors):
            guess = latest.astype(np.float32)
        if progress is not None:
            progress(0, step + 1, found.error)
        if len(errors) > 2 and found.error > _BETTER * errors[-2]:
            break
        if effort.max_seconds is not None and case.seconds > effort.max_seconds:
            stop = "seconds"
            break
        if found.error > _SURE and pool is None:
            pool = nearby_examples.copies(public, _POOL, case.generator)
            pool = pool.reshape(_POOL, -1)
        samples = nearby_examples.following(
            nearby_examples.Spread(latest, found.left_out),
            pool if found.error > _SURE else None,
            _WIDENING,
            case.generator,
        ).reshape(-1, *shape)
    if not errors:
        raise knowledge_lib.DoesNotApply(
            "What is visible, or the mask, must differ between gradients of public "
            "examples for an attack that learns from them, but it is the same of all: "
            "what differs is hidden, or 0 behind units that no example activates. Use "
            "gradient matching."
        )
    return _Found(guess, tuple(errors), gradients, entries, stop)


class _Seen(NamedTuple):
    """What a step looks at.

    Attributes:
      chosen: Entries, tensor by tensor.
      kernels: Of each.
      gradients: How many were computed.
      entries: How many entries of each.
    """

    chosen: list[gradient_kernels.Chosen]
    kernels: list[kernel_ridge.Kernel]
    gradients: int
    entries: int


def _look(
    case: public_attack.Case,
    bounds: mask_evidence.Bounds | None,
    samples: np.ndarray,
    label: int,
) -> _Seen:
    """The kernels of samples by what is visible."""
    shapes = case.knowledge.model.spec.shapes
    # Of a ReLU network most entries are zero of all samples: a few show which.
    tried = gradient_kernels.choose(
        case.target,
        shapes,
        bounds,
        np.ones_like(case.target.visible),
        _TRIED * gradient_kernels.MOST_ENTRIES,
        case.generator,
    )
    some = samples[:: max(1, len(samples) // _PROBES)]
    columns = _columns(tried)
    messages = public_attack.messages(case, some, label, columns)
    varies = np.zeros_like(case.target.visible)
    varies[columns] = np.ptp(messages, axis=0) > 0
    chosen = gradient_kernels.choose(
        case.target,
        shapes,
        bounds,
        varies,
        gradient_kernels.MOST_ENTRIES,
        case.generator,
    )
    columns = _columns(chosen)
    messages = public_attack.messages(case, samples, label, columns)
    made = [
        gradient_kernels.make(
            one,
            messages[:, np.searchsorted(columns, one.entries)],
            case.target,
            bounds,
        )
        for one in chosen
    ]
    kept = [pair for pair in zip(chosen, made, strict=True) if pair[1] is not None]
    return _Seen(
        [one for one, _ in kept],
        [kernel for _, kernel in kept if kernel is not None],
        len(some) + len(samples),
        len(columns),
    )


def _regress(
    seen: _Seen, samples: np.ndarray, generator: np.random.Generator
) -> kernel_ridge.Fit:
    """The regression that leave-one-out chooses."""
    with blas.one_thread():
        weights = kernel_ridge.choose_weights(
            seen.kernels,
            samples,
            gradient_kernels.offered_weights(seen.chosen),
            generator,
        )
        return kernel_ridge.fit(kernel_ridge.combine(seen.kernels, weights), samples)


def _columns(chosen: list[gradient_kernels.Chosen]) -> np.ndarray:
    """All of their entries, int64 [e] in ascending order."""
    parts = [one.entries for one in chosen]
    return np.unique(np.concatenate([np.zeros(0, np.int64), *parts]))
