"""The arithmetic of TFF's secure sums, without a cryptographic protocol.

TFF leaves the protocol to a deployment and defines only the result and the range of the
summands. These functions give that result, as TFF's own test runtime does. The server
is given the sum and never a summand; that the summands are in one process is a fact of
simulation, not of the protocol. Errors do not show summands.
"""

from collections.abc import Callable, Sequence

import tensorflow as tf
import tensorflow_federated as tff

from federated.runtime.placed_values import Value, map_tensors
from federated.runtime.sequences import tf_dtype

# A sum in int64 needs a bit for the sign and one for the second summand.
MAX_BITWIDTH = 62

# From client values, their type, the intrinsic's second argument and its type.
SecureSumFn = Callable[[Sequence[Value], tff.Type, Value, tff.Type], Value]


class SecureSumRangeError(ValueError):
    """A summand, or a bit width, is outside of what a secure sum admits."""


def zeros(type_spec: tff.Type) -> Value:
    """The sum of no clients: zeros of a structure of tensors.

    Raises:
      ValueError: if a shape is not fully defined.
    """

    def zero(leaf: tff.TensorType) -> tf.Tensor:
        if not tf.TensorShape(leaf.shape).is_fully_defined():
            raise ValueError(
                f"Expected summands of a known shape, found {leaf}: the sum of none "
                "would have no shape. Declare the shape in the computation's type."
            )
        return tf.zeros(leaf.shape, tf_dtype(leaf))

    return map_tensors(zero, type_spec)


def bounded_sum(
    values: Sequence[Value], value_type: tff.Type, bound: Value, bound_type: tff.Type
) -> Value:
    """Sum of integers none of which is larger than `bound`.

    Args:
      values: the summands, one for each client.
      value_type: their type, a structure of integer tensors.
      bound: an integer, or one for each tensor of the structure.
      bound_type: its type.

    Returns:
      The sum, of type `value_type`.

    Raises:
      SecureSumRangeError: if a summand is larger than its bound.
    """
    bounds = _for_each_tensor(bound, bound_type, value_type)
    total = zeros(value_type)
    for client, value in enumerate(values):
        _check_at_most(client, value, value_type, bounds)
        total = map_tensors(lambda _, a, b: tf.add(a, b), value_type, total, value)
    return total


def bitwidth_sum(
    values: Sequence[Value], value_type: tff.Type, bits: Value, bits_type: tff.Type
) -> Value:
    """Sum of integers of at most `bits` bits each; see `bounded_sum`.

    Raises:
      SecureSumRangeError: if a bit width exceeds 62, or a summand its bit width.
    """

    def bound(_: tff.TensorType, width: tf.Tensor) -> tf.Tensor:
        if int(width) > MAX_BITWIDTH:
            raise SecureSumRangeError(
                f"Expected a bit width of at most {MAX_BITWIDTH} for a secure sum; "
                f"{int(width)} is greater than maximum bitwidth {MAX_BITWIDTH}. Scale "
                "the summands down."
            )
        return tf.constant(2 ** int(width) - 1, tf.int64)

    return bounded_sum(
        values, value_type, map_tensors(bound, bits_type, bits), bits_type
    )


def modular_sum(
    values: Sequence[Value],
    value_type: tff.Type,
    modulus: Value,
    modulus_type: tff.Type,
) -> Value:
    """Sum of integers, reduced into the range from 0 to `modulus` - 1 at the end.

    Args:
      values: the summands, one for each client.
      value_type: their type, a structure of integer tensors.
      modulus: a positive integer, or one for each tensor of the structure.
      modulus_type: its type.

    Returns:
      The sum, of type `value_type`.
    """
    total = zeros(value_type)
    for value in values:
        total = map_tensors(lambda _, a, b: tf.add(a, b), value_type, total, value)
    moduli = _for_each_tensor(modulus, modulus_type, value_type)
    return map_tensors(
        lambda _, a, m: tf.math.floormod(a, tf.cast(m, a.dtype)),
        value_type,
        total,
        moduli,
    )


def _for_each_tensor(
    parameter: Value, parameter_type: tff.Type, value_type: tff.Type
) -> Value:
    """Repeats a single number for each tensor of a structure of summands."""
    if isinstance(parameter_type, tff.StructType):
        return parameter
    return map_tensors(lambda _: parameter, value_type)


def _check_at_most(
    client: int, value: Value, value_type: tff.Type, bounds: Value
) -> None:
    def check(_: tff.TensorType, tensor: tf.Tensor, bound: tf.Tensor) -> None:
        within = tf.cast(tensor, tf.int64) <= tf.cast(bound, tf.int64)
        if not bool(tf.reduce_all(within)):
            raise SecureSumRangeError(
                "client value larger than maximum specified for secure sum: expected "
                f"the summands of client {client} to be less than or equal to "
                f"{int(bound)}, found a larger one. Clip before summing, or raise the "
                "maximum."
            )

    map_tensors(check, value_type, value, bounds)
