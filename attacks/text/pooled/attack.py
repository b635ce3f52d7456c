"""Words of one sentence by the vector that a classifier makes of it.

BERT's pooling layer and a classifier's head get one vector of a sentence, and of one
sentence their gradients show it exactly, as do those of the normalisation before them and
of the last block, down to its biases (`features.py`), whatever is hidden of kernels and
embeddings. Which sentence has this vector is then searched (`word_search.py`); the search
needs no gradient of a gradient. This project.
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
from attacks.refusal import DoesNotApply
from attacks.text import compiled, sentences
from attacks.text.continuous import embeddings, problems, word_pairs
from attacks.text.discrete import finishing, picking, report
from attacks.text.pooled import engine as engine_lib
from attacks.text.pooled import features as features_lib
from attacks.text.pooled import word_search
from attacks.text.pooled.word_search import (
    Near,
    Searched,
    Vocabulary,
    Words,
    WordSearch,
)
from federated import views
from selenc_tf.models.text.token_model import TokenModel
from selenc_tf.types import Seed

_DEFAULT_EFFORT = effort_lib.Effort()
_UNSEEN = 0.1
_AS_GOOD = 1.5
"""Ratio of distances up to which sentences are told apart by their gradients."""

Knowledge = knowledge_lib.Knowledge[TokenModel]


def build_pooled_words(
    *,
    source: target_lib.Source = 0,
    effort: effort_lib.Effort = _DEFAULT_EFFORT,
    progress: effort_lib.Progress | None = None,
    programs: programs_lib.Programs | None = None,
) -> knowledge_lib.Attack:
    """Builds the attack.

    Args:
      source: One client's message by its index, or "aggregate".
      effort: Searches from other starts, and steps over all of them; a step compares 96
        sentences.
      progress: Called now and then.
      programs: What is compiled already, shared with other attacks; None for its own.

    Returns:
      The attack, on one sentence of a classifier. Public sentences make it stronger: the
      search starts at the nearest of them, and prefers their words. It raises
      `DoesNotApply` where neither pooling layer nor head nor the normalisation before
      them nor the last block's second half are visible enough for their input to be read.
    """
    shared = programs or programs_lib.Programs()

    def attack(
        view: views.ServerView, knowledge: Knowledge, seed: Seed
    ) -> knowledge_lib.Reconstruction:
        began = time.monotonic()
        target = target_lib.build_target(view, knowledge, source, "mask_aware")
        closed_form.check_target(target)
        model = knowledge.model
        finishing.classes_of(knowledge)
        features = features_lib.read(model, target, view.weights)
        if not features:
            raise DoesNotApply(
                "The kernel of the pooling layer or of the head of `knowledge.model` "
                f"({model.name}), gamma and beta of the last normalisation, or of the "
                "last block the feed-forward layers or their biases, must be visible "
                "enough for the input of that layer to be read, but none are."
            )
        weights = tuple(tf.constant(one, model.dtype) for one in view.weights)
        order = tuple(one.place for one in features)
        engine = shared.of(engine_lib.build_engine, model, order)
        reads = engine_lib.as_tensors(features)
        seconds, told = effort.max_seconds, [0]
        search = WordSearch(
            distance=lambda rows: engine.distance(weights, reads, rows),
            slopes=lambda rows: engine.slopes(weights, reads, rows),
            words=embeddings.of_model(model, weights).words,
            vocabulary=_vocabulary(target, knowledge),
            special=model.special,
            length=model.length,
            deadline=math.inf if seconds is None else began + seconds,
            report=lambda done, distance: (
                None if progress is None else progress(told[0], done, distance)
            ),
        )
        restarts = min(effort.restarts, effort.max_iterations)
        steps = effort.max_iterations // restarts
        ended: list[Searched] = []
        for index in range(restarts):
            if index and (ended[-1].is_found or not ended[-1].in_time):
                break
            told[0] = index
            generator = np.random.default_rng([*seed, index])
            ended.append(word_search.run(search, steps, generator))
        gradient = shared.of(compiled.build_gradient, model)
        picked = picking.pick(
            lambda *batch: gradient(weights, *batch),
            target,
            knowledge,
            _best([near for one in ended for near in one.kept], search),
            finishing.classes_of(knowledge),
        )
        labels = "known" if knowledge.classes is not None else "enumerated"
        compared = sum(one.compared for one in ended)
        made = report.report(view, target, knowledge, picked, labels, compared, began)
        stop = "iterations" if ended[-1].in_time else "seconds"
        return made._replace(
            iterations=sum(one.iterations for one in ended),
            # The tokens explain the gradient; but it is a search that found them.
            stop="tolerance" if made.converged else stop,
        )

    return attack


def _vocabulary(target: target_lib.Target, knowledge: Knowledge) -> Vocabulary:
    """What is known of words, from the token table's visible rows and public sentences."""
    model = knowledge.model
    allowed = np.flatnonzero(problems.words_allowed(target, model, "mask_aware")[0])
    public = knowledge.public_examples
    rows = [] if public is None else sentences.rows_of(public.examples)
    ends = {model.special.start, model.special.end}
    own = [tuple(one for one in row if one not in ends) for row in rows]
    counts = np.zeros([model.vocabulary_size])
    for row in own:
        np.add.at(counts, np.array(row, np.int64), 1.0)
    # A word that no public sentence has counts as one that a tenth of a sentence has.
    chances = (counts + _UNSEEN) / np.sum(counts + _UNSEEN)
    return Vocabulary(
        allowed=allowed,
        frequency=np.log(chances[allowed]),
        prior=word_pairs.of_public(
            None if public is None else public.examples, model.vocabulary_size
        ),
        public=tuple(own),
    )


def _best(found: list[Near], search: WordSearch) -> list[Words]:
    """Sentences about as near as the nearest, once each."""
    least = min(one.distance for one in found)
    near = [one for one in found if one.distance <= _AS_GOOD * least]
    near.sort(key=lambda one: (one.distance, one.words))
    return list(
        dict.fromkeys(word_search.with_ends(one.words, search.special) for one in near)
    )
