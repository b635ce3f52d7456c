"""The text case: a step of LAMP and a check of spans, on a BERT of MiniLM's sizes.

What they take does not depend on what weights are worth, so that nothing is fetched:
weights are random, and so is the sentence.
"""

import pathlib
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from attacks import knowledge as knowledge_lib
from attacks import target as target_lib
from attacks.text import sentences
from attacks.text.continuous import embeddings, engine, problems, recipes
from attacks.text.continuous.hypotheses import Hypothesis
from attacks.text.discrete import candidates
from attacks.text.modality import TOKENS
from attacks.text.spans import places, subspace
from attacks.text.spans.subspace import Subspace
from federated import views
from selenc_tf.models.text import bert
from selenc_tf.models.text.sizes import Sizes
from selenc_tf.models.text.token_model import TokenModel
from selenc_tf.models.text.tokens import SpecialTokens

RECIPE = recipes.RECIPES["lamp_cos"]
MINILM = Sizes(30522, layers=6, heads=12, width=384, inner=1536, positions=512)
_LENGTH, _CLASSES, _LABEL = 16, 2, 1
_SPECIAL = SpecialTokens(start=101, end=102, pad=0)


class TextCase(NamedTuple):
    """One sentence, its gradient, and where a step of LAMP begins.

    Attributes:
      title: What the output calls it.
      model: Ours.
      data: What the sentence is.
      problem: Of LAMP, at the true length and class.
      span: Of the first block's inputs.
      starts: float32 [1, L, d], the words of the step.
      evaluations: Steps in a turn.
    """

    title: str
    model: TokenModel
    data: str
    problem: engine.Problem
    span: Subspace
    starts: np.ndarray
    evaluations: int


def bert_minilm(pictures: int, trials: int, seed: int) -> TextCase:
    """BERT of MiniLM's sizes with random weights, one random sentence of 16 tokens.

    Args:
      pictures: Of no effect.
      trials: Of no effect.
      seed: Of the weights, the sentence and the start.

    Returns:
      The case.
    """
    del pictures, trials
    title = "BERT of MiniLM's sizes, random weights"
    model = bert.of_sizes(MINILM, _LENGTH, _CLASSES, seed, _SPECIAL, name="bert_minilm")
    return of_model(title, model, seed, evaluations=3)


def of_model(title: str, model: TokenModel, seed: int, evaluations: int) -> TextCase:
    """A case of any classifier whose sentences have a start and an end."""
    generator = np.random.default_rng(seed)
    length, special = model.length, model.special
    first, end = int(special.start or 0), int(special.end or 0)
    words = generator.integers(end + 1, model.vocabulary_size, length - 2)
    examples = sentences.of_rows([[first, *words, end]], length)
    weights, label = model.initial_weights, np.array([_LABEL])
    vector = TOKENS.message(model, weights, examples, label, None).numpy()
    message = views.ClientMessage(vector, b"", 1.0)
    plain = tuple(one.numpy() for one in weights)
    view = views.ServerView(plain, np.zeros(vector.shape, np.bool_), (message,), None)
    known = knowledge_lib.Knowledge(model, 1, modality=TOKENS)
    target = target_lib.build_target(view, known, 0, "mask_aware")
    found = embeddings.of_model(model, weights)
    place = problems.of_hypothesis(
        weights, target, known, RECIPE, found, Hypothesis((length,), (_LABEL,))
    )
    shown = places.shown(
        target, target.matched, model.spec, model.structure, candidates.FIRST[0]
    )
    span = subspace.of(shown, length)
    assert span is not None
    normal = generator.standard_normal((1, length, model.structure.width))
    starts = (found.scale * normal).astype(np.float32)
    data = f"a random sentence of {length} tokens"
    return TextCase(title, model, data, place.problem, span, starts, evaluations)


def save(case: TextCase, path: pathlib.Path) -> None:
    """Writes a case as `torch_text_worker` reads it.

    Args:
      case: The case.
      path: An .npz file.
    """
    model, problem = case.model, case.problem
    compared = engine.compared(model)
    splits = np.cumsum(engine.layout(model).sizes)[:-1]
    units = np.split(problem.target.numpy(), splits)
    arrays = {
        f"weight{at}": one.numpy() for at, one in enumerate(model.initial_weights)
    }
    arrays |= {f"unit{at}": one for at, one in zip(compared, units, strict=True)}
    np.savez(
        path,
        names=np.array(model.spec.names),
        compared=np.array(compared),
        shares=problem.tensors.numpy(),
        fixed=problem.fixed.numpy(),
        free=problem.free.numpy(),
        labels=problem.labels.numpy(),
        norm=problem.norm.numpy(),
        norm_weight=problem.norm_weight.numpy(),
        rate=problem.rate.numpy(),
        starts=case.starts,
        epsilon=np.array(model.source.backbone.embeddings_layer_norm.epsilon),
        blocks=np.array(len(model.structure.blocks)),
        basis=case.span.basis,
        blur=case.span.blur,
        **arrays,
    )


def step_arguments(case: TextCase) -> tuple[engine.Problem, engine.State, tf.Tensor]:
    """What `engine.Engine.step` is called with, each time."""
    return case.problem, engine.start(tf.constant(case.starts)), tf.constant(1000)
