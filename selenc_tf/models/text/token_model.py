"""A language model as pure functions of its weights, with an entry from embeddings on."""

import dataclasses
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, TypeAlias

import keras
import tensorflow as tf

from selenc_tf import eager_tracing, flatten
from selenc_tf.models import labels as labels_lib
from selenc_tf.models import task as task_lib
from selenc_tf.models.task import LearningTask
from selenc_tf.models.text import losses as losses_lib
from selenc_tf.models.text import parts as parts_lib
from selenc_tf.models.text import structure as structure_lib
from selenc_tf.models.text import tokens as tokens_lib
from selenc_tf.models.text import wrapping
from selenc_tf.models.text.parts import Part, Parts
from selenc_tf.models.text.structure import Structure
from selenc_tf.models.text.tokens import SpecialTokens, Tokens
from selenc_tf.types import Seed, Vector, Weights

Kind: TypeAlias = Literal["classes", "next_token"]
"""What is learned: one class for a sentence, or each token from those before it."""

_SEED = (0, 0)
"""Of dropout, where nobody says another: the same masks in every gradient."""


class TokenModel(NamedTuple):
    """A language model and everything that trainers and attackers compute with it.

    b sentences, L positions, d numbers an embedding, v tokens, c classes. What is said
    of [b, L] holds for fewer positions too, except in `apply`, `losses` and `gradient`,
    which are those of the `task`. Weights are tensors as `spec` has them.

    Attributes:
      name: The architecture's name, as results report it.
      weights_from: Which weights `initial_weights` are, as results report it: "random,
        seed 0", or the package or preset and its version.
      task: What clients train: inputs are a dictionary with `token_ids` int32 [b, L] and
        `padding_mask` bool [b, L].
      kind: What is learned.
      length: L.
      vocabulary_size: v.
      num_classes: c; v where the next token is predicted.
      spec: Layout of the flat gradient.
      initial_weights: The trainable tensors at the start.
      special: The tokens that stand for no text.
      structure: Which tensor of `spec` is which kernel.
      dtype: What all functions compute in.
      apply: `(weights, tokens) -> logits`, [b, c] or [b, L, v], in inference mode.
      losses: `(weights, tokens, labels) -> [b]`, in the task's mode. Labels of classes
        are integers [b] or probabilities [b, c]; those of next tokens are integers
        [b, L] (`tokens.next_token_labels`) or probabilities [b, L, v]. The mean of the
        losses is the task's loss (see `losses.py`, which mean over positions that is).
      embed: `(weights, token_ids [b, L]) -> [b, L, d]`, the sum of the embeddings of
        token, position and segment: what the first normalisation gets.
      apply_from: `(weights, embedded [b, L, d], padding_mask) -> logits`, as `apply`.
      losses_from: `(weights, embedded [b, L, d], padding_mask, labels) -> [b]`, as
        `losses`.
      inputs: `(weights, token_ids, padding_mask, depth, part) -> [b, L, k]`, the vectors
        that enter a kernel (`parts.Part`). "attention": query, key and value of block
        `depth`; "mixed": the attention's output kernel; "values": what of each head
        those are mixtures of; "feedforward": the feed-forward kernel; "middle": the
        second one; "pooler" and "last": BERT's pooling kernel and the output layer,
        whatever the depth; where only one position enters, it stands at all. At depth 0
        "attention" and "values" depend on each token and its position alone; in causal
        models, at any depth, on the tokens up to it.
      inputs_from: `(weights, embedded, padding_mask, depth, part)`, the same from
        embeddings on.
      source: The KerasHub model; its variables are never read or written by the
        functions.
      seed: Of dropout.
    """

    name: str
    weights_from: str
    task: LearningTask
    kind: Kind
    length: int
    vocabulary_size: int
    num_classes: int
    spec: flatten.FlatSpec
    initial_weights: Weights
    special: SpecialTokens
    structure: Structure
    dtype: tf.DType
    apply: Callable[[Weights, Tokens], tf.Tensor]
    losses: Callable[[Weights, Tokens, tf.Tensor], tf.Tensor]
    embed: Callable[[Weights, tf.Tensor], tf.Tensor]
    apply_from: Callable[[Weights, tf.Tensor, tf.Tensor], tf.Tensor]
    losses_from: Callable[[Weights, tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]
    inputs: Callable[[Weights, tf.Tensor, tf.Tensor, int, Part], tf.Tensor]
    inputs_from: Callable[[Weights, tf.Tensor, tf.Tensor, int, Part], tf.Tensor]
    source: keras.Model
    seed: Seed

    @property
    def batch_spec(self) -> tuple[Tokens, tf.TensorSpec]:
        """Sentences, and labels as the loss takes them, of any number."""
        shape = [None, self.length]
        tokens = Tokens(tf.TensorSpec(shape, tf.int32), tf.TensorSpec(shape, tf.bool))
        return tokens, self.task.objective.rules.spec


def from_keras(
    model: keras.Model,
    length: int,
    weights_from: str,
    special: SpecialTokens,
    *,
    name: str | None = None,
    seed: Seed = _SEED,
) -> TokenModel:
    """Makes the functions of a KerasHub model.

    Args:
      model: As `parts.of_model` takes it. Its outputs are logits. With a rate of dropout
        above zero the task is random, and every gradient draws the same masks.
      length: L, positions of each sentence, padding included.
      weights_from: Which weights these are.
      special: Of the vocabulary that goes with the model.
      name: What results call it; the model's own name by default.
      seed: Of dropout.

    Returns:
      The functions, starting from the model's present weights.

    Raises:
      ValueError: If the model is not understood, has fewer positions than `length`, or
        its vocabulary has no such special tokens; or as `task.from_keras`.
    """
    parts = parts_lib.of_model(model)
    _check(model, length, special)
    wrapped = wrapping.of_tokens_alone(model, length)
    loss = None
    if parts.next_token:
        # Keras takes the mean over [b, L], so that this is the mean of the losses.
        loss = losses_lib.of_positions
    task = task_lib.from_keras(wrapped, loss, name=name or model.name)
    if parts.next_token:
        # So that whoever trains knows what labels are, and a wrong one is refused.
        size = int(model.backbone.vocabulary_size)
        rules = losses_lib.rule_of_positions(length, size)
        objective = dataclasses.replace(task.objective, name="next_token", rules=rules)
        task = dataclasses.replace(task, objective=objective)
    if wrapped.losses:
        raise ValueError(
            f"`model` must add nothing to its loss, but {model.name!r} does (a "
            "regulariser, `add_loss`): the losses of its sentences would not know it."
        )
    if task.state_spec is not None:
        raise ValueError(
            f"`model` must have weights only, but {model.name!r} has a state that "
            f"training moves beside them: {', '.join(task.state_spec.names)}."
        )
    return bound(task, parts, length, weights_from, special, tf.float32, seed)


def bound(
    task: LearningTask,
    parts: Parts,
    length: int,
    weights_from: str,
    special: SpecialTokens,
    dtype: tf.DType,
    seed: Seed,
) -> TokenModel:
    """Binds a task and the parts of its model; the arguments as `from_keras` has them.

    Args:
      task: Of a model of `wrapping.of_tokens_alone`.
      parts: Of the model inside.
      length: L.
      weights_from: Which weights these are.
      special: Of the vocabulary.
      dtype: What the model computes in.
      seed: Of dropout.

    Returns:
      The functions.
    """
    wrapped, t = task.keras_model, task.training
    variables = [*wrapped.trainable_variables, *wrapped.non_trainable_variables]
    of_sentences = losses_lib.of_next_tokens(length)

    def within(weights: Weights) -> keras.StatelessScope:
        values = [*weights, *task.places.assembled((), seed)]
        return keras.StatelessScope([*zip(variables, values, strict=True)])

    def each(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        if parts.next_token:
            return of_sentences(labels, logits)
        rule: labels_lib.Rule = task.objective.rules
        return losses_lib.of_classes(rule, labels, logits)

    def ran(weights: Weights, tokens: Tokens, training: bool) -> task_lib.Run:
        inputs = {"token_ids": tokens[0], "padding_mask": tokens[1]}
        return task_lib.run(task, weights, (), inputs, training=training, seed=seed)

    def losses(weights: Weights, tokens: Tokens, labels: tf.Tensor) -> tf.Tensor:
        return each(labels, ran(weights, tokens, t).outputs)

    def embed(weights: Weights, token_ids: tf.Tensor) -> tf.Tensor:
        token_ids = tf.convert_to_tensor(token_ids, tf.int32)
        tokens_lib.check_length("token_ids", token_ids, length)
        with within(weights):
            return parts.embed(token_ids)

    def up_to(embedded: tf.Tensor, mask: Any, depth: int, mode: bool) -> Any:
        tokens_lib.check_length("embedded", embedded, length)
        mask = tf.cast(mask, tf.int32)
        x = parts.enter(embedded, mode)
        for block in parts.blocks[:depth]:
            x = parts.through(block, x, mask, mode)
        return x, mask

    def from_there(weights: Weights, embedded: Any, mask: Any, mode: bool) -> tf.Tensor:
        with within(weights):
            x, mask = up_to(embedded, mask, len(parts.blocks), mode)
            return parts.head(x, mask, mode)

    def losses_from(
        weights: Weights, embedded: tf.Tensor, mask: tf.Tensor, labels: tf.Tensor
    ) -> tf.Tensor:
        return each(labels, from_there(weights, embedded, mask, t))

    def inputs_from(
        weights: Weights, embedded: tf.Tensor, mask: tf.Tensor, depth: int, part: Part
    ) -> tf.Tensor:
        above = part in ("pooler", "last")
        block = None if above else _chosen(parts, depth)
        depth = len(parts.blocks) if above else depth
        with within(weights):
            x, mask = up_to(embedded, mask, depth, t)
            return _entering(parts, part, block, x, mask, t)

    def inputs(
        weights: Weights, token_ids: tf.Tensor, mask: tf.Tensor, depth: int, part: Part
    ) -> tf.Tensor:
        return inputs_from(weights, embed(weights, token_ids), mask, depth, part)

    tokens_known = int(parts.model.backbone.vocabulary_size)
    return TokenModel(
        name=task.name,
        weights_from=weights_from,
        task=task,
        kind="next_token" if parts.next_token else "classes",
        length=length,
        vocabulary_size=tokens_known,
        num_classes=tokens_known if parts.next_token else int(parts.model.num_classes),
        spec=task.spec,
        initial_weights=task.initial_weights,
        special=special,
        structure=structure_lib.of_parts(parts),
        dtype=dtype,
        apply=eager_tracing.isolated(lambda w, tokens: ran(w, tokens, False).outputs),
        losses=eager_tracing.isolated(losses),
        embed=embed,
        apply_from=lambda w, embedded, mask: from_there(w, embedded, mask, False),
        losses_from=losses_from,
        inputs=inputs,
        inputs_from=inputs_from,
        source=parts.model,
        seed=seed,
    )


def _entering(
    parts: Parts, part: Part, block: Any, x: tf.Tensor, mask: tf.Tensor, mode: bool
) -> tf.Tensor:
    """What enters a kernel of a block, or behind the last one, of that block's inputs."""
    if part == "attention":
        return parts.attention_inputs(block, x)
    if part == "values":
        return parts.values(block, x)
    if part == "mixed":
        return parts.mixed(block, x, mask, mode)
    if part == "feedforward":
        return parts.feedforward_inputs(block, x, mask, mode)
    if part == "middle":
        return parts.middle(block, parts.feedforward_inputs(block, x, mask, mode))
    if part == "last" and parts.next_token:
        return parts.finish(x, mask, mode)
    if part == "last":
        one = parts.finish(x, mask, mode)
    elif parts.pooler is not None:
        one = parts.pooler(x)
    else:
        raise ValueError(
            f"`part` must be of a kernel of {parts.model.name!r}, which has none that "
            "pools, got 'pooler'."
        )
    shape = [tf.shape(x)[0], tf.shape(x)[1], int(one.shape[-1])]
    return tf.broadcast_to(one[:, tf.newaxis, :], shape)


def _chosen(parts: Parts, depth: int) -> Any:
    if not 0 <= depth < len(parts.blocks):
        raise ValueError(
            f"`depth` must be in [0, {len(parts.blocks) - 1}], a block of "
            f"{parts.model.name!r}, got {depth}."
        )
    return parts.blocks[depth]


def _check(model: keras.Model, length: int, special: SpecialTokens) -> None:
    backbone = model.backbone
    most = getattr(backbone, "max_sequence_length", None)
    if length < 2 or (most is not None and length > most):
        raise ValueError(
            f"`length` must be in [2, {most or 'any'}], the positions of "
            f"{model.name!r}, got {length}."
        )
    size = backbone.vocabulary_size
    for which, number in special._asdict().items():
        if number is not None and not 0 <= number < size:
            raise ValueError(
                f"`special.{which}` must be in [0, {size - 1}], a token of "
                f"{model.name!r}, got {number}: the vocabulary is that of another model."
            )


def gradient(
    model: TokenModel, weights: Weights, tokens: Tokens, labels: tf.Tensor
) -> Vector:
    """The flat gradient of the mean loss with respect to the weights.

    Runs on: client (its own batch), and the attacker (a candidate batch). Twice
    differentiable, by labels that are probabilities.

    Args:
      model: The model.
      weights: Where the gradient is taken.
      tokens: [b, L].
      labels: As `TokenModel.losses` takes them.

    Returns:
      [n]; embeddings are dense.
    """
    return _slopes(weights, lambda: model.losses(weights, tokens, labels))


def gradient_from(
    model: TokenModel,
    weights: Weights,
    embedded: tf.Tensor,
    padding_mask: tf.Tensor,
    labels: tf.Tensor,
) -> Vector:
    """The same from embeddings on: equal to `gradient` except in the embedding tables.

    Runs on: the attacker. Twice differentiable, by embeddings and by labels that are
    probabilities. What the tables' lookups add is not in it: tables (`structure`'s
    `embedding_tables`) have zeros, a tied token table what its use as a head gives.

    Args:
      model: The model.
      weights: Where the gradient is taken.
      embedded: [b, L, d], as `TokenModel.embed` returns them.
      padding_mask: bool [b, L].
      labels: As `TokenModel.losses` takes them.

    Returns:
      [n].
    """
    return _slopes(
        weights, lambda: model.losses_from(weights, embedded, padding_mask, labels)
    )


def _slopes(weights: Weights, losses: Callable[[], tf.Tensor]) -> Vector:
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(weights)
        loss = tf.reduce_mean(losses())
    slopes = tape.gradient(
        loss, weights, unconnected_gradients=tf.UnconnectedGradients.ZERO
    )
    return flatten.flatten([tf.convert_to_tensor(part) for part in slopes])
