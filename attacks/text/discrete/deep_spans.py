"""Sentences of a causal model by the spans of any of its kernels.

DAGER (Petrov et al., NeurIPS 2024) needs the first block's query, key and value
gradients. But in a causal model the vectors that enter any kernel, of any block or of the
head, are functions of a prefix alone, and each kernel's gradient spans them. So whatever
is visible tells right prefixes from wrong ones, and a token table that is the head too
names the tokens besides (`spans/lookups.py`). This project.
"""

import time

import numpy as np
import tensorflow as tf

from attacks import knowledge as knowledge_lib
from attacks import programs as programs_lib
from attacks import target as target_lib
from attacks.continuous.analytic import closed_form
from attacks.optimisers import blas
from attacks.refusal import DoesNotApply
from attacks.text import compiled
from attacks.text.discrete import causal, finishing, tables
from attacks.text.discrete.candidates import Candidates
from attacks.text.discrete.found import Found
from attacks.text.spans import determined, lookups, places, scoring
from attacks.text.spans.places import Place
from attacks.text.spans.scoring import Scorer
from attacks.text.spans.subspace import Subspace
from federated import views
from selenc_tf.models.text.token_model import TokenModel
from selenc_tf.types import Seed

_PLACES = 2
"""The lowest ones that are determined: the higher, the more of the model each costs."""
_OPTIONS = 48
"""Sentences whose gradients are compared at the end; more where there are more lengths."""
_FEW = 1000
"""Tokens with which several prefixes of each length can be extended."""

Knowledge = knowledge_lib.Knowledge[TokenModel]


def build_deep_spans(
    *,
    source: target_lib.Source = 0,
    programs: programs_lib.Programs | None = None,
) -> knowledge_lib.Attack:
    """Builds the attack.

    Args:
      source: One client's message by its index, or "aggregate".
      programs: What is compiled already, shared with other attacks; None for its own.

    Returns:
      The attack. Where nothing names tokens, each step compares the whole vocabulary. It
      raises `DoesNotApply` where positions see those behind them, or the
      visible entries of no kernel determine a span.
    """
    shared = programs or programs_lib.Programs()

    def attack(
        view: views.ServerView, knowledge: Knowledge, seed: Seed
    ) -> knowledge_lib.Reconstruction:
        began = time.monotonic()
        target = target_lib.build_target(view, knowledge, source, "mask_aware")
        closed_form.check_target(target)
        model = knowledge.model
        _check_causal(model)
        classes = finishing.classes_of(knowledge)
        weights = tuple(tf.constant(one, model.dtype) for one in view.weights)
        gradient = shared.of(compiled.build_gradient, model)
        with blas.one_thread():
            last, spans = _read(model, target, knowledge.batch_size)
            order = tuple(spans)
            entering = shared.of(compiled.build_entering, model, order)
            scorer, count = finishing.counted(
                scoring.build_scorer(
                    model, lambda ids: entering(weights, ids), order, spans, seed
                )
            )
            tokens = _candidates(model, target, last)
            rows = _search(scorer, tokens, model, knowledge.batch_size)
            return finishing.finish(
                lambda *batch: gradient(weights, *batch),
                view,
                target,
                knowledge,
                finishing.with_ends(rows, model),
                scorer,
                max(_OPTIONS, 2 * model.length) * len(classes),
                count[0],
                began,
            )

    return attack


def _check_causal(model: TokenModel) -> None:
    if not model.structure.blocks[0].causal:
        raise DoesNotApply(
            "`knowledge.model` must be one whose positions see those before them alone, "
            f"for prefixes to be told apart, but those of {model.name} see the whole "
            "sentence."
        )


def _read(
    model: TokenModel, target: target_lib.Target, batch_size: int
) -> tuple[Subspace | None, dict[Place, Subspace]]:
    """The span of the head's inputs, if it can be read, and those to search by."""
    structure = model.structure
    last = Place(len(structure.blocks), "last")
    candidates = (*([last] if structure.tied else []), *places.inside(structure))
    groups = [(one,) for one in candidates]
    # The head says which tokens there are, so that prefixes are few.
    found = determined.read(model, target, batch_size, groups, _PLACES, enough=last)
    if not found:
        raise DoesNotApply(
            "Some kernel of a block of `knowledge.model` "
            f"({model.name}), or a token table that is its head, must be visible enough "
            "to determine the span of its inputs, but none is."
        )
    return found.get(last), found


def _candidates(
    model: TokenModel, target: target_lib.Target, last: Subspace | None
) -> np.ndarray:
    """The tokens that may have been looked up, int64 [c]."""
    allowed = tables.allowed(model, target)
    if last is not None:
        table = places.table(target, target.matched, model.spec, model.structure)
        allowed = lookups.may_be(lookups.outside(table, last))
    return np.flatnonzero(allowed)


def _search(
    scorer: Scorer, tokens: np.ndarray, model: TokenModel, batch_size: int
) -> list[Found]:
    if batch_size == 1 and len(tokens) <= _FEW:
        return causal.of_each_length(scorer, tokens, model.length)
    chosen = Candidates(tuple(tokens for _ in range(model.length)), False)
    return causal.search(scorer, chosen, batch_size, model.special.end)
