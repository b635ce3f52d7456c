"""The derivative of the gradient by the input, J = dg/dx, as products and as a matrix.

Both products are reverse-mode: u -> J^T u is linear in u, and its own reverse-mode
derivative by u is v -> J v. That needs no forward-mode rule, which layers such as
max-pooling may lack.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from selenc_tf.models import functional
from selenc_tf.types import Vector, Weights

Product: TypeAlias = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""A linear map, applied to a vector."""

_COLUMNS = 64


class Derivatives(NamedTuple):
    """The compiled derivatives of a model; one trace for every shape of a batch.

    Attributes:
      model: In float64.
      gradient: `(weights, inputs, labels) -> [n]`.
      jvp: `(weights, inputs, labels, [k, d]) -> [k, n]`: J v for each row v.
      vjp: `(weights, inputs, labels, [n]) -> [d]`: J^T u.
    """

    model: functional.FunctionalModel
    gradient: Callable[..., tf.Tensor]
    jvp: Callable[..., tf.Tensor]
    vjp: Callable[..., tf.Tensor]


class Linearisation(NamedTuple):
    """A gradient and its derivative at one batch.

    Attributes:
      gradient: float64 [n].
      unknowns: d.
      jvp: [d] -> [n].
      vjp: [n] -> [d].
      columns: `start, stop -> float64 [n, stop - start]`, columns of J.
    """

    gradient: NDArray[np.float64]
    unknowns: int
    jvp: Product
    vjp: Product
    columns: Callable[[int, int], NDArray[np.float64]]


def backward_product(
    model: functional.FunctionalModel,
    weights: Weights,
    inputs: tf.Tensor,
    labels: tf.Tensor,
) -> Callable[[Vector], tf.Tensor]:
    """Makes u -> J^T u, in a graph or eagerly; differentiable by u.

    The gradient is computed once, however often the product is taken.

    Runs on: the analyst, or the client for its own examples.

    Args:
      model: The model.
      weights: Where the gradient is taken.
      inputs: [b, *input_shape], in the dtype of the weights.
      labels: [b, num_classes].

    Returns:
      The product, [n] -> [d], d = the number of entries of `inputs`.
    """
    with tf.GradientTape(watch_accessed_variables=False, persistent=True) as tape:
        tape.watch(inputs)
        gradient = functional.gradient(model, weights, inputs, labels)

    def product(direction: Vector) -> tf.Tensor:
        found = tape.gradient(
            gradient,
            inputs,
            output_gradients=direction,
            unconnected_gradients=tf.UnconnectedGradients.ZERO,
        )
        return tf.reshape(found, [-1])

    return product


def forward_product(
    model: functional.FunctionalModel,
    weights: Weights,
    inputs: tf.Tensor,
    labels: tf.Tensor,
) -> Callable[[tf.Tensor], Vector]:
    """Makes v -> J v, in a graph or eagerly.

    Runs on: the analyst, or the client for its own examples.

    Args:
      model: The model.
      weights: Where the gradient is taken.
      inputs: [b, *input_shape], in the dtype of the weights.
      labels: [b, num_classes].

    Returns:
      The product, [d] -> [n].
    """
    # J^T u is linear in u, so that its derivative is the same at any u.
    anywhere = tf.ones([model.spec.size], inputs.dtype)
    with tf.GradientTape(watch_accessed_variables=False, persistent=True) as tape:
        tape.watch(anywhere)
        back = backward_product(model, weights, inputs, labels)(anywhere)

    def product(direction: tf.Tensor) -> Vector:
        return tape.gradient(
            back,
            anywhere,
            output_gradients=direction,
            unconnected_gradients=tf.UnconnectedGradients.ZERO,
        )

    return product


def compile_derivatives(model: functional.FunctionalModel) -> Derivatives:
    """Compiles the derivatives of a model, for any weights and examples.

    Args:
      model: In float64 (`functional.in_float64`): singular values that span ten decades
        need the precision.

    Returns:
      The functions.

    Raises:
      ValueError: If the model is not in float64.
    """
    dtypes = {tensor.dtype for tensor in model.initial_weights}
    if dtypes != {tf.float64}:
        raise ValueError(
            "`model` must be in float64, got "
            f"{', '.join(sorted(dtype.name for dtype in dtypes))}. Pass "
            "`functional.in_float64(model)`."
        )

    @tf.function(autograph=False)
    def gradient(weights: Weights, inputs: tf.Tensor, labels: tf.Tensor) -> Vector:
        return functional.gradient(model, weights, inputs, labels)

    @tf.function(autograph=False)
    def jvp(
        weights: Weights, inputs: tf.Tensor, labels: tf.Tensor, directions: tf.Tensor
    ) -> tf.Tensor:
        product = forward_product(model, weights, inputs, labels)
        return tf.map_fn(product, directions)

    @tf.function(autograph=False)
    def vjp(
        weights: Weights, inputs: tf.Tensor, labels: tf.Tensor, direction: tf.Tensor
    ) -> tf.Tensor:
        return backward_product(model, weights, inputs, labels)(direction)

    return Derivatives(model, gradient, jvp, vjp)


def linearise(
    derivatives: Derivatives,
    weights: Weights,
    inputs: NDArray[np.floating],
    labels: NDArray[np.floating],
) -> Linearisation:
    """The gradient and its derivative at one batch.

    Runs on: the analyst. Sees: the batch.

    Args:
      derivatives: Of the model.
      weights: Where the gradient is taken, any float dtype.
      inputs: [b, *input_shape].
      labels: [b, num_classes] probabilities.

    Returns:
      The linearisation.
    """
    point = (
        tuple(tf.cast(tensor, tf.float64) for tensor in weights),
        tf.constant(inputs, tf.float64),
        tf.constant(labels, tf.float64),
    )
    unknowns = int(np.prod(inputs.shape))

    def jvp(vector: NDArray[np.float64]) -> NDArray[np.float64]:
        return derivatives.jvp(*point, tf.constant(vector)[tf.newaxis])[0].numpy()

    def vjp(vector: NDArray[np.float64]) -> NDArray[np.float64]:
        return derivatives.vjp(*point, tf.constant(vector)).numpy()

    def columns(start: int, stop: int) -> NDArray[np.float64]:
        directions = tf.one_hot(tf.range(start, stop), unknowns, dtype=tf.float64)
        return derivatives.jvp(*point, directions).numpy().T

    gradient = derivatives.gradient(*point).numpy()
    return Linearisation(gradient, unknowns, jvp, vjp, columns)


def dense(
    linearisation: Linearisation,
    progress: Callable[[int], None] = lambda done: None,
) -> NDArray[np.float64]:
    """J as a matrix, in column blocks.

    Memory: 8 n d bytes and one block of 64 columns: 84 MB for the LeNet on 28x28x1,
    2.1 GB for the LeNet on 32x32x3.

    Runs on: the analyst.

    Args:
      linearisation: Of the batch.
      progress: Is told how many columns are done.

    Returns:
      float64 [n, d].

    Raises:
      ValueError: If a derivative is not finite.
    """
    n, d = len(linearisation.gradient), linearisation.unknowns
    matrix = np.empty([n, d])
    for start in range(0, d, _COLUMNS):
        stop = min(d, start + _COLUMNS)
        block = linearisation.columns(start, stop)
        if not np.all(np.isfinite(block)):
            raise ValueError(
                "The derivative of the gradient by the input must be finite, but some "
                f"of columns {start} to {stop - 1} is not. Check the weights: a model "
                "that diverged has no gradient to analyse."
            )
        matrix[:, start:stop] = block
        progress(stop)
    return matrix
