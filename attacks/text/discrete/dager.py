"""DAGER: tokens whose vectors lie in the span that a projection's gradient shows.

(Petrov, Dimitrov, Baader, Müller, Vechev, "DAGER: Exact Gradient Inversion for Large
Language Models", NeurIPS 2024.) With hidden entries the spans are completed first
(`spans/subspace.py`), tokens are ranked instead of held against a threshold, query, key,
value and feed-forward of the first two blocks are all used, and the batch is chosen by
the gradient that it has. Where query, key and value are hidden, the attention's output
kernel shows the spans of single tokens' values, head by head (this project).
"""

import time
from collections.abc import Callable, Mapping

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
from attacks.text.discrete import (
    bidirectional,
    candidates,
    causal,
    finishing,
    found,
    tables,
)
from attacks.text.spans import determined, places, scoring
from attacks.text.spans.places import Place
from attacks.text.spans.scoring import Scorer
from attacks.text.spans.subspace import Subspace
from federated import views
from selenc_tf.models.text.token_model import TokenModel
from selenc_tf.types import Seed

_DEFAULT_EFFORT = effort_lib.Effort()
BLOCKS = 2
"""Of which spans are read."""
_STARTS = 16
"""Of the search among sentences, for each restart of an effort."""
_OPTIONS = 48
"""Sentences with a class whose gradients are compared at the end, at most."""
_PREFIXES = 24
"""Of a causal model, for each sentence of the batch: short prefixes fit the best."""
_FOR_ONE = 40
"""Comparisons of sentences that cost about one gradient."""
_INSIDE = -11.0
"""A log-distance that a token has from a span in which it is."""

Knowledge = knowledge_lib.Knowledge[TokenModel]


def build_dager(
    *,
    mode: target_lib.Mode = "mask_aware",
    source: target_lib.Source = 0,
    effort: effort_lib.Effort = _DEFAULT_EFFORT,
    programs: programs_lib.Programs | None = None,
) -> knowledge_lib.Attack:
    """Builds DAGER.

    Args:
      mode: `naive` takes hidden entries for zeros, with the published rule for the rank.
      source: One client's message by its index, or "aggregate".
      effort: For encoders `max_iterations` bounds the sentences that a step compares, and
        a fortieth of it the gradients that are compared at the end; `restarts` scales the
        starts of the search among sentences. Causal models and a limit of seconds are
        not affected.
      programs: What is compiled already, shared with other attacks; None for its own.

    Returns:
      The attack. It raises `DoesNotApply` where the gradient shows nothing, or nothing of
      the first block's attention kernels is to be read. With more tokens than the model
      is wide, or of the output kernel alone than its heads are, tokens are ranked by how
      usual their vectors are (`subspace.Head`).
    """
    shared = programs or programs_lib.Programs()

    def attack(
        view: views.ServerView, knowledge: Knowledge, seed: Seed
    ) -> knowledge_lib.Reconstruction:
        began = time.monotonic()
        target = target_lib.build_target(view, knowledge, source, mode)
        closed_form.check_target(target)
        model = knowledge.model
        finishing.classes_of(knowledge)
        weights = tuple(tf.constant(one, model.dtype) for one in view.weights)
        groups = places.in_order(model.structure, BLOCKS)
        gradient = shared.of(compiled.build_gradient, model)
        with blas.one_thread():
            spans = determined.lowest(model, target, knowledge.batch_size, groups, mode)
            at_first, first = _first(spans, model)
            entering_first = shared.of(compiled.build_entering, model, (at_first,))
            allowed = tables.allowed(model, target)
            if mode == "naive":
                allowed = np.ones_like(allowed)
            first, scores = _ranked(
                model, lambda ids: entering_first(weights, ids)[0], first, allowed
            )
            usable = scoring.usable({**spans, at_first: first}, first)
            order = tuple(usable)
            entering = shared.of(compiled.build_entering, model, order)
            chosen = candidates.choose(scores, first.rank, knowledge.batch_size)
            scorer, count = finishing.counted(
                scoring.build_scorer(
                    model, lambda ids: entering(weights, ids), order, usable, seed
                )
            )
            rows = _search(scorer, chosen, knowledge, effort, seed)
            return finishing.finish(
                lambda *batch: gradient(weights, *batch),
                view,
                target,
                knowledge,
                rows,
                scorer,
                _options(knowledge, effort),
                count[0],
                began,
            )

    return attack


def _first(
    spans: Mapping[Place, Subspace], model: TokenModel
) -> tuple[Place, Subspace]:
    """The place that tokens enter one by one."""
    for place in candidates.FIRST:
        if place in spans:
            return place, spans[place]
    raise DoesNotApply(
        "Some of the query, key, value and attention output kernels of the first block of "
        f"`knowledge.model` ({model.name}) must be visible, and not all zero, for "
        "spans to be read, but too little is."
    )


def _ranked(
    model: TokenModel,
    entering: Callable[[np.ndarray], np.ndarray],
    first: Subspace,
    allowed: np.ndarray,
) -> tuple[Subspace, np.ndarray]:
    """The vocabulary's distances to a span, by how usual a vector is if all are inside."""
    scores = candidates.rank_vocabulary(model, entering, first, allowed)
    if first.soft or float(np.median(scores[np.isfinite(scores)])) >= _INSIDE:
        return first, scores
    first = first._replace(soft=True)
    return first, candidates.rank_vocabulary(model, entering, first, allowed)


def _options(knowledge: Knowledge, effort: effort_lib.Effort) -> int:
    """How many sentences are worth a gradient."""
    if not knowledge.model.structure.blocks[0].causal:
        return min(_OPTIONS, effort.max_iterations // _FOR_ONE)
    classes = len(finishing.classes_of(knowledge))
    return max(_OPTIONS, _PREFIXES * knowledge.batch_size) * classes


def _search(
    scorer: Scorer,
    chosen: candidates.Candidates,
    knowledge: Knowledge,
    effort: effort_lib.Effort,
    seed: Seed,
) -> list[found.Found]:
    model = knowledge.model
    special = model.special
    if not model.structure.blocks[0].causal:
        starts = _STARTS * effort.restarts * knowledge.batch_size
        most = effort.max_iterations
        return bidirectional.search(
            scorer, chosen, special.start, special.end, starts, most, seed
        )
    rows = causal.search(scorer, chosen, knowledge.batch_size, special.end)
    return finishing.with_ends(rows, model)
