"""A Keras model's variables by what becomes of them in training."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from selenc_tf.types import Seed, State, Weights


class Variables(NamedTuple):
    """Where each non-trainable variable gets its value from.

    Keras' functional call takes all of them in one list; here they are told apart.

    Attributes:
      moving: Places of those that training changes, such as the statistics of batch
        normalisation.
      seeds: Places of the states of random generators, as of dropout.
      constants: By place, the values of all others: frozen weights, adapted statistics.
      number: How many there are.
    """

    moving: tuple[int, ...]
    seeds: tuple[int, ...]
    constants: dict[int, np.ndarray]
    number: int

    @property
    def updated(self) -> tuple[bool, ...]:
        """Whether a call in training mode gives each variable a new value."""
        changing = {*self.moving, *self.seeds}
        return tuple(at in changing for at in range(self.number))

    def assembled(self, state: State, seed: tf.Tensor | Seed | None) -> list[tf.Tensor]:
        """The list that `keras.Model.stateless_call` takes.

        Args:
          state: One tensor for each moving variable.
          seed: integers [2]; None where nothing random is drawn.

        Returns:
          A tensor for each non-trainable variable.
        """
        values = dict(zip(self.moving, state, strict=True))
        values.update((at, tf.constant(value)) for at, value in self.constants.items())
        for number, at in enumerate(self.seeds):
            values[at] = _generator_state(seed, number)
        return [values[at] for at in range(self.number)]

    def moved(self, non_trainable: Sequence[tf.Tensor]) -> State:
        """The state among what `keras.Model.stateless_call` returns."""
        return tuple(tf.convert_to_tensor(non_trainable[at]) for at in self.moving)


def of_model(model: keras.Model, updated: Sequence[bool]) -> Variables:
    """Tells a model's non-trainable variables apart.

    Args:
      model: A built model.
      updated: Whether a call in training mode gives each of them a new value.

    Returns:
      Their places in `model.non_trainable_variables`.
    """
    variables = model.non_trainable_variables
    generators = {id(one.state) for one in seed_generators(model)}
    changing = [at for at, changes in enumerate(updated) if changes]
    # A generator that draws nothing (a rate of zero) is a constant.
    seeds = tuple(at for at in changing if id(variables[at]) in generators)
    moving = tuple(at for at in changing if at not in seeds)
    return Variables(
        moving,
        seeds,
        {
            at: one.numpy()
            for at, one in enumerate(variables)
            if at not in seeds and at not in moving
        },
        len(variables),
    )


def seed_generators(model: keras.Model) -> Iterator[keras.random.SeedGenerator]:
    """The random generators of all layers."""
    for layer in model._flatten_layers():
        yield from layer._seed_generators


def values(variables: Sequence[Any]) -> Weights:
    """The present values of Keras variables, as eager tensors."""
    return tuple(tf.constant(variable.numpy()) for variable in variables)


def _generator_state(seed: tf.Tensor | Seed | None, number: int) -> tf.Tensor:
    """Keras' state of one generator, uint32 [2]; each of a model's has its own."""
    if seed is None:
        return tf.zeros([2], tf.uint32)
    own = tf.random.experimental.stateless_fold_in(tf.cast(seed, tf.int32), number)
    return tf.bitcast(own, tf.uint32)
