"""An example from the signs of units above any layers.

What a mask of largest entries hides of a ReLU network is what is not zero, and what is
zero is silent: of the last convolution's outputs, pooled, and of every dense layer's
(`layer_signs.py`). `activation_signs.py` puts the signs of a first dense layer into one
Gaussian; above other layers the example is searched (`sign_trials.py`).
"""

import time

import numpy as np

from attacks import effort as effort_lib
from attacks import knowledge as knowledge_lib
from attacks import programs as programs_lib
from attacks import target as target_lib
from attacks.continuous.analytic import closed_form
from attacks.continuous.features import layer_signs, sign_trials
from attacks.labels import pictures as picture_labels
from attacks.structure import rectified
from federated import views
from selenc_tf.types import Seed

FEWEST = 8
"""Units whose sign must be known: each of them says one bit at most."""

FEWEST_EXAMPLES = 8

_ITERATIONS = 60
_STEPS = 5
"""Of an iteration, in the search and in the walk: they are gradients by an example."""

MOST_NUMBERS = 4096
"""Of an example: their covariance is a matrix of that size."""

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
      signs of fewer than `FEWEST` units are sure, there are fewer than
      `FEWEST_EXAMPLES` public examples, or an example has more than `MOST_NUMBERS`; a
      ValueError if view, knowledge and `source` do not go together.
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
        compiled = shared.of(sign_trials.build, model)
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
        example, near = sign_trials.search(
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
    public, numbers = knowledge.public_examples, np.prod(knowledge.model.input_shape)
    if numbers > MOST_NUMBERS:
        raise knowledge_lib.DoesNotApply(
            f"`knowledge.model` ({knowledge.model.name}) must take examples of at most "
            f"{MOST_NUMBERS:,} numbers for this attack, whose prior is a matrix of them, "
            f"got {numbers:,}."
        )
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
