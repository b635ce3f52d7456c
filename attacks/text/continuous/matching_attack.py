"""The attacks that search among embeddings, by their recipes.

DLG: Zhu, Liu, Han, "Deep Leakage from Gradients", NeurIPS 2019, section 4.2. TAG: Deng et
al., "TAG: Gradient Attack on Transformer-based Language Models", Findings of EMNLP 2021.
LAMP: Balunovic, Dimitrov, Jovanovic, Vechev, "LAMP: Extracting Text from Gradients with
Language Model Priors", NeurIPS 2022. With hidden entries only what is visible is compared
(as Li, Xu, Dras, "Seeing the Forest through the Trees: Data Leakage from Partial
Transformer Gradients", EMNLP 2024, do with chosen tensors), and words whose rows of the
token table are visible and zero are excluded.
"""

import functools
import math
import time

import tensorflow as tf

from attacks import effort as effort_lib
from attacks import knowledge as knowledge_lib
from attacks import programs as programs_lib
from attacks import target as target_lib
from attacks.continuous.analytic import closed_form
from attacks.refusal import DoesNotApply
from attacks.text.continuous import (
    embeddings,
    engine,
    guessing,
    hypotheses,
    problems,
    recipes,
    trials,
    word_pairs,
)
from attacks.text.discrete import report
from federated import views
from selenc_tf import validation
from selenc_tf.models.text.token_model import TokenModel
from selenc_tf.types import Seed

_DEFAULT_EFFORT = effort_lib.Effort()

Knowledge = knowledge_lib.Knowledge[TokenModel]


def build_attack(
    name: recipes.Name,
    mode: target_lib.Mode = "mask_aware",
    *,
    source: target_lib.Source = 0,
    effort: effort_lib.Effort = _DEFAULT_EFFORT,
    progress: effort_lib.Progress | None = None,
    programs: programs_lib.Programs | None = None,
    recipe: recipes.Recipe | None = None,
) -> knowledge_lib.Attack:
    """Builds the attack of a recipe on a classifier of sentences.

    Where several lengths or classes are possible, each is tried with a start, on half of
    the iterations, and the distance decides. Lengths are inferred (`lengths.py`). LAMP's
    language prior is counted in `knowledge.public_examples`; without them it has none.

    Runs on: attacker. Sees: the weights, the visible entries and its knowledge.

    Args:
      name: Which recipe.
      mode: `naive` takes hidden entries for zeros, and does not look at the token table,
        as published. `mask_aware` compares visible entries alone, and takes from the
        table which words are not there.
      source: One client's message by its index, or "aggregate".
      effort: Starts, and steps over all of them; draws and moves come on top, as shares
        of the steps (`recipes.py`).
      progress: Called now and then.
      programs: What is compiled already, shared with other attacks; None for its own.
      recipe: Settings instead of the published ones.

    Returns:
      The attack. It raises `DoesNotApply` where the gradient shows nothing beside the
      token table.

    Raises:
      ValueError: If there is no such recipe or mode.
    """
    validation.check_in("name", name, tuple(recipes.RECIPES))
    validation.check_in("mode", mode, target_lib.MODES)
    settings = recipe or recipes.RECIPES[name]
    shared = programs or programs_lib.Programs()

    def attack(
        view: views.ServerView, knowledge: Knowledge, seed: Seed
    ) -> knowledge_lib.Reconstruction:
        began = time.monotonic()
        target = target_lib.build_target(view, knowledge, source, mode)
        closed_form.check_target(target)
        model = knowledge.model
        if model.kind != "classes":
            raise DoesNotApply(
                f"`knowledge.model` ({model.name}) must learn classes for {name}, whose "
                "labels do not depend on the words that it looks for, got "
                f"{model.kind}. Use DAGER."
            )
        weights = tuple(tf.constant(one, model.dtype) for one in view.weights)
        found = embeddings.of_model(model, weights)
        allowed, present = problems.words_allowed(target, model, mode)
        public = knowledge.public_examples
        loss = None
        if settings.words_weight and public is not None:
            loss = word_pairs.of_public(public.examples, model.vocabulary_size)
        seconds = effort.max_seconds
        kind: engine.Kind = (
            "by_tensor" if settings.distance == "tensor_cosine" else "absolute"
        )
        how = guessing.Search(
            engine=shared.of(engine.build_engine, model, kind),
            recipe=settings,
            embeddings=found,
            allowed=allowed,
            present=present,
            loss=loss,
            deadline=math.inf if seconds is None else began + seconds,
            report=lambda done, error: (
                None if progress is None else progress(0, done, error)
            ),
        )
        tried = hypotheses.of_target(target, knowledge, mode)
        places = [
            problems.of_hypothesis(weights, target, knowledge, settings, found, one)
            for one in tried.tried
        ]
        classes = [one.classes for one in tried.tried]
        ended = trials.run(how, places, classes, effort, seed)
        made = report.report(
            view, target, knowledge, ended.best, tried.source, 0, began
        )
        stop = "iterations" if ended.in_time else "seconds"
        return made._replace(
            start_objectives=ended.errors,
            iterations=ended.iterations,
            evaluations=ended.evaluations,
            matched_entries=ended.matched,
            # The tokens explain the gradient; but it is a search that found them.
            stop="tolerance" if made.converged else stop,
        )

    return attack


build_dlg_text = functools.partial(build_attack, "dlg_text")
"""DLG on sentences: L2."""

build_tag = functools.partial(build_attack, "tag")
"""TAG: L2, and L1 that counts most in the first layers."""

build_lamp_cos = functools.partial(build_attack, "lamp_cos")
"""LAMP: the mean over tensors of 1 - cosine, priors, and moves of tokens."""

build_lamp_l1l2 = functools.partial(build_attack, "lamp_l1l2")
"""LAMP with L2 and some L1."""
