"""DAGER: tokens whose vectors lie in the span that a projection's gradient shows.

(Petrov, Dimitrov, Baader, Müller, Vechev, "DAGER: Exact Gradient Inversion for Large
Language Models", NeurIPS 2024.) With hidden entries the spans are completed first
(`spans/subspace.py`), tokens are ranked instead of held against a threshold, query, key,
value and feed-forward of the first two blocks are all used, and the batch is chosen by
the gradient that it has.
"""

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
from attacks.text.discrete import (
    bidirectional,
    candidates,
    causal,
    finishing,
    found,
    tables,
)
from attacks.text.spans import places, scoring, subspace
from attacks.text.spans.places import Place
from attacks.text.spans.scoring import Scorer
from attacks.text.spans.subspace import Subspace
from federated import views
from selenc_tf.models.text.token_model import TokenModel
from selenc_tf.types import Seed

_DEFAULT_EFFORT = effort_lib.Effort()
_BLOCKS = 2
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
      The attack. It raises `DoesNotApply` where the gradient shows nothing, nothing of
      the first block's query, key and value kernels is to be read, or the batch has too
      many tokens for the model's width.
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
        order = places.in_order(model.structure, _BLOCKS)
        at_first = shared.of(compiled.build_entering, model, (candidates.FIRST,))
        at_all = shared.of(compiled.build_entering, model, order)
        gradient = shared.of(compiled.build_gradient, model)
        with blas.one_thread():
            spans = read_spans(model, target, knowledge.batch_size, mode)
            first = _checked(spans.get(candidates.FIRST), model)
            usable = scoring.usable(spans, first)
            allowed = tables.allowed(model, target)
            if mode == "naive":
                allowed = np.ones_like(allowed)
            scores = candidates.rank_vocabulary(
                model, lambda ids: at_first(weights, ids)[0], first, allowed
            )
            _check_spare(first, scores, model)
            chosen = candidates.choose(scores, first.rank, knowledge.batch_size)
            scorer, count = finishing.counted(
                scoring.build_scorer(
                    model, lambda ids: at_all(weights, ids), order, usable, seed
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


def read_spans(
    model: TokenModel, target: target_lib.Target, batch_size: int, mode: target_lib.Mode
) -> dict[Place, Subspace]:
    """The spans of the first blocks' places.

    Runs on: attacker. Sees: the visible entries.

    Args:
      model: The model.
      target: The gradient.
      batch_size: b: with the model's length it bounds the rank.
      mode: What to do about hidden entries.

    Returns:
      Those that what is visible determines.
    """
    most = min(batch_size * model.length, model.structure.width)
    spans = {}
    for place in places.in_order(model.structure, _BLOCKS):
        shown = places.shown(target, target.matched, model.spec, model.structure, place)
        if not shown.values.size:
            continue
        one = (
            subspace.zero_filled(shown) if mode == "naive" else subspace.of(shown, most)
        )
        if one is not None:
            spans[place] = one
    return spans


def _checked(first: Subspace | None, model: TokenModel) -> Subspace:
    if first is None:
        raise DoesNotApply(
            "Some of the query, key and value kernels of the first block of "
            f"`knowledge.model` ({model.name}) must be visible, and not all zero, for "
            "spans to be read, but too little is."
        )
    return first


def _check_spare(first: Subspace, scores: np.ndarray, model: TokenModel) -> None:
    """Refuses a span that has all tokens in it, whatever the number of coordinates."""
    others = float(np.median(scores[np.isfinite(scores)]))
    if first.spare < 1 or others < _INSIDE:
        raise DoesNotApply(
            "The batch has more tokens than the layer's inputs have dimensions, as far "
            f"as they are visible: {first.rank} directions in "
            f"{int(np.count_nonzero(first.rows))} coordinates of `knowledge.model` "
            f"({model.name}), so that every token is in their span."
        )


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
