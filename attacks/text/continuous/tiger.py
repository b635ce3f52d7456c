"""TIGER: a search among embeddings for sentences whose vectors lie in spans.

(Kalikman, Petrov, Dimitrov, Vechev, "TIGER: Inverting Transformer Gradients via
Embedding-Subspace Distance Optimization", arXiv:2606.18312, 2026: DAGER's distance to the
span of a projection's gradient as a differentiable objective.) How words are told from
other embeddings in a span, starts, steps and the end among tokens are this project's, and
so is what is done about hidden entries.
"""

import math
import time

import numpy as np
import tensorflow as tf

from attacks import effort as effort_lib
from attacks import knowledge as knowledge_lib
from attacks import programs as programs_lib
from attacks import target as target_lib
from attacks.continuous.analytic import closed_form
from attacks.optimisers import blas
from attacks.refusal import DoesNotApply
from attacks.text import compiled
from attacks.text.continuous import embeddings, once, problems, span_engine, span_search
from attacks.text.continuous import lengths as lengths_lib
from attacks.text.discrete import dager, finishing
from attacks.text.discrete.found import Found
from attacks.text.spans import determined, places, scoring
from attacks.text.spans.places import Place
from attacks.text.spans.subspace import Subspace
from federated import views
from selenc_tf.models.text.token_model import TokenModel
from selenc_tf.types import Seed

_DEFAULT_EFFORT = effort_lib.Effort()
_PLACES = 3
"""The lowest ones that are determined: the higher, the more of the model each costs."""
_STARTS = 8
"""Sentences that are searched at a time, for each of the batch."""
_STEPS = 400
"""Of one search; more find nothing more."""
_OPTIONS = 48
"""Sentences whose gradients are compared at the end, for each of the batch."""
_LENGTHS = 12

Knowledge = knowledge_lib.Knowledge[TokenModel]


def build_tiger(
    *,
    mode: target_lib.Mode = "mask_aware",
    source: target_lib.Source = 0,
    effort: effort_lib.Effort = _DEFAULT_EFFORT,
    progress: effort_lib.Progress | None = None,
    programs: programs_lib.Programs | None = None,
) -> knowledge_lib.Attack:
    """Builds the attack.

    Sentences are searched one by one, many at a time; which of them are the batch is
    told by its gradient, as in DAGER.

    Args:
      mode: `naive` takes hidden entries for zeros, in the first two blocks, and does not
        look at the token table. `mask_aware` takes the lowest kernels, of any block, whose
        visible entries determine a span, on the coordinates on which they do; where no
        block's do, BERT's pooling kernel or the head.
      source: One client's message by its index, or "aggregate".
      effort: Searches from other starts, and steps over all of them.
      progress: Called now and then.
      programs: What is compiled already, shared with other attacks; None for its own.

    Returns:
      The attack. It raises `DoesNotApply` where the gradient shows nothing, or no kernels
      are visible enough.
    """
    shared = programs or programs_lib.Programs()

    def attack(
        view: views.ServerView, knowledge: Knowledge, seed: Seed
    ) -> knowledge_lib.Reconstruction:
        began = time.monotonic()
        target = target_lib.build_target(view, knowledge, source, mode)
        closed_form.check_target(target)
        model = knowledge.model
        classes = finishing.classes_of(knowledge)
        weights = tuple(tf.constant(one, model.dtype) for one in view.weights)
        gradient = shared.of(compiled.build_gradient, model)
        with blas.one_thread():
            spans = _spans(model, target, knowledge.batch_size, mode)
        order = tuple(spans)
        entering = shared.of(compiled.build_entering, model, order)
        scorer, count = finishing.counted(
            scoring.build_scorer(
                model, lambda ids: entering(weights, ids), order, spans, seed
            )
        )
        allowed, present = problems.words_allowed(target, model, mode)
        seconds = effort.max_seconds
        restarts = min(effort.restarts, effort.max_iterations)
        told = [0]
        search = span_search.SpanSearch(
            model=model,
            engine=shared.of(span_engine.build_span_engine, model, order),
            spans=tuple(spans.values()),
            weights=weights,
            embeddings=embeddings.of_model(model, weights),
            allowed=allowed,
            present=present,
            deadline=math.inf if seconds is None else began + seconds,
            report=lambda done, distance: (
                None if progress is None else progress(told[0], done, distance)
            ),
        )
        lengths = _lengths(target, knowledge, mode, spans)
        rows: list[Found] = []
        iterations, in_time = 0, True
        for index in range(restarts):
            if index and time.monotonic() >= search.deadline:
                break
            told[0] = index
            generator = np.random.default_rng([*seed, index])
            ended = span_search.run(
                search,
                np.resize(lengths, max(_STARTS * knowledge.batch_size, len(lengths))),
                min(_STEPS, effort.max_iterations // restarts),
                generator,
            )
            with blas.one_thread():
                rows += span_search.read(
                    search, ended, scorer, knowledge.batch_size, generator
                )
            iterations, in_time = iterations + ended.iterations, ended.in_time
        if model.structure.blocks[0].causal:
            rows = finishing.with_ends(rows, model)
        made = finishing.finish(
            lambda *batch: gradient(weights, *batch),
            view,
            target,
            knowledge,
            rows,
            scorer,
            _OPTIONS * knowledge.batch_size * len(classes),
            count[0],
            began,
        )
        stop = "iterations" if in_time else "seconds"
        return made._replace(
            iterations=iterations,
            evaluations=made.evaluations + iterations,
            # The tokens explain the gradient; but it is a search that found them.
            stop="tolerance" if made.converged else stop,
        )

    def made_once(
        view: views.ServerView, knowledge: Knowledge, seed: Seed
    ) -> knowledge_lib.Reconstruction:
        # DAGER's fallback and a member of an envelope are the same search.
        options = (mode, source, effort)
        return shared.of(once.Last).of(attack, options, view, knowledge, seed)

    return made_once


def _spans(
    model: TokenModel, target: target_lib.Target, batch_size: int, mode: target_lib.Mode
) -> dict[Place, Subspace]:
    """The spans that are searched in.

    Raises:
      DoesNotApply: If there is none.
    """
    if mode == "naive":
        groups = places.in_order(model.structure, dager.BLOCKS)
        found = determined.lowest(model, target, batch_size, groups, mode)
        found = {place: one for place, one in found.items() if one.spare >= 1}
        found = determined.fullest(found)
    else:
        every = places.in_order(model.structure, len(model.structure.blocks))
        # One vector of a sentence, from above all blocks, is better than none.
        last = [(one,) for one in places.above(model.structure)]
        found = determined.read(model, target, batch_size, every, _PLACES)
        found = found or determined.read(model, target, batch_size, last, 1)
    if not found:
        raise DoesNotApply(
            f"Some kernels of `knowledge.model` ({model.name}) must be visible enough to "
            "determine the span of their inputs, but none are, or the batch has more "
            "tokens than the inputs have dimensions."
        )
    return found


def _lengths(
    target: target_lib.Target,
    knowledge: Knowledge,
    mode: target_lib.Mode,
    spans: dict[Place, Subspace],
) -> np.ndarray:
    """The different lengths that sentences of the batch may have, longest first."""
    batches = lengths_lib.candidates(target, knowledge, mode, _LENGTHS)
    found = sorted({one for each in batches for one in each}, reverse=True)
    model, least = knowledge.model, lengths_lib.least(knowledge.model)
    if knowledge.batch_size > 1 and len(found) == 1:
        # Of several sentences that nothing is known of, each is searched by itself.
        found = list(range(found[0], least - 1, -1))
    blocks = len(model.structure.blocks)
    inside = [one for place, one in spans.items() if place.depth < blocks]
    ranks = [one.rank for one in inside if one.exact]
    if not inside:
        # From above all blocks nothing tells how many tokens there are.
        found = list(range(found[0], least - 1, -1))[:_LENGTHS]
    if knowledge.batch_size == 1 and found == [model.length] and ranks:
        # The first block may be hidden, and others tell how many tokens there are.
        counted = min(max(ranks), model.length)
        found = [counted] if counted >= least else found
    if model.structure.blocks[0].causal:
        # Beginnings are found with the longest.
        found = found[:1]
    return np.array(found, np.int64)
