"""Gradients that public pictures would have sent: what a statistical attacker learns on.

The attacker has the round's weights, so for any picture of its own it can compute the
very message that a client with that picture would have sent.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from attacks import knowledge as knowledge_lib
from attacks import programs as programs_lib
from attacks import target as target_lib
from attacks.matching import matching
from selenc_tf import validation
from selenc_tf.models import functional
from selenc_tf.types import Weights

_ENOUGH_OF_A_CLASS = 50


class Batches(NamedTuple):
    """Batches of public pictures of the size of the victims' batch.

    Attributes:
      indices: int64 [s, b], which public pictures.
      labels: int64 [s, b], the classes that they are given: their own, or the known
        ones of the victims where the attacker has few pictures of that class.
    """

    indices: np.ndarray
    labels: np.ndarray


def require_pictures(
    knowledge: knowledge_lib.Knowledge, least: int = 1
) -> knowledge_lib.PublicExamples:
    """The public pictures, for an attack that cannot do without them.

    Args:
      knowledge: The attacker's.
      least: How many are needed.

    Returns:
      The pictures.

    Raises:
      DoesNotApply: If there are none or too few, the messages are not gradients, or
        the model learns no classes.
    """
    knowledge_lib.check_classes(knowledge, "an attack that learns from pictures")
    pictures = knowledge.public_examples
    if pictures is None or len(pictures.examples) < least:
        found = "None" if pictures is None else f"{len(pictures.examples)} pictures"
        raise knowledge_lib.DoesNotApply(
            f"`knowledge.public_examples` must have at least {least} pictures for an "
            f"attack that learns from them, got {found}. Set `public_examples` to "
            "pictures like the clients', or use an attack that needs none."
        )
    if knowledge.local_training is not None:
        raise knowledge_lib.DoesNotApply(
            "`knowledge.local_training` must be None for an attack that compares with "
            "gradients of public pictures, got several local steps. Attack a round of "
            "one gradient."
        )
    return pictures


def draw_batches(
    pictures: knowledge_lib.PublicExamples,
    batch_size: int,
    labels: tuple[int, ...] | None,
    count: int,
    generator: np.random.Generator,
    among: np.ndarray | None = None,
) -> Batches:
    """Draws batches that the victims' could have been.

    Runs on: attacker.

    Args:
      pictures: The public pictures.
      batch_size: b.
      labels: The classes of the batch, place by place, if they are known: each place
        is then filled from that class, or from all classes where the attacker has few
        pictures of it (fewer than 50, or than a tenth of all).
      count: How many batches at most: batches of one picture are not repeated.
      generator: Of the draws.
      among: int64, the pictures to draw from; all by default.

    Returns:
      The batches. A batch repeats a picture only where there are fewer than it needs.
    """
    everything = np.arange(len(pictures.examples)) if among is None else among
    pools: dict[int, np.ndarray] = {}
    for label in set(labels or ()):
        same = everything[pictures.labels[everything] == label]
        enough = len(same) >= min(_ENOUGH_OF_A_CLASS, len(everything) / 10)
        pools[label] = same if enough and len(same) else everything
    if batch_size == 1:
        pool = everything if labels is None else pools[labels[0]]
        indices = generator.permutation(pool)[:count, np.newaxis]
    elif labels is None:
        scarce = len(everything) < batch_size
        indices = np.stack(
            [generator.choice(everything, batch_size, scarce) for _ in range(count)]
        )
    else:
        indices = np.empty((count, batch_size), np.int64)
        for label, pool in pools.items():
            places = np.flatnonzero(np.array(labels) == label)
            scarce = len(pool) < len(places)
            for row in indices:
                row[places] = generator.choice(pool, len(places), scarce)
    given = pictures.labels[indices] if labels is None else np.array(labels)
    return Batches(
        indices.astype(np.int64), np.broadcast_to(given, indices.shape).astype(np.int64)
    )


def batch_gradients(
    model: functional.FunctionalModel,
    weights: tuple[np.ndarray, ...],
    pictures: knowledge_lib.PublicExamples,
    batches: Batches,
    target: target_lib.Target,
    columns: np.ndarray,
    *,
    programs: programs_lib.Programs | None = None,
    chunk: int = 256,
) -> np.ndarray:
    """The messages that these batches would have made.

    One batch after another inside one graph, and of each gradient only the asked
    entries are kept: the memory is one whole gradient, the intermediate results of one
    batch, and the result, never [s, n].

    Runs on: attacker. Sees: the round's weights and its own pictures.

    Args:
      model: The architecture.
      weights: The weights of the round.
      pictures: The public pictures.
      batches: Which of them make a batch, s in all.
      target: For the sizes and the weights of the groups of a batch (`Target.sizes`,
        `Target.shares`); its values are not read.
      columns: int64 [e], the entries of the flat vector to keep.
      programs: What is compiled already, shared with other attacks; None for its own.
      chunk: Batches of one call, at least 1.

    Returns:
      float32 [s, e].

    Raises:
      ValueError: If `chunk` is below 1.
    """
    validation.check_at_least("chunk", chunk, 1)
    compute = (programs or programs_lib.Programs()).of(
        _build_gradients, model, target.sizes
    )
    dtype = model.initial_weights[0].dtype
    shared = (
        tuple(tf.constant(tensor, dtype) for tensor in weights),
        tf.constant(target.shares, dtype),
        tf.constant(pictures.examples, dtype),
        tf.constant(columns, tf.int64),
    )
    result = np.empty((len(batches.indices), len(columns)), np.float32)
    for begin in range(0, len(result), chunk):
        part = slice(begin, begin + chunk)
        result[part] = compute(
            *shared,
            tf.constant(batches.indices[part]),
            tf.constant(batches.labels[part]),
        ).numpy()
    return result


def _build_gradients(
    model: functional.FunctionalModel, sizes: tuple[int, ...]
) -> Callable[..., tf.Tensor]:
    """The gradients of batches in groups of these sizes, one program for all rounds."""
    dtype = model.initial_weights[0].dtype
    places = tf.TensorSpec([None, sum(sizes)], tf.int64)

    @tf.function(
        input_signature=[
            tuple(tf.TensorSpec(shape, dtype) for shape in model.spec.shapes),
            tf.TensorSpec([len(sizes)], dtype),
            tf.TensorSpec([None, *model.input_shape], dtype),
            tf.TensorSpec([None], tf.int64),
            places,
            places,
        ],
        autograph=False,
    )
    def compute(
        weights: Weights,
        shares: tf.Tensor,
        images: tf.Tensor,
        columns: tf.Tensor,
        indices: tf.Tensor,
        labels: tf.Tensor,
    ) -> tf.Tensor:
        nothing = tf.zeros(0, dtype)
        observed = matching.Observed(weights, nothing, nothing, shares)

        def one(batch: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
            return tf.gather(
                matching.group_gradient(
                    model,
                    observed,
                    sizes,
                    tf.gather(images, batch[0]),
                    tf.one_hot(batch[1], model.num_classes, dtype=dtype),
                ),
                columns,
            )

        return tf.map_fn(one, (indices, labels), fn_output_signature=dtype)

    return compute


def choose_entries(
    candidates: np.ndarray, most: int, generator: np.random.Generator
) -> np.ndarray:
    """Entries to work with: all, or a random subset where there are too many.

    Args:
      candidates: bool [n].
      most: The largest number of entries, which bounds the memory of what follows.
      generator: Of the subset.

    Returns:
      int64 [min(most, number of candidates)] in ascending order.
    """
    entries = np.flatnonzero(candidates)
    if len(entries) <= most:
        return entries
    return np.sort(generator.choice(entries, most, replace=False))
