"""From a target and a hypothesis to the inputs of the compiled search."""

import numpy as np
import tensorflow as tf

from attacks import target as target_lib
from attacks.knowledge import Knowledge
from attacks.matching import tensor_cosines
from attacks.refusal import DoesNotApply
from attacks.text.continuous import engine, recipes
from attacks.text.continuous import lengths as lengths_lib
from attacks.text.continuous.embeddings import Embeddings
from attacks.text.continuous.guessing import Place
from attacks.text.continuous.hypotheses import Hypothesis
from attacks.text.discrete import tables
from selenc_tf.models.text.token_model import TokenModel
from selenc_tf.types import Weights


def words_allowed(
    target: target_lib.Target, model: TokenModel, mode: target_lib.Mode
) -> tuple[np.ndarray, np.ndarray]:
    """The tokens that a searched place may have.

    Runs on: attacker. Sees: the visible rows of the token table.

    Args:
      target: The gradient.
      model: The model.
      mode: Under `naive` the table is not looked at.

    Returns:
      bool [v], at least one; and bool [v], those of them that are there for sure.
    """
    ends = {model.special.start, model.special.end} - {None}
    inner = np.ones([model.vocabulary_size], np.bool_)
    inner[[int(one) for one in ends if one is not None]] = False
    bag = None if mode == "naive" else tables.token_bag(model, target)
    # Of a batch of empty sentences nothing but their ends is there.
    if bag is None or not np.any(bag.present & inner):
        return inner, np.zeros_like(inner)
    return inner & ~bag.absent, inner & bag.present


def of_hypothesis(
    weights: Weights,
    target: target_lib.Target,
    knowledge: Knowledge[TokenModel],
    recipe: recipes.Recipe,
    embeddings: Embeddings,
    hypothesis: Hypothesis,
) -> Place:
    """Makes the problem of a batch of these lengths and classes.

    Runs on: attacker. Sees: the visible entries, and its knowledge.

    Args:
      weights: Of the round, in the model's dtype.
      target: The gradient.
      knowledge: With the model.
      recipe: With the weights of the distance and the prior.
      embeddings: Of the round.
      hypothesis: Which.

    Returns:
      The problem, and which places are searched.

    Raises:
      DoesNotApply: If nothing but the token table is visible.
    """
    model = knowledge.model
    real = lengths_lib.real(hypothesis.lengths, model.length)
    free, fixed = real.copy(), np.full(real.shape, model.special.pad, np.int32)
    for row, length in enumerate(hypothesis.lengths):
        for place, token in ((0, model.special.start), (length - 1, model.special.end)):
            if token is not None:
                free[row, place], fixed[row, place] = False, token
    vector, matched = _compared(target, model)
    sizes = engine.layout(model).sizes
    units, parts = tensor_cosines.unit_target(vector, matched, sizes)
    by_tensor = recipe.distance == "tensor_cosine"
    shares = np.repeat(target.shares / np.array(target.sizes), target.sizes)
    problem = engine.Problem(
        weights=weights,
        target=tf.constant(units if by_tensor else vector, tf.float32),
        matched=tf.constant(matched, tf.float32),
        tensors=tf.constant(parts),
        alpha=tf.constant(recipe.alpha if recipe.distance == "tag" else 0.0),
        by_layer=tf.constant(_by_layer(model, recipe), tf.float32),
        places=tf.constant(embeddings.places),
        fixed=tf.constant(embeddings.words[fixed]),
        free=tf.constant(free, tf.float32),
        real=tf.constant(real),
        labels=tf.one_hot(hypothesis.classes, model.num_classes),
        shares=tf.constant(shares, tf.float32),
        norm=tf.constant(embeddings.norm),
        norm_weight=tf.constant(recipe.norm_weight),
        rate=tf.constant(recipe.learning_rate * embeddings.scale),
        decay=tf.constant(recipe.decay),
    )
    return Place(problem, free, real, fixed)


def _compared(
    target: target_lib.Target, model: TokenModel
) -> tuple[np.ndarray, np.ndarray]:
    """The entries [k] that are compared, and which of them count."""
    counts = np.ones([len(model.spec.sizes)], np.bool_)
    for block in model.structure.blocks:
        # Softmax does not see it: its gradient is rounding, which as a cosine is noise.
        if block.key.bias is not None:
            counts[block.key.bias] = False
    kept = np.zeros_like(counts)
    kept[list(engine.compared(model))] = True
    kept = np.repeat(kept, model.spec.sizes)
    counted = (target.matched & np.repeat(counts, model.spec.sizes))[kept]
    vector = np.where(target.visible, target.vector, np.float32(0))[kept]
    if not vector[counted].any():
        raise DoesNotApply(
            "Something beside the token table must be visible and not zero for a search "
            f"among embeddings of `knowledge.model` ({model.name}), but nothing is."
        )
    return np.where(counted, vector, np.float32(0)), counted


def _by_layer(model: TokenModel, recipe: recipes.Recipe) -> np.ndarray:
    """The entries' weights in L1 [k]: 1 in the first tensor, falling in a line."""
    sizes = engine.layout(model).sizes
    falling = 1 - np.arange(len(sizes)) / len(sizes)
    return np.repeat(falling if recipe.by_layer else np.ones(len(sizes)), sizes)
