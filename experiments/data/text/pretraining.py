"""Trains a small GPT-2 to predict the next token, in some minutes on two cores.

Most of the work would be the logits of 50,257 tokens at each position. In training they
are compared with some thousand drawn tokens instead (importance sampling: Jean et al.,
"On Using Very Large Target Vocabulary for Neural Machine Translation", ACL 2015); the
held-out loss is that of all tokens.
"""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from experiments.data.text import kept_training
from experiments.data.text.kept_training import Kept
from experiments.data.text.sentences import Sentences
from selenc_tf.models.text import gpt2, initial, vocabulary
from selenc_tf.models.text.sizes import Sizes
from selenc_tf.models.text.tokens import next_token_labels
from selenc_tf.models.text.vocabulary import Vocabulary

_HELD_OUT = 0.1
_WINDOW = 16
"""Batches whose rows are sorted by their length, to save padding."""


@dataclasses.dataclass(frozen=True)
class Plan:
    """How it is trained.

    Attributes:
      epochs: Times that every sentence is seen.
      batch_size: Sentences a step.
      length: Positions of a sentence; what is longer is cut.
      learning_rate: Of Adam at the start; it falls to 0 in a straight line.
      drawn: Tokens that each position's next token is compared with.
      seed: Of weights, order, the held-out part and draws.
    """

    epochs: int = 3
    batch_size: int = 64
    length: int = 64
    learning_rate: float = 3e-3
    drawn: int = 4096
    seed: int = 0


class Parts(NamedTuple):
    """Which sentences are learned from.

    Attributes:
      training: Their places.
      held_out: The places of the others, never seen in training.
    """

    training: NDArray[np.int64]
    held_out: NDArray[np.int64]


def split(sentences: Sentences, seed: int) -> Parts:
    """Holds a tenth of the sentences out; equal ones stay together.

    Args:
      sentences: All of them.
      seed: Of the choice.

    Returns:
      Both parts. Victims of attacks on the model are best taken from the second.
    """
    groups = sentences.groups
    distinct = np.unique(groups)
    generator = np.random.default_rng([seed, 1])
    count = max(1, round(_HELD_OUT * len(distinct)))
    chosen = generator.choice(distinct, size=count, replace=False)
    outside = np.isin(groups, chosen)
    return Parts(np.flatnonzero(~outside), np.flatnonzero(outside))


def train(
    name: str,
    sizes: Sizes,
    words: Vocabulary,
    sentences: Sentences,
    plan: Plan,
    told: Callable[[str], None],
) -> Kept:
    """Trains a model, or goes on with it, and keeps it after every epoch.

    Args:
      name: The model's; the file has it too.
      sizes: Of the architecture.
      words: The vocabulary.
      sentences: What it learns from, but for the part held out.
      plan: How.
      told: Gets a line after each epoch, and within.

    Returns:
      The finished training, from the file if it was finished before.

    Raises:
      OSError: If the file cannot be written.
    """
    file = kept_training.path(name)
    parts = split(sentences, plan.seed)
    settings = {
        **dataclasses.asdict(plan),
        "sizes": list(sizes),
        "vocabulary": words.name,
        "data": sentences.name,
        "sentences": len(parts.training),
    }
    kept = kept_training.load(file)
    if kept is not None and kept.settings != settings:
        told("The file in the cache is of another training: starting anew.")
        kept = None
    if kept is not None and kept.finished:
        return kept
    trainer = _Trainer(name, sizes, words, sentences, parts, plan)
    if kept is not None:
        trainer.resume(kept)
        told(f"Going on after epoch {kept.epoch} of {plan.epochs}.")
    losses = () if kept is None else kept.losses
    for epoch in range(len(losses), plan.epochs):
        for done, of in trainer.epoch(epoch):
            told(f"epoch {epoch + 1} of {plan.epochs}: step {done} of {of}")
        losses = (*losses, trainer.held_out_loss())
        last = epoch + 1 == plan.epochs
        kept = Kept(
            tuple(one.numpy() for one in trainer.variables),
            () if last else tuple(one.numpy() for one in trainer.optimiser.variables),
            settings,
            epoch + 1,
            losses,
        )
        kept_training.save(file, kept)
        told(
            f"epoch {epoch + 1} of {plan.epochs}: held-out loss {losses[-1]:.3f} nats a "
            f"token, perplexity {np.exp(losses[-1]):.0f}"
        )
    assert kept is not None
    return kept


class _Trainer:
    """A model, its optimiser and its data."""

    def __init__(
        self,
        name: str,
        sizes: Sizes,
        words: Vocabulary,
        sentences: Sentences,
        parts: Parts,
        plan: Plan,
    ):
        self.plan = plan
        self.model = gpt2.with_head(gpt2.backbone_of(sizes), None, name)
        self.variables = self.model.backbone.trainable_variables
        initial.draw(self.variables, plan.seed)
        self.training, self.held_out = (
            vocabulary.encode(
                words, [sentences.texts[row] for row in rows], plan.length
            ).tokens
            for rows in parts
        )
        self.steps = -(-len(parts.training) // plan.batch_size)
        rate = keras.optimizers.schedules.PolynomialDecay(
            plan.learning_rate, self.steps * plan.epochs, end_learning_rate=0.0
        )
        self.optimiser = keras.optimizers.Adam(rate, global_clipnorm=1.0)
        self.optimiser.build(self.variables)
        self.chances = _chances(self.training, sizes.vocabulary)
        self._step = tf.function(self._update, autograph=False, reduce_retracing=True)
        self._loss = tf.function(self._full, autograph=False, reduce_retracing=True)

    def resume(self, kept: Kept) -> None:
        kept_training.fill(kept, self.variables)
        pairs = zip(self.optimiser.variables, kept.optimiser, strict=True)
        for variable, value in pairs:
            variable.assign(value)

    def epoch(self, number: int) -> Iterator[tuple[int, int]]:
        """Learns from every sentence once, and says now and then how far it is."""
        generator = np.random.default_rng([self.plan.seed, 2, number])
        lengths, drawn = self.training.padding_mask.sum(axis=1), self.plan.drawn
        for step, rows in enumerate(_batches(lengths, self.plan.batch_size, generator)):
            others = generator.choice(len(self.chances), size=drawn, p=self.chances)
            expected = (drawn * self.chances).astype(np.float32)
            ids, mask, labels = _batch(self.training, rows)
            self._step(ids, mask, labels, others, expected)
            if step % 25 == 24:
                yield step + 1, self.steps

    def held_out_loss(self) -> float:
        """Nats a token, over all tokens of the vocabulary."""
        total, count = 0.0, 0
        size = self.plan.batch_size
        for start in range(0, len(self.held_out.token_ids), size):
            rows = np.arange(start, min(start + size, len(self.held_out.token_ids)))
            ids, mask, labels = _batch(self.held_out, rows)
            total += float(self._loss(ids, mask, labels))
            count += int(np.sum(labels >= 0))
        return total / count

    def _hidden(self, ids: Any, mask: Any, labels: Any) -> tuple[Any, Any]:
        """What stands before the logits where there is a next token, and that token."""
        inputs = {"token_ids": ids, "padding_mask": tf.cast(mask, tf.int32)}
        hidden = self.model.backbone(inputs, training=True)
        real = labels >= 0
        return tf.boolean_mask(hidden, real), tf.boolean_mask(labels, real)

    def _update(
        self, ids: Any, mask: Any, labels: Any, others: Any, expected: Any
    ) -> None:
        table = self.model.backbone.token_embedding.embeddings
        with tf.GradientTape() as tape:
            hidden, known = self._hidden(ids, mask, labels)
            known = tf.cast(known, tf.int64)
            losses = tf.nn.sampled_softmax_loss(
                weights=table.value,
                biases=tf.zeros([table.shape[0]]),
                labels=known[:, tf.newaxis],
                inputs=hidden,
                num_sampled=self.plan.drawn,
                num_classes=table.shape[0],
                sampled_values=(
                    others,
                    tf.gather(expected, known)[:, tf.newaxis],
                    tf.gather(expected, others),
                ),
            )
            loss = tf.reduce_mean(losses)
        slopes = tape.gradient(loss, [one.value for one in self.variables])
        dense = [tf.convert_to_tensor(one) for one in slopes]
        self.optimiser.apply(dense, self.variables)

    def _full(self, ids: Any, mask: Any, labels: Any) -> tf.Tensor:
        hidden, known = self._hidden(ids, mask, labels)
        logits = self.model.backbone.token_embedding(hidden, reverse=True)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(known, logits)
        return tf.reduce_sum(losses)


def _batches(
    lengths: NDArray[np.int64], size: int, generator: np.random.Generator
) -> list[NDArray[np.int64]]:
    """Each row once, in batches at random of rows that are about equally long."""
    order = generator.permutation(len(lengths))
    batches = []
    for start in range(0, len(order), size * _WINDOW):
        window = order[start : start + size * _WINDOW]
        window = window[np.argsort(lengths[window], kind="stable")]
        batches += [window[at : at + size] for at in range(0, len(window), size)]
    return [batches[at] for at in generator.permutation(len(batches))]


def _batch(tokens: Any, rows: NDArray[np.int64]) -> tuple[Any, Any, Any]:
    """Rows without the positions that are padding in all of them."""
    part = type(tokens)(tokens.token_ids[rows], tokens.padding_mask[rows])
    width = int(part.padding_mask.sum(axis=1).max())
    labels = next_token_labels(part)
    return tuple(
        tf.constant(one[:, :width])
        for one in (part.token_ids, part.padding_mask, labels)
    )


def _chances(tokens: Any, size: int) -> NDArray[np.float64]:
    """How often each token is drawn: half by its frequency, flattened, half any token."""
    counts = np.bincount(tokens.token_ids[tokens.padding_mask], minlength=size)
    flattened = counts.astype(np.float64) ** 0.75
    return 0.5 * flattened / flattened.sum() + 0.5 / size


def lines_of(kept: Kept) -> Sequence[str]:
    """What a command says of a finished training."""
    return (
        kept.words,
        f"losses after each epoch: {[round(o, 3) for o in kept.losses]}",
    )
