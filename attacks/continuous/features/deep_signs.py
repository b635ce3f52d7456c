"""An example from the signs of units above any layers.

What a mask of largest entries hides of a ReLU network is what is not zero, and what is
zero is silent: of the last convolution's outputs, pooled, and of every dense layer's
(`layer_signs.py`). `activation_signs.py` puts the signs of a first dense layer into one
Gaussian; above other layers the example is searched (`sign_search.py`), from the public
ones whose signs are nearest. How cold the search should end, and what its numbers are
worth, it finds out by searching for public examples by the same units' signs.
"""

import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from attacks import effort as effort_lib
from attacks import knowledge as knowledge_lib
from attacks import programs as programs_lib
from attacks import target as target_lib
from attacks.continuous.analytic import closed_form
from attacks.continuous.features import (
    calibration,
    layer_signs,
    logit_prior,
    sign_energy,
    sign_samples,
    sign_search,
)
from attacks.labels import pictures as picture_labels
from attacks.structure import rectified
from federated import views
from selenc_tf.models import functional
from selenc_tf.types import Seed

FEWEST = 8
"""Units whose sign must be known: each of them says one bit at most."""

FEWEST_EXAMPLES = 8

_ITERATIONS = 60
_STEPS = 5
"""Of an iteration, in the search and in the walk: they are gradients by an example."""
_COLDEST = (0.025, 0.05)
"""t at the end (`sign_energy.py`). Colder ones were better only where walls are steep
(trained networks), warmer ones never, on the FedAvg CNN and digits."""
_PLAYS = 4
_NEAREST = 5
"""Public examples whose mean is where a search begins."""
_PART_OF_THE_WAY = 0.7
"""From the mean of all to theirs."""
_CHUNK = 100
_AT_ZERO = 2.0
"""`sign_energy.Signs.tolerance` of units that, silent, mostly are at zero itself."""

_DEFAULT_EFFORT = effort_lib.Effort(restarts=1, max_iterations=_ITERATIONS)


def build_deep_signs(
    *,
    source: target_lib.Source = 0,
    effort: effort_lib.Effort = _DEFAULT_EFFORT,
    programs: programs_lib.Programs | None = None,
) -> knowledge_lib.Attack:
    """Builds the attack; it is mask-aware by nature.

    Args:
      source: One client's message by its index, or "aggregate".
      effort: `max_iterations`, of five steps each; more than 60 are not taken.
      programs: What is compiled already, shared with other attacks; None for its own.

    Returns:
      The attack; the seed decides which public examples are searched for as a trial. Its
      `stop` is "prior", and `matched_entries` the units whose signs it used. It raises
      `DoesNotApply` if no dense layer of the model has a ReLU before or behind it, the
      signs of fewer than `FEWEST` units are sure, or there are fewer than
      `FEWEST_EXAMPLES` public examples; a ValueError if view, knowledge and `source` do
      not go together.
    """
    shared = programs or programs_lib.Programs()

    def attack(
        view: views.ServerView, knowledge: knowledge_lib.Knowledge, seed: Seed
    ) -> knowledge_lib.Reconstruction:
        began = time.monotonic()
        target = target_lib.build_target(view, knowledge, source, "mask_aware")
        knowledge_lib.check_one_picture(knowledge, "this attack")
        public = _public(knowledge)
        model = knowledge.model
        compiled = shared.of(_compile, model)
        found = compiled.found
        # Zeros alone say which units were silent.
        closed_form.check_target(target, zeros=True)
        signs = _read(target, found)
        count = sum(int(np.count_nonzero(one)) for one in signs)
        if count < FEWEST:
            names = ", ".join(repr(one.name) for one in found.units)
            raise knowledge_lib.DoesNotApply(
                f"The gradient must show something of the signs of at least {FEWEST} "
                f"units of the layers {names}, but it does of {count}."
            )
        weights = tuple(np.asarray(one, np.float32) for one in view.weights)
        iterations = min(effort.max_iterations, _ITERATIONS)
        example, near = _searched(
            compiled, weights, public.examples, signs, _STEPS * iterations, seed
        )
        images = np.clip(example, 0, 1).astype(np.float32)
        images = images.reshape(1, *model.input_shape)
        labels, label_source = picture_labels.assign(
            view, target, knowledge, images, np.zeros((1, 0))
        )
        if label_source == "guessed" and model.kind == "classes":
            # Still a guess, but a better one.
            labels = np.array([np.bincount(public.labels[near]).argmax()])
        return closed_form.report(
            view, target, knowledge, images, labels, label_source, "prior", count, began
        )._replace(iterations=iterations)

    return attack


def _public(knowledge: knowledge_lib.Knowledge) -> knowledge_lib.PublicExamples:
    public = knowledge.public_examples
    there = 0 if public is None else len(public.examples)
    if public is None or there < FEWEST_EXAMPLES:
        raise knowledge_lib.DoesNotApply(
            f"`knowledge.public_examples` must have at least {FEWEST_EXAMPLES} examples "
            f"for an attack that tries itself on some of them, got {there}."
        )
    return public


def _read(
    target: target_lib.Target, found: rectified.Rectified
) -> tuple[np.ndarray, ...]:
    shown = [layer_signs.Shown(one.columns_of, one.rows_of) for one in found.units]
    return layer_signs.read(target, shown).signs


class _Outputs(NamedTuple):
    """What enters the ReLUs of public examples, float32 [n, units] for each group."""

    groups: tuple[np.ndarray, ...]

    def signs(self, known: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        """int8 [n, units] each, where those of the victim are known, else 0."""
        return tuple(
            np.where(one > 0, 1, -1).astype(np.int8) * (victim != 0)
            for one, victim in zip(self.groups, known, strict=True)
        )


def _outputs(
    found: rectified.Rectified, weights: tuple[np.ndarray, ...], examples: np.ndarray
) -> _Outputs:
    tensors = tuple(tf.constant(one) for one in weights)
    parts = [
        found.outputs(tensors, tf.constant(examples[at : at + _CHUNK], tf.float32))
        for at in range(0, len(examples), _CHUNK)
    ]
    return _Outputs(
        tuple(
            np.concatenate([one.numpy() for one in group])
            for group in zip(*parts, strict=True)
        )
    )


class _Programs(NamedTuple):
    """What is compiled for a model."""

    found: rectified.Rectified
    search: sign_search.Search
    walk: sign_samples.Walk


def _compile(model: functional.FunctionalModel) -> _Programs:
    found = rectified.find(model)
    slope = sign_energy.slope_of(model, found)
    return _Programs(found, sign_search.build(slope), sign_samples.build(slope))


def _searched(
    programs: _Programs,
    weights: tuple[np.ndarray, ...],
    public: np.ndarray,
    signs: tuple[np.ndarray, ...],
    steps: int,
    seed: Seed,
) -> tuple[np.ndarray, np.ndarray]:
    """The example, float64 [d], and the public ones with most signs in common."""
    found = programs.found
    outputs = _outputs(found, weights, public)
    known = outputs.signs(signs)
    order = np.random.default_rng(seed).permutation(len(public))
    plays, rest = np.split(order, [min(_PLAYS, len(public) // 4)])
    prior = logit_prior.fit(public[rest])
    logits = logit_prior.logits(public)
    # The victim last.
    wanted = tuple(
        np.vstack([own[plays], victim[np.newaxis]])
        for own, victim in zip(known, signs, strict=True)
    )
    nearest = [rest[near] for near in _nearest([one[rest] for one in known], wanted)]
    starts = _PART_OF_THE_WAY * np.stack(
        [logits[near].mean(axis=0) - prior.mean for near in nearest]
    )
    copies = len(_COLDEST)
    problem = sign_energy.problem(
        weights,
        prior,
        tuple(
            sign_energy.Signs(
                np.repeat(one, copies, axis=0),
                _scale(values[rest], units.channels),
                _tolerance(values[rest]),
            )
            for one, values, units in zip(
                wanted, outputs.groups, found.units, strict=True
            )
        ),
    )
    begin = np.repeat(starts @ prior.inverse, copies, axis=0)
    t = tf.constant(np.tile(_COLDEST, len(starts))[:, np.newaxis], tf.float32)
    ends = programs.search(
        problem, tf.constant(begin, tf.float32), t, tf.constant(steps)
    )
    means = programs.walk(problem, ends, t, tf.constant(steps), tf.constant(seed))
    examples = np.concatenate(
        [
            one.numpy().astype(np.float64).reshape(len(starts), copies, -1)
            for one in (sign_energy.examples(problem, ends), means)
        ],
        axis=1,
    )
    true = public[plays].reshape(len(plays), -1).astype(np.float64)
    return _best(examples[:-1], true, examples[-1]), nearest[-1]


def _best(played: np.ndarray, true: np.ndarray, found: np.ndarray) -> np.ndarray:
    """What did best of several ways, and as far as it is right.

    Args:
      played: float64 [p, ways, d], what they made of examples that are known.
      true: float64 [p, d], these.
      found: float64 [ways, d], what they made of the victim's.

    Returns:
      float64 [d].
    """
    ways = range(len(found))
    fits = [calibration.fit(played[:, way], true) for way in ways]
    errors = [
        np.mean(np.square(fit(played[:, way]) - true)) for way, fit in enumerate(fits)
    ]
    best = int(np.argmin(errors))
    return fits[best](found[best])


def _nearest(
    known: Sequence[np.ndarray], wanted: Sequence[np.ndarray]
) -> list[np.ndarray]:
    """The examples with most signs in common, for each that is wanted."""
    common = sum(
        own.astype(np.float32) @ other.astype(np.float32).T
        for own, other in zip(known, wanted, strict=True)
    )
    return [np.argsort(-one, kind="stable")[:_NEAREST] for one in np.asarray(common).T]


def _scale(values: np.ndarray, channels: int) -> np.ndarray:
    """How much units vary, those of the same weights alike, float32 [units]."""
    units = values.shape[1]
    if units % channels:
        channels = units
    spread = values.reshape(-1, channels).std(axis=0, dtype=np.float64)
    spread = np.maximum(spread, 1e-3 * float(np.max(spread)) + 1e-12)
    return np.tile(spread, units // channels).astype(np.float32)


def _tolerance(values: np.ndarray) -> float:
    """Without biases what sees a background of zeros is zero itself, and silent."""
    silent = int(np.count_nonzero(values <= 0))
    at_zero = int(np.count_nonzero(values == 0))
    return _AT_ZERO if at_zero > 0.1 * silent else 0.0
